"""Which class is taken for which."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from surrolab.report.drawing import Figure
from surrolab.report.site.records import Record


def confusion(records: Sequence[Record]) -> Figure | None:
    """Which class is taken for which; None where nothing says."""
    looks = []
    for record in records:
        counts = record.counts("counts", 2)
        if counts is not None and counts.shape[0] == counts.shape[1] <= 200:
            looks.append((record, counts))
    if not looks:
        return None
    data: list[dict[str, Any]] = []
    choices: list[tuple[str, dict[str, Any]]] = []
    for index, (record, counts) in enumerate(looks):
        share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        data.append(
            {
                "type": "heatmap",
                "meta": index,
                "z": np.rint(100 * share).astype(int).tolist(),
                "text": counts.tolist(),
                **({"texttemplate": "%{text}"} if len(counts) <= 20 else {}),
                "hovertemplate": "class %{y} taken for %{x}: %{text}<extra></extra>",
                "zmin": 0,
                "zmax": 100,
                "colorscale": "@sequence",
                "showscale": False,
                "xgap": 1,
                "ygap": 1,
            }
        )
        choices.append((record.when, {}))
    counts = looks[0][1]
    right = float(np.trace(counts) / max(1, counts.sum()))
    size = len(counts)
    axis: dict[str, Any] = {"showgrid": False, **({"dtick": 1} if size <= 20 else {})}
    layout = {
        "xaxis": {
            **axis,
            "title": {"text": "predicted class"},
            "range": [-0.5, size - 0.5],
            "constrain": "domain",
        },
        "yaxis": {
            **axis,
            "title": {"text": "true class"},
            "range": [size - 0.5, -0.5],
            "scaleanchor": "x",
            "constrain": "domain",
        },
    }
    says = f"Predicted classes by true class, {looks[0][0].when}: {right:.1%} are right."
    return Figure(data, layout, says, height=min(620, 200 + 32 * size), choices=choices)
