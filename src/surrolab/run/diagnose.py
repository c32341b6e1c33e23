"""Diagnose a saved run and leave what was found in a folder."""

import base64
import io
import logging
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from surrolab import __version__
from surrolab.diagnostics.diagnosis import Diagnosis, diagnose
from surrolab.diagnostics.probe import probe_batch
from surrolab.diagnostics.reading import REFERENCES
from surrolab.errors import UserError
from surrolab.files import atomic, write_json, write_text
from surrolab.pictures.gradients import draw_agreement, draw_flow, draw_membranes
from surrolab.run.directory import RunDirectory
from surrolab.run.load import Checkpoint, load_run
from surrolab.run.processes import memory_limits, threads

WORDS = {
    "smoothed_fixed": "smoothed network, fixed width",
    "smoothed_matched": "smoothed network, the surrogate's width",
    "escape_fixed": "escape noise, fixed width",
    "escape_matched": "escape noise, the surrogate's width",
}


def diagnose_run(
    directory: RunDirectory,
    output: Path,
    checkpoint: Checkpoint,
    samples: int,
    draws: int,
    reference_slope: float,
    seed: int,
    loop: bool,
) -> None:
    """Look through all instruments; print the reading; write page, numbers and pictures.

    Writes ``diagnosis.json``, ``diagnosis.html`` (self-contained), ``flow.png``,
    ``membranes.png`` and ``alignment.png`` into ``output``.

    Raises:
        UserError: the run cannot be loaded, or the output not written.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
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
    try:
        pictures = _pictures(found)
        for name, png in pictures.items():
            with atomic(output / f"{name}.png", "wb") as file:
                file.write(png)
        write_json(output / "diagnosis.json", about | found.to_dict())
        write_text(output / "diagnosis.html", _page(found, about, pictures))
    except OSError as error:
        raise UserError(
            f"--output: {output} cannot be written ({error.strerror}); allowed: a directory that "
            "can"
        ) from error
    print(found.reading)
    for said in found.findings:
        print(f"- {said.message}")
    print(output / "diagnosis.html")


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
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["figure"] = _figure
    template = environment.from_string(
        files("surrolab.pictures").joinpath("diagnosis.html.j2").read_text(encoding="utf-8")
    )
    comparisons = [
        (WORDS[reference], getattr(found.alignment, reference)) for reference in REFERENCES
    ]
    return template.render(
        found=found,
        about=about,
        comparisons=comparisons,
        loop=found.alignment.loop,
        pictures={name: base64.b64encode(png).decode() for name, png in pictures.items()},
    )


def _figure(value: Any) -> str:
    """A number for people; a dash where there is none."""
    return "–" if value is None else f"{value:.3g}"  # noqa: RUF001
