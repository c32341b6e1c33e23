"""When the spike-sparse linear layer pays, and the times that its rule is made of.

``python tests/bench/sparse.py`` prints, for the forward pass alone and with the gradients of
weight and bias, how many times faster than the matrix product the layer is over shapes and spike
rates (medians, both sides interleaved); the rate at which both are as fast, measured and by the
rule; the times that fit best, to be put into ``surrolab.synapses.rule``; and what following the
rule costs beside always taking the faster one. ``--layer`` measures the layer of the published
figures instead, ``--inputs`` the input's gradient where only some places of it are asked for,
``--threads N`` is as it says.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from surrolab.surrogates.reach import Reach
from surrolab.synapses import rule, spike_linear
from surrolab.synapses.kernel import load

ROWS = (100, 400, 1600, 6400)
FEATURES = (64, 256, 700, 2048)
OUTPUTS = (10, 64, 128, 512)
RATES = (0.01, 0.05, 0.1, 0.2, 0.4, 0.7)
WITHIN = (0.01, 0.03, 0.1, 0.2, 0.4)
LAYER = ((100, 64, 512), (500, 16, 512))  # time steps, samples, neurons


class Point(NamedTuple):
    """Nanoseconds of one shape and rate."""

    rows: int
    features: int
    outputs: int
    spikes: int
    dense: float
    sparse: float


def work(x: Tensor, weight: Tensor, bias: Tensor, grad: Tensor, sparse: str) -> None:
    """One pass, and the gradients where there are any."""
    out = spike_linear(x, weight, bias, sparse)
    if out.requires_grad:
        torch.autograd.grad(out, [a for a in (x, weight, bias) if a.requires_grad], grad)


def nanoseconds(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Medians of interleaved calls, at least 5 and for about so long."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    for call in calls.values():
        call()
    while len(times["true"]) < 5 or time.perf_counter() < end:
        for name, call in calls.items():
            start = time.perf_counter_ns()
            call()
            times[name].append(time.perf_counter_ns() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def measure(
    rows: int,
    features: int,
    outputs: int,
    rate: float,
    trained: bool,
    seconds: float = 0.05,
    hidden: bool = False,
) -> Point:
    """Both sides at Bernoulli spikes."""
    torch.manual_seed(0)
    x = (torch.rand(rows, features) < rate).float().requires_grad_(hidden)
    weight = torch.randn(outputs, features, requires_grad=trained)
    bias = torch.randn(outputs, requires_grad=trained)
    grad = torch.randn(rows, outputs)
    calls = {mode: partial(work, x, weight, bias, grad, mode) for mode in ("true", "false")}
    found = nanoseconds(calls, seconds)
    spikes = int(x.sum())
    return Point(rows, features, outputs, spikes, found["false"], found["true"])


def fit(points: list[Point], threads: int) -> tuple[rule.Dense, rule.Sparse]:
    """The times, none negative, of the least relative errors."""
    dense = [rule.dense_parts(*p[:3], threads) for p in points]
    sparse = [rule.sparse_parts(*p[:4], threads) for p in points]
    found = []
    for parts, times in ((dense, [p.dense for p in points]), (sparse, [p.sparse for p in points])):
        relative = np.array(parts) / np.array(times)[:, None]
        found.append([float(f"{t:.3g}") for t in nnls(relative, np.ones(len(times)))[0]])
    return rule.Dense(*found[0]), rule.Sparse(*found[1])


def judge(points: list[Point], trained: bool, threads: int) -> None:
    """What the rule, and always the product, cost against the faster one of both."""
    chosen, product = [], []
    for p in points:
        pays = p.spikes <= rule.most_spikes(*p[:3], trained, threads)
        best = min(p.dense, p.sparse)
        chosen.append((p.sparse if pays else p.dense) / best)
        product.append(p.dense / best)
    for name, found in (("the rule", chosen), ("always the product", product)):
        print(f"{name}: {statistics.geometric_mean(found):.3f} of the faster one's time on")
        print(f"  average over the points, {max(found):.2f} at worst")


def crossover(points: list[Point]) -> str:
    """The measured rate at which both are as fast, between the rates."""
    rates = [p.spikes / p.rows / p.features for p in points]
    gains = [np.log(p.dense / p.sparse) for p in points]
    if gains[0] < 0:
        return "none"
    for i in range(1, len(points)):
        if gains[i] < 0:
            share = gains[i - 1] / (gains[i - 1] - gains[i])
            return f"{100 * (rates[i - 1] + share * (rates[i] - rates[i - 1])):.0f} %"
    return f"> {100 * rates[-1]:.0f} %"


def shapes(trained: bool, threads: int) -> None:
    """The table, and the rule."""
    print("forward and gradients of weight and bias" if trained else "forward")
    print("  rows     F     N" + "".join(f"{100 * r:7.0f} %" for r in RATES), " crossover    rule")
    points = []
    for rows, features, outputs in itertools.product(ROWS, FEATURES, OUTPUTS):
        line = [measure(rows, features, outputs, rate, trained) for rate in RATES]
        most = rule.most_spikes(rows, features, outputs, trained, threads) / rows / features
        print(
            f"{rows:6d}{features:6d}{outputs:6d}"
            + "".join(f"{p.dense / p.sparse:9.2f}" for p in line)
            + f"{crossover(line):>11s}{'none' if most < 0 else f'{100 * most:.0f} %':>8s}",
            flush=True,
        )
        points += line
    name = "TRAINING" if trained else "FORWARD"
    times = fit(points, threads)
    print(f"{name} = {times[0]}, {times[1]}")
    judge(points, trained, threads)
    setattr(rule, name, times)
    print("with these times")
    judge(points, trained, threads)


def layer() -> None:
    """Linear(N, N) at the shapes of the published figures, 10 % of spikes."""
    for steps, samples, neurons in LAYER:
        for hidden in (False, True):
            shape = (steps * samples, neurons, neurons)
            p = measure(*shape, 0.1, True, seconds=3, hidden=hidden)
            print(
                f"T, B, N = {steps}, {samples}, {neurons}, {'hidden' if hidden else 'first'} layer:"
                f" product {p.dense / 1e6:.1f} ms, spikes {p.sparse / 1e6:.1f} ms,"
                f" {p.dense / p.sparse:.2f} times"
            )


def inputs(threads: int) -> None:
    """The input's gradient in some places alone beside the product, by their share."""
    kernel = load(torch.float32)
    print("  rows     F     N" + "".join(f"{100 * r:7.0f} %" for r in WITHIN), "    rule")
    for rows, features, outputs in itertools.product((400, 1600, 6400), FEATURES, OUTPUTS):
        torch.manual_seed(0)
        grad, weight = torch.randn(rows, outputs), torch.randn(outputs, features)
        gains = []
        for share in WITHIN:
            mem = (torch.rand(rows, features) < share).float()
            reach = Reach(mem, 1.0, 0.5)
            calls = {
                "true": partial(kernel.input_gradient, grad, weight, reach, mem.numel()),
                "false": partial(torch.matmul, grad, weight),
            }
            found = nanoseconds(calls, 0.05)
            gains.append(found["false"] / found["true"])
        most = rule.most_within(rows, features, outputs, threads) / rows / features
        print(
            f"{rows:6d}{features:6d}{outputs:6d}"
            + "".join(f"{gain:9.2f}" for gain in gains)
            + f"{'none' if most < 0 else f'{100 * most:.0f} %':>9s}",
            flush=True,
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layer", action="store_true")
    parser.add_argument("--inputs", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.layer:
        layer()
        return
    if given.inputs:
        inputs(given.threads)
        return
    for trained in (False, True):
        shapes(trained, given.threads)


if __name__ == "__main__":
    main()
