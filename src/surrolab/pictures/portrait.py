"""What is known of a surrogate and can be drawn: facts, and points of its curves."""

import copy
import inspect
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from surrolab.surrogates import Surrogate

Points = NDArray[np.float64]

# Membrane minus threshold, both ways: with a threshold of 1 it holds the resting potential.
REACH = 1.5
# Beyond this an axis ends, so that its ends can be computed.
_LARGEST = 1e12
_SHOWN_APART = ("slope", "scale", "normalize", "derivative")


@dataclass(frozen=True)
class Curves:
    """Derivative and primitive at ``x``, arrays of one length; no primitive where it is random."""

    x: Points
    derivative: Points
    primitive: Points | None

    def extent(self) -> tuple[float, float]:
        """Lowest and highest finite value of both."""
        both = [self.derivative] if self.primitive is None else [self.derivative, self.primitive]
        values = np.concatenate(both)
        values = values[np.isfinite(values)]
        return float(values.min(initial=0.0)), float(values.max(initial=0.0))


@dataclass(frozen=True)
class Portrait:
    """A surrogate with what the configuration says of it.

    Args:
        name: of the option.
        surrogate: built.
        settings: the configuration's keys and values it was built from.
        defaults: the same as the option's file has them.
        modes: the values of ``normalize`` that the shape can have.
        current: whether it is the configuration's choice.
    """

    name: str
    surrogate: Surrogate
    settings: Mapping[str, Any]
    defaults: Mapping[str, Any]
    modes: Sequence[str]
    current: bool = False

    @property
    def formula(self) -> str:
        """The native derivative in words and signs: as given, or as its class says it."""
        given = self.settings.get("derivative")
        return formula(self.surrogate) if given is None else f"h(x) = {given}"

    @property
    def others(self) -> dict[str, Any]:
        """Settings beside slope, scale, normalize and formula."""
        return {key: value for key, value in self.settings.items() if key not in _SHOWN_APART}

    @property
    def link(self) -> str | None:
        """Where the source can be read, if it has a DOI or arXiv number."""
        return link(self.surrogate.source)

    @property
    def figures(self) -> tuple[float, float, float]:
        """Peak, area and half width of the window."""
        return figures(self.surrogate)


def formula(surrogate: Surrogate) -> str:
    """The formula that begins the class's docstring; its first sentence where there is none."""
    text = " ".join((inspect.getdoc(type(surrogate)) or "").split("\n\n")[0].split())
    end = r"[:.;](?= |$)" if text.startswith("``h(x)") else r"\.(?= |$)"
    words = []
    for part in re.split(r"(``.*?``|`.*?`)", text):
        stop = None if part.startswith("`") else re.search(end, part)
        words.append(part[: stop.start()] if stop else part)
        if stop:
            break
    return "".join(words).replace("`", "").strip()


def link(source: str) -> str | None:
    """The address behind the DOI or arXiv number in a source."""
    found = re.search(r"doi:(\S+)", source)
    if found:
        return f"https://doi.org/{found[1].rstrip('.,;)')}"
    found = re.search(r"arXiv:(\d+\.\d+)", source)
    return f"https://arxiv.org/abs/{found[1]}" if found else None


def figures(surrogate: Surrogate) -> tuple[float, float, float]:
    """Peak, area and half width of the window as plain numbers."""
    plain = unlearned(surrogate)
    return float(plain.peak), float(plain.area), float(plain.window)


def unlearned(surrogate: Surrogate) -> Surrogate:
    """A copy whose learned parameters are plain numbers: of several, their mean."""
    plain = copy.deepcopy(surrogate)
    for name, value in list(plain.named_parameters(recurse=False)):
        delattr(plain, name)
        setattr(plain, name, float(value.detach().double().mean()))
    return plain


def curves(surrogate: Surrogate, reach: float = REACH) -> Curves:
    """Points of the curves on ``[-reach, reach]``, close enough together to draw any width.

    The random numbers that follow are what they would be without the drawing.
    """
    plain = unlearned(surrogate)
    slope = float(plain.slope)
    kinks = np.array(plain.shape_kinks, dtype=np.float64) / slope
    wanted = [
        np.linspace(-reach, reach, 401),
        np.linspace(-10, 10, 201) / slope,
        kinks - 1e-9,
        kinks + 1e-9,
    ]
    x = np.unique(np.concatenate(wanted))
    x = x[np.abs(x) <= reach]
    x_P = torch.from_numpy(x)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        derivative = plain.derivative(x_P).numpy()
        primitive = plain.primitive(x_P).numpy() if plain.has_primitive else None
    return Curves(x, derivative, primitive)


def stretch(y: Points) -> Points:
    """Places on an axis that is linear up to 1 and logarithmic beyond, without a corner there."""
    size = np.abs(y)
    return np.asarray(np.sign(y) * np.where(size > 1, 1 + np.log(np.maximum(size, 1)), size))


def unstretch(place: Points) -> Points:
    """The values at places on that axis."""
    size = np.abs(place)
    return np.asarray(np.sign(place) * np.where(size > 1, np.exp(np.maximum(size, 1) - 1), size))


@dataclass(frozen=True)
class Axis:
    """The vertical axis that several drawings share: linear up to 1, logarithmic beyond.

    So that a shape of height 1 can be read beside one of height 25. ``low`` and ``high`` are
    places, see :func:`stretch`.
    """

    low: float
    high: float

    @staticmethod
    def over(curves: Iterable[Curves]) -> "Axis":
        """The axis that holds all of them."""
        extents = np.array([(0.0, 1.0), *(curve.extent() for curve in curves)])
        extents = extents.clip(-_LARGEST, _LARGEST)
        low, high = stretch(extents[:, 0]).min(), stretch(extents[:, 1]).max()
        margin = 0.06 * (high - low)
        return Axis(float(low - margin), float(high + margin))

    @property
    def limits(self) -> tuple[float, float]:
        """Its lowest and highest value."""
        low, high = unstretch(np.array([self.low, self.high]))
        return float(low), float(high)

    def share(self, y: Points) -> Points:
        """How far up each value lies: 0 at the bottom, 1 at the top, and never outside."""
        return np.clip((stretch(y) - self.low) / (self.high - self.low), 0.0, 1.0)

    @property
    def ticks(self) -> list[float]:
        """Round numbers within the axis."""
        low, high = self.limits
        most = max(-low, high)
        if most < 12:
            steps = [1.0, 2.0, 5.0, 10.0]
        else:
            decades = math.ceil(math.log10(most))
            steps = [10.0**n for n in range(0, decades + 1, max(1, decades // 4))]
        values = [-step for step in reversed(steps)] + [0.0, *steps]
        return [value for value in values if low <= value <= high]


def tick_label(value: float) -> str:
    """A round number with a proper minus sign."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")
