"""The page of one run."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from surrolab.pictures.page import render
from surrolab.report.drawing import DASH, Figure, label, number
from surrolab.report.reading import read_text
from surrolab.report.section import Section, packed
from surrolab.report.site.activity import membrane_traces, rasters
from surrolab.report.site.confusion import confusion
from surrolab.report.site.defaults import Setting, settings
from surrolab.report.site.epoch_curves import layers, learning
from surrolab.report.site.looks import gradient_map, membranes
from surrolab.report.site.process import code, earlier, facts_of, when
from surrolab.report.site.records import Record, read_records
from surrolab.report.site.repeat import command
from surrolab.report.site.run_file import RunFile
from surrolab.report.site.samples import samples
from surrolab.report.summary import duration

LOOKS = 3  # of a kind of record
MAIN = ("test/accuracy", "val/accuracy", "test/mse", "val/mse", "test/loss", "val/loss")
POLICY = Markup(
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline' 'self' file:; "
    "script-src 'self' file:; connect-src 'none'; base-uri 'none'; form-action 'none'"
)


def run_page(run: RunFile, sweep: tuple[str, str] | None = None) -> str:
    """The page, which lies in a folder below that of the site's first page.

    Args:
        run: whose.
        sweep: name and address of the page of the sweep that it belongs to.
    """
    looks = read_records(run.path, "diagnostics", LOOKS)
    sections = [section for section in _sections(run, looks) if section is not None]
    found = settings(run.config, run.options)
    given = {override.partition("=")[0].lstrip("+~") for override in run.overrides}
    figures = {
        f"{section.key}-{index}": figure.spec
        for section in sections
        for index, figure in enumerate(section.figures)
    }
    main = [name for name in MAIN if name in run.metrics]
    others = sorted(name for name in run.metrics if name not in main)
    # What is of no use without the script is packed with the figures: hundreds of pages stay small.
    lists = {
        **{section.key: section.choices for section in sections},
        "metrics": [f"{name}: {number(run.metrics[name])}" for name in [*main, *others]],
        "settings": [_line(setting, given) for setting in found],
    }
    return render(
        "site/run.html.j2",
        number,
        room="surrolab.report",
        policy=POLICY,
        run=run,
        facts=_facts(run, sweep),
        main=[(name, run.metrics[name]) for name in main],
        sections=sections,
        different=[setting for setting in found if setting.differs and not _is_name(setting)],
        settings=found,
        command=command(run, found),
        provenance=facts_of(run.provenance),
        earlier=earlier(run),
        log=read_text(run.path / "train.log", tail=4000) if run.status != "completed" else "",
        address=f"{run.path.as_uri()}/",
        figures=packed({"figures": figures, "notes": {}, "lists": lists}),
    )


def alignment(run: RunFile) -> float | None:
    """The last cosine with the gradient of the smoothed network, over all weights."""
    name = "alignment/all/smoothed_fixed_cosine"
    known = run.last(name)
    if known is None:
        for record in read_records(run.path, "diagnostics", 1):
            known = record.values().get(name)
    return known


def _line(setting: Setting, given: set[str]) -> str | tuple[str, str]:
    """A setting's line of the list; two parts where the first is to be marked."""
    text = f"{setting.key}: {setting.value}"
    typed = "  # typed" if setting.key in given else ""
    return (text, f"  # default: {setting.default}{typed}") if setting.differs else text + typed


def _is_name(setting: Setting) -> bool:
    return setting.key == "name"


def _facts(run: RunFile, sweep: tuple[str, str] | None) -> list[tuple[str, str, str]]:
    """Names, what there is to say of each, and where it leads."""
    chosen = [run.options.get(group, "") for group in ("data", "model", "neuron")]
    slope = [
        label(run.config[k]) for k in ("surrogate.slope", "surrogate.scale") if k in run.config
    ]
    words = [run.options.get("surrogate", DASH)]
    words += [f"{k} {v}" for k, v in zip(("slope", "scale"), slope, strict=False)]
    facts = [
        ("Status", run.status, ""),
        ("Surrogate", ", ".join(words), ""),
        ("Network", ", ".join(word for word in chosen if word) or DASH, ""),
        ("Engine", run.engine or DASH, ""),
        ("Code", code(run.provenance), ""),
        ("Seed", number(run.seed), ""),
        ("Samples", _samples(run), ""),
        ("Epochs", f"{run.epochs}{_best(run)}", ""),
        ("Started", when(run.started), ""),
        *_resumed(run),
        ("Duration", duration(run.duration), ""),
    ]
    if sweep:
        facts.append(("Sweep", f"{sweep[0]}, trial {number(run.place.trial)}", sweep[1]))
    for key, title in (("logger.notes", "Notes"), ("logger.tags", "Tags")):
        if run.config.get(key):
            facts.append((title, label(run.config[key]), ""))
    return facts


def _samples(run: RunFile) -> str:
    """How many each split has, and the seed that drew them."""
    parts = [f"{number(int(count))} {split}" for split, count in run.samples.items()]
    seed = run.config.get("data.split_seed")
    parts += [] if seed is None else [f"split seed {label(seed)}"]
    return ", ".join(parts) or DASH


def _resumed(run: RunFile) -> list[tuple[str, str, str]]:
    again = len(run.processes) - 1
    if again < 1 or not run.times:
        return []
    times = "once" if again == 1 else f"{again} times"
    return [("Resumed", f"{times}, last {when(run.times[-1])}", "")]


def _best(run: RunFile) -> str:
    return "" if run.best_epoch is None else f", the best on validation was {run.best_epoch}"


def _sections(run: RunFile, looks: Sequence[Record]) -> list[Section | None]:
    shown = samples(read_records(run.path, "activity", 2))
    return [
        _section(
            "learning",
            "Learning",
            "Training and validation that drift apart say that the network learns samples by "
            "heart; curves that still rise ask for more epochs.",
            learning(run),
            nothing="No epoch has ended yet.",
        ),
        _section(
            "layers",
            "Layers over time",
            "A layer whose rate goes to zero falls silent, and what lies before it then gets no "
            "gradient.",
            layers(run),
        ),
        _section(
            "rasters",
            "Spikes of single samples",
            "Vertical stripes are steps in which many neurons fire together; empty rows are "
            "neurons that do not answer to this sample.",
            rasters(shown) if shown else None,
            membrane_traces(shown) if shown else None,
            choose="sample",
            note="Rows are neurons, as many as there is room for. A dashed line in the raster is "
            "the end of a shorter sample, in the membranes below it the threshold.",
        ),
        _section(
            "gradients",
            "Where the gradient goes",
            "Time runs to the right, and the gradient from the readout down and to the left; what "
            "is blank gets none.",
            gradient_map(looks),
            choose="look",
        ),
        _section(
            "membranes",
            "Membrane potentials",
            "Only neuron-steps in the shaded window of the surrogate, around the threshold (line), "
            "pass a gradient on.",
            membranes(looks),
            choose="look",
            note="Share of neuron-steps, on a logarithmic axis; the ends hold what lies beyond.",
        ),
        _section(
            "confusion",
            "What is taken for what",
            "Off the diagonal lie the mistakes on the validation set; colours are shares of a row.",
            confusion(read_records(run.path, "confusion", 2)),
            choose="epoch",
        ),
    ]


def _section(
    key: str, title: str, reads: str, *figures: Figure | None, nothing: str = "", **more: Any
) -> Section | None:
    """None where there is nothing to show and nothing to say of that."""
    there = [figure for figure in figures if figure is not None]
    return Section(key, title, reads, there, nothing, **more) if there or nothing else None
