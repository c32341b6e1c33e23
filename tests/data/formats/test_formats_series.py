"""UCR/UEA files: unequal lengths, missing values, and what independent readers read."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import arff
from valid_files import ARFF, ARFF_RELATIONAL, OPTION, TS, TS_HEADER, UCR_TSV

from surrolab.data.formats.problem import DataFileError
from surrolab.data.formats.ucr import Missing, SeriesFile, read_series

CASES = st.lists(
    st.tuples(
        st.integers(1, 6).flatmap(
            lambda steps: hnp.arrays(
                np.float64, (steps, 2), elements=st.floats(allow_nan=False, allow_infinity=False)
            )
        ),
        st.sampled_from(["left", "right"]),
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("series")


def read(folder: Path, name: str, content: bytes, missing: Missing = "error") -> SeriesFile:
    path = folder / name
    path.write_bytes(content)
    return read_series(path, OPTION, missing=missing)


def test_ts_of_unequal_lengths(tmp_path: Path) -> None:
    # A comment in an old encoding, upper case, no line end at the end.
    content = b"#\xe9\n" + TS.replace(b"@data", b"@DATA").rstrip()
    found = read(tmp_path, "a_TRAIN.ts", content)
    assert [one.tolist() for one in found.series] == [
        [[1, 4], [2, 5], [3, 6]],
        [[-1.5, 0], [1e-3, 7]],
    ]
    assert (found.labels, found.classes) == (["left", "right"], ["left", "right"])
    assert {one.dtype for one in found.series} == {np.dtype(np.float64)}


def test_missing_values_are_interpolated_in_time_and_held_at_the_ends(tmp_path: Path) -> None:
    content = (TS_HEADER + "?,1,?,?,4,?:0,0,0,0,0,?:left\n1:2:right\n").encode()
    found = read(tmp_path, "a.ts", content, "linear").series[0]
    assert found[:, 0].tolist() == [1, 1, 2, 3, 4, 4]
    assert found[:, 1].tolist() == [0] * 6
    with pytest.raises(DataFileError, match=r"a\.ts, row 10: step 0 of channel 0 is missing"):
        read(tmp_path, "a.ts", content)
    with pytest.raises(ValueError, match=r"missing: 'mean' is not allowed; allowed: error, linear"):
        read(tmp_path, "a.ts", content, "mean")  # type: ignore[arg-type]


def test_rows_of_arff_and_tsv_end_where_all_channels_do(tmp_path: Path) -> None:
    found = read(tmp_path, "a.tsv", UCR_TSV)
    assert [len(one) for one in found.series] == [3, 3, 2]
    assert (found.labels, found.classes) == (["1", "2", "1"], ["1", "2"])
    found = read(tmp_path, "a.arff", ARFF)
    assert [len(one) for one in found.series] == [3, 2, 3]
    assert found.labels == ["1", "two words", "1"]
    found = read(tmp_path, "a.arff", ARFF_RELATIONAL)
    assert [one.tolist() for one in found.series] == [[[1, 4], [2, 5], [3, 6]], [[7, 1], [8, 2]]]
    # One channel goes on: missing, not padding.
    content = ARFF_RELATIONAL.replace(b"1,2,?", b"1,2,3")
    assert read(tmp_path, "a.arff", content, "linear").series[1].tolist() == [
        *([7, 1], [8, 2], [8, 3])
    ]


@settings(deadline=None, max_examples=60)
@given(CASES)
def test_what_is_written_as_ts_is_read(folder: Path, cases: list[tuple[np.ndarray, str]]) -> None:
    lines = [
        ":".join(",".join(map(repr, channel)) for channel in values.T.tolist()) + f":{label}"
        for values, label in cases
    ]
    path = folder / "a.ts"
    path.write_text(TS_HEADER + "\n".join(lines))
    found = read_series(path, OPTION, least_classes=1)
    assert found.labels == [label for _, label in cases]
    for (values, _), one in zip(cases, found.series, strict=True):
        assert np.array_equal(one, values)


def test_arff_as_scipy_reads_it(tmp_path: Path) -> None:
    # scipy keeps the quotation marks of a class.
    content = ARFF.replace(b"?", b"8.25").replace(b"'two words'", b"two_words")
    rows, _ = arff.loadarff(io.StringIO(content.decode()))
    found = read(tmp_path, "a.arff", content)
    values = np.array([[row[f"att{at}"] for at in range(3)] for row in rows])
    assert np.array_equal(np.stack(found.series)[:, :, 0], values)
    assert found.labels == [row["target"].decode() for row in rows]


def test_relational_arff_as_scipy_reads_it(tmp_path: Path) -> None:
    content = ARFF_RELATIONAL.replace(b"?", b"9").replace(b'"', b"'")
    rows, _ = arff.loadarff(io.StringIO(content.decode()))
    found = read(tmp_path, "a.arff", content)
    for row, one in zip(rows, found.series, strict=True):
        assert np.array_equal(np.array(row["series"].tolist()).T, one)
    assert found.labels == [row["class"].decode() for row in rows]


@pytest.mark.parametrize("name", ["JapaneseVowels", "BasicMotions", "ItalyPowerDemand", "PLAID"])
def test_archive_files_as_sktime_reads_them(name: str) -> None:
    sktime = pytest.importorskip("sktime", reason="sktime is not installed")
    from sktime.datasets import load_from_tsfile

    path = Path(sktime.__file__).parent / "datasets" / "data" / name / f"{name}_TRAIN.ts"
    x, y = load_from_tsfile(str(path), return_data_type="nested_univ")
    found = read_series(path, OPTION)
    # sktime writes them in small letters.
    assert [label.lower() for label in found.labels] == [str(label).lower() for label in y]
    for (_, row), one in zip(x.iterrows(), found.series, strict=True):
        assert np.array_equal(np.stack([np.asarray(cell) for cell in row], axis=1), one)
