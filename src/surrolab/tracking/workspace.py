"""The team's dashboard in W&B as code: a workspace and a report, through wandb-workspaces."""

import json
from collections.abc import Sequence
from typing import Any

from wandb_workspaces.reports.v2 import interface as wr
from wandb_workspaces.workspaces import Section, Workspace, WorkspaceSettings

TITLE = "surrolab"
# The name of the view in its address: that of a team is the same from every machine.
VIEW = "surrolab"
STEP = "trainer/global_step"
SURROGATE = "surrogate._target_"
# The summary keeps the best of validation, and the test of the epoch that is chosen by it.
ACCURACY = "val/accuracy.max"
TEST_ACCURACY = "test/accuracy.last"
SWEPT = ("surrogate.slope", "surrogate.scale", "optimizer.lr", "encoding.steps")


def workspace(entity: str, project: str) -> Workspace:
    """The workspace, not yet saved."""
    return Workspace(
        entity=entity,
        project=project,
        name=TITLE,
        sections=[
            _section(name, panels, is_open=name == "overview") for name, panels in _panels().items()
        ],
        settings=WorkspaceSettings(x_axis=STEP, max_runs=50),
    )


def report(entity: str, project: str, ask: bool = True) -> wr.Report:
    """The report, not yet saved: the same panels with words between them.

    With ``ask`` its runs are those of the project by its number, for which the server is asked.
    """
    blocks: list[Any] = [wr.TableOfContents()]
    for name, panels in _panels().items():
        blocks += [
            wr.H1(text=name.capitalize()),
            wr.P(text=WORDS[name]),
            wr.PanelGrid(
                runsets=[_runset(entity if ask else "", project, name)],
                panels=_named(f"report-{name}", panels),
            ),
        ]
    return wr.Report(
        entity=entity,
        project=project,
        title=TITLE,
        description="What surrogate gradients do: written by `surrolab dashboard --wandb`.",
        blocks=blocks,
        width="fluid",
    )


def specification(saved: Workspace | wr.Report) -> dict[str, Any]:
    """What W&B would be given, as plain data: the same each time."""
    model = saved._to_model()
    found: dict[str, Any] = json.loads(model.spec.model_dump_json(by_alias=True, exclude_none=True))
    return {"name": TITLE, "entity": saved.entity, "project": saved.project, "spec": found}


WORDS = {
    "overview": "How well runs do, and how they get there.",
    "surrogate comparison": "Accuracy by the shape, width and height of the surrogate derivative.",
    "spikes": "How much the layers fire, and which neurons never do or always do.",
    "gradients": "Whether the gradient arrives, and how much of the membrane is in the window.",
    "sweeps": "The trials of studies, a group each.",
    "system": "Time and memory.",
}


def _panels() -> dict[str, list[Any]]:
    accuracy = wr.SummaryMetric(ACCURACY)
    slope = wr.Config("surrogate.slope")
    return {
        "overview": [
            _lines("validation accuracy", "val/accuracy"),
            _lines("loss", "train/loss", "val/loss"),
            _bars("test accuracy", TEST_ACCURACY),
            wr.ScalarChart(
                title="best validation accuracy", metric=accuracy, groupby_aggfunc="max"
            ),
            wr.MediaBrowser(title="confusion", media_keys=["confusion/val", "confusion/test"]),
        ],
        "surrogate comparison": [
            _bars("validation accuracy by surrogate", ACCURACY, by=SURROGATE),
            _bars("test accuracy by surrogate", TEST_ACCURACY, by=SURROGATE),
            wr.ScatterPlot(title="accuracy and slope", x=slope, y=accuracy, log_x=True),
            wr.ScatterPlot(
                title="accuracy and scale", x=wr.Config("surrogate.scale"), y=accuracy, log_x=True
            ),
            _parallel("shape, width, height", (SURROGATE, *SWEPT[:2])),
            wr.MediaBrowser(title="surrogates", media_keys=["surrogate"]),
        ],
        "spikes": [
            _matching("rate", "^spikes/[^/]+/rate$"),
            _matching("silent neurons", "^spikes/[^/]+/silent_fraction$"),
            _matching("saturated neurons", "^spikes/[^/]+/saturated_fraction$"),
            _matching("synaptic operations", "^synops/effective_(macs|acs)$"),
            wr.MediaBrowser(
                title="rasters",
                media_keys=[f"activity/hidden{number}" for number in range(1, 7)],
            ),
        ],
        "gradients": [
            _matching("norm of dL/dW", "^gradients/[^/]+/norm$", log=True),
            _matching("in the window", "^gradients/[^/]+/window_fraction$"),
            _matching("alignment", "^alignment/"),
            _matching("slopes that move", "^surrogate/"),
            _matching("delays", "^delays/"),
        ],
        "sweeps": [
            _lines("best so far", "best/val/accuracy", x="trial"),
            _bars("validation accuracy by study", ACCURACY, by="Group"),
            _parallel("what was searched", (SURROGATE, *SWEPT)),
            wr.ParameterImportancePlot(with_respect_to=ACCURACY),
        ],
        "system": [
            _lines("seconds per epoch", "time/epoch_s"),
            _lines("samples per second", "time/samples_per_s"),
            _matching("memory", "^system/.*memory"),
        ],
    }


def _lines(title: str, *metrics: str, x: str = STEP) -> wr.LinePlot:
    return wr.LinePlot(title=title, x=x, y=list(metrics))


def _matching(title: str, pattern: str, log: bool = False) -> wr.LinePlot:
    return wr.LinePlot(title=title, x=STEP, metric_regex=pattern, log_y=log or None)


def _bars(title: str, metric: str, by: str | None = None) -> wr.BarPlot:
    if by is None:
        return wr.BarPlot(title=title, metrics=[metric])
    group: Any = wr.Metric(by) if by == "Group" else wr.Config(by)
    return wr.BarPlot(title=title, metrics=[metric], groupby=group, groupby_aggfunc="mean")


def _parallel(title: str, keys: Sequence[str]) -> wr.ParallelCoordinatesPlot:
    columns = [wr.ParallelCoordinatesPlotColumn(metric=wr.Config(key)) for key in keys]
    columns.append(wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric(ACCURACY)))
    return wr.ParallelCoordinatesPlot(title=title, columns=columns)


def _section(name: str, panels: list[Any], is_open: bool) -> Section:
    return Section(name=name, panels=_named(name, panels), is_open=is_open)


def _named(name: str, panels: list[Any]) -> list[Any]:
    """Panels with names of their own in place of random ones."""
    for number, panel in enumerate(panels):
        panel._id = f"{name}-{number}".replace(" ", "-")
    return panels


def _runset(entity: str, project: str, name: str) -> wr.Runset:
    groups = {"sweeps": ["Group"], "surrogate comparison": [f"config.{SURROGATE}"]}
    runset = wr.Runset(entity=entity, project=project, name=name, groupby=groups.get(name, []))
    runset._id = name.replace(" ", "-")
    return runset
