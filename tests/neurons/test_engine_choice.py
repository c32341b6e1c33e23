"""Which engine computes a layer, that it says so, and that all of them give the same."""

import copy
import logging
import os
import pickle
import shutil
import subprocess
import sys

import pytest
import snntorch
import torch
from small_layers import current, layer_of, needs_compiler, passed

from surrolab.native import available
from surrolab.neurons import (
    LeakyFactory,
    Readout,
    RLeakyFactory,
    RSynapticFactory,
    SpikingLayer,
    SynapticFactory,
    engines,
)
from surrolab.neurons.fused import assembly
from surrolab.surrogates import ATan, FastSigmoid, LeakySpikeOperator, Sigmoid

ENGINES = ("stepwise", "torch", "native")
COMPILES = available() is None


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    """What the process has said before is forgotten: each test hears it anew."""
    engines.say.cache_clear()
    engines._first_that_works.cache_clear()
    yield
    engines.say.cache_clear()


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@needs_compiler
def test_auto_takes_native_and_says_nothing(caplog):
    layer = layer_of()
    with caplog.at_level(logging.DEBUG, "surrolab"):
        layer(current()).out.sum().backward()
    assert layer.choice() == (engines._NATIVE, None)
    assert layer.choice().name == "native"
    assert LeakyFactory().readout("auto").choice().name == "native"
    assert caplog.records == []


@needs_compiler
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_is_asked_for_is_taken(engine):
    layer = layer_of(engine)
    assert layer.choice().name == engine
    assert layer.choice().why is None
    name = type(layer(current()).out.grad_fn).__name__
    assert ("FusedPass" in name) is (engine != "stepwise")


def test_without_a_compiler_torch_is_taken_with_one_warning(no_compiler, caplog):
    layers = [layer_of() for _ in range(4)] + [layer_of("native"), layer_of(factory=RLeakyFactory)]
    with caplog.at_level(logging.DEBUG, "surrolab"):
        for layer in layers * 3:
            passed(layer)
        LeakyFactory().readout("auto")(current())
    assert {layer.choice().name for layer in layers} == {"torch"}
    assert layers[0].choice().why == "there is no C compiler (no-such-compiler)"
    assert warnings_of(caplog) == [
        "engine native gives way: there is no C compiler (no-such-compiler)"
    ]


WITHOUT = """
import hashlib, warnings, torch
warnings.simplefilter("error")
from surrolab.neurons import LeakyFactory, RSynapticFactory
from surrolab.surrogates import FastSigmoid
with torch.inference_mode():  # the first pass of all
    LeakyFactory(learn_beta=True).layer((5,), FastSigmoid(5.0), "auto")(torch.ones(30, 3, 5))
digest = hashlib.sha256()
for factory in (LeakyFactory, RSynapticFactory):
    for _ in range(3):
        torch.manual_seed(0)
        layer = factory(learn_beta=True).layer((5,), FastSigmoid(5.0), "auto")
        out = layer(torch.randn(30, 3, 5) + 0.3).out
        out.sum().backward()
        assert layer.neuron.beta.grad.abs() > 0
        digest.update(out.detach().numpy().tobytes())
print(layer.choice().name, digest.hexdigest())
"""


