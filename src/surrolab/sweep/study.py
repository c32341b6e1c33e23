"""The Optuna study of a spec: made, or found and compared with what is asked for now."""

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sql
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    distribution_to_json,
)
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from surrolab.errors import UserError
from surrolab.sweep.checks import try_out
from surrolab.sweep.parameter import Parameter, describe, plain
from surrolab.sweep.places import Places
from surrolab.sweep.reading import make_spec
from surrolab.sweep.search import make_pruner, make_sampler
from surrolab.sweep.spec import Spec

# Under this name the study keeps its spec, for every machine that shares it.
ATTRIBUTE = "surrolab:spec"
# What may differ between trials that are compared: it does not change what is computed, or only
# the last digits of it.
FREE = ("logger", "name", "threads", "keep_memory", "callbacks.progress", "data.root")


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Leave out what Optuna says of each trial, and that parts of it are experimental."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def prepare(spec: Spec, storage: RDBStorage) -> tuple[Spec, optuna.Study]:
    """Make the study, or take up the one that is there.

    Returns the spec as it goes on: categories keep the order they had.

    Raises:
        UserError: the study was made by something else, or its spec differs in what cannot change.
    """
    node = _kept(spec)
    directions = [StudyDirection[word.upper()] for word in spec.objectives.values()]
    with quiet_optuna():
        known = {summary.study_name for summary in optuna.get_all_study_summaries(storage)}
        new = spec.study not in known
        if new:
            try_out(spec)
            with contextlib.suppress(optuna.exceptions.DuplicatedStudyError):
                optuna.create_study(storage=storage, study_name=spec.study, directions=directions)
        study = optuna.load_study(study_name=spec.study, storage=storage)
        places = Places(storage.engine, study._study_id)
        places.create()
        before = study.user_attrs.get(ATTRIBUTE)
        if before is None:
            if study.get_trials(deepcopy=False) or study.directions != directions:
                raise UserError(
                    f"study: {spec.study} in this storage was not made by surrolab; allowed: "
                    "another study=NAME"
                )
            places.clear()
            before = node
        spec = _reconciled(spec, before, study, places)
        study.set_user_attr(ATTRIBUTE, _kept(spec))
        # Optuna remembers finished trials as they were before.
        return spec, optuna.load_study(study_name=spec.study, storage=storage)


def refuse_foreign_trials(directory: Path, storage: RDBStorage, name: str) -> None:
    """Refuse a directory whose runs are of another study, or of one that is no longer there.

    Their results would be taken for those of this study's trials, which have the same numbers.

    Args:
        directory: of the sweep.
        storage: where the study is, or is to be.
        name: of the study.

    Raises:
        UserError: it holds trials that the study has not.
    """
    # Looked for first: a trial is in the storage before it has a directory.
    held = {int(path.name) for path in (directory / "trials").iterdir() if path.name.isdecimal()}
    if not held:
        return
    known: set[int] = set()
    with quiet_optuna(), contextlib.suppress(KeyError):
        study = optuna.load_study(study_name=name, storage=storage)
        known = {trial.number for trial in study.get_trials(deepcopy=False)}
    foreign = sorted(held - known)
    if foreign:
        raise UserError(
            f"output: {directory / 'trials'} holds trials that study {name} of this storage has "
            f"not ({foreign[0]}{', ...' if len(foreign) > 1 else ''}); allowed: another "
            "output=DIR or study=NAME, or remove them"
        )


def attach(storage: RDBStorage, name: str) -> tuple[Spec, optuna.Study]:
    """A study that :func:`prepare` has prepared.

    Raises:
        UserError: there is none of this name.
    """
    with quiet_optuna():
        try:
            study = optuna.load_study(study_name=name, storage=storage)
        except KeyError:
            raise UserError(f"study: {name} is not in this storage; allowed: one that is") from None
        node = study.user_attrs.get(ATTRIBUTE)
    if node is None:
        raise UserError(f"study: {name} was not made by surrolab; allowed: a sweep's study")
    return make_spec(node), study


def equip(study: optuna.Study, spec: Spec, trial: int) -> None:
    """Give the study the sampler and pruner for a trial."""
    study.sampler = make_sampler(spec.node["sampler"], trial)
    study.pruner = make_pruner(spec.node["pruner"], spec.steps)


def _kept(spec: Spec) -> dict[str, Any]:
    """What the study keeps of its spec; a storage's URL may hold a password."""
    return {**spec.node, "storage": None}


