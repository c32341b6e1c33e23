"""One layer of a network: synapse, pooling, normalisation, neurons, dropout."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from surrolab.models.normalization import TimeNorm
from surrolab.neurons import NeuronLayer, Record, State
from surrolab.synapses import DelayedLinear


class LayerState(NamedTuple):
    """Where a layer stands between two parts of a sequence.

    The neurons' state, the dropout's mask, and of the input what delays have yet to hand on,
    ``[D, B, F]``.
    """

    neurons: State
    mask: Tensor | None
    past: Tensor | None = None


class LayerPass(NamedTuple):
    """``out_TBN`` for the next layer, ``spk_TBN`` as fired, final state, and the record."""

    out: Tensor
    spk: Tensor
    state: LayerState
    record: Record | None


class Dropout(nn.Module):
    """Dropout with one mask per sample, held over all time steps.

    A mask drawn anew in every step would average out in the membrane (Lee et al. 2020,
    doi:10.3389/fnins.2020.00119).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def mask(self, spk_BN: Tensor) -> Tensor | None:
        """A factor for each neuron of each sample; None where nothing is dropped."""
        if not self.training or self.p == 0:
            return None
        return nn.functional.dropout(torch.ones_like(spk_BN), self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Layer(nn.Module):
    """``x_TBF -> spk_TBN`` (or the membrane, for a readout): synapse, pool, norm, neurons,
    dropout.

    ``shape`` is that of the neurons, without time and batch. The synapse (``nn.Linear`` or
    ``nn.Conv2d``) is applied to all time steps in one call, and only once where the input is the
    same in every step. A linear synapse takes the mean of each channel over space where
    ``average``, and all of it in a row otherwise.
    """

    def __init__(
        self,
        synapse: nn.Linear | nn.Conv2d,
        neurons: NeuronLayer,
        shape: tuple[int, ...],
        norm: TimeNorm | None = None,
        pool: nn.Module | None = None,
        dropout: float = 0.0,
        average: bool = False,
    ) -> None:
        super().__init__()
        self.synapse = synapse
        self.norm = norm
        self.neurons = neurons
        self.shape = shape
        self.pool = pool
        self.average = average
        self.dropout = Dropout(dropout) if dropout else None

    def forward(
        self,
        x_TBF: Tensor,
        record: bool = False,
        state: LayerState | None = None,
        lengths_B: Tensor | None = None,
    ) -> LayerPass:
        """Run a sequence, or go on with one from a ``state``.

        ``record`` asks for the membrane potential and its gradient. ``lengths_B`` are the valid
        steps of each sample, for the normalisation, which is over those alone.
        """
        earlier = None if state is None else state.past
        cur, steps, past = self._drive(x_TBF, earlier, lengths_B)
        before = None if state is None else state.neurons
        spk_TBN, after, memory = self.neurons(cur, before, record=record, steps=steps)
        mask = None if state is None else state.mask
        if self.dropout is not None and state is None:
            mask = self.dropout.mask(spk_TBN[0])
        out = spk_TBN if mask is None else spk_TBN * mask
        return LayerPass(out, spk_TBN, LayerState(after, mask, past), memory)

    def current(self, x_TBF: Tensor) -> Tensor:
        """The input current ``cur_TBN`` of the neurons."""
        cur, steps, _ = self._drive(x_TBF)
        return cur if steps is None else cur.expand(steps, *cur.shape[1:])

    def _drive(
        self, x_TBF: Tensor, past_DBF: Tensor | None = None, lengths_B: Tensor | None = None
    ) -> tuple[Tensor, int | None, Tensor | None]:
        """The input current; where it is the same in every step, one step and their number.

        The last is what comes after the ``past_DBF``.
        """
        steps = x_TBF.shape[0]
        delayed = isinstance(self.synapse, DelayedLinear)
        constant = steps > 1 and x_TBF.stride(0) == 0 and not delayed
        x = x_TBF[:1] if constant else x_TBF
        if isinstance(self.synapse, nn.Conv2d):
            cur = self.synapse(x.flatten(0, 1))
            if self.pool is not None:
                cur = self.pool(cur)
            cur_TBN = cur.view(*x.shape[:2], *cur.shape[1:])
        elif isinstance(self.synapse, DelayedLinear):
            x_TBF = x.flatten(2)
            cur_TBN = self.synapse(x_TBF, past_DBF)
            past_DBF = self.synapse.remember(x_TBF, past_DBF)
        else:
            cur_TBN = self.synapse(x.flatten(3).mean(3) if self.average else x.flatten(2))
        if self.norm is None:
            return cur_TBN, steps if constant else None, past_DBF
        if constant:
            cur_TBN = cur_TBN.expand(steps, *cur_TBN.shape[1:])
        return self.norm(cur_TBN, lengths_B), None, past_DBF