@needs_compiler
def test_a_process_without_a_compiler_gives_the_same_spikes(tmp_path):
    def run(**variables):
        process = subprocess.run(
            [sys.executable, "-c", WITHOUT],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert process.returncode == 0, process.stderr
        return *process.stdout.split(), process.stderr

    name, spikes, said = run()
    assert (name, said) == ("native", "")
    other, same, said = run(CC=shutil.which("false"), SURROLAB_CACHE=str(tmp_path / "cache"))
    assert (other, same) == ("torch", spikes)
    assert said.count("engine native gives way: ") == 1
    assert len(said.splitlines()) == 1


def test_native_asked_for_by_name_gives_way(no_compiler, caplog):
    layer = layer_of("native")
    with caplog.at_level(logging.DEBUG, "surrolab"):
        spikes, _ = passed(layer)
    assert torch.equal(spikes, passed(layer_of("stepwise"))[0])
    assert layer.choice().name == "torch"
    assert len(warnings_of(caplog)) == 1


@needs_compiler
def test_a_compiler_that_fails_later_is_said_once_and_not_asked_again(
    tmp_path, monkeypatch, caplog
):
    """The first, small program compiles; no kernel does."""
    real = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    cc = tmp_path / "cc"
    cc.write_text(
        f'#!/bin/sh\nfor last; do case "$last" in *.c) grep -q surrolab_works "$last" || '
        f'{{ echo compiled >> {tmp_path}/log; echo "error: worn out" >&2; exit 1; }};; esac; done\n'
        f'exec {real} "$@"\n'
    )
    cc.chmod(0o755)
    monkeypatch.setenv("CC", str(cc))
    monkeypatch.setenv("SURROLAB_CACHE", str(tmp_path / "cache"))
    assembly._plan.cache_clear()
    layers = [layer_of() for _ in range(3)]
    with caplog.at_level(logging.DEBUG, "surrolab"):
        for layer in layers * 2:
            passed(layer)
    assert warnings_of(caplog) == [
        f"engine native gives way: the compiler {cc} fails: error: worn out"
    ]
    assert [layer.choice().name for layer in layers] == ["torch"] * 3
    assert layers[0].choice().why == "engine native failed"
    tried = (tmp_path / "log").read_text().count("compiled")
    assert tried <= 4, "once for each set of flags"
    # Nothing of it is remembered beyond the layer: a new one finds the compiler mended.
    monkeypatch.delenv("CC")
    assert layer_of().choice().name == "native"


@pytest.mark.parametrize("dtype", [torch.float16])
def test_what_native_does_not_know_goes_to_torch(dtype, caplog):
    layer = layer_of()
    with caplog.at_level(logging.DEBUG, "surrolab"):
        out = layer(current(dtype=dtype))
        out.out.sum().backward()
    assert layer.choice(dtype) == (engines._TORCH, "native kernels do not know float16")
    assert out.out.dtype == dtype
    assert warnings_of(caplog) == []


def test_another_device_is_not_for_native():
    choice = layer_of("native").choice(device=torch.device("meta"))
    assert choice == (engines._TORCH, "native kernels run on the CPU and not on meta")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_gpu_that_is_not_there_is_not_for_triton():
    choice = layer_of().choice(device=torch.device("cuda"))
    assert choice.engine is engines._TORCH
    assert choice.why in ("there is no CUDA device", "triton is not installed")


@pytest.mark.parametrize("engine", ["auto", "torch", "native"])
def test_what_takes_the_place_of_the_step_is_stepped(engine, caplog):
    layer = layer_of(engine)
    usual = layer.choice().name
    layer.fire = lambda x: torch.sigmoid(3 * x)
    assert layer.choice() == (None, "something else takes the place of the step")
    assert layer.choice().name == "stepwise"
    cur = current()
    out = layer(cur).out
    assert not ((out == 0) | (out == 1)).any()
    assert "FusedPass" not in type(out.grad_fn).__name__
    layer.fire = None
    assert layer.choice().name == usual
    # The step of another surrogate is something else, too.
    layer.fire = FastSigmoid(5.0).smooth_step
    assert layer.choice().name == "stepwise"
    layer.fire = layer.surrogate.smooth_step
    assert layer.choice().name == usual
    assert warnings_of(caplog) == []


@needs_compiler
def test_a_smooth_step_that_there_is_not_leaves_the_layer_as_it_was():
    layer = layer_of(surrogate=LeakySpikeOperator())
    layer.fire = layer.surrogate.smooth_step
    with pytest.raises(ValueError, match=r"^smooth_step: "):
        layer(current())
    layer.fire = None
    assert layer.choice() == (engines._NATIVE, None)


@pytest.mark.parametrize("engine", ["auto", "torch", "native"])
def test_a_recurrence_of_one_to_one_is_stepped(engine):
    neuron = snntorch.RLeaky(0.9, all_to_all=False, spike_grad=FastSigmoid(5.0))
    layer = SpikingLayer(neuron, engine=engine)
    choice = layer.choice()
    assert choice.engine is None
    assert choice.why == "its recurrence is a RecurrentOneToOne and no Linear"
    assert layer(current()).out.sum() > 0


@needs_compiler
@pytest.mark.parametrize("factory", [LeakyFactory, RLeakyFactory, SynapticFactory])
@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_copies_of_a_layer_that_has_run(factory, how):
    layer = layer_of(factory=factory, learn_beta=True)
    wanted = passed(layer)
    other = pickle.loads(pickle.dumps(layer)) if how == "pickle" else copy.deepcopy(layer)
    assert other.choice().name == "native"
    spikes, gradients = passed(other)
    assert torch.equal(spikes, wanted[0])
    for one, two in zip(gradients, wanted[1], strict=True):
        assert torch.equal(one, two)
    # They share nothing: what one learns the other does not.
    with torch.no_grad():
        other.neuron.beta.fill_(0.1)
    assert torch.equal(passed(layer)[0], wanted[0])


@needs_compiler
@pytest.mark.slow
def test_a_layer_that_has_run_is_loaded_by_another_process(tmp_path):
    layer, cur = layer_of(learn_beta=True), current()
    spikes, _ = passed(layer, cur)
    torch.save({"layer": layer, "cur": cur, "out": spikes}, tmp_path / "layer.pt")
    code = (
        "import sys, torch\n"
        "saved = torch.load(sys.argv[1], weights_only=False)\n"
        "assert torch.equal(saved['layer'](saved['cur']).out, saved['out'])\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "layer.pt")], check=True)


# --- The same spikes, with a graph and without.


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("factory", [LeakyFactory, RSynapticFactory])
@pytest.mark.parametrize("engine", ENGINES)
def test_without_a_graph_the_spikes_are_the_same(engine, factory, mode):
    layer = layer_of(engine, factory, learn_beta=True)
    spikes, wanted = passed(layer)
    with mode():
        out = layer(current())
        again = layer(current(), out.state)  # goes on, and leaves what it was given
        once_more = layer(current(), out.state)
    assert torch.equal(out.out, spikes)
    assert torch.equal(again.out, once_more.out)
    assert not out.out.requires_grad
    for one, other in zip(passed(layer)[1], wanted, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("surrogate", [FastSigmoid, ATan, Sigmoid])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("factory", [LeakyFactory, SynapticFactory, RLeakyFactory])
def test_all_engines_give_the_same(factory, reset, surrogate):
    options = {"reset": reset, "surrogate": surrogate(3.0), "learn_beta": True}
    spikes, gradients = passed(layer_of("stepwise", factory, **options))
    assert 0 < spikes.mean() < 1
    for engine in ("torch", "native"):
        same, others = passed(layer_of(engine, factory, **options))
        assert torch.equal(spikes, same), engine
        for one, other in zip(gradients, others, strict=True):
            torch.testing.assert_close(one, other, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("factory", [LeakyFactory, SynapticFactory, RLeakyFactory])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_no_number_stays_none(engine, factory, reset):
    layer = layer_of(engine, factory, reset=reset)
    cur = current(requires_grad=False)
    poison = [float("nan"), float("inf"), float("-inf")]
    clean = layer(cur).out
    for sample, value in enumerate(poison[:2]):
        cur[4, sample, 2] = value
    out = layer(cur, record=True)
    membrane = out.record.membrane
    assert torch.isnan(membrane[4:, 0, 2]).all()
    assert not torch.isfinite(membrane[4:, 1, 2]).any()
    assert not torch.isfinite(out.state.mem[:2, 2]).any()
    assert torch.equal(out.out[4:, 0, 2], torch.zeros(16)), "what is no number fired"
    # Neither the other samples nor the steps before know of it.
    assert torch.equal(out.out[:, 2], clean[:, 2])
    assert torch.isfinite(membrane[:4]).all()
    assert torch.isfinite(membrane[:, 2]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_readout_passes_on_what_is_no_number(engine):
    readout: Readout = LeakyFactory().readout(engine)
    cur = current(requires_grad=False)
    cur[4, 0, 2] = float("nan")
    out = readout(cur).out
    assert torch.isnan(out[4:, 0, 2]).all()
    assert torch.isfinite(out[:, 1:]).all()
