"""Two backward passes, and the membrane that the first one may take."""

import pytest
import torch
from small_layers import current, layer_of, needs_compiler, passed

from surrolab.neurons import (
    ALIFFactory,
    LeakyFactory,
    RAdLIFFactory,
    RLeakyFactory,
    SynapticFactory,
)
from surrolab.surrogates import FastSigmoid

ENGINES = ("stepwise", "torch", "native")


def overwriting(engine, overwrite, **options):
    layer = layer_of(engine, **options)
    layer.overwrite_membrane = overwrite
    return layer


def with_a_learned_slope():
    surrogate = FastSigmoid(5.0)
    surrogate.learn("slope")
    return surrogate


OVERWRITTEN = {
    "leaky": {"learn_beta": True, "learn_threshold": True},
    "through the reset": {"detach_reset": False, "reset": "zero", "learn_beta": True},
    "synaptic": {"factory": SynapticFactory, "learn_alpha": True},
    "adaptive threshold": {
        "factory": ALIFFactory,
        "learn_rho": True,
        "learn_threshold_step": True,
        "detach_reset": False,
    },
    "adaptation current": {
        "factory": RAdLIFFactory,
        "learn_rho": True,
        "learn_a": True,
        "learn_b": True,
        "input_scale": "one_minus_beta",
        "threshold": 0.1,
    },
    "recurrent": {"factory": RLeakyFactory, "learn_beta": True},
    "a learned slope": {"surrogate": with_a_learned_slope()},
}


@pytest.mark.parametrize("engine", ["torch", pytest.param("native", marks=needs_compiler)])
@pytest.mark.parametrize("what", OVERWRITTEN)
def test_overwriting_the_membrane_changes_no_gradient(engine, what):
    options = OVERWRITTEN[what]
    spikes, gradients = passed(overwriting(engine, False, **options))
    same, overwritten = passed(overwriting(engine, True, **options))
    assert torch.equal(spikes, same)
    assert 0 < spikes.mean() < 1
    for one, other in zip(gradients, overwritten, strict=True):
        assert one.abs().sum() > 0
        assert torch.equal(one, other)


@pytest.mark.parametrize("engine", ["torch", pytest.param("native", marks=needs_compiler)])
def test_a_second_backward_is_refused_where_the_membrane_is_gone(engine):
    layer = overwriting(engine, True)
    out = layer(current()).out.sum()
    out.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match=r"^overwrite_membrane: .*overwrite_membrane=False"):
        out.backward()
    # A new pass is a new beginning.
    layer(current()).out.sum().backward()


@pytest.mark.parametrize("factory", [LeakyFactory, SynapticFactory, RLeakyFactory])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_second_backward_gives_the_same_where_it_is_kept(engine, factory):
    layer = overwriting(engine, False, factory=factory, learn_beta=True)
    cur = current()
    loss = layer(cur).out.sum()
    inputs = [cur, *(p for p in layer.parameters() if p.requires_grad)]
    first = [g.clone() for g in torch.autograd.grad(loss, inputs, retain_graph=True)]
    second = torch.autograd.grad(loss, inputs)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("engine", ["torch", pytest.param("native", marks=needs_compiler)])
def test_a_record_keeps_the_membrane_whatever_is_asked(engine):
    layer = overwriting(engine, True)
    out = layer(current(), record=True)
    membrane = out.record.membrane.clone()
    out.out.sum().backward()
    assert torch.equal(out.record.membrane, membrane)
    assert torch.equal(membrane[-1], out.state.mem.detach())
