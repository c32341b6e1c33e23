"""What a few samples make the neurons do, as arrays that can be drawn."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from surrolab.diagnostics.flow import Flow, valid_steps
from surrolab.task import Task

NEURONS, TRACED = 256, 4
"""Of a layer, at most so many neurons are shown, and so many have their membrane potential kept."""


def shown_activity(task: Task, flow: Flow, samples: int) -> dict[str, Any]:
    """Spikes and membrane potentials of the first samples of a probe batch.

    Layer number ``i`` of ``layers`` (names of the hidden layers that spike) has ``spikes_<i>``, 0
    and 1 in ``[T, S, N]`` packed to bits along the last axis, of the neurons ``neurons_<i>``
    ``[N]``, and ``membrane_<i>`` ``[T, S, K]`` and ``threshold_<i>`` ``[K]`` of the neurons
    ``traced_<i>`` ``[K]``, both indices into the flattened layer; where thresholds adapt,
    ``threshold_<i>`` is theirs at rest, and ``level_<i>`` ``[T, S, K]`` what it is in each step.
    ``targets``, ``predictions`` and ``lengths`` are ``[S]``: of a prediction that is made in every
    step, that of the last one. There are no spikes beyond a sample's length; the membrane there
    means nothing.

    Which neurons are shown and traced depends on the size of the layer alone, so that they are
    the same all through training and in every run: :func:`evenly` chosen.
    """
    samples = min(samples, len(flow.lengths_B))
    lengths_S = flow.lengths_B[:samples]
    valid_TS = valid_steps(flow.norm_LT.shape[1], lengths_S)
    arrays: dict[str, Any] = {
        "layers": list(flow.hidden),
        "targets": _of_last_step(flow.target, flow, samples),
        "predictions": _of_last_step(flow.prediction, flow, samples),
        "lengths": lengths_S.cpu().numpy(),
    }
    layers = dict(task.network.named_layers())
    for i, (name, spk_TBN) in enumerate(flow.hidden.items()):
        spk_TSN = spk_TBN[:, :samples].flatten(2) != 0
        shown = evenly(spk_TSN.shape[-1], NEURONS)
        traced = shown[evenly(len(shown), TRACED)]
        spk_TSN = spk_TSN[..., _indices(shown, spk_TSN)] & valid_TS[..., None]
        mem_TSN = flow.membrane[name][:, :samples].flatten(2)
        mem_TSK = mem_TSN[..., _indices(traced, mem_TSN)].float()
        threshold = layers[name].neurons.neuron.threshold.detach().float()
        threshold_N = threshold.expand(spk_TBN.shape[2:]).flatten().cpu().numpy()
        arrays |= {
            f"spikes_{i}": np.packbits(spk_TSN.cpu().numpy(), axis=-1),
            f"neurons_{i}": shown,
            f"membrane_{i}": mem_TSK.cpu().numpy(),
            f"traced_{i}": traced,
            f"threshold_{i}": threshold_N[traced],
        }
        if flow.threshold[name].shape == flow.membrane[name].shape:
            level_TSN = flow.threshold[name][:, :samples].flatten(2)
            level_TSK = level_TSN[..., _indices(traced, level_TSN)].float()
            arrays[f"level_{i}"] = level_TSK.cpu().numpy()
    return arrays


def evenly(number: int, most: int) -> np.ndarray:
    """Indices below ``number``, all or ``most`` of them: the middles of as many equal parts."""
    count = min(number, most)
    return np.asarray((2 * np.arange(count) + 1) * number // (2 * count), dtype=np.int64)


def _indices(chosen: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(chosen).to(like.device)


def _of_last_step(given: Tensor, flow: Flow, samples: int) -> np.ndarray:
    steps, batch = flow.norm_LT.shape[1], len(flow.lengths_B)
    if given.ndim > 1 and given.shape[:2] == (steps, batch):
        given = given[flow.lengths_B - 1, torch.arange(batch, device=given.device)]
    given = given[:samples].detach().cpu()
    return (given.float() if given.is_floating_point() else given).numpy()
