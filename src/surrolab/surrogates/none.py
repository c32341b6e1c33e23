"""No surrogate: the control."""

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate, keep_nan


class NoSurrogate(Surrogate):
    """The true derivative of the step: 0 (almost) everywhere. No gradient passes a spike.

    The control of every paper on the subject, for example Zenke & Vogels 2021,
    doi:10.1162/neco_a_01367. It has no parameters; its primitive is the step itself.
    """

    source = "the control, Zenke & Vogels 2021, doi:10.1162/neco_a_01367"
    shape_peak = 0.0
    shape_area = 0.0
    shape_window = 0.0
    shape_kinks = (0.0,)

    def __init__(self) -> None:
        super().__init__(1.0)

    def shape(self, u: Tensor) -> Tensor:
        return keep_nan(u, torch.zeros_like(u))

    def shape_integral(self, u: Tensor) -> Tensor:
        return keep_nan(u, (u > 0).to(u.dtype))
