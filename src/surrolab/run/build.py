"""From a checked configuration to objects."""

import contextlib
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.profilers import PassThroughProfiler
from torch import nn

from surrolab.callbacks import (
    AtomicCheckpointIO,
    Delays,
    Diagnostics,
    DiagnosticsSettings,
    Health,
    Slopes,
    StandardCallbacks,
    Watching,
)
from surrolab.data import DataModule
from surrolab.errors import UserError, one_line
from surrolab.models import ModelFactory, Surroundings
from surrolab.neurons import NeuronFactory
from surrolab.objectives import CEStep, Objective
from surrolab.optimization import OptimizerFactory
from surrolab.run.construct import blame, build
from surrolab.run.directory import RunDirectory
from surrolab.run.surrogates import set_surrogates
from surrolab.run.timing import set_time
from surrolab.seeding import seed_all
from surrolab.task import Task
from surrolab.tracking import Tracking

log = logging.getLogger(__name__)


@contextlib.contextmanager
def refused_by_lightning() -> Iterator[None]:
    """Turns what Lightning says of its own options into a line."""
    try:
        yield
    except MisconfigurationException as error:
        raise UserError(f"trainer: {one_line(error)}") from error


class NoProfiler(PassThroughProfiler):
    """Profiles nothing, and does not step in and out of some fifty generators a step for it."""

    def profile(self, action_name: str) -> contextlib.nullcontext[str]:  # type: ignore[override]
        return _NO_CONTEXT


_NO_CONTEXT = contextlib.nullcontext("")


@dataclass(frozen=True)
class Parts:
    """What a run consists of."""

    data: DataModule
    task: Task
    callbacks: StandardCallbacks
    tracking: Tracking
    labelled: bool
    slopes: Slopes | None
    diagnostics: DiagnosticsSettings

    def mismatch(self, checkpoint: dict[str, Any]) -> str | None:
        """What is another shape in a checkpoint than here, in words; None where all is the same."""
        own = {name: tensor.shape for name, tensor in self.task.state_dict().items()}
        theirs = {name: tensor.shape for name, tensor in checkpoint["state_dict"].items()}
        for name in [*own, *theirs]:
            if own.get(name) != theirs.get(name):
                return (
                    f"{name} is {list(theirs.get(name, ())) or 'missing'} there and "
                    f"{list(own.get(name, ())) or 'missing'} in the run's config.yaml"
                )
        return None

    def load(self, checkpoint: dict[str, Any]) -> None:
        """Take the weights of a checkpoint, and slope and scale as they were then."""
        self.task.load_state_dict(checkpoint["state_dict"])
        if self.slopes is not None:
            self.slopes.load_state_dict(checkpoint["callbacks"][self.slopes.state_key])


