"""The objectives over one parameter at a time."""

from collections.abc import Sequence
from typing import Any

from surrolab.report.drawing import (
    Figure,
    Scale,
    jitter,
    label,
    marker,
    of_trials,
    padded,
    placed_at,
    rounded,
    said,
    value_axis,
)
from surrolab.report.study_file import Parameter, Study

SEVERAL = 4  # values that a caption can name


def slices(study: Study, order: Sequence[str]) -> list[Figure]:
    """Each parameter against the objectives, of which the reader chooses one."""
    figures = []
    for name in order:
        parameter = study.parameters[name]
        scale = Scale.of(parameter, study.trials)
        placed = placed_at(study.finished, scale)
        if not placed:
            continue
        data: list[dict[str, Any]] = []
        choices: list[tuple[str, dict[str, Any]]] = []
        for index, objective in enumerate(study.objectives):
            values = [trial.values[index] or 0.0 for trial, _ in placed]
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "meta": index,
                    "x": [rounded(x + jitter(scale, trial)) for trial, x in placed],
                    "y": [rounded(value) for value in values],
                    **of_trials(trial for trial, _ in placed),
                    "marker": marker(
                        [trial.number for trial, _ in placed],
                        colorscale="@order",
                        cmin=0,
                        cmax=max(1, len(study.trials) - 1),
                        showscale=False,
                    ),
                }
            )
            all_values = [trial.values[index] or 0.0 for trial in study.finished]
            axis = padded(value_axis(all_values, said(objective.name)), all_values)
            choices.append((objective.name, {"yaxis": axis}))
        layout = {"xaxis": scale.axis(), "yaxis": choices[0][1]["yaxis"], "showlegend": False}
        says = f"{study.objectives[0].name} against {name}, {len(placed)} complete trials."
        says += f" {_best_at(study, name)}"
        caption = f"{name}{_condition(study, parameter)}"
        figures.append(
            Figure(
                data,
                layout,
                says,
                caption,
                height=300 if len(scale.categories) <= 8 else 380,
                choices=choices,
            )
        )
    return figures


def _condition(study: Study, parameter: Parameter) -> str:
    parts = []
    for name, values in parameter.when.items():
        allowed = [label(value) for value in values]
        parent = study.parameters.get(name)
        others = [
            text for text in map(label, parent.choices if parent else ()) if text not in allowed
        ]
        if len(allowed) > SEVERAL and 0 < len(others) <= SEVERAL:
            parts.append(f"{name} other than {' or '.join(others)}")
        elif len(allowed) > SEVERAL:
            parts.append(f"{len(allowed)} values of {name}")
        else:
            parts.append(f"{name} = {' or '.join(allowed)}")
    return f", only with {' and '.join(parts)}" if parts else ""


def _best_at(study: Study, name: str) -> str:
    trials = [trial for trial in study.best_trials if name in trial.parameters]
    texts = [f"{label(t.parameters[name])} in trial {t.number}" for t in trials[:5]]
    return f"Best: {', '.join(texts)}." if texts else ""
