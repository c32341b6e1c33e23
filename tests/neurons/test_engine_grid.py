"""The whole grid: neurons, resets, detached or not, surrogates, dtypes, odd shapes, engines."""

import itertools

import pytest
import torch
from engine_reference import NEURONS, RESETS, assert_close, current, make, run

import surrolab.surrogates as catalogue

OF_THE_CATALOGUE = [name for name in catalogue.__all__ if name != "Surrogate"]
SHAPES = ((1, 1, 1), (13, 3, 7), (6, 5, 67))
BOUNDS = {torch.float32: 1e-6, torch.float64: 1e-12}


@pytest.mark.slow
@pytest.mark.parametrize("surrogate", OF_THE_CATALOGUE)
@pytest.mark.parametrize("name", NEURONS)
def test_every_combination(name, surrogate):
    made = getattr(catalogue, surrogate)()
    for reset, detach, dtype, shape in itertools.product(RESETS, (True, False), BOUNDS, SHAPES):
        neuron = make(name, reset, made, size=shape[2]).to(dtype)
        cur = current(*shape, dtype=dtype, factor=6.0 if name == "lapicque" else 1.0)
        torch.manual_seed(0)
        stepped = run(neuron, cur, "stepwise", detach)
        for engine in ("torch", "native"):
            torch.manual_seed(0)
            found = run(neuron, cur, engine, detach)
            where = (reset, detach, dtype, shape, engine)
            assert torch.equal(found.spikes, stepped.spikes), where
            assert torch.equal(found.membrane, stepped.membrane), where
            if made.has_primitive:
                # Alpha's two states all but cancel: float32 itself is no closer to the truth.
                bound = BOUNDS[dtype] * (5 if name == "alpha" else 1)
                assert_close(found, stepped, bound)
