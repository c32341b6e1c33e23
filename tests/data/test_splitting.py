"""Who is trained on and who is not: strata, groups, folds, official parts."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surrolab.data import DataModule, Samples, Splits
from surrolab.data.splitting import fold_off, split_off


def samples(labels: list[int], groups: list[int] | None = None) -> Samples:
    y = torch.tensor(labels)
    return Samples(
        torch.arange(len(y)).float()[:, None],
        y,
        torch.ones(len(y), dtype=torch.int64),
        None if groups is None else torch.tensor(groups),
    )


class Grouped(DataModule):
    """Twenty speakers who say each of three words four times; the last five are the test part."""

    sample_shape = (1,)
    classes = 3
    steps = None
    official = False

    def load(self) -> Samples | Splits:
        everything = samples([w for _ in range(20) for w in (0, 1, 2) * 4], speakers())
        if not self.official:
            return everything
        return Splits(
            everything.take(torch.arange(180)), test=everything.take(torch.arange(180, 240))
        )


class Official(Grouped):
    official = True


def speakers() -> list[int]:
    return [speaker for speaker in range(20) for _ in range(12)]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(3, 40), min_size=2, max_size=6),
    st.floats(0.05, 0.6),
    st.integers(0, 2**32 - 1),
)
def test_strata_keep_their_shares(sizes: list[int], share: float, seed: int) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    wanted = round(share * len(labels))
    if not len(sizes) <= wanted <= len(labels) - len(sizes):
        with pytest.raises(ValueError, match=r"^val_fraction: .*; allowed: a share that leaves"):
            split_off(samples(labels), "val_fraction", share, seed)
        return
    rest, part = split_off(samples(labels), "val_fraction", share, seed)
    assert sorted([*rest.tolist(), *part.tolist()]) == list(range(len(labels)))
    assert len(part) == wanted
    counts = np.bincount(np.asarray(labels)[part], minlength=len(sizes))
    assert (abs(counts - wanted * np.asarray(sizes) / len(labels)) < 1.5).all()


def test_a_class_with_one_sample_is_said_to_be_one() -> None:
    with pytest.raises(ValueError, match="a class with a single sample cannot be split"):
        split_off(samples([0] * 20 + [1]), "test_fraction", 0.2, 0)


@pytest.mark.parametrize("kind", [Grouped, Official])
def test_a_speaker_is_on_one_side_only(kind: type[DataModule]) -> None:
    data = kind(val_fraction=0.2, test_fraction=0.25)
    parts = data.samples
    groups = {stage: set(part.groups.tolist()) for stage, part in parts.items()}
    assert not any(a & b for a, b in pairwise([*groups.values(), groups["train"]]))
    assert set.union(*groups.values()) == set(range(20))
    assert abs(len(parts["val"]) - 48) <= 12
    if kind is Official:
        assert groups["test"] == {15, 16, 17, 18, 19}
        assert data.split_indices["test"].tolist() == list(range(60))
    values = {stage: part.x[:, 0].long() for stage, part in parts.items()}
    offset = 180 if kind is Official else 0
    for stage, index in data.split_indices.items():
        assert torch.equal(values[stage], index + (offset if stage == "test" else 0))


@pytest.mark.parametrize("groups", [None, speakers()])
def test_folds_are_each_for_validation_once(groups: list[int] | None) -> None:
    everything = samples([w for _ in range(20) for w in (0, 1, 2) * 4], groups)
    seen = []
    for fold in range(5):
        rest, part = fold_off(everything, 5, fold, seed=3)
        assert not set(rest.tolist()) & set(part.tolist())
        assert len(rest) + len(part) == len(everything)
        seen += part.tolist()
        if groups is not None:
            here = [set(np.asarray(groups)[side].tolist()) for side in (rest, part)]
            assert not here[0] & here[1]
    assert sorted(seen) == list(range(len(everything)))


def test_folds_never_touch_the_official_test_part() -> None:
    parts = [Official(folds=3, fold=fold).samples for fold in range(3)]
    assert len({tuple(part["test"].x[:, 0].tolist()) for part in parts}) == 1
    validated = sorted(v for part in parts for v in part["val"].x[:, 0].tolist())
    assert validated == list(range(180))


def test_what_cannot_be_split_by_group_is_said() -> None:
    with pytest.raises(ValueError, match=r"^val_fraction: there is one group only"):
        split_off(samples([0, 1] * 10, [0] * 20), "val_fraction", 0.2, 0)
    with pytest.raises(ValueError, match=r"^val_fraction: .*no sample of some class"):
        split_off(samples([0] * 10 + [1] * 10, [0] * 10 + [1] * 10), "val_fraction", 0.5, 0)
    with pytest.raises(ValueError, match=r"^folds: 9 is not allowed; allowed: 2 to 3, the groups"):
        fold_off(samples([0, 1] * 9, [0, 1, 2] * 6), 9, 0, 0)
    with pytest.raises(ValueError, match=r"allowed: 2 to 4, the samples of a class"):
        fold_off(samples([0] * 4 + [1] * 9), 5, 0, 0)
    with pytest.raises(ValueError, match=r"^fold: 5 is not allowed; allowed: .* from 0 to 4"):
        Grouped(folds=5, fold=5)
