"""What is known of a shape only by its values: height, width, area, and its antiderivative."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Shape = Callable[[Tensor], Tensor]

# Both sides are cut into intervals, evenly in asinh(u) up to NEAR and in log(u) up to END: no
# membrane is further off. On each the shape is a polynomial through NODES points.
NEAR, NEAR_INTERVALS = 1e4, 1000
END, FAR_INTERVALS = 1e30, 104
NODES = 6
# Intervals are split, the worst first, until the polynomial is right: at every checked point to
# POINTWISE of the peak and in its integral to INTEGRAL of the area, or at a jump to NEGLIGIBLE.
POINTWISE, INTEGRAL, NEGLIGIBLE = 1e-10, 1e-12, 1e-15
SPLIT, WORST, ROUNDS = 8, 256, 20
# What may be left after that; more is a pole, or an oscillation without end.
LEFT = 1e-6
# The slowest power of u whose area counts as finite lies this much above 1.
POWER = 1e-3
# Shorter intervals than this are there because of a kink or a jump, which lies in them.
KINK = 1e-6
# Beside intervals as short as this lies a pole, if the shape is higher there than elsewhere.
SPIKE = 1e-8
# A slope of 1000 times a membrane of 1e4, which float32 has to bear.
REACH = 1e7

_GAUSS = np.polynomial.legendre.leggauss(NODES)
_NODES_T, _WEIGHTS = (_GAUSS[0] + 1) / 2, torch.from_numpy(_GAUSS[1] / 2)
_CHECKS_T = np.concatenate([[0.0], (_NODES_T[1:] + _NODES_T[:-1]) / 2, [1.0]])
_POINTS = torch.from_numpy(np.concatenate([_NODES_T, _CHECKS_T]))
_TO_POLYNOMIAL = torch.from_numpy(np.linalg.inv(np.vander(_NODES_T, increasing=True)))
_TO_CHECKS = torch.from_numpy(np.vander(_CHECKS_T, NODES, increasing=True))
_POWERS = torch.arange(1, NODES + 1, dtype=torch.float64)


@dataclass(frozen=True)
class Antiderivative:
    """Piecewise polynomials for ``u >= 0`` and ``u < 0``, in float64.

    The coefficients are in the position within the interval, 0 to 1, lowest first: first those of
    ``u >= 0``, then those of ``u < 0``, each integral counted from 0 outwards. ``middle`` is the
    value at 0.
    """

    starts: Tensor
    widths: Tensor
    coefficients: tuple[Tensor, ...]
    middle: float

    def to(self, device: torch.device) -> "Antiderivative":
        """A copy on a device."""
        return Antiderivative(
            self.starts.to(device),
            self.widths.to(device),
            tuple(each.to(device) for each in self.coefficients),
            self.middle,
        )

    def __call__(self, u: Tensor) -> Tensor:
        """Values in the dtype of ``u``; beyond ``END`` it is what it is there."""
        wide = u.double()
        v = wide.abs().clamp(max=END)
        last = len(self.starts) - 1
        interval = (torch.searchsorted(self.starts, v, right=True) - 1).clamp(0, last)
        t = (v - self.starts[interval]) / self.widths[interval]
        row = interval + (wide < 0) * (last + 1)
        value = self.coefficients[-1][row]
        for coefficient in reversed(self.coefficients[:-1]):
            value = value * t + coefficient[row]
        return (torch.where(wide < 0, -value, value) + self.middle).to(u.dtype)


@dataclass(frozen=True)
class Facts:
    """What :class:`~surrolab.surrogates.Surrogate` wants to know of a shape; see there."""

    peak: float
    area: float
    window: float
    kinks: tuple[float, ...]
    not_negative: bool
    antiderivative: Antiderivative


@dataclass
class _Cells:
    """Intervals of ``|u|``: where they start, how wide they are, and what the shape is there."""

    starts: Tensor  # [N]
    widths: Tensor  # [N]
    scale: Tensor  # [N], the area that an error in this interval is held against
    h: Tensor  # [2, N, NODES + checks], for u > 0 and u < 0
    error: Tensor  # [N], of the polynomial, at the worst of the checked points

    def __getitem__(self, which: Tensor) -> "_Cells":
        starts, widths, scale = self.starts[which], self.widths[which], self.scale[which]
        return _Cells(starts, widths, scale, self.h[:, which], self.error[which])

    @staticmethod
    def joined(parts: Sequence["_Cells"]) -> "_Cells":
        return _Cells(
            torch.cat([part.starts for part in parts]),
            torch.cat([part.widths for part in parts]),
            torch.cat([part.scale for part in parts]),
            torch.cat([part.h for part in parts], dim=1),
            torch.cat([part.error for part in parts]),
        )

    @property
    def wrong(self) -> Tensor:
        """[N], at most so much of the area."""
        return self.widths * self.error / self.scale


@torch.no_grad()
def measure(shape: Shape) -> Facts:
    """The facts of a shape, in float64 and within milliseconds.

    Kinks and jumps are found and become ends of intervals; a feature narrower than about 0.005
    times its distance from 0 (or times 1, near 0) may be missed. The area is infinite where the
    shape does not vanish faster than ``1/u``, and where it is too slow for a power law to say what
    lies beyond the last interval.

    Args:
        shape: elementwise, of a tensor of any dtype.

    Raises:
        ValueError: somewhere the shape is not a finite number, grows without bound, or varies too
            fast to be integrated; with the ``u``.
    """
    cells = _refined(shape, _first(shape))
    u, h = _ordered(*_points(cells))
    _bounded(cells, u, h)
    nodes = cells.h[..., :NODES]
    if torch.allclose(nodes[0], nodes[1], rtol=1e-13, atol=1e-15 * float(h.abs().max())):
        nodes = nodes[:1]  # symmetric but for the rounding; the antiderivative is so exactly
    polynomials = nodes @ _TO_POLYNOMIAL.T / _POWERS * cells.widths[:, None]
    ends = (nodes @ _WEIGHTS * cells.widths).cumsum(-1)
    coefficients = [ends.roll(1, -1).index_fill(-1, torch.tensor(0), 0), *polynomials.unbind(-1)]
    sizes = ends[:, -1].expand(2).tolist()
    sides = [
        end + _beyond(shape, sign, max(map(abs, sizes)))
        for end, sign in zip(sizes, (1, -1), strict=True)
    ]
    finite = all(math.isfinite(side) for side in sides)
    antiderivative = Antiderivative(
        cells.starts,
        cells.widths,
        tuple(each.expand(2, -1).reshape(-1) for each in coefficients),
        (sides[1] - sides[0]) / 2 if finite else 0.0,
    )
    peak, low = _extreme(shape, u, h), -_extreme(lambda u: -shape(u), u, -h)
    return Facts(
        peak=peak,
        area=sum(sides) if finite else math.inf,
        window=_window(shape, u, h, 0.01 * (peak if peak > 0 else -low)),
        kinks=_kinks(cells, max(peak, -low)),
        not_negative=low >= -1e-12 * peak,
        antiderivative=antiderivative,
    )


def _first(shape: Shape) -> _Cells:
    near = torch.linspace(0, math.asinh(NEAR), NEAR_INTERVALS + 1, dtype=torch.float64).sinh()
    far = torch.logspace(math.log10(NEAR), math.log10(END), FAR_INTERVALS + 1, dtype=torch.float64)
    ends = torch.cat([near[:-1], far])
    cells = _sampled(shape, ends[:-1], ends.diff(), torch.ones_like(ends[1:]))
    u, h = _points(cells)
    _finite(u, h, "")
    reach = u.float()[u.abs() <= REACH]
    _finite(reach, shape(reach), " in float32")
    sizes = (cells.widths * cells.h.abs().mean((0, 2))).cumsum(0)
    cells.scale = sizes.clamp(min=float(min(sizes[-1], h.abs().max())))
    return cells


def _sampled(shape: Shape, starts: Tensor, widths: Tensor, scale: Tensor) -> _Cells:
    v = starts[:, None] + widths[:, None] * _POINTS
    h = shape(torch.stack([v, 0 - v]))  # 1/-0 is not 1/0
    checks = h[..., :NODES] @ _TO_POLYNOMIAL.T @ _TO_CHECKS.T
    return _Cells(starts, widths, scale, h, (checks - h[..., NODES:]).abs().amax((0, 2)))


def _refined(shape: Shape, cells: _Cells) -> _Cells:
    peak = float(cells.h.abs().max())
    parts = torch.arange(SPLIT, dtype=torch.float64) / SPLIT
    done = []
    for _ in range(ROUNDS):
        bad = (cells.error > POINTWISE * peak) | (cells.wrong > INTEGRAL)
        bad &= cells.wrong > NEGLIGIBLE
        bad &= cells.widths > 64 * torch.finfo(torch.float64).eps * cells.starts
        done.append(cells[~bad])
        cells = cells[bad]
        if not len(cells.starts):
            break
        order = cells.wrong.argsort(descending=True)
        worst, others = cells[order[:WORST]], cells[order[WORST:]]
        split = _sampled(
            shape,
            (worst.starts[:, None] + worst.widths[:, None] * parts).reshape(-1),
            (worst.widths / SPLIT).repeat_interleave(SPLIT),
            worst.scale.repeat_interleave(SPLIT),
        )
        _finite(*_points(split), "")
        cells = _Cells.joined([split, others])
    cells = _Cells.joined([*done, cells])
    if float(cells.wrong.sum()) > LEFT:
        worst_u = float(cells.starts[cells.wrong.argmax()])
        raise ValueError(f"jumps, swings or grows too fast to be integrated near x = {worst_u:.6g}")
    return cells[cells.starts.argsort()]


def _points(cells: _Cells) -> tuple[Tensor, Tensor]:
    """All sampled ``u``, in no order, and the shape there."""
    v = (cells.starts[:, None] + cells.widths[:, None] * _POINTS).reshape(-1)
    return torch.cat([v, 0 - v]), cells.h.reshape(-1)


def _ordered(u: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """From left to right, each ``u`` once."""
    u, order = u.sort()
    once = torch.cat([torch.ones(1, dtype=torch.bool), u.diff() > 0])
    return u[once], h[order[once]]


def _finite(u: Tensor, h: Tensor, where: str) -> None:
    bad = u[~h.isfinite()]
    if len(bad):
        at = bad[bad.abs().argmin()]
        value = float(h[u == at][0])
        raise ValueError(f"is {value:g} at x = {float(at) + 0.0:.6g}{where}")


def _bounded(cells: _Cells, u: Tensor, h: Tensor) -> None:
    tiny = cells.widths < SPIKE * cells.starts.clamp(min=1.0)
    heights = cells.h.abs().amax((0, 2))
    highest = heights.max()
    if tiny.any() and highest > 1.5 * heights[~tiny].max():
        raise ValueError(f"grows without bound near x = {float(u[h.abs().argmax()]):.6g}")
    if highest > 1.5 * heights[cells.starts <= REACH].max():
        raise ValueError("grows without bound far from x = 0")


def _beyond(shape: Shape, sign: int, size: float) -> float:
    """The integral beyond ``END``, by the power law that the shape follows there."""
    v = torch.tensor([END**0.5, 4 * END**0.5, END / 4, END], dtype=torch.float64)
    h = shape(sign * v).tolist()
    if 0 in h:
        return 0.0
    near, far = math.log(abs(h[0] / h[1]), 4), math.log(abs(h[2] / h[3]), 4)
    if far < 1 + POWER:
        return math.inf
    tail: float = h[3] * END / (far - 1)
    return math.inf if abs(tail) > 1e-9 * size and abs(far - near) > 1e-6 else tail


def _extreme(shape: Shape, u: Tensor, h: Tensor) -> float:
    """The highest value, looked for ever closer around the highest point."""
    part = torch.linspace(0, 1, 33, dtype=torch.float64)
    for _ in range(14):
        top = int(h.argmax())
        left, right = u[max(top - 1, 0)], u[min(top + 1, len(u) - 1)]
        between = left + (right - left) * part
        u, h = _ordered(
            torch.cat([between, u[top : top + 1]]), torch.cat([shape(between), h[top : top + 1]])
        )
        _finite(u, h, "")
    return float(h.max()) + 0.0  # not -0


def _window(shape: Shape, u: Tensor, h: Tensor, level: float) -> float:
    """The largest ``|u|`` at which the absolute value reaches a level."""
    if level <= 0:
        return 0.0
    widths = []
    for sign in (1, -1):
        v, inside = sign * u, h.abs() >= level
        if not (inside & (v >= 0)).any():
            continue
        low = v[inside].max()
        if low == v.max():
            return math.inf
        high = v[v > low].min()
        for _ in range(15):
            between = low + (high - low) * torch.linspace(0, 1, 17, dtype=torch.float64)
            last = int((shape(0 + sign * between).abs() >= level).nonzero().max())
            if last == len(between) - 1:
                break
            low, high = between[last], between[last + 1]
        widths.append(float(low))
    return max(widths)


def _kinks(cells: _Cells, height: float) -> tuple[float, ...]:
    """Where intervals are tiny; and 0, where the two sides do not go on in each other."""
    found: list[float] = []
    right, left = cells.h[:, 0, :NODES] @ _TO_POLYNOMIAL.T
    if abs(right[0] - left[0]) > 1e-9 * height or abs(right[1] + left[1]) > 1e-6 * height:
        found.append(0.0)
    tiny = cells[cells.widths < KINK * cells.starts.clamp(min=1.0)]
    centers, widths = tiny.starts + tiny.widths / 2, tiny.widths
    # Those of one kink lie close together, and it is in the shortest.
    apart = centers.diff() > 100 * KINK * centers[1:].clamp(min=1.0)
    for part in torch.arange(len(widths)).tensor_split((apart.nonzero()[:, 0] + 1).tolist()):
        if len(part) and tiny.starts[part[0]] > 0:
            found.append(float(centers[part[widths[part].argmin()]]))
    return tuple(sorted({sign * each for each in found for sign in (1.0, -1.0)}))
