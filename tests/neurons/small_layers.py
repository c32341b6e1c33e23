"""A small layer, a current for it, and what a pass gives."""

import pytest
import torch

from surrolab.native import available
from surrolab.neurons import LeakyFactory
from surrolab.surrogates import FastSigmoid

needs_compiler = pytest.mark.skipif(available() is not None, reason="there is no C compiler here")


def layer_of(engine="auto", factory=LeakyFactory, surrogate=None, **options):
    torch.manual_seed(0)
    return factory(**options).layer((5,), surrogate or FastSigmoid(5.0), engine)


def current(steps=20, seed=1, dtype=torch.float32, **options):
    generator = torch.Generator().manual_seed(seed)
    cur = torch.randn(steps, 3, 5, generator=generator) + 0.3
    return cur.to(dtype).requires_grad_(**options)


def passed(layer, cur=None):
    """Spikes, and the gradients of the current and of whatever is learned, of one pass."""
    cur = current() if cur is None else cur
    out = layer(cur).out
    weights = torch.linspace(-1, 1, out.numel()).reshape(out.shape)
    learned = [p for p in layer.parameters() if p.requires_grad]
    return out.detach(), torch.autograd.grad((out * weights).sum(), [cur, *learned])
