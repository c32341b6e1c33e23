"""What a text is cut into: characters, bytes, words or word pieces."""

import itertools
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from surrolab.data.formats.opening import check_plain
from surrolab.data.formats.problem import Source

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENS = ("char", "byte", "word", "word_piece")
UNKNOWN = "[UNK]"
CONTINUES = "##"
MOST_TOKENS = 1_000_000
AT_ONCE = 1000


class Tokens(ABC):
    """Texts as numbers.

    Attributes:
        names: of the tokens, in the order of their numbers.
    """

    names: list[str]

    @abstractmethod
    def numbers(self, texts: Sequence[str], most: int) -> list[list[int]]:
        """The tokens of each text, ``most`` of them at the most; -1 is one that is unknown."""


class Characters(Tokens):
    """Characters that occur often enough, the most frequent first.

    Raises:
        ValueError: there is none.
    """

    def __init__(self, texts: Sequence[str], least_count: int) -> None:
        self.names = _frequent(Counter(itertools.chain.from_iterable(texts)), least_count)
        if not self.names:
            raise ValueError(
                f"least_count: no character occurs {least_count} times in the training texts; "
                "allowed: less"
            )
        self._number = {char: at for at, char in enumerate(self.names)}

    def numbers(self, texts: Sequence[str], most: int) -> list[list[int]]:
        return [[self._number.get(char, -1) for char in text[:most]] for text in texts]


class Bytes(Tokens):
    """The bytes of UTF-8."""

    names: ClassVar[list[str]] = [f"{byte:02x}" for byte in range(256)]  # type: ignore[misc]

    def numbers(self, texts: Sequence[str], most: int) -> list[list[int]]:
        return [list(text.encode()[:most]) for text in texts]


class _Rust(Tokens):
    """Tokens of the library `tokenizers`; ``first`` is the number of its token that is our 0."""

    def __init__(self, tokenizer: "Tokenizer", first: int) -> None:
        self._tokenizer = tokenizer
        self._first = first
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        self.names = [""] * (max(vocabulary.values()) + 1 - first)
        for name, number in vocabulary.items():
            if number >= first:
                self.names[number - first] = name

    def numbers(self, texts: Sequence[str], most: int) -> list[list[int]]:
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(most)
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [[number - self._first for number in one.ids] for one in found]


