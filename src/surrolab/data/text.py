"""Texts as sequences of tokens."""

import os
from abc import abstractmethod
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
from surrolab.data.tokens import (
    MOST_TOKENS,
    TOKENS,
    Bytes,
    Characters,
    TokenizerFile,
    Tokens,
    WordPieces,
    Words,
)


class Texts(NamedTuple):
    """Texts with their labels, official parts and groups."""

    texts: list[str]
    labels: list[str]
    split: list[str] | None
    groups: list[str] | None


class TokenSequences(FromFile):
    """Texts, each a sequence of one-hot vectors, one or more steps per token.

    A layer's weights on a one-hot vector are an embedding: each token is a current of its own into
    every neuron. The vectors are kept as numbers, and the first layer picks columns of its weight
    (`surrolab.synapses.OneHot`), so that a large vocabulary costs no more than a small one.

    What tokens there are is learned from the training samples alone.

    Args:
        tokens: "char" (characters), "byte" (of UTF-8, 256 of them), "word" or "word_piece" (see
            `surrolab.data.tokens`). What is none of them is a vector of zeros.
        tokenizer: a ``tokenizer.json`` whose tokens are used instead of those.
        vocabulary: how many words or word pieces at the most.
        least_count: how often characters, words and pairs of pieces have to occur.
        steps_per_token: for how many time steps a token stays.
        most_tokens: longer texts are cut there.
        others: as in `DataModule`.

    Attributes:
        token_names: what the tokens are, in the order of the vectors.

    Raises:
        DataFileError: a file cannot be used.
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
        tokenizer: str | os.PathLike[str] | None = None,
        vocabulary: int = 2000,
        steps_per_token: int = 1,
        most_tokens: int = 100,
        least_count: int = 2,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
    ) -> None:
        self.tokens = one_of("tokens", tokens, TOKENS)
        self.tokenizer = tokenizer
        self.vocabulary = whole_number("vocabulary", vocabulary, 1, MOST_TOKENS)
        self.steps_per_token = whole_number("steps_per_token", steps_per_token, 1)
        self.most_tokens = whole_number("most_tokens", most_tokens, 1)
        self.least_count = whole_number("least_count", least_count, 1)
        self.token_names: list[str] = []
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
        names = class_names(labels)
        y, members = class_numbers(labels, names), group_numbers(groups)
        # Split without the texts first, which tells what there is to learn from.
        row = torch.arange(len(texts))
        ones = torch.ones_like(row)
        parts, _ = self._parted(by_part(Samples(row[:, None], y, ones, members), split))
        train = parts["train"]
        assert isinstance(train, Samples)
        tokens = self._learned([texts[at] for at in train.x[:, 0].tolist()])
        self.token_names = tokens.names
        x, lengths = _in_steps(tokens.numbers(texts, self.most_tokens), self.steps_per_token)
        samples = Samples(x, y, lengths, members, width=len(tokens.names))
        return Content(by_part(samples, split), names)

    def _learned(self, texts: Sequence[str]) -> Tokens:
        if self.tokenizer is not None:
            return TokenizerFile(self.tokenizer, "data.tokenizer")
        if self.tokens == "char":
            return Characters(texts, self.least_count)
        if self.tokens == "byte":
            return Bytes()
        kind = Words if self.tokens == "word" else WordPieces
        return kind(texts, self.vocabulary, self.least_count)


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
        tokenizer: str | os.PathLike[str] | None = None,
        vocabulary: int = 2000,
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
            tokenizer=tokenizer,
            vocabulary=vocabulary,
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


def _in_steps(tokens: Sequence[Sequence[int]], times: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers of tokens, int16 or int32 ``[n, T]`` with -1 where there is none, and the lengths.

    A text of which nothing is a token has one step without any.
    """
    rows = [np.repeat(np.asarray(row or [-1]), times) for row in tokens]
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    most = max(int(row.max()) for row in rows)
    kind = np.int16 if most <= np.iinfo(np.int16).max else np.int32
    x = np.full((len(rows), int(lengths.max())), -1, dtype=kind)
    for at, row in enumerate(rows):
        x[at, : len(row)] = row
    return torch.from_numpy(x), lengths
