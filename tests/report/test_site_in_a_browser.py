"""The site as a reader finds it: what it draws, sorts, filters and folds."""

import json
import time

import numpy as np
import pytest
from browser import CHROMIUM, browser
from PIL import Image
from runs import SCRIPT, copy_run, records

from surrolab.report.site import Site, write_site

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")

DRAWN = "document.querySelectorAll('[data-figure]:not([data-drawn])').length === 0"
SHOWN = "[...document.querySelectorAll('#table tbody tr')].filter((row) => !row.hidden)"
# Of traces in the curves, names without those of bands.
LINES = "document.querySelector('[data-figure=curves-0]').data.map((t) => t.name).filter(Boolean)"


def column(tab, head):
    """Texts of a column, of the rows that are shown."""
    return tab.evaluate(
        f"""(() => {{
          const heads = [...document.querySelectorAll('#table thead th')];
          const place = heads.findIndex((one) => one.textContent === {json.dumps(head)});
          return {SHOWN}.map((row) => row.cells[place].textContent);
        }})()"""
    )


def press(tab, head, table="#table"):
    tab.evaluate(
        f"[...document.querySelectorAll('{table} thead button')]"
        f".find((one) => one.textContent === {json.dumps(head)}).click()"
    )


def find(tab, words):
    tab.evaluate(
        f"""(() => {{
          const field = document.getElementById('find');
          field.value = {json.dumps(words)};
          field.dispatchEvent(new Event('input', {{ bubbles: true }}));
        }})()"""
    )


def test_a_reader_sorts_filters_folds_and_is_not_harmed(trained, tmp_path):
    at = tmp_path / "runs"
    for seed in range(3):
        copy_run(trained.path, at / f"sigmoid{seed}", seed=seed, accuracy=0.8 + 0.05 * seed)
    copy_run(trained.path, at / "atan", "arctan", "atan", 4.0, accuracy=0.93)
    hostile = copy_run(trained.path, at / "x", SCRIPT, "triangle", notes=SCRIPT, accuracy=0.5)
    records(hostile)
    index = write_site([at], tmp_path / "site")
    (page,) = index.parent.glob("runs/x-*.html")
    with browser(tmp_path / "profile") as tab:
        tab.look()
        tab.open(index.as_uri())
        tab.until(f"{LINES}.length === 3 && {DRAWN}")
        # The seeds of a setting are one line, their mean.
        (line,) = [name for name in tab.evaluate(LINES) if name.startswith("sigmoid")]
        assert line.endswith("mean of 3")
        press(tab, "val/accuracy")
        assert column(tab, "val/accuracy") == ["0.5", "0.8", "0.85", "0.9", "0.93"]
        press(tab, "val/accuracy")
        assert column(tab, "val/accuracy") == ["0.93", "0.9", "0.85", "0.8", "0.5"]
        tab.until("document.querySelector('#comparison tbody')")
        best = tab.evaluate("document.querySelector('#comparison tbody').innerText")
        assert "0.85 (slope 25, scale 1, 3 runs)" in best
        assert "0.85 (0.8 to 0.9)" in best
        find(tab, "ARCTAN 0.93")
        assert column(tab, "run") == ["arctan"]
        assert tab.evaluate("document.getElementById('count').textContent") == "1 of 5 runs"
        # What was chosen is still so when the page is loaded again.
        tab.open(index.as_uri())
        tab.until(f"{SHOWN}.length === 1")
        find(tab, "")
        assert column(tab, "val/accuracy")[0] == "0.93"
        tab.evaluate("document.getElementById('untick').click()")
        tab.evaluate(f"{SHOWN}.slice(1, 4).forEach((row) => row.querySelector('input').click())")
        tab.until(f"{LINES}.length === 1")  # the seeds
        tab.evaluate("document.getElementById('fold').click()")
        tab.until(f"{LINES}.length === 3")
        assert tab.evaluate("window.bad ?? 0") == 0
        tab.open(page.as_uri())
        tab.until(DRAWN)
        tab.look(dark=True)
        assert tab.evaluate("window.bad ?? 0") == 0
        assert SCRIPT in tab.evaluate("document.body.innerText")
        raster = tab.evaluate("document.querySelector('[data-figure=rasters-0]').data[0].z.length")
        assert raster == 50
        tab.picture(tmp_path / "shot.png")
        assert tab.complaints == []
    with Image.open(tmp_path / "shot.png") as picture:
        grey = np.asarray(picture.convert("L"))
    assert np.median(grey) < 60
    assert grey.std() > 10


@pytest.mark.slow
def test_hundreds_of_runs(trained, tmp_path):
    at = tmp_path / "runs"
    draw = np.random.default_rng(0)
    records(copy_run(trained.path, tmp_path / "model"), 0, neurons=128)
    records(tmp_path / "model", 3, neurons=128)
    names = ("sigmoid", "atan", "triangle", "fast_sigmoid", "gaussian")
    for number in range(300):
        slope, seed = float(2 ** (number // 15 % 5)), number % 3
        accuracy = round(0.5 + 0.4 * draw.random(), 4)
        copy_run(
            tmp_path / "model",
            at / f"{number:03}",
            f"run {number}",
            names[number // 3 % 5],
            slope,
            seed,
            accuracy,
        )
    site = Site([at], tmp_path / "site")
    began = time.process_time()
    written = site.write()
    assert time.process_time() - began < 20
    assert written.runs == 300
    began = time.process_time()
    site.write()
    assert time.process_time() - began < 3
    sizes = {path.name: path.stat().st_size for path in site.output.rglob("*") if path.is_file()}
    library = sizes.pop("plotly.min.js")
    print(f"{sum(sizes.values()) / 1e6:.2f} MB beside {library / 1e6:.2f} MB of plotly")
    assert sum(sizes.values()) < 10e6
    with browser(tmp_path / "profile") as tab:
        tab.look()
        seconds = []
        for _ in range(3):  # other programs may be running
            tab.open(written.index.as_uri())
            tab.until(f"document.documentElement.dataset.ready && {DRAWN}")
            seconds.append(int(tab.evaluate("document.documentElement.dataset.ready")) / 1000)
        print("interactive after", seconds)
        assert min(seconds) < 2
        took = tab.evaluate(
            """(() => {
              const began = performance.now();
              const field = document.getElementById('find');
              field.value = 'atan';
              field.dispatchEvent(new Event('input', { bubbles: true }));
              return performance.now() - began;
            })()"""
        )
        print("filtered in", took, "ms")
        assert took < 500
        assert len(column(tab, "run")) == 60
        assert set(column(tab, "surrogate")) == {"atan"}
        press(tab, "val/accuracy")
        values = [float(value) for value in column(tab, "val/accuracy")]
        assert values == sorted(values)
        tab.evaluate("document.getElementById('tick').click()")
        tab.until(f"{LINES}.length > 1")
        for page in list(site.output.glob("runs/*.html"))[:3]:
            tab.open(page.as_uri())
            tab.until(DRAWN)
        assert tab.complaints == []
