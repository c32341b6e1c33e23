"""A convolutional network."""

import itertools
from dataclasses import dataclass, field

from torch import nn

from surrolab.models.layer import Layer
from surrolab.models.network import ModelFactory, Network, Surroundings
from surrolab.models.normalization import time_norm

POOLS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


@dataclass(frozen=True)
class ConvFactory(ModelFactory):
    """Convolution, pooling and neurons, repeated; then fully connected layers.

    Args:
        channels: output channels of each convolution.
        kernel_size: side of the kernels, odd; the image keeps its size.
        pool: ``max`` or ``avg``, over the current: only what is left of it has neurons.
        pool_size: side of the pooling windows.
    """

    channels: list[int] = field(default_factory=lambda: [16, 32])
    kernel_size: int = 3
    pool: str = "max"
    pool_size: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.channels or any(size < 1 for size in self.channels):
            raise ValueError(
                f"channels: {self.channels} is not allowed; allowed: sizes of at least 1"
            )
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: {self.kernel_size} is not allowed; allowed: odd sizes")
        if self.pool not in POOLS:
            raise ValueError(f"pool: {self.pool!r} is unknown; allowed: {', '.join(POOLS)}")

    def build(self, around: Surroundings) -> Network:
        if len(around.sample_shape) != 3:
            raise ValueError(
                f"model: conv needs images [channels, height, width] and the data have "
                f"{list(around.sample_shape)}; allowed: mlp, recurrent"
            )
        channels, height, width = around.sample_shape
        layers = []
        for out in self.channels:
            height, width = height // self.pool_size, width // self.pool_size
            if not (height and width):
                raise ValueError(
                    f"channels: {len(self.channels)} poolings by {self.pool_size} leave nothing "
                    f"of {list(around.sample_shape)}; allowed: fewer"
                )
            layers.append(self._convolution(channels, (out, height, width), around))
            channels = out
        sizes = [channels * height * width, *self.hidden]
        for pair in itertools.pairwise(sizes):
            layers.append(self._dense(pair, around, around.neuron))
        return self._finish([*layers, self._readout(sizes[-1], around)])

    def _convolution(self, inputs: int, shape: tuple[int, int, int], around: Surroundings) -> Layer:
        synapse = nn.Conv2d(
            inputs, shape[0], self.kernel_size, padding=self.kernel_size // 2, bias=self.bias
        )
        self._initialize(synapse, around.neuron, around.steps)
        neurons = around.neuron.layer(shape, around.surrogate, around.engine)
        norm = time_norm(self.norm, shape, around.neuron.threshold, around.steps)
        return Layer(synapse, neurons, shape, norm, POOLS[self.pool](self.pool_size), self.dropout)
