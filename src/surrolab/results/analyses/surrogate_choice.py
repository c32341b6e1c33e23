"""surrolab's own study: which surrogate, slope and scale to start from."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.figures import heat_map
from surrolab.results.records import Records, best
from surrolab.results.statistics import interval

TASKS = ("digits", "yinyang", "randman", "saccades")
DEEP = ("digits_depth", "randman_depth")
CHOSEN_BY = ("surrogate", "surrogate.slope")
RECOMMENDED = "`multi_gaussian`, slope 2, peak 1"
BEFORE = "`sigmoid`, slope 25, native"
Setting = tuple[Any, ...]


def deficits(records: Records, studies: Sequence[str], by: Sequence[str]) -> dict[Setting, float]:
    """How far each setting stays behind the best of its study on validation, as a mean of studies.

    Of the first seed, which every setting has run with, pruned or not.
    """
    behind: dict[Setting, list[float]] = {}
    for study in studies:
        first = first_seed(records.of(study))
        groups = {key: group.mean("val/accuracy") for key, group in first.by(*by).items()}
        most = max(groups.values())
        for key, value in groups.items():
            behind.setdefault(key, []).append(most - value)
    return {key: fmean(values) for key, values in sorted(behind.items(), key=lambda kv: str(kv))}


def first_seed(records: Records) -> Records:
    """The runs with the first seed, which every setting has."""
    return Records(r for r in records if r.seed == min(record.seed for record in records))


def recommended(records: Records) -> Setting:
    """Surrogate and slope that stay least behind over all tasks."""
    found = deficits(records, TASKS, CHOSEN_BY)
    return min(found, key=lambda key: found[key])


def claims(records: Records) -> list[Claim]:
    """What came out best of all, beside what was shipped before, on each task and three seeds."""
    found = []
    for task in TASKS:
        best_, before = checked(records, task)
        settings = ((RECOMMENDED, best_), (BEFORE, before))
        found += [
            Claim(f"{task}: {name}", None, some.metric("test/accuracy"), some)
            for name, some in settings
        ]
        gains = [
            a - b for a, b in zip(*(s.metric("test/accuracy") for _, s in settings), strict=True)
        ]
        both = Records([*best_, *before])
        found.append(Claim(f"{task}: the first less the second", None, gains, both))
    return found


def checked(records: Records, task: str) -> tuple[Records, Records]:
    """Runs of the recommended setting and of what was shipped before, with the same seeds."""
    some = records.of(f"{task}_check")
    return some.of(surrogate="multi_gaussian"), some.of(surrogate="sigmoid")


def figure(records: Records) -> Figure:
    """Validation accuracy of the first seed by shape and slope, a map for each task."""
    drawn = Figure(figsize=(12, 3.4), layout="constrained")
    axes = drawn.subplots(1, len(TASKS), sharey=True)
    for axis, task in zip(axes, TASKS, strict=True):
        cells = first_seed(records.of(task)).by(*CHOSEN_BY)
        shapes = list(dict.fromkeys(shape for shape, _ in cells))
        slopes = sorted({slope for _, slope in cells})
        values = [[cells[shape, k].mean("val/accuracy") for k in slopes] for shape in shapes]
        flat = [value for line in values for value in line]
        heat_map(axis, values, slopes, range(len(shapes)), min(flat), max(flat))
        axis.set_yticks([n + 0.5 for n in range(len(shapes))], shapes)
        axis.set_title(f"{task}: validation accuracy, %", fontsize=8)
        axis.set_xlabel("slope (peak = 1)", fontsize=8)
    return drawn


def findings(records: Records) -> str:
    """The recommendation and its evidence."""
    shape, slope = recommended(records)
    by_setting = deficits(records, TASKS, CHOSEN_BY)
    by_slope = deficits(records, TASKS, ["surrogate.slope"])
    by_shape = {
        name: min(value for key, value in by_setting.items() if key[0] == name)
        for name in {key[0] for key in by_setting}
    }
    least = by_setting[shape, slope]
    ranked = sorted(by_shape, key=lambda name: by_shape[name])
    close = [f"`{name}`" for name in ranked if by_shape[name] <= least + 0.01]
    slopes = ", ".join(f"{key[0]:g}: {100 * value:.1f}" for key, value in by_slope.items())
    shapes = ", ".join(f"`{name}` {100 * by_shape[name]:.1f}" for name in ranked)
    pruned = sum(record.status == "pruned" for record in records)
    text = (
        f"**Start from `surrogate={shape} surrogate.slope={slope:g} surrogate.scale=1 "
        f"surrogate.normalize=peak`.** Over the four tasks it is {100 * least:.1f} points behind "
        f"the best of each task (validation, one seed, all {len(by_setting)} settings). Points "
        f"behind by slope, mean over shapes and tasks: {slopes}; by shape, each at its best slope: "
        f"{shapes}. Within a point of the best: {', '.join(close)}. {len(records)} runs, {pruned} "
        "of them of settings that were pruned."
    )
    return text + "\n\n" + _deep(records)


def _deep(records: Records) -> str:
    told = []
    for key, what in (
        ("surrogate.scale", "scale"),
        ("neuron.detach_reset", "reset detached"),
    ):
        parts = []
        for (hidden,) in records.of(DEEP[0]).by("model.hidden"):
            some = Records(
                r for r in records if r.study in DEEP and tuple(r.values["model.hidden"]) == hidden
            )
            values = ", ".join(
                f"{value[0]}: {100 * behind:.1f}"
                for value, behind in deficits(some, DEEP, [key]).items()
            )
            layers = "1 layer" if len(hidden) == 1 else f"{len(hidden)} layers"
            parts.append(f"{layers} {values}")
        told.append(f"by {what}: {'; '.join(parts)}")
    spread = []
    for study in DEEP:
        for (hidden,), group in records.of(study).completed().by("model.hidden").items():
            top = best(group, ["surrogate", "surrogate.scale", "neuron.detach_reset"])
            mean, half = interval(top.metric("test/accuracy"))
            setting = top[0].values
            cut = "detached" if setting["neuron.detach_reset"] else "not detached"
            spread.append(
                f"{study.removesuffix('_depth')} with {len(hidden)}: {setting['surrogate']}, scale "
                f"{setting['surrogate.scale']:g}, reset {cut}, {mean:.3f} ± {half:.3f}"
            )
    return (
        f"Depth and reset, at slope 5 (points behind, mean over shapes and two tasks): "
        f"{'. '.join(told)}. The best at each number of hidden layers: {'; '.join(spread)}."
    )
