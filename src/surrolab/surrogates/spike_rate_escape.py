"""Escape rate around the threshold."""

from surrolab.surrogates.exponential import Exponential


class SpikeRateEscape(Exponential):
    """``h(x) = k exp(-b |x|)``: peak ``k``, area ``2 k / b``.

    The slope is ``b``, the scale is ``k``. The shape is that of
    :class:`~surrolab.surrogates.Exponential`, whose height grows with the slope.

    After the escape rate of Gerstner & Kistler 2002, doi:10.1017/CBO9780511815706. It is highest
    at the threshold; snnTorch 1.0.0's is highest at ``x = 1``, and has ``k = 25``.
    """

    source = "Gerstner & Kistler 2002, doi:10.1017/CBO9780511815706"

    def native_height(self) -> float:
        return 1.0
