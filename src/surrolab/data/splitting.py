"""Which samples are for training, which for validation and which for test."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrolab.data.samples import SampleTable

Indices = NDArray[np.int64]


def split_off(samples: SampleTable, name: str, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Choose a stratified part; where there are groups, one of whole groups.

    Args:
        samples: what to split, n samples.
        name: the parameter that ``share`` comes from, for the error.
        share: the part's share of ``samples``; the part has ``round(share * n)`` samples, with
            groups about that many.
        seed: fixes the split, together with the labels and the groups.

    Returns:
        The indices of the rest and of the part, int64, each in the order of ``samples``.

    Raises:
        ValueError: the rest or the part would lack a class, or there are too few groups.
    """
    if samples.groups is not None:
        return _grouped(samples, name, share, seed)
    # scikit-learn takes a second to import.
    from sklearn.model_selection import train_test_split

    part = round(share * len(samples))
    labels = samples.y.numpy()
    counts = np.unique(labels, return_counts=True)[1]
    classes = len(counts)
    if not classes <= part <= len(samples) - classes:
        raise ValueError(
            f"{name}: {part} of {len(samples)} samples is not allowed; allowed: a share that "
            f"leaves {classes} samples or more, one a class, on both sides"
        )
    if counts.min() < 2:
        raise ValueError(
            f"{name}: a class with a single sample cannot be split; allowed: two samples or more "
            "of each class, or a split that the data bring themselves"
        )
    rest, chosen = train_test_split(
        np.arange(len(samples)), test_size=part, stratify=labels, random_state=seed
    )
    return _sorted(rest, chosen)


def fold_off(samples: SampleTable, folds: int, fold: int, seed: int) -> tuple[Tensor, Tensor]:
    """Choose one of ``folds`` stratified parts of equal size; with groups, of whole groups.

    Args:
        samples: what to split.
        folds: how many parts there are, from 2.
        fold: which one, from 0.
        seed: fixes the parts.

    Returns:
        The indices of the rest and of the part, int64, each in the order of ``samples``.

    Raises:
        ValueError: a class has fewer samples, or the data fewer groups, than there are folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    labels = samples.y.numpy()
    least, what = int(np.unique(labels, return_counts=True)[1].min()), "samples of a class"
    groups = None
    kind: Any = StratifiedKFold
    if samples.groups is not None:
        groups = samples.groups.numpy()
        least, what = len(np.unique(groups)), "groups"
        kind = StratifiedGroupKFold
    if folds > least:
        raise ValueError(f"folds: {folds} is not allowed; allowed: 2 to {least}, the {what}")
    parts = kind(n_splits=folds, shuffle=True, random_state=seed).split(labels, labels, groups)
    return _sorted(*list(parts)[fold])


def _grouped(samples: SampleTable, name: str, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Of all groups drawn as parts of the wanted size, the one nearest to it."""
    assert samples.groups is not None
    groups = np.unique(samples.groups.numpy())
    folds = min(len(groups), max(2, round(1 / share)))
    if len(groups) < 2:
        raise ValueError(
            f"{name}: there is one group only, which cannot be on both sides; allowed: data of two "
            "groups or more, or without groups"
        )
    from sklearn.model_selection import StratifiedGroupKFold

    labels = samples.y.numpy()
    kind = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    parts = list(kind.split(labels, labels, samples.groups.numpy()))
    wanted = share * len(samples)
    rest, chosen = min(parts, key=lambda part: abs(len(part[1]) - wanted))
    if len(np.unique(labels[rest])) < len(np.unique(labels)):
        raise ValueError(
            f"{name}: {share:g} would leave no sample of some class, as the samples of a group "
            "stay together; allowed: another share or split_seed, or data without groups"
        )
    return _sorted(rest, chosen)


def _sorted(rest: Indices, part: Indices) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(np.sort(rest)), torch.from_numpy(np.sort(part))
