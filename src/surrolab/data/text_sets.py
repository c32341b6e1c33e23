"""Published texts with classes: SST-2, AG News, and the questions of TREC."""

import os
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from surrolab.data.downloads import Published, provide
from surrolab.data.formats.questions import read_questions
from surrolab.data.formats.table import TextTable, read_table
from surrolab.data.sources import AG_NEWS, SST2, TREC
from surrolab.data.text import Texts, TokenSequences

OPTION = "data.root"


class TextSet(TokenSequences):
    """A published set whose files lie in ``root/<set>``, with its official test part.

    A subclass has ``set_name``, ``published``, and `parts`.

    Args:
        download: whether files that are not there are fetched.
        others: as in `TokenSequences`.

    Raises:
        DataFileError: a file is damaged or cannot be fetched.
        ValueError: a file is missing, and where it is to be had; a parameter is out of range.
    """

    set_name: ClassVar[str]
    published: ClassVar[Published]

    def __init__(
        self,
        batch_size: int = 64,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        tokens: str = "word_piece",
        tokenizer: str | os.PathLike[str] | None = None,
        vocabulary: int = 2000,
        steps_per_token: int = 1,
        most_tokens: int = 50,
        least_count: int = 2,
        val_fraction: float = 0.1,
        download: bool = False,
    ) -> None:
        self.download = download
        super().__init__(
            batch_size,
            root,
            split_seed,
            tokens=tokens,
            tokenizer=tokenizer,
            vocabulary=vocabulary,
            steps_per_token=steps_per_token,
            most_tokens=most_tokens,
            least_count=least_count,
            val_fraction=val_fraction,
        )

    @abstractmethod
    def parts(self, folder: Path) -> tuple[TextTable, TextTable]:
        """Read the parts for training and for test."""

    def label(self, given: str) -> str:
        """What a class is called."""
        return given

    def texts(self) -> Texts:
        provide(self.root, self.set_name, self.published, self.download)
        train, test = self.parts(self.root / self.set_name)
        labels = [self.label(given) for part in (train, test) for given in part.labels]
        split = ["train"] * len(train.texts) + ["test"] * len(test.texts)
        return Texts(train.texts + test.texts, labels, split, None)


class Sst2(TextSet):
    """Phrases from film reviews, negative or positive: 67,349 for training, 872 for test.

    Socher et al. 2013, https://aclanthology.org/D13-1170, as in GLUE (Wang et al. 2019,
    arXiv:1804.07461). GLUE keeps the labels of its test part to itself, so that its development
    part is the test part here, as usual in print; validation is split off the training part. That
    holds phrases of one sentence beside each other: validation is easier than test.

    The files, ``SST-2/train.tsv`` and ``SST-2/dev.tsv``, are to lie in ``root/sst2``.
    """

    set_name = "sst2"
    published = SST2
    licence = SST2.licence

    def parts(self, folder: Path) -> tuple[TextTable, TextTable]:
        found = [
            read_table(folder / "SST-2" / f"{part}.tsv", OPTION, text="sentence", least_classes=n)
            for part, n in (("train", 2), ("dev", 1))
        ]
        return found[0], found[1]

    def label(self, given: str) -> str:
        return {"0": "negative", "1": "positive"}.get(given, given)


class AgNews(TextSet):
    """News in four classes, title and description: 120,000 for training, 7,600 for test.

    Zhang, Zhao and LeCun 2015, arXiv:1509.01626. The files ``train.csv`` and ``test.csv``, without
    a header line, are to lie in ``root/ag_news``.
    """

    set_name = "ag_news"
    published = AG_NEWS
    licence = AG_NEWS.licence

    def parts(self, folder: Path) -> tuple[TextTable, TextTable]:
        found = [
            read_table(
                folder / f"{part}.csv",
                OPTION,
                text=("title", "description"),
                columns=("label", "title", "description"),
                least_classes=n,
            )
            for part, n in (("train", 2), ("test", 1))
        ]
        return found[0], found[1]

    def label(self, given: str) -> str:
        return {"1": "world", "2": "sports", "3": "business", "4": "science"}.get(given, given)


class Trec(TextSet):
    """Questions by what is asked for, in six classes: 5,452 for training, 500 for test.

    Li and Roth 2002, https://aclanthology.org/C02-1150. The files ``train_5500.label`` and
    ``TREC_10.label`` are to lie in ``root/trec``.
    """

    set_name = "trec"
    published = TREC
    licence = TREC.licence

    def parts(self, folder: Path) -> tuple[TextTable, TextTable]:
        return (
            read_questions(folder / "train_5500.label", OPTION),
            read_questions(folder / "TREC_10.label", OPTION, least_classes=1),
        )
