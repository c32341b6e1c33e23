"""The contenders, neuron alone: ``cur_TBN -> spk_TBN``, decay 0.9, threshold 1, reset by
subtraction and detached, arctangent surrogate; each in the fastest way its library offers here.
"""

from collections.abc import Callable
from typing import Any

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor

from surrolab.neurons import SpikingLayer
from surrolab.surrogates import ATan, Formula

Neurons = Callable[[Tensor], Tensor]
BETA = 0.9
FORMULA = "1/(1+abs(x))**2"
BASELINE = "snnTorch"


def snntorch_steps(leaky: Any, currents: Any) -> Tensor:
    """SnnTorch's idiom: the neuron is called in every step."""
    spks, mem = [], None
    for cur in currents:
        if mem is None:
            mem = torch.zeros_like(cur)
        spk, mem = leaky(cur, mem)
        spks.append(spk)
    return torch.stack(spks)


def leaky() -> Any:
    """SnnTorch's neuron with its own surrogate."""
    return snntorch.Leaky(beta=BETA, spike_grad=surrogate.atan())


def _snntorch() -> Neurons:
    neuron = leaky()
    return lambda cur_TBN: snntorch_steps(neuron, cur_TBN.unbind())


def engine(name: str, formula: str | None = None, **options: Any) -> Neurons:
    """One of ours."""
    spike_grad = ATan() if formula is None else Formula(formula)
    layer = SpikingLayer(snntorch.Leaky(beta=BETA, spike_grad=spike_grad), engine=name, **options)

    def run(cur_TBN: Tensor) -> Tensor:
        return layer(cur_TBN).out

    return run


def _spikingjelly(formula: str | None = None) -> Neurons:
    # On a CPU its multi-step mode is one operator that loops in Python, the backward pass too; on
    # a GPU a Triton kernel, but for surrogates other than its own seven. The state is given in
    # float32: its module would take the input's type, and leaves its operators in bfloat16.
    from spikingjelly.activation_based import surrogate
    from spikingjelly.activation_based.functional import lif_multi_step

    spike_grad = surrogate.ATan() if formula is None else Formula(formula)

    def run(cur_TBN: Tensor) -> Tensor:
        start = torch.zeros(cur_TBN.shape[1:], device=cur_TBN.device)
        return lif_multi_step(
            cur_TBN,
            start,
            tau=1 / (1 - BETA),
            decay_input=False,
            v_reset=None,
            surrogate_function=spike_grad,
            detach_reset=True,
        )[0]

    return run


def _norse() -> Neurons:
    # The box neuron has no synaptic current, as here. It is stepped over `unbind`: norse's own
    # sequence module indexes `x[t]`, whose backward pass writes all of x in every step. It scales
    # its input by 1 - decay, hence the threshold.
    from norse.torch import LIFBoxCell
    from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters
    from norse.torch.functional.reset import reset_subtract

    parameters = LIFBoxParameters(
        tau_mem_inv=torch.tensor(1000 * (1 - BETA)),
        v_th=torch.tensor(1 - BETA),
        method="super",
        alpha=torch.tensor(100.0),
        reset_method=reset_subtract,
    )
    cell = LIFBoxCell(parameters)

    def run(cur_TBN: Tensor) -> Tensor:
        spks, state = [], LIFBoxFeedForwardState(v=torch.zeros_like(cur_TBN[0]))
        for cur in cur_TBN.unbind():
            spk, state = cell(cur, state)
            spks.append(spk)
        return torch.stack(spks)

    return run


def makers(device: str) -> dict[str, Callable[[], Neurons]]:
    """All of them by name, the baseline first."""
    all_devices: dict[str, Callable[[], Neurons]] = {
        BASELINE: _snntorch,
        "stepwise": lambda: engine("stepwise"),
        "torch": lambda: engine("torch"),
        "torch, formula": lambda: engine("torch", FORMULA),
    }
    fused = "triton" if device == "cuda" else "native"
    mine: dict[str, Callable[[], Neurons]] = {
        fused: lambda: engine(fused),
        f"{fused}, formula": lambda: engine(fused, FORMULA),
        f"{fused}, overwriting": lambda: engine(fused, overwrite_membrane=True),
    }
    peers: dict[str, Callable[[], Neurons]] = {"SpikingJelly": _spikingjelly}
    if device == "cuda":
        peers["SpikingJelly, formula"] = lambda: _spikingjelly(FORMULA)
    return all_devices | mine | peers | {"norse": _norse}


OURS = ("stepwise", "torch", "native", "triton")


def is_ours(name: str) -> bool:
    """Whether a contender is one of our engines."""
    return name.split(",")[0] in OURS
