"""What a fused pass must not take for granted: settings that change, hooks, other forwards."""

import gc
import subprocess
import sys
import weakref

import pytest
import snntorch
import torch
from conftest import environment
from engine_reference import largest_error
from torch.nn.utils import prune

from surrolab.neurons import SpikingLayer
from surrolab.surrogates import Sigmoid, Surrogate

ENGINES = ("torch", "native")


def gradient(layer, shape=(12, 3, 5)):
    cur = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 0.3).requires_grad_()
    layer(cur).out.sum().backward()
    return cur.grad


def stepped(neuron):
    return gradient(SpikingLayer(neuron, "stepwise"))


class Private(Surrogate):
    """With a setting that the engines have no name for."""

    shape_peak, shape_area, shape_window = 1.0, 2.0, 1.0

    def __init__(self, leak, slope=1.0, scale=1.0, normalize="native"):
        super().__init__(slope, scale, normalize)
        self._leak = leak

    def shape(self, u):
        return torch.exp(-u.abs()) * self._leak * (1.0 if self.training else 0.5)


@pytest.mark.parametrize("engine", ENGINES)
def test_surrogates_of_one_class_with_private_settings(engine):
    for leak in (0.1, 1.0, torch.tensor(0.3)):
        neuron = snntorch.Leaky(0.9, spike_grad=Private(leak))
        layer = SpikingLayer(neuron, engine)
        assert largest_error(gradient(layer), stepped(neuron)) < 1e-6
        layer.eval()
        assert largest_error(gradient(layer), stepped(neuron.eval())) < 1e-6
        if isinstance(leak, torch.Tensor):
            leak.fill_(0.9)
            assert largest_error(gradient(layer), stepped(neuron)) < 1e-6


class Module(torch.nn.Module):
    """A spike_grad of someone else's, whose slope can be set."""

    slope = 1.0

    def forward(self, x):
        return _Step.apply(x, self.slope)


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x)
        ctx.slope = slope
        return (x > 0).float()

    @staticmethod
    def backward(ctx, given):
        (x,) = ctx.saved_tensors
        return given / (1 + ctx.slope * x.abs()), None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_foreign_module_that_changes(engine):
    module = Module()
    neuron = snntorch.Leaky(0.9, spike_grad=module)
    layer = SpikingLayer(neuron, engine)
    for slope in (1.0, 50.0):
        module.slope = slope
        assert layer.choice().name == engine
        assert largest_error(gradient(layer), stepped(neuron)) < 1e-6


def test_a_function_that_holds_something_that_may_change_is_stepped():
    slopes = [1.0]
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=lambda x: _Step.apply(x, slopes[0])))
    assert layer.choice().name == "stepwise"


SLOPE = 1.0


def of_a_global(x):
    return _Step.apply(x, SLOPE)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_whose_global_changes(engine, monkeypatch):
    neuron = snntorch.Leaky(0.9, spike_grad=of_a_global)
    layer = SpikingLayer(neuron, engine)
    for slope in (1.0, 50.0):
        monkeypatch.setitem(globals(), "SLOPE", slope)
        assert layer.choice().name == engine
        assert largest_error(gradient(layer), stepped(neuron)) < 1e-6


def test_a_surrogate_with_a_forward_pass_of_its_own_is_stepped():
    class Doubled(Sigmoid):
        def forward(self, x):
            return 2 * super().forward(x)

    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=Doubled()))
    assert layer.choice().name == "stepwise"
    assert layer(torch.ones(4, 1, 1)).out.max() == 2
    hooked = Sigmoid()
    hooked.register_forward_hook(lambda module, args, out: 3 * out)
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=hooked))
    assert layer(torch.ones(4, 1, 1)).out.max() == 3


def test_recurrent_weights_that_a_hook_makes_are_trained():
    neuron = snntorch.RLeaky(0.9, linear_features=5, spike_grad=Sigmoid(3.0))
    prune.l1_unstructured(neuron.recurrent, "weight", amount=0.5)
    layer = SpikingLayer(neuron)
    for _ in range(2):
        neuron.zero_grad()
        gradient(layer)
        assert neuron.recurrent.weight_orig.grad.abs().sum() > 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(9, 2, 3, 5), (9, 5)])
def test_recurrence_in_any_number_of_dimensions(shape, engine):
    neuron = snntorch.RLeaky(0.9, linear_features=5, spike_grad=Sigmoid(3.0))
    start = SpikingLayer(neuron, "stepwise")(torch.ones(shape)).state
    found = []
    for name in ("stepwise", engine):
        neuron.zero_grad()
        state = type(start)(*(value.detach().requires_grad_() for value in start))
        cur = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
        out = SpikingLayer(neuron, name)(cur, state).out
        (out * torch.arange(5)).sum().backward()
        weights = [p.grad for p in neuron.recurrent.parameters()]
        found.append([out.detach(), cur.grad, *weights, *(value.grad for value in state)])
    for wanted, got in zip(*found, strict=True):
        assert largest_error(got, wanted) < 2e-6


@pytest.mark.parametrize("engine", ENGINES)
def test_a_learned_scale_that_the_smooth_step_does_not_depend_on(engine):
    surrogate = Sigmoid(3.0)
    surrogate.learn("scale")
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=surrogate), engine)
    layer.fire = surrogate.smooth_step
    gradient(layer)
    assert not surrogate.scale.grad.any()


@pytest.mark.parametrize("engine", ["stepwise", *ENGINES])
def test_the_record_adds_up_what_several_backward_passes_bring(engine):
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=Sigmoid()), engine)
    out = layer(torch.randn(6, 2, 3).requires_grad_(), record=True)
    out.out.sum().backward(retain_graph=True)
    once = out.record.gradient.clone()
    out.out.sum().backward()
    torch.testing.assert_close(out.record.gradient, 2 * once)


@pytest.mark.parametrize("steps", [0, 5])
def test_steps_are_for_a_current_of_one_step(steps):
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=Sigmoid()))
    with pytest.raises(ValueError, match=r"^steps: .*allowed"):
        layer(torch.ones(3 if steps else 1, 1, 1), steps=steps)


def test_caches_do_not_keep_a_layers_parameters_alive():
    surrogate = Sigmoid()
    surrogate.learn("slope")
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=surrogate))
    gradient(layer)
    alive = weakref.ref(surrogate.slope)
    del surrogate, layer
    gc.collect()
    assert alive() is None


def test_the_first_pass_of_a_process_may_be_in_a_checkpoint():
    """What is traced then must not count among what the pass saves."""
    program = """
import snntorch, torch
from torch.utils.checkpoint import checkpoint
from surrolab.neurons import SpikingLayer
for spike_grad in (snntorch.surrogate.atan(), None):
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=spike_grad))
    cur = torch.randn(5, 2, 3, requires_grad=True)
    checkpoint(lambda x: layer(x).out, cur, use_reentrant=False).sum().backward()
    assert layer.choice().engine is not None
    assert cur.grad.abs().sum() > 0
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("threshold", [-0.5, torch.tensor([-0.5, 0.5, -0.1, 0.3, 1.0])])
def test_a_threshold_below_rest_has_been_crossed_at_the_start(threshold, engine):
    neuron = snntorch.Leaky(0.9, threshold=threshold, spike_grad=Sigmoid(3.0))
    cur = torch.randn(7, 2, 5, generator=torch.Generator().manual_seed(0))
    wanted = SpikingLayer(neuron, "stepwise")(cur, record=True)
    found = SpikingLayer(neuron, engine)(cur, record=True)
    assert torch.equal(found.record.membrane, wanted.record.membrane)
    assert torch.equal(found.out, wanted.out)
