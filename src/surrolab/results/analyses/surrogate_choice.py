"""surrolab's own study: which surrogate, slope and scale to start from."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.comparison import above
from surrolab.results.figures import heat_map
from surrolab.results.records import Records, best
from surrolab.results.statistics import bounds, differences, said

TASKS = ("digits", "yinyang", "randman", "saccades")
DEEP = ("digits_depth", "randman_depth")
CHOSEN_BY = ("surrogate", "surrogate.slope")
CHECKED = {
    "multi_gaussian": "`multi_gaussian`, slope 2, peak 1",
    "gaussian": "`gaussian`, slope 2, peak 1",
}
SHIPPED = "`sigmoid`, slope 25, native, as shipped"
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
    return {key: fmean(values) for key, values in behind.items()}


def first_seed(records: Records) -> Records:
    """The runs with the first seed, which every setting has."""
    return Records(r for r in records if r.seed == min(record.seed for record in records))


def recommended(records: Records) -> Setting:
    """Surrogate and slope that stay least behind over all tasks."""
    found = deficits(records, TASKS, CHOSEN_BY)
    return min(found, key=lambda key: found[key])


def claims(records: Records) -> list[Claim]:
    """The two best settings beside what is shipped, on each task and from silence."""
    found = []
    for task in TASKS:
        some = records.of(f"{task}_check")
        shipped = some.of(surrogate="sigmoid")
        found.append(Claim(f"{task}: {SHIPPED}", None, shipped.metric("test/accuracy"), shipped))
        for name, words in CHECKED.items():
            ours = some.of(surrogate=name)
            what = f"{task}: {words}, less the shipped"
            found.append(Claim(what, None, gains(some, name), Records([*ours, *shipped])))
    for name, words in {**CHECKED, "sigmoid": "`sigmoid`, slope 10, peak 1"}.items():
        ours = records.of("silence", surrogate=name)
        what = f"randman from silence: {words}"
        found.append(Claim(what, None, ours.metric("test/accuracy"), ours))
    return found


def gains(some: Records, name: str) -> list[float]:
    """Test accuracy with a surrogate less that with the shipped sigmoid, seed by seed."""
    ours, shipped = (some.of(surrogate=n).metric("test/accuracy") for n in (name, "sigmoid"))
    return differences(ours, shipped)


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
        for name in dict.fromkeys(key[0] for key in by_setting)
    }
    least = by_setting[shape, slope]
    ranked = sorted(by_shape, key=lambda name: by_shape[name])
    close = [f"`{name}`" for name in ranked if by_shape[name] <= least + 0.01]
    slopes = ", ".join(f"{key[0]:g}: {100 * value:.1f}" for key, value in by_slope.items())
    shapes = ", ".join(f"`{name}` {100 * by_shape[name]:.1f}" for name in ranked)
    pruned = sum(record.status == "pruned" for record in records)
    return (
        f"{_recommendation(records)}\n\nThe search, on validation and the first seed, for all "
        f"{len(by_setting)} settings: `{shape}` with slope {slope:g} is {100 * least:.1f} points "
        f"behind the best of each task, as a mean of four. Points behind by slope, mean over "
        f"shapes and tasks: {slopes}; by shape, each at its best slope: {shapes}. Within a point "
        f"of the best: {', '.join(close)}. {len(records)} runs, {pruned} of them of settings that "
        f"were pruned.\n\n{_deep(records)}"
    )


def _recommendation(records: Records) -> str:
    """What to start from: what is shipped, unless something is better over all tasks."""
    told, winners, beyond = [], [], 0
    for name, words in CHECKED.items():
        by_task = {task: gains(records.of(f"{task}_check"), name) for task in TASKS}
        parts = []
        for task, some in by_task.items():
            low, high = bounds(some)
            beyond += not low <= 0 <= high
            parts.append(f"{task} {said(some, 1, 100, '+')}")
        # One comparison a candidate: of many, some are beyond their interval by chance.
        overall = [fmean(seed) for seed in zip(*by_task.values(), strict=True)]
        winners += [name] if above(overall) else []
        parts.append(f"mean of the four {said(overall, 1, 100, '+')}")
        told.append(f"{words}: {', '.join(parts)}")
    from_silence = ", ".join(
        f"`{name}` {records.of('silence', surrogate=name).mean('test/accuracy'):.1%}"
        for name in (*CHECKED, "sigmoid")
    )
    if winners:
        start = f"Start from {CHECKED[winners[0]]}"
        why = "it is better than the shipped default beyond the interval"
    else:
        start = "Start from what is shipped, `sigmoid` with slope 25 and scale 1"
        why = "what the search preferred is not better beyond the interval, so the default stays"
    seeds = len(records.of(f"{TASKS[0]}_check", surrogate="sigmoid"))
    return (
        f"**{start}**: over {len(TASKS)} tasks and {seeds} seeds {why}. "
        f"Points of test accuracy above the sigmoid: {'; '.join(told)}. Of the "
        f"{len(CHECKED) * len(TASKS)} single comparisons {beyond} are beyond their own interval, "
        f"which among so many says little. Of a network that is silent at first: {from_silence}; "
        "whose derivative is negative far from the threshold pushes a silent neuron further away."
    )


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
            setting = top[0].values
            cut = "detached" if setting["neuron.detach_reset"] else "not detached"
            spread.append(
                f"{study.removesuffix('_depth')} with {len(hidden)}: {setting['surrogate']}, scale "
                f"{setting['surrogate.scale']:g}, reset {cut}, {said(top.metric('test/accuracy'))}"
            )
    return (
        f"Depth and reset, at slope 5 (points behind, mean over shapes and two tasks): "
        f"{'. '.join(told)}. The best at each number of hidden layers: {'; '.join(spread)}."
    )
