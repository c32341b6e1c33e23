"""How far two gradients agree: angle, signs and length, layer by layer."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from surrolab.diagnostics.references import weight_names
from surrolab.diagnostics.student import student_quantile

# Of an exact reference's largest element, in a layer.
NEGLIGIBLE = 1e-6
# Of a sampled reference's element, that it is not zero.
SIGNIFICANCE = 0.99
OVERALL = "all"


@dataclass(frozen=True)
class Agreement:
    """What a gradient has in common with a reference. None where nothing can be said.

    Attributes:
        cosine: similarity, in [-1, 1].
        cosine_interval: its confidence interval, where the reference is sampled.
        signs: share of the elements whose sign is the same, among those that count. A zero in
            the gradient does not agree.
        counted: share of elements that count for ``signs``: those whose reference is not
            negligible.
        norm_ratio: norm of the gradient over norm of the reference.
        projection: length of the reference along the gradient: how fast the reference's loss
            falls per unit of a step down the gradient. Can be told from 0 long before the cosine
            can be told.
        projection_interval: its confidence interval, where the reference is sampled.
        reason: why something is None.
    """

    cosine: float | None = None
    cosine_interval: tuple[float, float] | None = None
    signs: float | None = None
    counted: float = 0.0
    norm_ratio: float | None = None
    projection: float | None = None
    projection_interval: tuple[float, float] | None = None
    reason: str | None = None


def agreement(
    gradient: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    groups: Mapping[str, Tensor] | None = None,
    names: Iterable[str] | None = None,
    confidence: float = 0.95,
) -> dict[str, Agreement]:
    """Agreement in each layer, and in all of them together under ``all``.

    An exact reference's element counts for the signs if it is at least 1e-6 of the layer's
    largest. Of a sampled reference's, it counts if it differs from zero at the 99 % level by its
    own standard error: one in a hundred of the elements that are zero then counts by mistake, and
    where no more than two in a hundred count, no share is given.

    A sampled reference is longer than the true one, by its noise. Its squared norm is therefore
    estimated, without bias, from the products of different groups; cosine and norm ratio use that.
    The cosine's interval is the jackknife's over groups with Student's t, rather too wide than too
    narrow (Efron & Stein 1981, doi:10.1214/aos/1176345462), cut off at -1 and 1. Where the squared
    norm cannot be told from 0, there is no cosine; the projection, whose interval is Student's t,
    always exists.

    Args:
        gradient: by parameter name.
        reference: the same; of a sampled one the mean.
        groups: independent estimates ``[G, ...]`` of a sampled reference, at least 4.
        names: of the parameters that count; those of synaptic weights unless given.
        confidence: of the intervals.

    Raises:
        ValueError: none of the parameters counts, or too few groups.
    """
    chosen = weight_names(gradient) if names is None else list(names)
    if not chosen:
        raise ValueError("names: no parameter is left; allowed: at least one")
    layers: dict[str, list[str]] = {}
    for name in chosen:
        layers.setdefault(_layer_of(name), []).append(name)
    return {
        layer: _compare(
            torch.cat([gradient[name].flatten() for name in members]),
            torch.cat([reference[name].flatten() for name in members]),
            None if groups is None else torch.cat([groups[name].flatten(1) for name in members], 1),
            confidence,
        )
        for layer, members in {**layers, OVERALL: chosen}.items()
    }


def _layer_of(name: str) -> str:
    first, *rest = name.split(".")
    return rest[0] if first == "layers" and rest else first


def _compare(g: Tensor, m: Tensor, m_GP: Tensor | None, confidence: float) -> Agreement:
    for what, values in (("gradient", g), ("reference", m)):
        if not values.isfinite().all():
            return Agreement(reason=f"the {what} is not finite")
    if not m.any() and not g.any():
        return Agreement(reason="both gradients are zero")
    if not m.any():
        return Agreement(reason="the reference is zero")
    if m_GP is None:
        counted = m.abs() >= NEGLIGIBLE * m.abs().max()
        signs, share = _signs(g, m, counted)
        if not g.any():
            return Agreement(
                signs=signs, counted=share, norm_ratio=0.0, reason="the gradient is zero"
            )
        projection = float(_unit(g) @ m)
        return Agreement(
            cosine=_clip(float(_unit(g) @ _unit(m))),
            signs=signs,
            counted=share,
            norm_ratio=float(g.norm() / m.norm()),
            projection=projection,
        )
    return _compare_sampled(g, m, m_GP, confidence)


def _compare_sampled(g: Tensor, m: Tensor, m_GP: Tensor, confidence: float) -> Agreement:
    count = len(m_GP)
    if count < 4:
        raise ValueError(f"groups: {count} is not allowed; allowed: at least 4")
    error = m_GP.std(0) / math.sqrt(count)
    counted = m.abs() > student_quantile(SIGNIFICANCE, count - 1) * error
    signs, share = _signs(g, m, counted)
    reasons = []
    if share <= 2 * (1 - SIGNIFICANCE):
        signs = None
        reasons.append("hardly an element of the reference can be told from 0")
    if not g.any():
        reasons.insert(0, "the gradient is zero")
        return Agreement(signs=signs, counted=share, norm_ratio=0.0, reason="; ".join(reasons))

    t = student_quantile(confidence, count - 1)
    along_G = m_GP @ _unit(g)
    projection = float(along_G.mean())
    reach = t * float(along_G.std()) / math.sqrt(count)
    cosine = interval = ratio = None
    squared, squared_G = _squared_norm(m_GP)
    # What is left when a group is left out.
    if squared > t * _jackknife_error(squared_G) and bool((squared_G > 0).all()):
        cosine = projection / math.sqrt(squared)
        ratio = float(g.norm()) / math.sqrt(squared)
        others_G = (along_G.sum() - along_G) / (count - 1)
        off = t * _jackknife_error(others_G / squared_G.sqrt())
        interval = (_clip(cosine - off), _clip(cosine + off))
        cosine = _clip(cosine)
    else:
        reasons.insert(0, "the noise is too large to tell the reference's length from 0")
    return Agreement(
        cosine=cosine,
        cosine_interval=interval,
        signs=signs,
        counted=share,
        norm_ratio=ratio,
        projection=projection,
        projection_interval=(projection - reach, projection + reach),
        reason="; ".join(reasons) or None,
    )


def _squared_norm(m_GP: Tensor) -> tuple[float, Tensor]:
    """Unbiased estimate of the mean's squared norm, and what it is without each of the groups."""
    count = len(m_GP)
    products = m_GP @ m_GP.T
    own_G = products.diagonal()
    total, own = products.sum(), own_G.sum()
    cross_G = (total - 2 * products.sum(1) + own_G) - (own - own_G)
    squared = float(total - own) / (count * (count - 1))
    return squared, cross_G / ((count - 1) * (count - 2))


def _jackknife_error(values_G: Tensor) -> float:
    count = len(values_G)
    return float(((values_G - values_G.mean()).square().sum() * (count - 1) / count).sqrt())


def _signs(g: Tensor, m: Tensor, counted: Tensor) -> tuple[float | None, float]:
    share = float(counted.double().mean())
    if not counted.any():
        return None, share
    return float((g.sign() == m.sign())[counted].double().mean()), share


def _unit(values: Tensor) -> Tensor:
    scaled = values / values.abs().max()  # tiny gradients would vanish when squared
    unit: Tensor = scaled / scaled.norm()
    return unit


def _clip(value: float) -> float:
    return max(-1.0, min(1.0, value))
