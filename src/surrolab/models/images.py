"""What networks of convolutions have in common."""

from dataclasses import dataclass, field

from torch import nn

from surrolab.models.layer import Layer
from surrolab.models.network import ModelFactory, Surroundings
from surrolab.models.normalization import time_norm


@dataclass(frozen=True)
class ImageFactory(ModelFactory):
    """A network for images.

    Args:
        channels: output channels of each convolution, or stage of them.
        kernel_size: side of the kernels, odd; the image keeps its size.
    """

    channels: list[int] = field(default_factory=lambda: [16, 32])
    kernel_size: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.channels or any(size < 1 for size in self.channels):
            raise ValueError(
                f"channels: {self.channels} is not allowed; allowed: sizes of at least 1"
            )
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: {self.kernel_size} is not allowed; allowed: odd sizes")

    def _image(self, name: str, around: Surroundings) -> tuple[int, int, int]:
        """Channels, height and width of a sample, for the model ``name``."""
        if len(around.sample_shape) != 3:
            raise ValueError(
                f"model: {name} needs images [channels, height, width] and the data have "
                f"{list(around.sample_shape)}; allowed: mlp, recurrent"
            )
        channels, height, width = around.sample_shape
        return channels, height, width

    def _convolution(
        self,
        inputs: int,
        shape: tuple[int, int, int],
        around: Surroundings,
        kernel_size: int | None = None,
        stride: int = 1,
        pool: nn.Module | None = None,
    ) -> Layer:
        """Convolution, pooling of the current, normalisation and neurons of ``shape``."""
        size = self.kernel_size if kernel_size is None else kernel_size
        synapse = nn.Conv2d(inputs, shape[0], size, stride, padding=size // 2, bias=self.bias)
        self._initialize(synapse, around.neuron, around.steps)
        neurons = around.neuron.layer(shape, around.surrogate, around.engine)
        norm = time_norm(self.norm, shape, around.neuron.threshold, around.steps)
        return Layer(synapse, neurons, shape, norm, pool, self.dropout)
