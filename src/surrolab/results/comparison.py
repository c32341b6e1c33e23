"""Values of each seed held against a published one, drawn and judged."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from surrolab.results.statistics import bounds


def dots(
    axis: Axes,
    values: Mapping[str, Sequence[float]],
    published: Mapping[str, float] | None = None,
) -> None:
    """A column for each name: its seeds as dots, their mean with its 95 % interval beside them.

    ``published`` are values to compare with, drawn as dashed lines over all columns.
    """
    for column, some in enumerate(values.values()):
        low, high = bounds(some)
        axis.plot([column - 0.1] * len(some), some, "o", color="tab:blue", markersize=3, alpha=0.6)
        axis.errorbar(
            [column + 0.1],
            [(low + high) / 2],
            yerr=[(high - low) / 2],
            fmt="s",
            color="tab:blue",
            markersize=4,
            capsize=3,
        )
    for index, (name, value) in enumerate((published or {}).items()):
        axis.axhline(value, color="black", linestyle=("--", ":")[index % 2], linewidth=1)
        axis.annotate(
            name,
            (1, value),
            xycoords=("axes fraction", "data"),
            xytext=(-3, 3),
            textcoords="offset points",
            ha="right",
            fontsize=7,
        )
    axis.set_xticks(range(len(values)), list(values), fontsize=7)
    axis.set_xlim(-0.6, len(values) - 0.4)
    axis.tick_params(labelsize=7)


def reaches(values: Sequence[float], published: float) -> bool:
    """Whether a published value lies in the 95 % interval of the mean, or below it."""
    return bounds(values)[1] >= published


def above(values: Sequence[float]) -> bool:
    """Whether the 95 % interval of the mean of some differences lies above 0."""
    return bounds(values)[0] > 0
