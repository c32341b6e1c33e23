"""Text tables, .npz, IDX and CIFAR-10: what was written is read."""

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from valid_files import CIFAR_PIXELS, IMAGES, OPTION, cifar, idx, npz, tsv

from surrolab.data.formats.arrays import read_arrays
from surrolab.data.formats.cifar import CLASSES, read_cifar10
from surrolab.data.formats.idx import read_idx, read_idx_images
from surrolab.data.formats.labels import class_names
from surrolab.data.formats.problem import DataFileError
from surrolab.data.formats.table import read_table

BRAILLE = Path(__file__).parents[3] / ".." / "shared" / "data" / "braille" / "braille_letters.npz"
# Text that a person could have written: no NUL, which is refused, and no surrogates.
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1)
WORDS = TEXT.filter(lambda text: text.strip())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


def test_tsv_keeps_quotation_marks_and_has_split_and_group(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + tsv(2).replace(b"\n", b"\r\n"))
    table = read_table(path, OPTION)
    assert table.texts == ['a "word" 0, ü', 'a "word" 1, ü']
    assert (table.labels, table.split) == (["yes", "no"], ["train", "train"])
    assert table.groups == ["author0", "author1"]


def test_names_of_columns_can_be_chosen_and_a_header_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('3,"Wall St, bears",x\n4,"say ""claws""",y\n')
    table = read_table(path, OPTION, text="title", label="class", columns=["class", "title", "z"])
    assert table.texts == ["Wall St, bears", 'say "claws"']
    assert (table.labels, table.split, table.groups) == (["3", "4"], None, None)
    path.write_text("class,title\n3,a\n4,b\n")
    assert read_table(path, OPTION, text="title", label="class").labels == ["3", "4"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_what_the_csv_and_json_writers_write_is_read(
    folder: Path, rows: list[tuple[str, str]]
) -> None:
    # A quoted line break is "\n" when it is read, as in any text file.
    rows = [tuple(cell.replace("\r", "\n") for cell in row) for row in rows]  # type: ignore[misc]
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "label"), *rows])
    path = folder / "a.csv"
    path.write_bytes(out.getvalue().encode())
    labels = [label.strip() for _, label in rows]
    table = read_table(path, OPTION, least_classes=1)
    assert (table.texts, table.labels) == ([text for text, _ in rows], labels)
    path = folder / "a.jsonl"
    path.write_text("\n\n".join(json.dumps(dict(zip(("text", "label"), r))) for r in rows))  # noqa: B905
    table = read_table(path, OPTION, least_classes=1)
    assert (table.texts, table.labels) == ([text for text, _ in rows], labels)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(codec="latin-1"), min_size=1), min_size=1, max_size=4))
def test_a_table_reads_or_ends_in_one_line(folder: Path, lines: list[str]) -> None:
    path = folder / "b.tsv"
    path.write_bytes("\n".join(["text\tlabel", *lines]).encode())
    try:
        table = read_table(path, OPTION, least_classes=1)
    except DataFileError:
        return
    assert len(table.texts) == len(table.labels) > 0


@pytest.mark.parametrize("compressed", [True, False])
def test_npz_with_lengths_and_split(tmp_path: Path, compressed: bool) -> None:
    x = np.arange(60.0).reshape(4, 5, 3)
    x[1, 4] = np.nan  # padding
    path = tmp_path / "a.npz"
    path.write_bytes(npz(compressed, x=x, group=np.array([7, 7, 8, 8])))
    found = read_arrays(path, OPTION)
    expected = np.arange(60.0).reshape(4, 5, 3)
    expected[1, 3:] = expected[2, 1:] = 0
    assert found.x.dtype == np.float64
    assert np.array_equal(found.x, expected)
    assert found.lengths is not None
    assert found.lengths.tolist() == [5, 3, 1, 5]
    assert found.labels == ["no", "yes", "no", "yes"]
    assert (found.split, found.groups) == (["train", "train", "val", "test"], list("7788"))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["?", "<u1", ">i4", "<f2", ">f8"])
