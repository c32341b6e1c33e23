"""Tokens of texts, and published sets of them."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Program, environment
from http_files import serving
from user_files import text_set

from surrolab.data import AgNews, Sst2, Text, Trec, text_sets
from surrolab.data.downloads import Published, Remote
from surrolab.data.formats.problem import DataFileError
from surrolab.data.formats.questions import read_questions
from surrolab.data.tokens import Bytes, Characters, TokenizerFile, WordPieces, Words
from surrolab.errors import UserError
from surrolab.run.split import keep_split

SYLLABLES = ("ka", "lo", "mi", "ren", "sti", "u", "pha", "gé")


def sentences(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)

    def word() -> str:
        return "".join(SYLLABLES[at] for at in rng.integers(0, 8, rng.integers(1, 4)))

    return [" ".join(word().title() for _ in range(rng.integers(2, 7))) + "!" for _ in range(count)]


def table(path: Path, texts: list[str], **columns: list[str]) -> Path:
    labels = ["odd" if at % 2 else "even" for at in range(len(texts))]
    rows = zip(texts, labels, *columns.values(), strict=True)
    lines = ["\t".join(("text", "label", *columns)), *("\t".join(row) for row in rows)]
    (path / "own.tsv").write_text("\n".join(lines) + "\n")
    return path / "own.tsv"


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("tokens", ["char", "word", "word_piece"])
def test_tokens_are_learned_from_the_training_texts_alone(
    tmp_path: Path, tokens: str, split: bool
) -> None:
    """What is in the other texts only, however often, is no token, and changes no number."""
    texts = sentences(200)
    columns = {}
    if split:
        columns["split"] = [("train", "train", "val", "test")[at % 4] for at in range(200)]
    options: dict[str, Any] = {"tokens": tokens, "vocabulary": 60}
    first = Text(table(tmp_path, texts, **columns), **options)
    stage = {}
    for name, index in first.split_indices.items():
        whole = [at for at in range(200) if not split or columns["split"][at] == name]
        for at in index.tolist():
            stage[whole[at]] = name
    assert set(stage) == set(range(200))
    others = [
        text if stage[at] == "train" else "Qq zzz qq zzz qq zzz !" for at, text in enumerate(texts)
    ]
    second = Text(table(tmp_path, others, **columns), **options)
    assert second.token_names == first.token_names
    assert not set("qz") & set("".join(second.token_names))
    assert torch.equal(first.samples["train"].x[:, :20], second.samples["train"].x[:, :20])


def test_words_are_the_most_frequent(tmp_path: Path) -> None:
    texts = sentences(100)
    counts = Counter(
        word for text in texts for word in text.lower().replace("é", "e").replace("!", " !").split()
    )
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    words = Words(texts, 20, 1)
    assert words.names == ordered[:20]
    assert Words(texts, 10_000, 3).names == [word for word in ordered if counts[word] >= 3]
    assert words.numbers(["! unheardof !", ""], 9) == [[0, -1, 0], []]


def wordpieces(word: str, pieces: set[str]) -> list[str]:
    """The longest piece first, by Devlin et al.'s description."""
    found, begin = [], 0
    while begin < len(word):
        ends = range(len(word), begin, -1)
        fitting = (("##" if begin else "") + word[begin:end] for end in ends)
        piece = next((piece for piece in fitting if piece in pieces), None)
        if piece is None:
            return ["?"]
        found.append(piece)
        begin += len(piece.removeprefix("##")) if begin else len(piece)
    return found


def test_word_pieces_are_found_longest_first() -> None:
    texts = sentences(300)
    pieces = WordPieces(texts, 80, 2)
    assert len(pieces.names) == len(set(pieces.names)) == 80
    assert any(len(name.removeprefix("##")) > 3 for name in pieces.names)
    known = set(pieces.names)
    for text, numbers in zip(texts, pieces.numbers(texts, 1000), strict=True):
        words = text.lower().replace("é", "e").replace("!", " !").split()
        wanted = [piece for word in words for piece in wordpieces(word, known)]
        assert [pieces.names[number] for number in numbers] == wanted
    assert pieces.numbers(["kazo mi"], 9)[0][0] == -1  # a letter that no text has
    assert len(pieces.numbers([" ".join(texts)], 7)[0]) == 7


