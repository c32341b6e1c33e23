"""Silent layers, missing gradients and numbers that are no longer finite are called by name."""

import pytest
import torch
from conftest import Run

from surrolab.callbacks.finite import MAX_SKIPPED, FiniteGuard
from surrolab.errors import RunError
from surrolab.probes import GradientSizes

SHORT = ("trainer.max_epochs=2", "trainer.limit_train_batches=5")


def kinds(result):
    return {(finding["layer"], finding["kind"]) for finding in result["findings"]}


def test_the_true_derivative_moves_no_hidden_weight_and_the_run_says_so(program):
    setting = ("surrogate=none", "model.hidden=[64,64]")
    process = program("hydra.run.dir=long", "logger=none", "trainer.max_epochs=3", *setting)
    assert process.returncode == 0
    program.run("short", "trainer.max_epochs=1", "trainer.limit_train_batches=1", *setting)
    long = Run(process, program.directory / "long")
    short = Run(process, program.directory / "short")
    for name, tensor in long.weights.items():
        moved = not torch.equal(tensor, short.weights[name])
        if "hidden" in name:
            assert not moved, name
        elif name.endswith("synapse.weight"):
            assert moved
    assert kinds(long.result) == {("hidden1", "no_gradient"), ("hidden2", "no_gradient")}
    assert long.result["metrics"]["spikes/hidden1/rate"] > 0.01
    assert "the gradient of hidden1 is exactly zero: its weights do not move" in process.stdout
    assert "try surrogate=fast_sigmoid" in process.stdout
    # From the first epoch on, and told once.
    assert process.stdout.index("exactly zero") < process.stdout.index("epoch 2/3")
    log = (long.path / "train.log").read_text()
    assert log.count("the gradient of hidden1 is exactly zero") == 1


def test_a_silent_layer_is_reported_with_what_to_try(here):
    status, out, _ = here("neuron.threshold=1000", "surrogate=triangle", *SHORT)
    assert status == 0
    assert "hidden1 is completely silent" in out
    assert "neuron.threshold" in out
    # Not the readout, whose weights only lack input.
    assert kinds(here.run.result) == {
        ("hidden1", kind) for kind in ("silent", "no_gradient", "window")
    }
    log = (here.directory / "run" / "train.log").read_text()
    assert log.count("hidden1 is completely silent") == 1


def test_a_silent_layer_that_has_a_gradient_is_not_called_dead(here):
    status, _, _ = here("neuron.threshold=20", "surrogate=fast_sigmoid", *SHORT)
    assert status == 0
    findings = kinds(here.run.result)
    assert ("hidden1", "silent") in findings
    assert ("hidden1", "no_gradient") not in findings
    assert ("hidden1", "underflow") not in findings


def test_a_gradient_that_underflows_is_reported(here):
    status, _, _ = here("surrogate.slope=60", "neuron.threshold=3", "encoding.gain=0.1", *SHORT)
    assert status == 0
    assert ("hidden1", "underflow") in kinds(here.run.result)


def test_a_saturated_layer_is_reported(here):
    # One neuron, whose weights at this seed add up to something positive.
    status, out, _ = here(
        *("model.hidden=[1]", "neuron.threshold=0.001", "neuron.reset=none", "seed=1"),
        *("encoding.gain=10", "model.init_gain=3", "trainer.max_epochs=1"),
    )
    assert status == 0
    assert here.run.result["metrics"]["train/spikes/hidden1/saturated_fraction"] == 1
    assert ("hidden1", "saturated") in kinds(here.run.result)
    assert "objective.upper_strength" in out


def test_a_healthy_run_has_no_findings(trained):
    assert trained.result["findings"] == []


def test_reports_can_be_switched_off(here):
    status, out, _ = here("surrogate=none", "callbacks.health=false", *SHORT)
    assert status == 0
    assert here.run.result["findings"] == []
    assert "exactly zero" not in out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("optimizer.lr=1e36",), "is not finite"),
        (("model.init_gain=1e38",), "the membrane potential of hidden1 is not finite"),
        (("surrogate.scale=1e38", "surrogate.slope=1000"), "the gradient of hidden1"),
    ],
)
def test_numbers_that_are_not_finite_stop_the_run_by_name(here, words, what):
    status, _, err = here("trainer.max_epochs=3", *words)
    assert status == 1
    assert err.count("\n") == 1
    assert what in err
    assert "in step " in err
    assert "(epoch 1)" in err
    result = here.run.result
    assert result["status"] == "failed"
    assert what in result["error"]
    if "model.init_gain=1e38" in words:
        assert "in step 0 " in err


class FakeScaler:
    """Stands for the loss scaler in a trainer on a machine without a GPU."""


def test_steps_that_a_loss_scaler_skips_do_not_count_until_there_are_many():
    """The guard's own rule; a float16 scaler needs a GPU, where the same code runs."""
    from types import SimpleNamespace

    from surrolab.task import Task

    class Norms:
        names = ("layers.hidden1.synapse.weight", "layers.readout.synapse.weight")
        finite = False

        def measure(self):
            largest = torch.tensor([float("inf"), 1.0]) if not self.finite else torch.ones(2)
            return GradientSizes(largest, torch.ones(2))

        def update(self, sizes):
            assert torch.isfinite(sizes.largest).all()

    task = Task.__new__(Task)
    torch.nn.Module.__init__(task)
    task.gradient_norms = Norms()
    plugin = SimpleNamespace(scaler=FakeScaler())
    trainer = SimpleNamespace(precision_plugin=plugin, global_step=7, current_epoch=0)
    guard = FiniteGuard()
    for _ in range(MAX_SKIPPED - 1):
        guard.on_before_optimizer_step(trainer, task, None)
    task.gradient_norms.finite = True
    guard.on_before_optimizer_step(trainer, task, None)  # a step that went through
    task.gradient_norms.finite = False
    for _ in range(MAX_SKIPPED - 1):
        guard.on_before_optimizer_step(trainer, task, None)
    with pytest.raises(RunError, match="overflow float16 in 20 steps in a row, first in hidden1"):
        guard.on_before_optimizer_step(trainer, task, None)


def test_finite_membranes_whose_sums_add_up_to_infinity_do_not_stop_a_run():
    """The guard looks at one number first, and at which is not finite only where that is not."""
    from types import SimpleNamespace

    from surrolab.task import Task

    task = Task.__new__(Task)
    torch.nn.Module.__init__(task)
    task.network = torch.nn.Linear(1, 1)
    trainer = SimpleNamespace(world_size=1, global_step=7, current_epoch=0)
    last = {"hidden1": torch.tensor([3e38]), "readout": torch.tensor([3e38])}
    task.evaluation = SimpleNamespace(output=SimpleNamespace(last_mem=last), loss=torch.tensor(1.0))
    guard = FiniteGuard()
    guard.on_before_backward(trainer, task, task.evaluation.loss)
    last["readout"] = torch.tensor([float("nan")])
    with pytest.raises(RunError, match="the membrane potential of readout is not finite in step 7"):
        guard.on_before_backward(trainer, task, task.evaluation.loss)
    last["readout"], task.evaluation.loss = torch.tensor([0.0]), torch.tensor(float("inf"))
    with pytest.raises(RunError, match="the loss is not finite, though"):
        guard.on_before_backward(trainer, task, task.evaluation.loss)