def _reconciled(spec: Spec, before: Mapping[str, Any], study: optuna.Study, places: Places) -> Spec:
    """The spec with objectives and categories in the order that the study's trials have them."""
    if spec.objectives == before["objectives"]:
        # The storage has their values by position.
        spec = dataclasses.replace(
            spec, node={**spec.node, "objectives": dict(before["objectives"])}
        )
    if _kept(spec) == before:
        return spec
    old = make_spec(before)
    _refuse_changes(spec, old)
    space = dict(spec.node["space"])
    changed: dict[str, BaseDistribution] = {}
    for parameter in spec.space.parameters:
        was = next((p for p in old.space.parameters if p.name == parameter.name), None)
        if was is None:
            continue
        _refuse_change(parameter, was)
        ours, theirs = parameter.distribution, was.distribution
        if isinstance(ours, CategoricalDistribution):
            assert isinstance(theirs, CategoricalDistribution)
            added = [choice for choice in ours.choices if choice not in theirs.choices]
            choices = [*theirs.choices, *added]
            entry = space[parameter.name]
            space[parameter.name] = {
                **(entry if isinstance(entry, dict) else {}),
                "choices": [plain(choice) for choice in choices],
            }
            if added:
                _nobody_works(places, parameter.name)
                changed[parameter.name] = CategoricalDistribution(choices)
        elif ours != theirs and _holds_all(ours, parameter.name, study):
            changed[parameter.name] = ours
    reconciled = make_spec({**spec.node, "space": space})
    if reconciled.node["space"] != old.node["space"]:
        try_out(reconciled)
    if changed:
        _rewrite(study, changed)
    return reconciled


def _holds_all(distribution: BaseDistribution, name: str, study: optuna.Study) -> bool:
    """Whether every value that the study's trials have for a parameter is in a range."""
    return all(
        distribution._contains(distribution.to_internal_repr(trial.params[name]))
        for trial in study.get_trials(deepcopy=False)
        if name in trial.params
    )


def _nobody_works(places: Places, name: str) -> None:
    working = places.working()
    if working:
        raise UserError(
            f"space.{name}: no values can be added while workers are at the study "
            f"({', '.join(sorted(working))}); allowed: stop them first (Ctrl-C; their trials go on "
            "later)"
        )


def _refuse_changes(spec: Spec, old: Spec) -> None:
    for what in ("objectives", "seeds"):
        if spec.node[what] != old.node[what]:
            raise UserError(
                f"{what}: the trials of study {spec.study} have {old.node[what]}, and would not "
                f"compare with others; allowed: the same, or another study=NAME"
            )
    if spec.prunes and old.prunes:
        for what, ours, theirs in (
            ("pruner.metric", spec.watched, old.watched),
            ("pruner.on", spec.pruned_on, old.pruned_on),
        ):
            if ours != theirs:
                raise UserError(
                    f"{what}: the trials of study {spec.study} have reported {theirs}; allowed: "
                    "the same, pruner=none, or another study=NAME"
                )
    for name, value in flat(spec.base.config).items():
        was = flat(old.base.config).get(name)
        if value != was and not name.startswith(FREE) and name not in spec.node["space"]:
            raise UserError(
                f"{name}: {value} now and {was} for the trials of study {spec.study}, which would "
                "not compare; allowed: the same, or another study=NAME"
            )
    ours_too = {parameter.name for parameter in spec.space.parameters}
    for parameter in old.space.parameters:
        if parameter.name not in ours_too:
            raise UserError(
                f"space.{parameter.name}: gone, though the trials of study {spec.study} vary it; "
                "allowed: keep it, or another study=NAME"
            )


def _refuse_change(now: Parameter, was: Parameter) -> None:
    ours, theirs = now.distribution, was.distribution
    where = f"space.{now.name}"
    if type(ours) is not type(theirs):
        raise UserError(
            f"{where}: another kind of values than the study's trials have ({describe(theirs)}); "
            "allowed: the same kind, or another study=NAME"
        )
    if isinstance(theirs, CategoricalDistribution):
        assert isinstance(ours, CategoricalDistribution)
        gone = [str(choice) for choice in theirs.choices if choice not in ours.choices]
        if gone:
            raise UserError(
                f"{where}: {', '.join(gone)} is gone; values can be added to a study, not taken "
                "away; allowed: keep it, or another study=NAME"
            )
    elif ours.log != theirs.log:  # type: ignore[attr-defined]
        raise UserError(
            f"{where}.log: the study's trials have log: {str(theirs.log).lower()}; allowed: the "  # type: ignore[attr-defined]
            "same, or another study=NAME"
        )


def _rewrite(study: optuna.Study, changed: Mapping[str, BaseDistribution]) -> None:
    """Put other distributions in the place of those that the trials were drawn from.

    Optuna itself cannot: it refuses a longer list of categories, though it stores a category as its
    number in the list, so that more of them leave every trial what it is. And of ranges that differ
    between trials TPE goes by the oldest, and other samplers by none.
    """
    storage = study._storage
    engine = storage.engine if isinstance(storage, RDBStorage) else storage._backend.engine  # type: ignore[attr-defined]
    statement = sql.text(
        "UPDATE trial_params SET distribution_json = :distribution WHERE param_name = :name AND "
        "trial_id IN (SELECT trial_id FROM trials WHERE study_id = :study)"
    )
    with engine.begin() as connection:
        for name, distribution in changed.items():
            connection.execute(
                statement,
                {
                    "distribution": distribution_to_json(distribution),
                    "name": name,
                    "study": study._study_id,
                },
            )


def flat(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A configuration with dotted keys; surrogates of layers are one value."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping) and key != "layer_surrogates":
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
