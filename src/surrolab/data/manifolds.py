"""Smooth random manifolds, and the spike times they give."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPECTRA = ("paper", "fzenke")
TERMS = 1000
CHUNK = 1000

Floats = NDArray[np.float64]


def spectrum_terms(spectrum: str, alpha: float) -> tuple[Floats, Floats]:
    """Return the frequencies k and the weights w_k of a spectrum, each ``[K]``.

    "paper": k = 1..1000, w_k = k^-alpha (Zenke and Vogels 2021, doi:10.1162/neco_a_01367).

    "fzenke": the first author's generator (github.com/fzenke/randman, torch version). There
    i = 0..K-1 with K = min(ceil(0.001^(-1/alpha)), 1000) and w_i = 1 / ((i + 1)^alpha + 1). The
    term i = 0 is a constant that the generator sets to 0 (``use_bias=False``), so that
    k = i = 1..K-1 is left.
    """
    if spectrum == "paper":
        k = np.arange(1.0, TERMS + 1)
        return k, k**-alpha
    # No more than TERMS, which alpha <= 1 reaches; the power would overflow for a small alpha.
    cutoff = TERMS if alpha <= 1 else int(np.ceil(0.001 ** (-1 / alpha)))
    k = np.arange(1.0, cutoff)
    return k, 1 / ((k + 1) ** alpha + 1)


@dataclass(frozen=True, eq=False)
class Manifold:
    """A random smooth map from ``[0, 1]^D`` to one real number per unit.

    f_n(x) = prod_j sum_k w_k A_njk sin(2 pi (k B_njk x_j + C_njk)) with A, B, C ~ U(0, 1) and the
    terms of `spectrum_terms`.

    Attributes:
        k: frequencies, ``[K]``.
        weight: w_k A, ``[N, D, K]``.
        stretch: B, ``[N, D, K]``.
        phase: C, ``[N, D, K]``.
    """

    k: Floats
    weight: Floats
    stretch: Floats
    phase: Floats

    @classmethod
    def draw(
        cls, rng: np.random.Generator, units: int, dim: int, alpha: float, spectrum: str
    ) -> "Manifold":
        """Draw a manifold of ``dim`` dimensions in the space of ``units`` units."""
        k, w = spectrum_terms(spectrum, alpha)
        a, b, c = rng.uniform(size=(3, units, dim, len(k)))
        return cls(k, w * a, b, c)

    def __call__(self, x_SD: Floats) -> Floats:
        """Return f(x), ``[S, N]``, at the manifold coordinates ``[S, D]``."""
        units, dim, _ = self.weight.shape
        out_SN = np.ones((len(x_SD), units))
        for start in range(0, len(x_SD), CHUNK):
            rows = slice(start, start + CHUNK)
            for n in range(units):
                for j in range(dim):
                    turn = np.multiply.outer(x_SD[rows, j], self.k * self.stretch[n, j])
                    turn += self.phase[n, j]
                    # Whole turns go in float64; the sine of the rest in float32 is ten times
                    # as fast and exact to 2e-7.
                    turn -= np.floor(turn)
                    sine = np.sin((2 * np.pi * (turn - 0.5)).astype(np.float32))
                    out_SN[rows, n] *= -(sine.astype(np.float64) @ self.weight[n, j])
        return out_SN


def spike_times(
    *,
    manifold_classes: int,
    units: int,
    dim: int,
    alpha: float,
    window: int,
    samples_per_class: int,
    spectrum: str,
    data_seed: int,
) -> NDArray[np.int32]:
    """Return the step of each unit's only spike, ``[classes * samples_per_class, units]``.

    Samples come class by class. Each class is one manifold; its coordinates are min-max
    standardised to [0, 1] per unit, over the samples of the class, and a coordinate c gives the
    step ``min(floor(c * window), window - 1)``.

    A class's manifold depends on ``data_seed``, its own number and the shape parameters, not on
    how many samples or classes there are. Sines differ in the last bits between processors, so
    that a spike in a million may fall one step off on another machine.
    """
    times = []
    for stream in np.random.SeedSequence(data_seed).spawn(manifold_classes):
        shape_rng, point_rng = (np.random.default_rng(s) for s in stream.spawn(2))
        manifold = Manifold.draw(shape_rng, units, dim, alpha, spectrum)
        f_SN = manifold(point_rng.uniform(size=(samples_per_class, dim)))
        low, high = f_SN.min(axis=0), f_SN.max(axis=0)
        step = np.floor((f_SN - low) / (high - low) * window)
        times.append(np.minimum(step, window - 1).astype(np.int32))
    return np.concatenate(times)
