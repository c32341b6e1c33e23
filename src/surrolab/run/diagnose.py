"""Diagnose a saved run and leave what was found in a folder."""

import base64
import io
from pathlib import Path
from typing import Any

from surrolab import __version__
from surrolab.diagnostics.diagnosis import Diagnosis, diagnose
from surrolab.diagnostics.probe import probe_batch
from surrolab.diagnostics.reading import REFERENCES
from surrolab.files import atomic, write_json, write_text
from surrolab.pictures.gradients import draw_agreement, draw_flow, draw_membranes
from surrolab.pictures.page import render
from surrolab.run.directory import RunDirectory
from surrolab.run.load import Checkpoint, load_run
from surrolab.run.processes import memory_limits, threads
from surrolab.run.reporting import quiet_lightning

WORDS = {
    "smoothed_fixed": "smoothed network, fixed width",
    "smoothed_matched": "smoothed network, the surrogate's width",
    "escape_fixed": "escape noise, fixed width",
    "escape_matched": "escape noise, the surrogate's width",
}


def diagnose_run(
    directory: RunDirectory,
    checkpoint: Checkpoint,
    samples: int,
    draws: int,
    reference_slope: float,
    seed: int,
    loop: bool,
) -> tuple[Diagnosis, dict[str, Any]]:
    """Look at a run through all instruments; what was found, and how it was looked for.

    Raises:
        UserError: the run cannot be loaded.
    """
    quiet_lightning()
    config, parts = load_run(directory, checkpoint)
    with threads(config["threads"]), memory_limits():
        batch = probe_batch(parts.data, samples)
        found = diagnose(
            parts.task,
            batch,
            init_gain=config["model"]["init_gain"] if checkpoint == "initial" else None,
            init_xi=config["model"]["init_xi"],
            draws=draws,
            reference_slope=reference_slope,
            seed=seed,
            loop=loop,
        )
    about: dict[str, Any] = {
        "run": str(directory.path),
        "checkpoint": checkpoint,
        "samples": len(batch.lengths),
        "draws": draws,
        "reference_slope": reference_slope,
        "seed": seed,
        "version": __version__,
    }
    return found, about


def leave(found: Diagnosis, about: dict[str, Any], output: Path) -> Path:
    """Write page, numbers and pictures into a folder; the page, which needs nothing beside it.

    ``diagnosis.html``, ``diagnosis.json``, ``flow.png``, ``membranes.png`` and ``alignment.png``.
    """
    pictures = _pictures(found)
    for name, png in pictures.items():
        with atomic(output / f"{name}.png", "wb") as file:
            file.write(png)
    write_json(output / "diagnosis.json", about | found.to_dict())
    page = output / "diagnosis.html"
    write_text(page, _page(found, about, pictures))
    return page


def _pictures(found: Diagnosis) -> dict[str, bytes]:
    cosines: dict[str, dict[str, float | None]] = {}
    intervals: dict[str, dict[str, tuple[float, float] | None]] = {}
    for reference in REFERENCES:
        layers = getattr(found.alignment, reference).layers
        if layers is not None:
            cosines[WORDS[reference]] = {name: one.cosine for name, one in layers.items()}
            intervals[WORDS[reference]] = {
                name: one.cosine_interval for name, one in layers.items()
            }
    figures = {"flow": draw_flow(found.flow.norm_LT.numpy(), found.flow.layers)}
    if found.membranes:
        counts = {name: count.numpy() for name, count in found.membranes.items()}
        figures["membranes"] = draw_membranes(found.edges.numpy(), counts, found.windows)
    if cosines:
        figures["alignment"] = draw_agreement(cosines, intervals)
    pictures = {}
    for name, figure in figures.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
        pictures[name] = buffer.getvalue()
    return pictures


def _page(found: Diagnosis, about: dict[str, Any], pictures: dict[str, bytes]) -> str:
    comparisons = [
        (WORDS[reference], getattr(found.alignment, reference)) for reference in REFERENCES
    ]
    return render(
        "diagnosis.html.j2",
        _number,
        found=found,
        about=about,
        comparisons=comparisons,
        loop=found.alignment.loop,
        pictures={name: base64.b64encode(png).decode() for name, png in pictures.items()},
    )


def _number(value: Any) -> str:
    """A number for people; a dash where there is none."""
    return "-" if value is None else f"{value:.3g}"
