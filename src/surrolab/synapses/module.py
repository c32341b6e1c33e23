"""The linear layer as a module."""

from torch import Tensor, nn

from surrolab.synapses.linear import spike_linear


class SpikeLinear(nn.Linear):
    """A ``torch.nn.Linear`` that takes spikes by :func:`~surrolab.synapses.spike_linear`.

    ``sparse`` is ``auto``, ``true`` or ``false``; weights, names and results are the same.
    """

    sparse: str | bool = "auto"

    def forward(self, input: Tensor) -> Tensor:
        return spike_linear(input, self.weight, self.bias, self.sparse)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, sparse={self.sparse!r}"
