"""Random streams derived from what they are for, so that nothing depends on what ran before."""

import random
from typing import Any, Literal, TypeAlias

import numpy as np
import torch

Purpose: TypeAlias = Literal["build", "train", "validate", "test", "augment"]
_PURPOSES: tuple[Purpose, ...] = ("build", "train", "validate", "test", "augment")


def seed_all(seed: int, purpose: Purpose, epoch: int = 0, rank: int = 0) -> None:
    """Seed Python's, NumPy's and torch's global generators from the arguments alone.

    A resumed run therefore draws in an epoch what the run that was not killed drew in it.
    """
    words = _words(seed, purpose, epoch, rank)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))  # noqa: NPY002  (the legacy generator is what libraries use)
    torch.manual_seed(int(words[2]))


def torch_seed(seed: int, purpose: Purpose, epoch: int = 0, rank: int = 0) -> int:
    """The seed that :func:`seed_all` gives to torch, for those who leave the others alone."""
    return int(_words(seed, purpose, epoch, rank)[2])


def _words(seed: int, purpose: Purpose, epoch: int, rank: int) -> Any:
    key = [seed, _PURPOSES.index(purpose), epoch, rank]
    return np.random.SeedSequence(key).generate_state(3)


def stream_beside(purpose: str) -> np.random.Generator:
    """A stream for a purpose, fixed by where torch's global generator stands, which does not move.

    What is drawn from torch afterwards is what would be drawn without it.
    """
    ahead = torch.Generator()
    ahead.set_state(torch.get_rng_state())
    word = int(torch.randint(2**62, (), generator=ahead))
    # Hashed with the purpose, so that the numbers are not those that torch draws next.
    return np.random.default_rng([word, *purpose.encode()])


def stream(seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """Return a generator of its own for a seed, a purpose and what else tells streams apart.

    The global generators are left alone.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, _PURPOSES.index(purpose), *key]))
