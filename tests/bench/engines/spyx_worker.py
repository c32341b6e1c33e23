"""Spyx, in a process and an environment of its own, driven line by line over standard input.

Each line is a JSON object with ``do``: ``make`` a job (``kind`` neuron or layers, ``shape``),
``run`` it (which of ``both``, ``forward``, ``backward``), measure its ``memory``, ``drop``
it. Answers are JSON lines too. Time is taken in here, so the pipe does not count.
"""

import json
import os
import sys
import time
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import spyx
import spyx.nn as snn
from flax import nnx
from peak import held_bytes, peak_bytes


class Work:
    """``depth`` layers of Linear(N, N) and LIF, or the neuron alone where ``depth`` is 0."""

    def __init__(self, shape: list[int], depth: int, rate: float) -> None:
        width = shape[-1]
        random = np.random.default_rng(0)
        lifs = [
            snn.LIF((width,), beta=0.9, activation=spyx.axn.arctan(), rngs=nnx.Rngs(0))
            for _ in range(max(depth, 1))
        ]
        if depth:
            x = random.random(shape, np.float32) < rate
            bound = 2 / np.sqrt(width)
            given = [random.uniform(-bound, bound, (width, width)) for _ in range(depth)]
            self.argument: Any = [jnp.asarray(weight, jnp.float32) for weight in given]
        else:
            x = 0.5 * random.standard_normal(shape, np.float32)
            self.argument = jnp.asarray(x, jnp.float32)
        x = jnp.asarray(x, jnp.float32)
        self.x = x if depth else jnp.zeros(())
        self.gradient = jnp.asarray(random.standard_normal(shape, np.float32))

        def forward(argument: Any, x: jax.Array) -> jax.Array:
            if not depth:
                return snn.run(lifs[0], argument)[0]
            for weight, lif in zip(argument, lifs, strict=True):
                x = snn.run(lif, x @ weight)[0]  # the product over all steps at once
            return x

        def both(argument: Any, x: jax.Array, gradient: jax.Array) -> Any:
            out, backward = jax.vjp(lambda a: forward(a, x), argument)
            return out, backward(gradient)[0]

        self._both = jax.jit(both)
        self._forward = jax.jit(lambda a, x: jax.vjp(lambda a: forward(a, x), a))
        self._backward = jax.jit(lambda pullback, gradient: pullback(gradient))
        self._pullback: Any = None

    def both(self) -> Any:
        return jax.block_until_ready(self._both(self.argument, self.x, self.gradient))

    def forward(self) -> Any:
        return jax.block_until_ready(self._forward(self.argument, self.x))

    def backward(self) -> Any:
        if self._pullback is None:
            self._pullback = self.forward()[1]
        return jax.block_until_ready(self._backward(self._pullback, self.gradient))


def answer(request: dict[str, Any], work: dict[int, Work]) -> dict[str, Any]:
    do, key = request["do"], request.get("key", 0)
    if do == "version":
        return {"version": f"{version('spyx')} (jax {jax.__version__})"}
    if do == "make":
        work[key] = made = Work(request["shape"], request["depth"], request.get("rate", 0.1))
        out, gradients = made.both()
        size = sum(float(jnp.abs(g).sum()) for g in jax.tree.leaves(gradients))
        return {"rate": float(out.mean()), "gradient": size, "shape": list(out.shape)}
    if do == "run":
        which = getattr(work[key], request["which"])
        if request["which"] == "backward" and work[key]._pullback is None:
            work[key].backward()  # has a forward pass to go back through
        start = time.perf_counter()
        which()
        return {"seconds": time.perf_counter() - start}
    if do == "memory":
        return {"bytes": [peak_bytes(work[key].both), held_bytes(work[key].forward)]}
    work.pop(key, None)
    return {}


def main() -> None:
    """Answer until there is nothing more to read."""
    work: dict[int, Work] = {}
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what jax prints is not an answer
    for line in sys.stdin:
        replies.write(json.dumps(answer(json.loads(line), work)) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
