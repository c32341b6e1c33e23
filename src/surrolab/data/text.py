"""Texts as sequences of tokens."""

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from surrolab.data.checks import one_of, whole_number
from surrolab.data.formats.labels import class_names
from surrolab.data.formats.table import read_table
from surrolab.data.from_file import (
    OPTION,
    Content,
    FromFile,
    by_part,
    class_numbers,
    file_path,
    group_numbers,
)
from surrolab.data.samples import Samples

TOKENS = ("char", "byte")
BYTES = 256


class Texts(NamedTuple):
    """Texts with their labels, official parts and groups."""

    texts: list[str]
    labels: list[str]
    split: list[str] | None
    groups: list[str] | None


class TokenSequences(FromFile):
    """Texts, each a sequence of one-hot vectors, one or more steps per token.

    A layer's weights on a one-hot vector are an embedding: each token is a current of its own into
    every neuron.

    Args:
        tokens: "char" (characters of the training texts that occur ``least_count`` times or more;
            others are vectors of zeros) or "byte" (of UTF-8, 256 of them).
        steps_per_token: for how many time steps a token stays.
        most_tokens: longer texts are cut there.
        least_count: see ``tokens``.
        others: as in `DataModule`.

    Raises:
        DataFileError: the file cannot be used.
        ValueError: a parameter is out of range.
    """

    sequences = True

    def __init__(
        self,
        batch_size: int = 64,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        tokens: str = "char",
        steps_per_token: int = 1,
        most_tokens: int = 100,
        least_count: int = 2,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
    ) -> None:
        self.tokens = one_of("tokens", tokens, TOKENS)
        self.steps_per_token = whole_number("steps_per_token", steps_per_token, 1)
        self.most_tokens = whole_number("most_tokens", most_tokens, 1)
        self.least_count = whole_number("least_count", least_count, 1)
        self.alphabet = ""
        super().__init__(
            batch_size,
            root,
            split_seed,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
        )

    @abstractmethod
    def texts(self) -> Texts:
        """Return the texts."""

    def read(self) -> Content:
        texts, labels, split, groups = self.texts()
        if self.tokens == "char":
            stages = split or ["train"] * len(texts)
            known = [text for text, stage in zip(texts, stages, strict=True) if stage == "train"]
            self.alphabet = characters(known, self.least_count)
            if not self.alphabet:
                raise ValueError(
                    f"least_count: no character occurs {self.least_count} times in the training "
                    "texts; allowed: less"
                )
            width = len(self.alphabet)
        else:
            width = BYTES
        x, lengths = self._numbers(texts)
        names = class_names(labels)
        samples = Samples(
            x, class_numbers(labels, names), lengths, group_numbers(groups), width=width
        )
        return Content(by_part(samples, split), names)

    def _numbers(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Numbers of tokens, int16 ``[n, T]`` with -1 where there is none, and the lengths."""
        number = {char: at for at, char in enumerate(self.alphabet)}
        rows = []
        for text in texts:
            if self.tokens == "byte":
                tokens = list(text.encode()[: self.most_tokens])
            else:
                tokens = [number.get(char, -1) for char in text[: self.most_tokens]]
            rows.append(np.repeat(np.asarray(tokens, dtype=np.int16), self.steps_per_token))
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        x = np.full((len(rows), int(lengths.max())), -1, dtype=np.int16)
        for at, row in enumerate(rows):
            x[at, : len(row)] = row
        return torch.from_numpy(x), lengths


class Text(TokenSequences):
    """The user's own texts: .tsv, .csv (with a header line) or .jsonl.

    A column ``split`` ("train", "val", "test") gives the parts, where there is one; a column
    ``group``, what may not be on both sides of a split, such as an author.

    Args:
        path: the file.
        text_column, label_column: what the columns are called.
        others: as in `TokenSequences`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        batch_size: int = 64,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        text_column: str = "text",
        label_column: str = "label",
        tokens: str = "char",
        steps_per_token: int = 1,
        most_tokens: int = 100,
        least_count: int = 2,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
    ) -> None:
        self.path = file_path(path)
        self.columns = text_column, label_column
        super().__init__(
            batch_size,
            root,
            split_seed,
            tokens=tokens,
            steps_per_token=steps_per_token,
            most_tokens=most_tokens,
            least_count=least_count,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
        )

    def texts(self) -> Texts:
        text, label = self.columns
        found = read_table(self.path, OPTION, text=text, label=label)
        return Texts(found.texts, found.labels, found.split, found.groups)


def characters(texts: Sequence[str], least_count: int) -> str:
    """The characters that occur often enough, the most frequent first."""
    counts = Counter(char for text in texts for char in text)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "".join(char for char, count in ordered if count >= least_count)