class _Bert(_Rust):
    """Tokens of texts that are cut into words as BERT does (Devlin et al. 2019,
    doi:10.18653/v1/N19-1423), uncased: small letters without accents, white space and punctuation
    between them. Number 0 is of what is unknown.

    What stands between white space is looked up once, as it is the same wherever it stands.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(_bert(model), 1)

    def numbers(self, texts: Sequence[str], most: int) -> list[list[int]]:
        cut = [text.split() for text in texts]
        chunks = list(dict.fromkeys(itertools.chain.from_iterable(cut)))
        known = dict(zip(chunks, super().numbers(chunks, most), strict=True))
        found = (itertools.chain.from_iterable(map(known.__getitem__, text)) for text in cut)
        return [list(itertools.islice(tokens, most)) for tokens in found]


class Words(_Bert):
    """The most frequent words; of two that are as frequent, the first by the alphabet.

    Args:
        texts: to learn from.
        vocabulary: how many words at the most.
        least_count: how often a word has to occur.

    Raises:
        ValueError: there is none.
    """

    def __init__(self, texts: Sequence[str], vocabulary: int, least_count: int) -> None:
        from tokenizers.models import WordLevel

        words = _frequent(word_counts(texts), least_count)[:vocabulary]
        if not words:
            raise ValueError(
                f"least_count: no word occurs {least_count} times in the training texts; allowed: "
                "less"
            )
        super().__init__(WordLevel(_numbered([UNKNOWN, *words]), UNKNOWN))


class WordPieces(_Bert):
    """Pieces of words, put together from the most frequent neighbours.

    WordPiece as in BERT, learned as `tokenizers` does: pairs of pieces are joined in the order of
    their frequency. Its learning numbers pieces in the order of a hash table that is another in
    each process, and breaks ties by these numbers; here the characters get theirs first, so that
    the same texts give the same pieces.

    Args:
        texts: to learn from.
        vocabulary: how many pieces at the most.
        least_count: how often a character and a pair of pieces have to occur.

    Raises:
        ValueError: the vocabulary is too small for the characters.
    """

    def __init__(self, texts: Sequence[str], vocabulary: int, least_count: int) -> None:
        from tokenizers.models import WordPiece

        words = word_counts(texts)
        counts: Counter[str] = Counter()
        for word, count in words.items():
            for char in word:
                counts[char] += count
        known = _frequent(counts, least_count)
        if not 0 < 2 * len(known) <= vocabulary:
            allowed = f"{max(2, 2 * len(known))} or more" if known else "with a lower least_count"
            raise ValueError(
                f"vocabulary: {vocabulary} is not allowed, as the training texts have {len(known)} "
                f"characters, each at the beginning of a word and within; allowed: {allowed}"
            )
        pieces = _joined(words, known, set(counts) - set(known), vocabulary, least_count)
        super().__init__(WordPiece(pieces, unk_token=UNKNOWN))


def _joined(
    words: Counter[str], known: list[str], rare: set[str], vocabulary: int, least_count: int
) -> dict[str, int]:
    """The pieces with their numbers, `UNKNOWN` as 0 among them."""
    tokenizers = _library()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece({UNKNOWN: 0}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    alphabet = [*sorted(known), *(CONTINUES + char for char in sorted(known))]
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=vocabulary + 1,
        min_frequency=least_count,
        special_tokens=[UNKNOWN, *alphabet],
        show_progress=False,
    )
    gaps = str.maketrans(dict.fromkeys(rare, " "))
    texts = (
        f"{word.translate(gaps)} " * min(AT_ONCE, count - at)
        for word, count in words.items()
        for at in range(0, count, AT_ONCE)
    )
    tokenizer.train_from_iterator(texts, trainer)
    pieces: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    return pieces


class TokenizerFile(_Rust):
    """Tokens of a ``tokenizer.json``, as `tokenizers` and `transformers` save it.

    What it adds to a text of its own accord, such as [CLS], is left out.

    Args:
        path: the file.
        option: the option that gave it, for errors.

    Raises:
        DataFileError: it is no such file.
    """

    def __init__(self, path: str | os.PathLike[str], option: str) -> None:
        source = Source(option, path)
        check_plain(source)
        tokenizers = _library()
        with source.reading():
            text = Path(path).read_bytes()
        try:
            tokenizer = tokenizers.Tokenizer.from_buffer(text)
        except Exception as error:  # of no type of its own
            raise source.error(
                f"is no tokenizer ({error})", "give the tokenizer.json of Hugging Face's library"
            ) from None
        numbers = tokenizer.get_vocab().values()
        if not numbers:
            raise source.error("has no tokens", "give one that has been trained")
        if max(numbers) >= MOST_TOKENS:
            raise source.error(
                f"has a token of number {max(numbers)}", f"allowed: below {MOST_TOKENS}"
            )
        super().__init__(tokenizer, 0)


def word_counts(texts: Sequence[str]) -> Counter[str]:
    """How often each word occurs, cut as BERT does."""
    tokenizer = _bert(_library().models.WordLevel({UNKNOWN: 0}, UNKNOWN))
    found: Counter[str] = Counter()
    for chunk, count in Counter(chunk for text in texts for chunk in text.split()).items():
        normal = tokenizer.normalizer.normalize_str(chunk)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal):
            found[word] += count
    return found


def _frequent(counts: Counter[str], least_count: int) -> list[str]:
    """What occurs often enough, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [name for name, count in ordered if count >= least_count]


def _bert(model: object) -> "Tokenizer":
    """A tokenizer that cuts texts into words as BERT does, uncased."""
    tokenizers = _library()
    made = tokenizers.Tokenizer(model)
    made.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return cast("Tokenizer", made)


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: at for at, name in enumerate(names)}


def _library() -> Any:
    # With threads of its own it would warn of every fork that comes later.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers

    return tokenizers
