"""Residual networks of convolutions, with spike-element-wise (SEW) blocks."""

import itertools
from dataclasses import dataclass

from surrolab.models.images import ImageFactory
from surrolab.models.layer import Layer
from surrolab.models.network import Network, Surroundings
from surrolab.models.wiring import INPUT, JOINS, Wire


@dataclass(frozen=True)
class SEWFactory(ImageFactory):
    """SEW-ResNet (Fang et al. 2021, arXiv:2102.04159), of basic blocks.

    A stem (convolution, normalisation, neurons), then for each entry of ``channels`` a stage of
    ``blocks`` blocks; the mean over space, fully connected layers (``hidden``) and the readout. A
    block is convolution, normalisation and neurons twice, and its output is ``g(S, x)`` of the
    spikes ``S`` of the second and the input ``x`` of the block: ``S + x``, ``S x`` or ``(1 - S)
    x``. The first block of every stage but the first halves the image (stride 2, rounded up), and
    has strided 1x1 convolution, normalisation and neurons on the way of ``x``.

    All of them are layers, in this order: ``hidden1`` is the stem; then block by block the first
    convolution, the shortcut where there is one, and the second convolution. With the defaults
    ``hidden2`` to ``hidden5`` are the first stage, ``hidden6`` (first), ``hidden7`` (shortcut) and
    ``hidden8`` (second) the block that halves the image, ``hidden9`` and ``hidden10`` the last.
    A layer's spikes are those of its neurons, before ``g``. With ``add`` a block hands on whole
    numbers that grow with depth, at most the number of blocks since the last shortcut and 1.

    Args:
        norm: as for all; the paper normalises, and so does this unless told otherwise.
        blocks: in each stage.
        connect: ``g``: ``add``, ``and`` or ``iand``.
    """

    norm: str = "tdbn"
    blocks: int = 2
    connect: str = "add"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.blocks < 1:
            raise ValueError(f"blocks: {self.blocks} is not allowed; allowed: at least 1")
        if self.connect not in JOINS:
            raise ValueError(f"connect: {self.connect!r} is unknown; allowed: {', '.join(JOINS)}")
        if self.connect == "iand" and self.dropout:
            raise ValueError(
                f"dropout: {self.dropout} is not allowed with connect=iand, which negates spikes "
                "of 1; allowed: 0, or another connect"
            )

    def build(self, around: Surroundings) -> Network:
        inputs, height, width = self._image("sew", around)
        shape = (self.channels[0], height, width)
        layers: list[Layer] = []
        wires: list[Wire] = []

        def add(layer: Layer, source: str, identity: str | None = None) -> str:
            layers.append(layer)
            wires.append(Wire(source, identity, self.connect))
            return f"hidden{len(layers)}"

        last = add(self._convolution(inputs, shape, around), INPUT)
        for stage, block in itertools.product(range(len(self.channels)), range(self.blocks)):
            before, source = shape[0], last
            stride = 2 if stage > 0 and block == 0 else 1
            shape = (self.channels[stage], -(-shape[1] // stride), -(-shape[2] // stride))
            first = add(self._convolution(before, shape, around, stride=stride), source)
            if stride > 1:
                last = add(self._convolution(before, shape, around, 1, stride), source)
            last = add(self._convolution(shape[0], shape, around), first, last)
        sizes = [shape[0], *self.hidden]
        for at, pair in enumerate(itertools.pairwise(sizes)):
            last = add(self._dense(pair, around, around.neuron, average=at == 0), last)
        readout = self._readout(sizes[-1], around, average=not self.hidden)
        return self._finish([*layers, readout], [*wires, Wire(last)])
