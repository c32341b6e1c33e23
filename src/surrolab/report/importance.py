"""How much each parameter mattered, by Optuna's estimate."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from surrolab.report.drawing import Figure, number, said
from surrolab.report.study_file import Objective, Study, Trial, finite

FEWEST = 10  # complete trials
BEST = 5  # how many of them the best have to be at least, by Optuna's documentation


@dataclass(frozen=True)
class Importances:
    """Shares of the parameters, which add up to one, by what was asked of the trials.

    Args:
        by_target: for each objective (and the Pareto front, of several), name -> share.
        trials: how many complete trials are behind it.
        share: of the best trials, which are compared with all.
        rare: parameters that too few trials have to say anything.
    """

    by_target: dict[str, dict[str, float]]
    trials: int
    share: float
    rare: Sequence[str] = ()

    @property
    def ranking(self) -> list[str]:
        """The parameters, most important first: by the front's shares, or the only objective's."""
        shares = list(self.by_target.values())[-1] if self.by_target else {}
        return sorted(shares, key=lambda name: -shares[name])


def importances(study: Study) -> Importances:
    """The shares; none at all where too few trials are complete."""
    with _quietly():
        memory, count = _in_memory(study)
        share = min(0.5, max(0.1, BEST / max(count, 1)))
        if count < FEWEST:
            return Importances({}, count, share)
        fixed = [name for name, parameter in study.parameters.items() if parameter.fixed]
        has = [name for trial in memory.trials for name in trial.params if name not in fixed]
        rare = [name for name in dict.fromkeys(has) if has.count(name) < BEST]
        params = [name for name in dict.fromkeys(has) if name not in rare]
        evaluator = PedAnovaImportanceEvaluator(target_quantile=share)
        found = {}
        several = len(study.objectives) > 1
        for index, objective in enumerate(study.objectives):
            target = _lower_is_better(index, objective) if several else None
            found[objective.name] = get_param_importances(
                memory, evaluator=evaluator, params=params, target=target
            )
        if several:
            found["Pareto front"] = get_param_importances(
                memory, evaluator=evaluator, params=params
            )
        return Importances({k: v for k, v in found.items() if v}, count, share, rare)


def importance_figure(found: Importances) -> Figure:
    """Bars, the longest above."""
    names = found.ranking[:20]
    data = []
    for index, (target, shares) in enumerate(found.by_target.items()):
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": said(target),
                "y": list(range(len(names))),
                "x": [round(shares.get(name, 0.0), 4) for name in names],
                "marker": {"color": f"@c{index}"},
                "text": [f"{shares.get(name, 0.0):.0%}" for name in names],
                "textposition": "outside",
                "cliponaxis": False,
                "hoverinfo": "none",
            }
        )
    layout = {
        "xaxis": {
            "title": {"text": "share of the importance"},
            "tickformat": ".0%",
            "rangemode": "tozero",
        },
        "yaxis": {
            "tickvals": list(range(len(names))),
            "ticktext": [f"{said(name, 28)} " for name in names],
            "range": [len(names) - 0.5, -0.5],
            "showgrid": False,
        },
        "showlegend": len(data) > 1,
        "legend": {"traceorder": "normal"},
        "bargap": 0.35,
    }
    says = " ".join(
        f"For {target}: "
        + ", ".join(f"{name} {number(round(100 * share, 1))} %" for name, share in shares.items())
        + "."
        for target, shares in found.by_target.items()
    )
    return Figure(data, layout, says, height=130 + len(names) * (14 + 20 * len(data)))


def _lower_is_better(
    index: int, objective: Objective
) -> Callable[[optuna.trial.FrozenTrial], float]:
    sign = -1.0 if objective.maximize else 1.0
    return lambda trial: sign * float(trial.values[index])


def _in_memory(study: Study) -> tuple[optuna.Study, int]:
    """Optuna's own study of the complete trials, and how many there are."""
    ways = optuna.study.StudyDirection
    directions = [ways.MAXIMIZE if o.maximize else ways.MINIMIZE for o in study.objectives]
    memory = optuna.create_study(storage=optuna.storages.InMemoryStorage(), directions=directions)
    count = 0
    for trial in study.finished:
        frozen = _frozen(trial)
        if frozen is not None:
            memory.add_trial(frozen)
            count += 1
    return memory, count


def _frozen(trial: Trial) -> optuna.trial.FrozenTrial | None:
    """The trial for Optuna; None where the file's words make none."""
    try:
        distributions = {
            name: optuna.distributions.json_to_distribution(text)
            for name, text in trial.distributions.items()
        }
        shared = [name for name in trial.parameters if name in distributions]
        return optuna.trial.create_trial(
            values=[value for value in trial.values if value is not None],
            params={name: _typed(trial.parameters[name], distributions[name]) for name in shared},
            distributions={name: distributions[name] for name in shared},
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _typed(value: object, distribution: optuna.distributions.BaseDistribution) -> object:
    """JSON's lists are what a categorical choice was given as a tuple."""
    if isinstance(distribution, optuna.distributions.FloatDistribution):
        return finite(value)
    return value


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Optuna's log lines and its warnings of few or rare trials, which the page says itself."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