def build_parts(config: dict[str, Any]) -> Parts:
    """Everything but the trainer, with initial weights drawn from the configuration's seed.

    Configured objects come first and the data last, so that a value that makes no sense is
    refused before anything is loaded.

    Raises:
        UserError: a value that the schema cannot judge, or parts that do not fit together.
    """
    surrogate: nn.Module = build("surrogate", config["surrogate"])
    neuron: NeuronFactory = build("neuron", config["neuron"])
    encoder = build("encoding", config["encoding"])
    objective: Objective = build("objective", config["objective"])
    optimizer: OptimizerFactory = build("optimizer", config["optimizer"])
    model: ModelFactory = build("model", config["model"])
    callbacks: StandardCallbacks = build("callbacks", config["callbacks"])
    diagnostics: DiagnosticsSettings = build("diagnostics", config["diagnostics"])
    tracking: Tracking = build("logger", config["logger"])
    data: DataModule = build("data", config["data"])
    data.seed = config["seed"]
    if objective.task == "classification" and data.target == "value_per_step":
        raise UserError("objective: needs classes and the data have none; allowed: mse_step")
    if data.target == "class_per_step" and not isinstance(objective, CEStep):
        raise UserError("objective: the data have a class for each step; allowed: ce_step")
    steps = data.steps if data.is_sequence else config["encoding"]["steps"]
    assert steps is not None
    around = Surroundings(
        sample_shape=data.sample_shape,
        classes=data.classes,
        steps=steps,
        neuron=neuron,
        surrogate=surrogate,
        engine=config["engine"],
        readout=objective.readout,
    )
    seed_all(config["seed"], "build")
    with blame("model", config["model"]):
        network = model.build(around)
    slopes = set_surrogates(network, config)
    set_time(network, config)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise UserError("model.freeze: nothing is left to train; allowed: leave out a layer")
    if config["data"]["batch_size"] == 1 and config["model"]["norm"] != "none":
        raise UserError(
            "data.batch_size: 1 leaves nothing to normalise over; allowed: 2 or more with "
            f"model.norm={config['model']['norm']}"
        )
    _told_of_time(config, data)
    if config["trainer"]["sync_batchnorm"] and data.is_sequence:
        norm = config["model"]["norm"]
        if norm in ("step", "bntt"):
            # One process would wait for another, whose samples have fewer steps.
            raise UserError(
                f"trainer.sync_batchnorm: true with model.norm={norm} is not allowed for "
                "sequences, which differ in length between processes; allowed: "
                "model.norm=tdbn, or false"
            )
    labelled = data.target != "value_per_step"
    task = Task(
        network,
        encoder,
        objective,
        optimizer,
        data.classes,
        data.is_sequence,
        labelled,
        diagnostics.synops,
    )
    with blame("encoding", config["encoding"]), torch.no_grad():
        # An encoding that these data cannot have is refused now, not in the first epoch.
        one = torch.zeros(*((steps, 1) if data.is_sequence else (1,)), *data.sample_shape)
        lengths = torch.tensor([steps if data.is_sequence else 1])
        encoder(one, lengths, is_sequence=data.is_sequence)
    return Parts(data, task, callbacks, tracking, labelled, slopes, diagnostics)


def _told_of_time(config: dict[str, Any], data: DataModule) -> None:
    """Say so where times in ms are counted in other steps than the data's."""
    neuron, model = config["neuron"], config["model"]
    times = [
        *(f"neuron.{key}" for key in ("tau", "tau_syn", "tau_adapt") if neuron.get(key)),
        *(f"model.{key}" for key in ("max_delay", "readout_tau") if model.get(key)),
    ]
    step = data.step_ms
    if step is not None and times and not math.isclose(step, neuron["dt"]):
        log.warning(
            "%s: in steps of neuron.dt=%g ms, but a step of these data is %g ms long; with "
            "neuron.dt=%g they are times of the recordings",
            ", ".join(times),
            neuron["dt"],
            step,
            step,
        )


def build_trainer(
    config: dict[str, Any],
    parts: Parts,
    directory: RunDirectory,
    loggers: list[Any],
    watching: Watching | None = None,
) -> pl.Trainer:
    """Lightning's trainer with the configuration's options passed through.

    ``watching`` comes last of the callbacks, when the epoch's checkpoint is written.

    Raises:
        UserError: Lightning refuses them.
    """
    diagnostics = Diagnostics(parts.diagnostics, directory.records)
    callbacks = parts.callbacks.build(
        config["seed"],
        directory.best,
        directory.last,
        parts.labelled,
        parts.slopes,
        diagnostics,
        Health(diagnostics, config["model"]["init_gain"], config["model"]["init_xi"]),
        Delays(parts.task.network),
    )
    if watching is not None:
        callbacks.append(watching)
    bar = any(isinstance(callback, pl.callbacks.ProgressBar) for callback in callbacks)
    try:
        trainer: pl.Trainer = build(
            "trainer",
            config["trainer"],
            callbacks=callbacks,
            logger=loggers,
            plugins=[AtomicCheckpointIO()],
            default_root_dir=directory.path,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=bar,
            num_sanity_val_steps=0,
            profiler=NoProfiler(),
            # The data's own sampler shards without doubling a sample in evaluation.
            use_distributed_sampler=False,
        )
    except (MisconfigurationException, RuntimeError, TypeError, ImportError) as error:
        raise UserError(f"trainer: {one_line(error)}") from error
    on_cpu = trainer.strategy.root_device.type == "cpu"
    if config["trainer"]["sync_batchnorm"] and config["model"]["norm"] != "none" and on_cpu:
        raise UserError("trainer.sync_batchnorm: true needs GPUs; allowed: false on the CPU")
    return trainer
