"""What a study is to be: read from YAML and the command line, and checked before anything runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from surrolab.composition import Composed, compose_run, override
from surrolab.errors import UserError, one_line
from surrolab.schema import suggestion
from surrolab.schema.keys import Key, choice, either, integer, list_of, optional, text
from surrolab.sweep.launchers import launcher_node
from surrolab.sweep.search import FINITE, PRUNERS, SAMPLERS, make_pruner, make_sampler, named
from surrolab.sweep.space import Space, Values
from surrolab.sweep.yaml_text import read_yaml

DIRECTIONS = ("maximize", "minimize")
# The families of names that a run logs at the end of every epoch.
_LOGGED = re.compile(r"(val|train|spikes|synops|gradients|membrane|surrogate|alignment)/[\w/]+")
_SINGLE = ("cmaes",)


def _is_study_name(name: str) -> bool:
    return re.fullmatch(r"[\w][\w.+-]*", name) is not None


def _seconds(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value))
    if match is None or float(match[1]) == 0:
        raise ValueError
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


KEYS: dict[str, Key] = {
    "study": text("a name of letters, digits, . + - and _", _is_study_name),
    "seeds": list_of(integer(at_least=0), at_least=1),
    "trials": optional(integer(at_least=1)),
    "time_budget": optional(Key("a time such as 90s, 30m, 2h", _seconds)),
    "workers": either(choice("auto"), integer(at_least=1)),
    "storage": optional(text("sqlite:/// or postgresql:// and so on")),
    "max_failures": integer(at_least=1),
}
_DEFAULTS: dict[str, Any] = {
    "base": [],
    "sampler": "tpe",
    "pruner": "none",
    "seeds": [0],
    "trials": None,
    "time_budget": None,
    "workers": "auto",
    "storage": None,
    "starting_points": [],
    "max_failures": 5,
    "launcher": "local",
}
_REQUIRED = ("space", "objectives")
# Those that a command line may give.
WORDS = (
    *("study", "trials", "workers", "storage", "time_budget", "launcher", "sampler"),
    *("pruner", "seeds", "max_failures"),
)


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
        losing = metric.endswith(("loss", "mse"))
        return metric, given or ("minimize" if losing else "maximize")

    @property
    def steps(self) -> int:
        """How many times a trial that is not pruned reports to the pruner."""
        return len(self.seeds) * (1 if self.pruned_on == "seed" else self.max_epochs)


def read_spec(path: Path, given: Mapping[str, Any], overrides: list[str]) -> Spec:
    """The spec in a file, with words of the command line in place of its own.

    Args:
        path: YAML.
        given: of :data:`WORDS`, what the command line says.
        overrides: words for ``train.py`` behind those of the file.

    Raises:
        UserError: names the file or the key, and what is allowed.
    """
    try:
        node = read_yaml(path.read_text())
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file; allowed: a spec such as sweeps/slope.yaml"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read ({one_line(error)}); allowed: YAML") from error
    if not isinstance(node, dict):
        raise UserError(f"{path}: holds no keys; allowed: {', '.join([*_REQUIRED, *_DEFAULTS])}")
    full = {"study": path.stem, **node, **given}
    ours, theirs = given.get("launcher"), node.get("launcher")
    # launcher.KEY=VALUE changes that key alone.
    if (
        isinstance(ours, Mapping)
        and isinstance(theirs, Mapping)
        and ours.get("name") == theirs.get("name")
    ):
        full["launcher"] = {**theirs, **ours}
    return make_spec(full, overrides)


def make_spec(node: Mapping[str, Any], overrides: list[str] = []) -> Spec:  # noqa: B006
    """The same from plain data.

    Raises:
        UserError: names the key and what is allowed.
    """
    allowed = ["study", *_REQUIRED, *_DEFAULTS]
    for word in node:
        if word not in allowed:
            raise UserError(
                f"{word}: no such key of a spec; {suggestion(str(word), allowed)}allowed: "
                f"{', '.join(allowed)}"
            )
    for word in ("study", *_REQUIRED):
        if word not in node:
            raise UserError(
                f"{word}: missing; allowed: a spec with {', '.join(('study', *_REQUIRED))}"
            )
    full = {**_DEFAULTS, **node}
    for word, key in KEYS.items():
        try:
            full[word] = key.convert(full[word])
        except (TypeError, ValueError):
            raise UserError(
                f"{word}: {full[word]!r} is not allowed; allowed: {key.allowed}"
            ) from None
    if len(set(full["seeds"])) < len(full["seeds"]):
        raise UserError("seeds: a seed is given twice; allowed: each once")
    full["base"] = _each_once([*_base(full["base"]), *_base(overrides)])
    full["objectives"] = _objectives(full["objectives"])
    full["sampler"] = named(full["sampler"], "sampler", SAMPLERS)
    full["pruner"] = named("none" if full["pruner"] is None else full["pruner"], "pruner", PRUNERS)
    full["launcher"] = launcher_node(full["launcher"])
    space = Space(full["space"])
    points = full["starting_points"]
    if not isinstance(points, list):
        raise UserError("starting_points: no list; allowed: a list of {parameter: value}")
    checked = [space.check(point, f"starting_points[{n}]") for n, point in enumerate(points)]
    composed = compose_run(_words(full["base"]), full["study"])
    spec = Spec(full, space, checked, composed)
    _consistent(spec)
    return spec


def try_out(spec: Spec) -> None:
    """Compose what the space can give: every category, and both ends of every range.

    Raises:
        UserError: a value that no run can have, with the parameter it comes from.
    """
    seen: set[tuple[str, ...]] = set()
    for values in spec.space.samples():
        words = spec.space.overrides(values)
        if tuple(words) in seen:
            continue
        seen.add(tuple(words))
        try:
            compose_run(_words([*spec.overrides, *words]), spec.study)
        except UserError as error:
            key = str(error).partition(":")[0].partition("=")[0]
            hint = (
                "; a parameter for some values of another only says so: when: {surrogate: ...}"
                if "." in key and key.partition(".")[0] in values and "no such" in str(error)
                else ""
            )
            raise UserError(f"space: {' '.join(words)} cannot be: {error}{hint}") from error


def trial_words(spec: Spec, values: Values, seed: int) -> list[str]:
    """The words for ``train.py`` that make a run of a trial."""
    return _words([*spec.overrides, *spec.space.overrides(values), f"seed={seed}"])


def _words(words: list[str]) -> list[str]:
    # One thread unless asked for more: the same numbers however many workers share the machine.
    if not any(word.startswith("threads=") for word in words):
        words = ["threads=1", *words]
    return _each_once(words)


def _each_once(words: list[str]) -> list[str]:
    """Of a key given twice Hydra takes the last; a line for people says it once."""
    last = {word.partition("=")[0].lstrip("+"): index for index, word in enumerate(words)}
    return [word for index, word in enumerate(words) if index in last.values()]


def _base(node: Any) -> list[str]:
    if isinstance(node, Mapping):
        words = [override(str(key), value) for key, value in node.items()]
    elif isinstance(node, list) and all(isinstance(word, str) for word in node):
        words = list(node)
    else:
        raise UserError(
            f"base: {node!r} is not allowed; allowed: words for train.py, as a list "
            "[data=digits, ...] or a mapping {data: digits, ...}"
        )
    for word in words:
        if word.startswith("-"):
            raise UserError(f"base: {word} is a flag; allowed: group=option, key=value")
        key = word.partition("=")[0].lstrip("+~")
        if key in ("seed", "name", "resume") or re.match(r"hydra\b", key):
            remedy = {"seed": "seeds=[0,1,2]", "name": "study=NAME"}.get(key, "other words")
            raise UserError(f"{key}: set for each trial by the sweep; allowed: {remedy}")
    return words


def _objectives(node: Any) -> dict[str, str]:
    given = {node: None} if isinstance(node, str) else node
    if not isinstance(given, Mapping) or not given:
        raise UserError(
            f"objectives: {node!r} is not allowed; allowed: {{val/accuracy: maximize, ...}}"
        )
    objectives = {}
    for name, direction in given.items():
        _check_metric(str(name), "objectives")
        if direction not in DIRECTIONS:
            raise UserError(
                f"objectives.{name}: {direction!r} is not allowed; allowed: {', '.join(DIRECTIONS)}"
            )
        objectives[str(name)] = str(direction)
    return objectives


def _check_metric(name: str, where: str) -> None:
    if name.startswith("test/"):
        raise UserError(
            f"{where}: {name} is of the test samples, which no choice may see; allowed: "
            f"val/{name.removeprefix('test/')} and other metrics of validation"
        )
    is_key = where == "objectives" and re.fullmatch(r"\w+\.\w+", name)
    if not is_key and _LOGGED.fullmatch(name) is None:
        raise UserError(
            f"{where}: {name} is nothing that a run logs; allowed: names such as val/accuracy, "
            "val/loss, train/loss, spikes/mean_rate, synops/effective_acs, gradients/hidden1/norm"
            + (
                ", or a number of the configuration such as encoding.steps"
                if where == "objectives"
                else ""
            )
        )


def _consistent(spec: Spec) -> None:
    node, several = spec.node, len(spec.objectives) > 1
    sampler, pruner = node["sampler"]["name"], node["pruner"]
    if spec.prunes and several:
        raise UserError(
            "pruner: not with several objectives, as no single number says which trial is worse; "
            "allowed: pruner: none, or one objective"
        )
    if several and sampler in _SINGLE:
        raise UserError(
            f"sampler: {sampler} searches for one objective, here are several; allowed: "
            f"{', '.join(name for name in SAMPLERS if name not in _SINGLE)}"
        )
    if sampler == "cmaes":
        always = [p for p in spec.space.parameters if not p.when and len(p.ends()) == 2]
        numbers = [p for p in always if type(p.distribution).__name__ != "CategoricalDistribution"]
        if len(numbers) < 2:
            raise UserError(
                "sampler: cmaes needs two numbers that every trial has; allowed: tpe, gp, random"
            )
    if spec.points is not None and spec.starting_points:
        raise UserError(
            f"starting_points: not with sampler: {sampler}, which runs every point; allowed: none"
        )
    make_sampler(node["sampler"])
    if spec.prunes:
        _check_pruner(spec)
    make_pruner(pruner, spec.steps)
    if spec.points is None and node["trials"] is None and node["time_budget"] is None:
        raise UserError("trials: missing; allowed: trials: N, or time_budget: 2h, or sampler: grid")
    for name in spec.objectives:
        if "/" not in name:
            value = config_value(spec.base.config, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UserError(
                    f"objectives: {name} is no number of the configuration; allowed: one, such as "
                    "encoding.steps, or a metric such as val/accuracy"
                )


def _check_pruner(spec: Spec) -> None:
    pruner = spec.node["pruner"]
    on = pruner.get("on")
    if on not in (None, "epoch", "seed"):
        raise UserError(f"pruner.on: {on!r} is not allowed; allowed: epoch, seed")
    if spec.pruned_on == "seed" and len(spec.seeds) < 2:
        raise UserError(
            "pruner.on: seed needs several seeds; allowed: on: epoch, or seeds: [0,1,2]"
        )
    if pruner["name"] == "wilcoxon" and spec.pruned_on != "seed":
        raise UserError("pruner.on: wilcoxon compares seed by seed; allowed: on: seed")
    direction = pruner.get("direction")
    if direction not in (None, *DIRECTIONS):
        raise UserError(
            f"pruner.direction: {direction!r} is not allowed; allowed: {', '.join(DIRECTIONS)}"
        )
    metric = pruner.get("metric", next(iter(spec.objectives)))
    if not isinstance(metric, str):
        raise UserError(f"pruner.metric: {metric!r} is not allowed; allowed: a name as val/loss")
    _check_metric(metric, "pruner.metric")
    known = metric in spec.objectives or metric.endswith(("loss", "mse", "accuracy"))
    if direction is None and not known and pruner["name"] != "threshold":
        raise UserError(f"pruner.direction: missing for {metric}; allowed: {', '.join(DIRECTIONS)}")


def config_value(config: Mapping[str, Any], name: str) -> Any:
    """The value of ``group.key``; None where there is none."""
    group, _, key = name.partition(".")
    node = config.get(group)
    return node.get(key) if isinstance(node, Mapping) else None
