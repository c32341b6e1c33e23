"""``report.html`` of a sweep: one file that needs nothing beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from surrolab.files import atomic
from surrolab.pictures.page import render
from surrolab.report import learning, outcomes, summary
from surrolab.report.contours import contours
from surrolab.report.drawing import DASH, label, notes, number, script_json
from surrolab.report.epochs import Epochs, read_epochs
from surrolab.report.importance import FEWEST, Importances, importance_figure, importances
from surrolab.report.parallel import parallel
from surrolab.report.section import Section, part, plotly, script_hash
from surrolab.report.slices import slices
from surrolab.report.slope import against_slope, slope_parameter
from surrolab.report.study_file import Study, read_study


@dataclass(frozen=True)
class Surroundings:
    """What the page finds beside it in a site.

    Args:
        scripts: addresses of the scripts, which the site has once.
        allowed: what the page's policy says of scripts.
        back: address of the site's first page.
        page_of: from a run's directory to the address of its page, if it has one.
    """

    scripts: Sequence[str]
    allowed: str
    back: str
    page_of: Callable[[Path], str | None]


def write_sweep_report(directory: Path) -> Path:
    """Write the page of the sweep in the directory, as far as its trials have come.

    ``study.json`` has to be there and whole (otherwise an ``OSError`` or a ``ValueError``, and an
    earlier page stays); whatever else is missing or half written is left out of the page.
    """
    path = directory / "report.html"
    page = sweep_page(directory)
    with atomic(path, "wb") as file:
        file.write(page.encode("utf-8", errors="replace"))
    return path


def sweep_page(directory: Path, site: Surroundings | None = None) -> str:
    """The page of the sweep in the directory.

    Args:
        directory: the sweep's.
        site: what lies beside the page, where it is part of a site.

    Raises:
        OSError, ValueError: ``study.json`` is not there, or not whole.
    """
    study = read_study(directory / "study.json")
    epochs = read_epochs(directory, study, learning.metrics(study))
    sections = _sections(study, epochs)
    figures = {
        f"{section.key}-{index}": figure.spec
        for section in sections
        for index, figure in enumerate(section.figures)
    }
    script = part("page.js")
    if site is None:
        inline = [plotly(), script] if figures else [script]
        external: Sequence[str] = ()
        allowed = " ".join(map(script_hash, inline))
    else:
        inline, external, allowed = [], site.scripts, site.allowed
    return render(
        "sweep.html.j2",
        number,
        room="surrolab.report",
        study=study,
        exported=summary.when(study.exported),
        sections=sections,
        facts=summary.facts(study, epochs),
        best=[
            (
                trial,
                [summary.value(trial, i, o) for i, o in enumerate(study.objectives)],
                [
                    label(trial.parameters[name]) if name in trial.parameters else DASH
                    for name in study.parameters
                ],
            )
            for trial in study.best_trials
        ],
        table=summary.table(directory, study, epochs, site.page_of if site else None),
        style=Markup(part("page.css")),
        figures=Markup(script_json({"figures": figures, "notes": notes(study)})),
        inline=[Markup(text) for text in inline],
        external=external,
        allowed=Markup(allowed),
        back=site.back if site else "",
    )


def _sections(study: Study, epochs: Mapping[int, Epochs]) -> list[Section]:
    found = importances(study)
    varied = [name for name, parameter in study.parameters.items() if not parameter.fixed]
    ranked = [name for name in found.ranking if name in varied]
    order = [*ranked, *(name for name in varied if name not in ranked)]
    finished = len(study.finished)
    several = len(study.objectives) > 1
    histories = [outcomes.history(study, index) for index in range(len(study.objectives))]
    pairs = contours(study, order) if finished else []
    filled = any(trace["type"] == "contour" for figure in pairs for trace in figure.data)
    sections = [
        Section(
            "history",
            "Optimisation history",
            "A line of the best so far that has been flat for long says that more trials of this "
            "kind would hardly help.",
            [figure for figure in histories if figure.data],
            "No trial has a value yet.",
            note=_bars(study),
        ),
        _importance(study, found),
        Section(
            "slices",
            "One parameter at a time",
            "A parameter matters where the points rise or fall across the range; good points at "
            "an edge ask for a wider range.",
            slices(study, order[:24]) if finished else (),
            "No complete trial has a parameter." if finished else "No trial has finished yet.",
            ("first trial", "last trial"),
            choose="objective",
            side_by_side=True,
        ),
        Section(
            "contours",
            "Two parameters at a time",
            "Where the bands run neither along nor across, the two parameters have to be tuned "
            f"together.{_four(order, found)}",
            pairs,
            "This takes two parameters and three complete trials that have both.",
            note="Colours between the trials are interpolated by the inverse of the squared "
            "distance (doi:10.1145/800186.810616), on logarithmic axes in logarithms; where no "
            "trial is near nothing is drawn."
            if filled
            else "",
            choose="objective",
            side_by_side=True,
        ),
        Section(
            "parallel",
            "All parameters at once",
            "Follow the strongest lines, the best fifth of the trials: where they run together a "
            "value is needed, where they spread it hardly matters.",
            [parallel(study, order[:12])] if finished and order else (),
            "No trial has finished yet.",
            note="A click on an entry of the legend hides its lines. Parameters that a trial does "
            "not have lie below the axis."
            if any(p.when for p in study.parameters.values())
            else "A click on an entry of the legend hides its lines.",
        ),
    ]
    if several:
        sections.append(
            Section(
                "pareto",
                "Pareto front",
                "What one objective costs in the other: no trial is better than those on the "
                "front in all objectives.",
                outcomes.fronts(study) if finished else (),
                "No trial has finished yet.",
                note="Numbers are those of the trials.",
            )
        )
    return [*sections, _curves(study, epochs), _slope(study)]


def _importance(study: Study, found: Importances) -> Section:
    text = (
        f"PED-ANOVA (arXiv:2304.10255; for parameters that not every trial has, arXiv:2601.20800) "
        f"on {found.trials} complete trials: how differently the best {found.share:.0%} and all "
        "of them spread over a parameter's values. Pruned and failed trials do not count."
    )
    if found.rare:
        text += f" Too few trials have {', '.join(found.rare)}."
    return Section(
        "importance",
        "Parameter importances",
        "The longer its bar, the more a parameter decided which trials were among the best; "
        "with few trials the shares are rough.",
        [importance_figure(found)] if found.ranking else (),
        f"Too few complete trials to say: {found.trials}, and it takes {FEWEST}."
        if found.trials < FEWEST
        else "The sweep varies no parameter.",
        note=text if found.ranking else "",
    )


def _curves(study: Study, epochs: Mapping[int, Epochs]) -> Section:
    figure = learning.curves(study, epochs)
    note = "With several seeds a curve is their mean, up to the epoch that all of them reached."
    return Section(
        "curves",
        "Curves of all trials",
        "Pruning was right where the dashed curves lay behind the others when they were cut "
        "(crosses), and too early where they were still catching up."
        if study.count("pruned")
        else "Curves that still improve in the last epochs ask for more of them.",
        [figure] if figure else (),
        "No run directory with a finished epoch was found beside this page.",
        note=note if len(study.seeds) > 1 else "",
    )


def _slope(study: Study) -> Section:
    slope = slope_parameter(study)
    figures = against_slope(study)
    title = "Accuracy" if "accuracy" in study.objectives[0].name else "First objective"
    nothing = "No complete trial has it set." if study.finished else "No trial has finished yet."
    if slope is None and "surrogate" not in study.parameters:
        nothing = "This sweep varies neither the surrogate nor its slope."
    return Section(
        "slope",
        f"{title} against the slope" if slope else f"{title} by surrogate",
        "A broad top says that the slope need not be tuned; a surrogate whose top is narrow "
        "works only with the right slope."
        if slope
        else "Points of a surrogate that lie high and close together: it works whatever else is "
        "varied.",
        figures,
        nothing,
        note=f"{_bars(study)} Complete trials only; points are joined where nothing but the slope "
        f"differs.{' Grey: the other surrogates.' if len(figures) > 1 else ''}".strip(),
        side_by_side=len(figures) > 1,
    )


def _four(order: Sequence[str], found: Importances) -> str:
    if len(order) <= 4:
        return ""
    which = "most important" if found.ranking else "first"
    return f" Only the four {which} of {len(order)} parameters are paired."


def _bars(study: Study) -> str:
    if len(study.seeds) < 2:
        return ""
    seeds = len(study.seeds)
    return f"Points are trials' values; bars run from the lowest to the highest of {seeds} seeds."