def test_npz_of_any_type_order_and_key(tmp_path: Path, dtype: str, order: str) -> None:
    x = np.array(np.arange(24).reshape(4, 3, 2) % 2, dtype=dtype, order=order)  # type: ignore[call-overload]
    path = tmp_path / "a.npz"
    np.savez(path, a=x, b=np.array([b"x", b"y", b"x", b"y"]))
    found = read_arrays(path, OPTION, x="a", y="b")
    assert np.array_equal(found.x, x)
    assert found.x.dtype.isnative
    assert (found.labels, found.lengths, found.split) == (list("xyxy"), None, None)


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(max_dims=3, max_side=4)))
def test_npz_holds_what_numpy_holds(folder: Path, x: np.ndarray) -> None:
    path = folder / "a.npz"
    np.savez(path, x=x, y=np.arange(len(x)))
    good = x.dtype.kind in "biuf" and x.dtype.itemsize <= 8 and bool(np.isfinite(x).all())
    if good:
        assert np.array_equal(read_arrays(path, OPTION, least_classes=1).x, x)
    else:
        with pytest.raises(DataFileError):
            read_arrays(path, OPTION, least_classes=1)


def test_braille_letters() -> None:
    if not BRAILLE.is_file():
        pytest.skip("the Braille letters (../shared/data/braille) are not here")
    found = read_arrays(BRAILLE, OPTION)
    with np.load(BRAILLE) as arrays:
        assert np.array_equal(found.x, arrays["x"])
        assert found.labels == [str(label) for label in arrays["y"]]
    assert len(class_names(found.labels)) == 27


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, "u1"), (0x09, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")],
)
@pytest.mark.parametrize("packed", [True, False])
def test_idx_of_every_type(tmp_path: Path, code: int, dtype: str, packed: bool) -> None:
    array = np.arange(-6, 6).reshape(2, 3, 2).astype(dtype)
    path = tmp_path / "a"
    content = idx(array, code)
    path.write_bytes(gzip.compress(content) if packed else content)
    found = read_idx(path, OPTION)
    assert np.array_equal(found, array)
    assert found.dtype == np.dtype(dtype).newbyteorder("=")


def test_idx_images_and_their_labels(tmp_path: Path) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels.gz"
    images.write_bytes(idx(IMAGES, 8))
    labels.write_bytes(gzip.compress(idx(np.array([3, 0, 9], np.uint8), 8)))
    x, y = read_idx_images(images, labels, OPTION)
    assert np.array_equal(x, IMAGES)
    assert (y.dtype, y.tolist()) == (np.int64, [3, 0, 9])
    with pytest.raises(DataFileError, match="not images; give the file of images"):
        read_idx_images(labels, labels, OPTION)
    with pytest.raises(DataFileError, match="not labels"):
        read_idx_images(images, images, OPTION)
    labels.write_bytes(idx(np.array([3, 0], np.uint8), 8))
    with pytest.raises(DataFileError, match="has 2 labels where images has 3 images"):
        read_idx_images(images, labels, OPTION)


def test_cifar_planes(tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(cifar((3, 9)))
    x, y = read_cifar10(path, OPTION)
    assert [CLASSES[label] for label in y] == ["cat", "truck"]
    # Row 1, column 2 of the green plane.
    assert x[1, 1, 1, 2] == CIFAR_PIXELS[1, 1024 + 32 + 2]
    assert np.array_equal(x.reshape(2, -1), CIFAR_PIXELS)


def test_classes_come_in_natural_order() -> None:
    assert class_names(["10", "2", "b10", "b9", "a", "2"]) == ["2", "10", "a", "b9", "b10"]
    assert class_names(["9" * 5000, "1" + "0" * 5000])[0][0] == "9"
