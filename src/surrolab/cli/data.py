"""``surrolab data NAME``: what a data set is, in numbers and as a picture."""

import argparse
import inspect
from pathlib import Path
from typing import Any

from surrolab.cli.arguments import Parser, whole_number, writing_to
from surrolab.composition import compose_run
from surrolab.errors import UserError
from surrolab.files import atomic
from surrolab.schema import options
from surrolab.schema.validate import suggestion

MOST_CLASSES = 40


def run_command(words: list[str]) -> int:
    """Print a set's sizes, classes and values, and draw some samples; the exit status.

    Or list, or remove, the binned events that are kept.

    Raises:
        UserError: there is no such set, its file cannot be used, or ``--output`` not be written.
    """
    arguments = _arguments(words)
    if arguments.cache or arguments.clear_cache:
        from surrolab.cli.events_cache import show

        given = [word for word in (arguments.name, *arguments.overrides) if word is not None]
        return show(given, clear=arguments.clear_cache)
    names = options("data")
    if arguments.name is None:
        raise UserError(f"NAME: missing; allowed: {', '.join(names)}")
    if arguments.name not in names:
        raise UserError(
            f"NAME: {arguments.name!r} is no data set; {suggestion(arguments.name, names)}allowed: "
            f"{', '.join(names)}"
        )
    composed = compose_run([f"data={arguments.name}", *arguments.overrides], "data")
    config = composed.config
    for note in composed.notes:
        print(note)
    from surrolab.data import DataModule
    from surrolab.run.construct import blame, build

    data: DataModule = build("data", config["data"])
    with blame("data", config["data"]):
        data.setup()
    _print(arguments.name, data)
    path = Path(arguments.output) / f"{arguments.name}.png"
    with writing_to(path.parent):
        picture = _picture(data, config, arguments.samples)
        with atomic(path, "wb") as file:
            file.write(picture)
    print(f"picture: {path}")
    return 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = Parser(
        "NAME, --samples N, --output DIR, --cache, --clear-cache and the overrides of train",
        prog="surrolab data",
        description="Say what a data set is: sizes, classes, lengths, values, licence; and draw "
        "some of its samples, before and after encoding.",
        epilog="for example: surrolab data japanese_vowels; surrolab data arrays data.path=X.npz",
    )
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help=f"one of {', '.join(options('data'))}"
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="OVERRIDE", help="as for train, such as data.path=FILE"
    )
    parser.add_argument(
        "--samples", type=whole_number(1), default=4, help="how many are drawn (%(default)s)"
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        default="outputs/data",
        help="where the picture goes, made if it is not there (%(default)s)",
    )
    parser.add_argument(
        "--cache",
        action="store_true",
        help="list the binned events that are kept under data.root; takes no NAME",
    )
    parser.add_argument(
        "--clear-cache", action="store_true", help="remove those that no process uses"
    )
    return parser.parse_intermixed_args(words)


def _print(name: str, data: Any) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from surrolab.data.description import describe

    parts = describe(data)
    described = (inspect.getdoc(type(data)) or "").partition("\n\n")[0].replace("\n", " ")
    what = data.about or described
    shape = f"[{data.steps} steps, " if data.is_sequence else "["
    console = Console()
    console.print(f"{name}: {what}", markup=False, highlight=False)
    lines = {
        "sample": f"{shape}{', '.join(map(str, data.sample_shape))}]",
        "classes": str(data.classes),
        "licence": data.licence,
    }
    for key, value in lines.items():
        console.print(f"  {key}: {value}", markup=False, highlight=False)
    table = Table()
    table.add_column("")
    for stage in parts:
        table.add_column(stage, justify="right")
    rows: dict[str, Any] = {"samples": lambda part: str(part.samples)}
    if data.is_sequence:
        rows["steps, least to most (median)"] = lambda part: (
            f"{part.lengths[0]} to {part.lengths[2]} ({part.lengths[1]})"
        )
    if all(part.groups is not None for part in parts.values()):
        rows["groups"] = lambda part: str(part.groups)
    if all(part.events is not None for part in parts.values()):
        rows["events a sample, least to most (median)"] = lambda part: (
            f"{part.events.per_sample[0]} to {part.events.per_sample[2]} "
            f"({part.events.per_sample[1]})"
        )
        rows["events a step"] = lambda part: f"{part.events.per_bin:.3g}"
        rows["events cut, after the last step"] = lambda part: (
            f"{part.events.cut} ({part.events.share_cut:.2%})"
        )
    rows["values"] = lambda part: f"{part.low:.3g} to {part.high:.3g}"
    rows["mean"] = lambda part: f"{part.mean:.3g}"
    rows["not zero"] = lambda part: f"{part.nonzero:.2%}"
    for title, cell in rows.items():
        table.add_row(title, *(cell(part) for part in parts.values()))
    table.add_section()
    for at, label in enumerate(data.class_names[:MOST_CLASSES]):
        table.add_row(
            escape(f"class {label}"), *(str(part.per_class[at]) for part in parts.values())
        )
    if data.classes > MOST_CLASSES:
        table.add_row(f"and {data.classes - MOST_CLASSES} more", *([""] * len(parts)))
    console.print(table)


def _picture(data: Any, config: dict[str, Any], count: int) -> bytes:
    """Samples of different classes, as far as there are."""
    import torch

    from surrolab.data import SampleSet
    from surrolab.pictures.samples import draw_samples
    from surrolab.run.construct import blame, build

    samples = data.samples["train"]
    first: dict[int, int] = {}
    for at, label in enumerate(samples.y.tolist()):
        first.setdefault(label, at)
    chosen = sorted(first.values())[:count]
    chosen += [at for at in range(len(samples)) if at not in chosen][: count - len(chosen)]
    batch = SampleSet(samples, data.is_sequence)[torch.tensor(chosen)]
    encoder = build("encoding", config["encoding"])
    with blame("encoding", config["encoding"]), torch.no_grad():
        torch.manual_seed(config["seed"])
        x_TBF, lengths = encoder(batch.x, batch.lengths, is_sequence=data.is_sequence)
    before, after, titles = [], [], []
    for at, label in enumerate(samples.y[chosen].tolist()):
        x = batch.x[: int(batch.lengths[at]), at] if data.is_sequence else batch.x[at]
        before.append(x.numpy())
        after.append(x_TBF[: int(lengths[at]), at].numpy())
        of = "" if data.target == "value_per_step" else f": class {data.class_names[label]}"
        titles.append(f"sample {chosen[at]}{of}")
    return draw_samples(before, after, titles, data.is_sequence)
