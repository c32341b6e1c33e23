"""What a study is to be, once it has been checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surrolab.composition import Composed
from surrolab.sweep.commands import each_once
from surrolab.sweep.parameter import Values
from surrolab.sweep.search import FINITE
from surrolab.sweep.space import Space


@dataclass(frozen=True)
class Spec:
    """A checked study.

    Args:
        node: the spec as plain data, with what the command line said; what ``spec.yaml`` holds.
        space: the parameters.
        starting_points: values of the first trials; what is left out of one is sampled.
        base: the configuration of a trial before its own values.
    """

    node: dict[str, Any]
    space: Space
    starting_points: list[Values]
    base: Composed

    @property
    def study(self) -> str:
        return str(self.node["study"])

    @property
    def objectives(self) -> dict[str, str]:
        """Directions by metric, or by key of the configuration."""
        return dict(self.node["objectives"])

    @property
    def seeds(self) -> list[int]:
        return list(self.node["seeds"])

    @property
    def overrides(self) -> list[str]:
        """The words of every trial."""
        return list(self.node["base"])

    @property
    def max_epochs(self) -> int:
        """Of the longest trial."""
        varied = next((p for p in self.space.parameters if p.name == "trainer.max_epochs"), None)
        ends = [end for end in (varied.ends() if varied else []) if isinstance(end, int)]
        return max(ends, default=int(self.base.config["trainer"]["max_epochs"]))

    @property
    def devices(self) -> int:
        """Processes of a trial, where that is a number."""
        devices = self.base.config["trainer"]["devices"]
        return len(devices) if isinstance(devices, list) else devices if devices != "auto" else 0

    @property
    def points(self) -> list[Values] | None:
        """All the trials of a grid; None where the sampler makes them up."""
        return self.space.grid() if self.node["sampler"]["name"] in FINITE else None

    @property
    def target(self) -> int | None:
        """How many trials are to be finished; None: as many as the time allows."""
        trials: int | None = self.node["trials"]
        if self.points is None:
            return trials
        return min(len(self.points), trials or len(self.points))

    @property
    def prunes(self) -> bool:
        return bool(self.node["pruner"]["name"] != "none")

    @property
    def pruned_on(self) -> str:
        """``epoch`` or ``seed``."""
        wilcoxon = self.node["pruner"]["name"] == "wilcoxon"
        return str(self.node["pruner"].get("on", "seed" if wilcoxon else "epoch"))

    @property
    def watched(self) -> tuple[str, str]:
        """The metric of the pruner, and its direction."""
        pruner = self.node["pruner"]
        first = next(iter(self.objectives))
        metric = pruner.get("metric", first)
        given = pruner.get("direction", self.objectives.get(metric))
        losing = metric.endswith(("loss", "mse", "mae"))
        return metric, given or ("minimize" if losing else "maximize")

    @property
    def steps(self) -> int:
        """How many times a trial that is not pruned reports to the pruner."""
        return len(self.seeds) * (1 if self.pruned_on == "seed" else self.max_epochs)


def trial_words(spec: Spec, values: Values, seed: int) -> list[str]:
    """The words for ``train.py`` that make a run of a trial."""
    return with_threads([*spec.overrides, *spec.space.overrides(values), f"seed={seed}"])


def with_threads(words: list[str]) -> list[str]:
    """The words with one thread, unless they ask for more.

    So the numbers are the same however many workers share the machine.
    """
    if not any(word.startswith("threads=") for word in words):
        words = ["threads=1", *words]
    return each_once(words)


def config_value(config: Mapping[str, Any], name: str) -> Any:
    """The value of ``group.key``; None where there is none."""
    group, _, key = name.partition(".")
    node = config.get(group)
    return node.get(key) if isinstance(node, Mapping) else None
