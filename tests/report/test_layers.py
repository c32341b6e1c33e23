"""Every layer of a network has its spikes, membranes and histogram on the page."""

import base64

import numpy as np
import pytest
from pages import page_of
from runs import copy_run

from surrolab.report.site import write_site

LAYERS = ["conv1", "block.2", "hidden3", "rec"]
STEPS, SAMPLES = 12, 2


def numbers(levels):
    """What the page's script makes of them."""
    steps = np.frombuffer(base64.b64decode(levels["data"]), np.uint8).astype(float)
    values = levels["low"] + levels["span"] * (steps - 1) / 254
    return np.where(steps == 0, np.nan, 10**values if levels.get("log") else values)


@pytest.fixture
def page(trained, tmp_path):
    run = copy_run(trained.path, tmp_path / "runs" / "x")
    for path in (run / "records").iterdir():
        path.unlink()
    draw = np.random.default_rng(0)
    arrays = {"layers": LAYERS, "targets": np.arange(2), "predictions": np.arange(2)}
    for i, size in enumerate((9, 130, 20, 5)):
        spikes = draw.random((STEPS, SAMPLES, size)) < 0.3
        arrays |= {
            f"spikes_{i}": np.packbits(spikes, axis=-1),
            f"neurons_{i}": np.arange(size),
            f"membrane_{i}": (10.0**i * draw.normal(size=(STEPS, SAMPLES, 4))).astype(np.float32),
            f"traced_{i}": np.arange(4),
            f"threshold_{i}": np.ones(4),
        }
    arrays["level_2"] = 1 + np.abs(arrays["membrane_2"])  # thresholds that adapt
    np.savez(run / "records" / "activity-epoch0003.npz", **arrays)
    counts = draw.integers(0, 1000, (4, 40))
    counts[:, 3] = 0
    np.savez(
        run / "records" / "diagnostics-epoch0003.npz",
        layers=[*LAYERS, "readout"],
        gradient_norm=draw.random((5, STEPS)),
        spiking=LAYERS,
        membrane_edges=np.linspace(-2, 2, 41),
        membrane_counts=counts,
        windows=np.full(4, 0.5),
    )
    write_site([run], tmp_path / "site")
    made = page_of(tmp_path / "site", "x")
    made.membrane = [arrays[f"membrane_{i}"] for i in range(4)]
    made.share = counts / counts.sum(axis=1, keepdims=True)
    return made


def test_every_layer_is_shown(page):
    for name in ("rasters-0", "rasters-1", "membranes-0"):
        layout = page.figures[name]["layout"]
        axes = [layout[key] for key in sorted(layout) if key.startswith("yaxis")]
        assert [axis["title"]["text"] for axis in axes] == LAYERS
        used = {trace.get("yaxis", "y") for trace in page.figures[name]["data"]}
        assert used == {"y", "y2", "y3", "y4"}
    assert "hidden3" in str(page.plots["rasters-0"]["aria-label"])
    assert len(page.figures["gradients-0"]["data"][0]["z"]) == 5


def test_membranes_are_those_of_the_record(page):
    traces = page.figures["rasters-1"]["data"]
    for i, membrane in enumerate(page.membrane):
        own = [t for t in traces if t["yaxis"] == ("y" if i == 0 else f"y{i + 1}")]
        thresholds = [t for t in own if t["name"].startswith("threshold")]
        own = [t for t in own if t not in thresholds]
        assert len(thresholds) == (len(own) if i == 2 else 0)
        if thresholds:
            assert all(trace["line"]["dash"] == "dash" for trace in thresholds)
            drawn = np.stack([numbers(trace["levels"]) for trace in thresholds])
            membrane_at = np.stack([numbers(trace["levels"]) for trace in own])
            assert np.abs(drawn - 1 - np.abs(membrane_at)).max() <= 0.01 * np.ptp(membrane)
        shown = np.stack([numbers(trace["levels"]) for trace in own])
        expected = membrane.transpose(1, 2, 0).reshape(-1, STEPS)
        assert np.abs(shown - expected).max() <= 0.003 * np.ptp(membrane)


def test_histograms_are_those_of_the_record(page):
    traces = page.figures["membranes-0"]["data"]
    for trace, share in zip(traces, page.share, strict=True):
        shown = numbers(trace["levels"])
        assert np.isnan(shown[3])  # there is nothing
        assert np.delete(shown, 3) == pytest.approx(np.delete(share, 3), rel=0.03)