LEARN = """
from surrolab.data.tokens import WordPieces
from test_texts import sentences
print(WordPieces(sentences(300), 80, 2).names)
"""


def test_the_same_texts_give_the_same_pieces_in_every_process() -> None:
    """Without care they are others in each."""
    variables = environment() | {"PYTHONPATH": ":".join(map(str, sys.path))}
    words = [sys.executable, "-c", LEARN]
    process = subprocess.run(words, env=variables, capture_output=True, text=True, check=True)
    assert process.stdout == f"{WordPieces(sentences(300), 80, 2).names}\n"


def test_a_tokenizer_of_the_users(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"<unk>": 0, "lo": 1, "ka": 2}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.enable_padding(length=9)
    made.enable_truncation(1)
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    data = Text(table(tmp_path, ["ka lo ka mi", "lo ka"] * 20), tokenizer=path, most_tokens=3)
    assert data.token_names == ["<unk>", "lo", "ka"]
    assert data.sample_shape == (3,)
    rows = {tuple(row) for row in data.samples["train"].x.tolist()}
    assert rows == {(2, 1, 2), (1, 2, -1)}
    assert set(data.samples["train"].lengths.tolist()) == {2, 3}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "is empty"),
        (b"no json", "is no tokenizer ("),
        (b"{}", "is no tokenizer ("),
        (b"\xff\xfe", "is no tokenizer ("),
        (b'{"model": {"type": "WordLevel", "vocab": {}, "unk_token": "x"}}', "has no tokens; give"),
        (
            b'{"model": {"type": "WordLevel", "vocab": {"x": 4000000000}, "unk_token": "x"}}',
            "has a token of number 4000000000; allowed: below 1000000",
        ),
    ],
)
def test_a_file_that_is_no_tokenizer(tmp_path: Path, content: bytes, line: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(DataFileError) as error:
        TokenizerFile(path, "data.tokenizer")
    assert str(error.value).startswith(f"data.tokenizer: {path}: {line}")
    assert "\n" not in str(error.value)


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^vocabulary: 9 is not allowed.* allowed: 32 or more$"):
        WordPieces(sentences(300), 9, 2)
    with pytest.raises(ValueError, match=r"^vocabulary: .*allowed: with a lower least_count$"):
        WordPieces(["ab"], 9, 2)
    with pytest.raises(ValueError, match=r"^least_count: no word occurs 2 times"):
        Words(["ab"], 9, 2)
    with pytest.raises(ValueError, match=r"^least_count: no character occurs 2 times"):
        Characters(["ab"], 2)
    with pytest.raises(ValueError, match=r"^vocabulary: .* a whole number from 1 to 1000000$"):
        Text(table(tmp_path, sentences(20)), vocabulary=10**15)
    with pytest.raises(DataFileError, match=r"data\.tokenizer: absent\.json: no such file"):
        TokenizerFile("absent.json", "data.tokenizer")


def test_a_text_without_a_token_has_a_step(tmp_path: Path) -> None:
    texts = [*sentences(40), "\u200b", "\u200b"]
    data = Text(table(tmp_path, texts, split=["train"] * 38 + ["test"] * 4), tokens="word_piece")
    assert data.samples["test"].lengths.tolist()[-2:] == [1, 1]
    assert (data.samples["test"].x[-2:] == -1).all()


def test_bytes_are_those_of_utf8() -> None:
    assert Bytes().numbers(["aé", "日"], 3) == [[97, 195, 169], [230, 151, 165]]
    assert Bytes().names[255] == "ff"


SETS: dict[str, tuple[type[Sst2], list[str]]] = {
    "sst2": (Sst2, ["negative", "positive"]),
    "ag_news": (AgNews, ["business", "sports", "world"]),  # type: ignore[dict-item]
    "trec": (Trec, ["DESC", "HUM", "NUM"]),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", SETS)
def test_published_sets_are_read_with_their_official_parts(tmp_path: Path, name: str) -> None:
    kind, classes = SETS[name]
    text_set(name, tmp_path / name)
    data = kind(root=tmp_path, vocabulary=100, tokens="word")
    assert data.split_sizes == {"train": 54, "val": 6, "test": 20}
    assert data.class_names == classes
    first = data.samples["test"].x[0]
    words = [data.token_names[at] for at in first.tolist() if at >= 0]
    begin = {"sst2": ["a"], "ag_news": ["a", '"', "title", '"', ",", "so", "a"], "trec": ["what"]}
    assert words[: len(begin[name])] == begin[name]
    labels = [data.class_names[at] for at in data.samples["test"].y.tolist()[:2]]
    wanted = {
        "sst2": ["negative", "positive"],
        "ag_news": ["world", "sports"],
        "trec": ["DESC", "NUM"],
    }
    assert labels == wanted[name]
    assert "delicieux" in data.token_names


def test_questions_are_in_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "q.label"
    path.write_bytes(b"HUM:ind Who is Jos\xe9 ?\n\nNUM:date When ?\n")
    assert read_questions(path, "data.root").texts == ["Who is José ?", "When ?"]
    for line in (b"what is this", b"HUM who", b"HUM:ind", b"hum:ind who"):
        path.write_bytes(b"HUM:ind Who ?\n" + line + b"\n")
        with pytest.raises(DataFileError, match=r"q\.label, row 2: .* is no question with its l"):
            read_questions(path, "data.root")


def test_a_network_learns_from_pieces(here: Any, tmp_path: Path) -> None:
    text_set("sst2", tmp_path / "sst2", (600, 100))
    words = ("data=sst2", f"data.root={tmp_path}", "data.vocabulary=60", "trainer.max_epochs=4")
    init = ("model.init=fluctuation_driven", "model.init_rate=0.02", "objective=ce_mean")
    status, _, err = here(*words, *init, "model.hidden=[64]", "data.batch_size=32")
    assert status == 0, err
    assert here.run.result["metrics"]["test/accuracy"] > 0.9


def test_a_set_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Any) -> None:
    text_set("trec", tmp_path / "there")
    with serving() as server:
        remotes = []
        for path in sorted((tmp_path / "there").glob("*.label")):
            remotes.append(Remote(path.name, (server.add(path.name, path.read_bytes()),)))
        monkeypatch.setattr(text_sets.Trec, "published", Published("here", "", tuple(remotes)))
        words = ("data=trec", f"data.root={tmp_path}", "debug=smoke")
        status, _, err = here(*words)
        assert status == 2
        wanted = f"data.root: there is no {tmp_path}/trec/TREC_10.label; allowed: a folder with it"
        assert wanted in err
        status, _, err = here(
            *words, "data.download=true", "data.vocabulary=80", f"hydra.run.dir={tmp_path}/second"
        )
        assert status == 0, err


def swapped(texts: list[str]) -> list[str]:
    """The same texts but for two syllables, each in place of the other."""
    return [text.replace("ka", "1").replace("lo", "ka").replace("1", "lo") for text in texts]


def test_a_run_does_not_go_on_with_other_tokens(tmp_path: Path) -> None:
    options: dict[str, Any] = {"tokens": "word_piece", "vocabulary": 70}
    path = tmp_path / "records" / "split.npz"
    keep_split(Text(table(tmp_path, sentences(120)), **options), path)
    keep_split(Text(table(tmp_path, sentences(120)), **options), path)
    with pytest.raises(UserError, match=r"^data: its tokens are not those that the run began with"):
        keep_split(Text(table(tmp_path, swapped(sentences(120))), **options), path)
    # A run from before they were kept goes on.
    with np.load(path) as kept:
        arrays = {name: kept[name] for name in kept.files if name != "tokens"}
    np.savez_compressed(path, **arrays)
    keep_split(Text(table(tmp_path, sentences(120)), **options), path)


@pytest.mark.slow
def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(program: Program) -> None:
    table(program.directory, sentences(120))
    words = ("data=text", "data.path=own.tsv", "data.tokens=word_piece", "data.vocabulary=70")
    small = ("model.hidden=[32]", "data.batch_size=16", "optimizer.schedule=constant")
    whole = program.run("whole", *words, *small, "trainer.max_epochs=2")
    program.run("part", *words, *small, "trainer.max_epochs=1")
    process = program("resume=part", "trainer.max_epochs=2")
    assert process.returncode == 0, process.stderr
    resumed = type(whole)(process, program.directory / "part")
    assert all(torch.equal(tensor, resumed.weights[name]) for name, tensor in whole.weights.items())
