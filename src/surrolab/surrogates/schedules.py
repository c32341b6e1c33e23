"""How the slope or the scale of a surrogate changes over training; the start is its own value."""

import copy
import math
from dataclasses import dataclass
from typing import TypeAlias

from surrolab.surrogates.base import Surrogate

UNITS = ("epochs", "steps")
PER = ("layer", "neuron")


@dataclass(frozen=True)
class Constant:
    """It stays as it is."""


@dataclass(frozen=True)
class Schedule:
    """From the start to ``end``, as a function of the epoch or step alone.

    Args:
        end: the value at the end, above 0.
        unit: ``epochs``, for a value per epoch, or ``steps``, for one per optimizer step.
        begin: the epoch or step, counted from 0, until which the value stays at its start.
        length: how many epochs or steps later it is at ``end``; None: in the run's last one.

    Raises:
        ValueError: a parameter is out of range.
    """

    end: float
    unit: str = "epochs"
    begin: int = 0
    length: int | None = None

    def __post_init__(self) -> None:
        _above_zero("end", self.end)
        _one_of("unit", self.unit, UNITS)
        if self.begin < 0:
            raise ValueError(f"begin: {self.begin} is not allowed; allowed: at least 0")
        if self.length is not None and self.length < 1:
            raise ValueError(f"length: {self.length} is not allowed; allowed: at least 1, or null")

    def value(self, start: float, now: int, total: int) -> float:
        """The value in the epoch or step ``now``, counted from 0, of a run of ``total``."""
        if now <= self.begin:
            return start
        length = max(1, total - 1 - self.begin) if self.length is None else self.length
        done = (now - self.begin) / length
        return self.end if done >= 1 else self._between(start, done)

    def _between(self, start: float, done: float) -> float:
        raise NotImplementedError


@dataclass(frozen=True)
class Linear(Schedule):
    """By the same amount each time."""

    def _between(self, start: float, done: float) -> float:
        return start + (self.end - start) * done


@dataclass(frozen=True)
class Exponential(Schedule):
    """By the same factor each time."""

    def _between(self, start: float, done: float) -> float:
        return float(start * (self.end / start) ** done)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Along half a period of a cosine: slow at both ends."""

    def _between(self, start: float, done: float) -> float:
        return self.end + (start - self.end) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Adaptive:
    """The surrogate's window follows the spread of the membrane potential, layer by layer.

    The slope is such that the window (where ``h`` is at least 1 % of its peak) reaches
    ``width_in_std`` standard deviations to either side of the threshold. The deviation is that of
    ``U - theta`` about its mean, over all neurons, steps and samples of the first validation batch;
    it sets the slope of the epochs that follow.

    After MPD-AGL (Jiang et al. 2025, arXiv:2505.11863), in which the window is one standard
    deviation to either side of the threshold too. There the surrogate is a boxcar of unit area
    (``boxcar`` here), and the deviation is not measured but follows from the gain of a
    threshold-dependent batch normalisation and the leak, which makes it another in the first time
    step than in the later ones. Here it is measured, so that it holds for every surrogate and with
    every normalisation, and is one number per layer.

    Args:
        width_in_std: half width of the window in standard deviations, above 0.
        every_epochs: how often the slope follows.
        least, most: bounds of the slope.

    Raises:
        ValueError: a parameter is out of range.
    """

    width_in_std: float = 1.0
    every_epochs: int = 1
    least: float = 0.1
    most: float = 100.0

    def __post_init__(self) -> None:
        for name in ("width_in_std", "least", "most"):
            _above_zero(name, getattr(self, name))
        if self.every_epochs < 1:
            raise ValueError(
                f"every_epochs: {self.every_epochs} is not allowed; allowed: 1 or more"
            )
        if self.least > self.most:
            raise ValueError(
                f"least: {self.least} is above most; allowed: at most {self.most}, or a larger most"
            )

    def slope(self, surrogate: Surrogate, std: float) -> float:
        """The slope for a standard deviation ``std``; as it is, where the membrane never varies."""
        if not (math.isfinite(std) and std > 0):
            return float(surrogate.slope)
        wanted = float(surrogate.slope * surrogate.window) / (self.width_in_std * std)
        return min(max(wanted, self.least), self.most)

    def fits(self, surrogate: Surrogate) -> bool:
        """Whether the window is finite and inversely proportional to the slope."""
        trial = copy.deepcopy(surrogate)
        products = []
        for slope in (self.least, surrogate.slope, self.most):
            trial.slope = slope
            products.append(float(slope * trial.window))
        finite = all(0 < product < math.inf for product in products)
        return finite and all(math.isclose(product, products[0]) for product in products)


@dataclass(frozen=True)
class Learned:
    """A parameter of the network, moved by the optimizer; see :meth:`Surrogate.learn`.

    Args:
        per: ``layer``, or ``neuron`` for one each (in a convolution one per channel).

    Raises:
        ValueError: a parameter is out of range.
    """

    per: str = "layer"

    def __post_init__(self) -> None:
        _one_of("per", self.per, PER)

    def size(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the parameter in a layer of ``shape`` (without time and batch)."""
        return (shape[0], *[1] * (len(shape) - 1)) if self.per == "neuron" else ()


Course: TypeAlias = Constant | Schedule | Adaptive | Learned


def _above_zero(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name}: {value} is not allowed; allowed: a number above 0")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}: {value!r} is not allowed; allowed: {', '.join(allowed)}")
