"""Which layer reads what, where a network is more than a row of layers."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

INPUT = "input"
JOINS = ("add", "and", "iand")


class Wire(NamedTuple):
    """What a layer reads, and what its spikes are joined with before other layers read them.

    ``source`` is the name of a layer before it, or ``input``; ``identity`` that of a layer before
    it, whose own output, joined or not, takes part in this one's. ``join`` is ``add``, ``and`` or
    ``iand``.
    """

    source: str
    identity: str | None = None
    join: str = "add"


@dataclass(frozen=True)
class Wiring:
    """The wires of all layers, by name, in the order in which they are computed."""

    wires: Mapping[str, Wire]

    @classmethod
    def chain(cls, names: Iterable[str]) -> "Wiring":
        """Each layer reads the one before it."""
        names = list(names)
        return cls(
            {name: Wire(source) for name, source in zip(names, [INPUT, *names], strict=False)}
        )

    def outputs(self, hidden: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What each hidden layer hands on where nothing is dropped, from the spikes of all."""
        found: dict[str, Tensor] = {}
        for name, spk_TBN in hidden.items():
            wire = self.wires[name]
            identity = None if wire.identity is None else found[wire.identity]
            found[name] = joined(spk_TBN, identity, wire.join)
        return found

    def behind_silence(self, silent: Collection[str]) -> set[str]:
        """The layers whose input is zero because layers before them never spike."""
        found: set[str] = set()
        quiet: set[str] = set()
        for name, wire in self.wires.items():
            if wire.source in quiet:
                found.add(name)
            own = name in silent or name in found
            if wire.identity is not None:
                other = wire.identity in quiet
                own = {"add": own and other, "and": own or other, "iand": other}[wire.join]
            if own:
                quiet.add(name)
        return found

    def cut_off(self, blocked: Collection[str]) -> set[str]:
        """The layers that no gradient reaches where it cannot pass the neurons of ``blocked``."""
        carrying: set[str] = set()  # whose output has a gradient
        found: set[str] = set()
        for name, wire in reversed(list(self.wires.items())):
            if name == "readout":
                carrying.add(name)
            if name in carrying and wire.identity is not None:
                carrying.add(wire.identity)
            if name in carrying and name not in blocked:
                carrying.add(wire.source)
            else:
                found.add(name)
        return found


def joined(out_TBN: Tensor, identity_TBN: Tensor | None, join: str) -> Tensor:
    """The element-wise functions of SEW blocks: ``out + identity``, ``out identity``, and
    ``(1 - out) identity`` (Fang et al. 2021, arXiv:2102.04159, table 1).
    """
    if identity_TBN is None:
        return out_TBN
    if join == "add":
        return out_TBN + identity_TBN
    if join == "and":
        return out_TBN * identity_TBN
    return identity_TBN * (1 - out_TBN)
