"""A convolutional network."""

import itertools
from dataclasses import dataclass

from torch import nn

from surrolab.models.images import ImageFactory
from surrolab.models.network import Network, Surroundings

POOLS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


@dataclass(frozen=True)
class ConvFactory(ImageFactory):
    """Convolution, pooling and neurons, repeated; then fully connected layers.

    Args:
        pool: ``max`` or ``avg``, over the current: only what is left of it has neurons.
        pool_size: side of the pooling windows.
    """

    pool: str = "max"
    pool_size: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pool not in POOLS:
            raise ValueError(f"pool: {self.pool!r} is unknown; allowed: {', '.join(POOLS)}")

    def build(self, around: Surroundings) -> Network:
        channels, height, width = self._image("conv", around)
        layers = []
        for out in self.channels:
            height, width = height // self.pool_size, width // self.pool_size
            if not (height and width):
                raise ValueError(
                    f"channels: {len(self.channels)} poolings by {self.pool_size} leave nothing "
                    f"of {list(around.sample_shape)}; allowed: fewer"
                )
            pool = POOLS[self.pool](self.pool_size)
            shape = (out, height, width)
            layers.append(self._convolution(channels, shape, around, pool=pool))
            channels = out
        sizes = [channels * height * width, *self.hidden]
        for pair in itertools.pairwise(sizes):
            layers.append(self._dense(pair, around, around.neuron))
        return self._finish([*layers, self._readout(sizes[-1], around)])
