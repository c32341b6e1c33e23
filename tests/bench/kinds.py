"""What each kind of neuron costs beside the leaky one: processor time of forward and backward.

Run as ``python tests/bench/kinds.py``; one thread, all kinds in turn, ratios within each round.
"""

import time
from statistics import median
from typing import Any

import snntorch
import torch

from surrolab.memory import keep_freed_memory
from surrolab.neurons import ALIF, AdLIF, SpikingLayer
from surrolab.surrogates import ATan

SHAPES = [(25, 128, 512), (100, 64, 512), (500, 16, 512), (100, 256, 128)]
ROUNDS = 41
NEURONS: dict[str, Any] = {
    "leaky": lambda: snntorch.Leaky(0.9, spike_grad=ATan()),
    "synaptic": lambda: snntorch.Synaptic(0.8, 0.9, spike_grad=ATan()),
    "alif": lambda: ALIF(0.9, 0.99, 0.15, spike_grad=ATan()),
    "adlif": lambda: AdLIF(0.9, 0.98, 0.01, 0.1, spike_grad=ATan()),
}


def main() -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    layers = {
        f"{engine}, {kind}": SpikingLayer(make(), engine)
        for engine in ("native", "torch")
        for kind, make in NEURONS.items()
    }
    for shape in SHAPES:
        torch.manual_seed(0)
        cur = (0.5 * torch.randn(shape)).requires_grad_()
        gradient = torch.randn(shape)
        times: dict[str, list[float]] = {name: [] for name in layers}
        for _ in range(ROUNDS):
            for name, layer in layers.items():
                cur.grad = None
                start = time.process_time()
                layer(cur).out.backward(gradient)
                times[name].append(time.process_time() - start)
        print(shape)
        for name, taken in times.items():
            base = times[f"{name.partition(',')[0]}, leaky"]
            ratio = median(one / other for one, other in zip(taken, base, strict=True))
            print(f"  {name:18} {1e3 * median(taken):7.2f} ms  {ratio:.2f} of leaky")


if __name__ == "__main__":
    main()
