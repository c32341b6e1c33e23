"""Which runs the curves and the comparison are made of, in a browser."""

import csv
import json

import pytest
from browser import CHROMIUM, browser
from pages import Page
from reader import CURVES, DRAWN, LINES, column, find, press
from runs import copy_run

from surrolab.report.site import write_site

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")

BOXES = "[...document.querySelectorAll('#table tbody input')]"
TICKED = f"{BOXES}.filter((box) => box.checked).map((box) => box.closest('tr').innerText)"
LINE = f"{CURVES}.find((trace) => trace.name)"


def rewrite(run, change):
    """Rows of ``metrics.csv`` as ``change`` has them."""
    with (run / "metrics.csv").open() as file:
        rows = change(list(csv.DictReader(file)))
    with (run / "metrics.csv").open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def ended(run, **result):
    found = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(found | result))


def choose(tab, metric):
    tab.evaluate(
        f"""(() => {{
          const list = document.getElementById('metric');
          list.value = [...list.options].find((one) => one.text === {json.dumps(metric)}).value;
          list.dispatchEvent(new Event('change'));
        }})()"""
    )
    title = "document.querySelector('[data-figure=curves-0]').layout?.yaxis.title.text"
    tab.until(f"{title} === {json.dumps(metric)}")


def toggle(tab, name):
    tab.evaluate(f"{BOXES}.find((box) => box.ariaLabel.startsWith({json.dumps(name)})).click()")


def test_a_seed_that_failed_does_not_shorten_the_others(trained, tmp_path):
    runs = [
        copy_run(trained.path, tmp_path / "runs" / str(seed), seed=seed, accuracy=0.8 + 0.1 * seed)
        for seed in range(3)
    ]
    rewrite(runs[2], lambda rows: rows[:1])
    ended(runs[2], status="failed")
    index = write_site([tmp_path / "runs"], tmp_path / "site")
    with browser(tmp_path / "profile") as tab:
        tab.open(index.as_uri())
        tab.until(f"{DRAWN} && {LINES}.length === 1")
        assert tab.evaluate(LINES)[0].endswith("mean of 2 completed of 3")
        assert tab.evaluate(f"{LINE}.x") == [1, 2, 3]
        best = tab.evaluate("document.querySelector('#comparison tbody').innerText")
        assert "0.85 (slope 25, scale 1, 2 runs)" in best  # as many as in the curves
        assert tab.complaints == []


def test_seeds_that_go_on_are_folded_as_far_as_each_has_come(trained, tmp_path):
    for seed in range(3):
        run = copy_run(trained.path, tmp_path / "runs" / str(seed), seed=seed)
        (run / "result.json").unlink()
        rewrite(run, lambda rows, last=seed: [r for r in rows if int(r["epoch"] or 9) <= last])
    index = write_site([tmp_path / "runs"], tmp_path / "site")
    with browser(tmp_path / "profile") as tab:
        tab.open(index.as_uri())
        tab.until(f"{DRAWN} && {LINES}.length === 1")
        assert tab.evaluate(LINES)[0].endswith("mean of up to 3")
        assert tab.evaluate(f"{LINE}.x") == [1, 2, 3]
        assert tab.evaluate(f"{LINE}.text") == [f", mean of {count}" for count in (3, 2, 1)]


def test_what_is_ticked_stays_ticked(trained, tmp_path):
    for name in ("all", "none", "more"):
        run = copy_run(trained.path, tmp_path / "runs" / name, name)
        if name == "none":
            rewrite(
                run,
                lambda rows: [{k: v for k, v in r.items() if "accuracy" not in k} for r in rows],
            )
            result = json.loads((run / "result.json").read_text())["metrics"]
            ended(run, metrics={k: v for k, v in result.items() if "accuracy" not in k})
    index = write_site([tmp_path / "runs"], tmp_path / "site")
    with browser(tmp_path / "profile") as tab:
        tab.open(index.as_uri())
        tab.until(f"{DRAWN} && {LINES}.length === 1")
        tab.evaluate("document.getElementById('untick').click()")
        choose(tab, "val/loss")
        toggle(tab, "all")
        toggle(tab, "none")
        assert len(tab.evaluate(TICKED)) == 2
        choose(tab, "val/accuracy")
        assert len(tab.evaluate(TICKED)) == 2
        words = tab.evaluate("document.getElementById('chosen').textContent")
        assert words == "2 runs are ticked, 1 of them have this metric."
        toggle(tab, "more")
        choose(tab, "val/loss")
        assert len(tab.evaluate(TICKED)) == 3
        tab.evaluate("document.getElementById('fold').click()")
        tab.until(f"{LINES}.length === 3")
        toggle(tab, "none")
        assert len(tab.evaluate(TICKED)) == 2


def test_runs_without_an_accuracy_are_compared_by_their_error(trained, tmp_path):
    for surrogate, error in (("sigmoid", 0.5), ("atan", 0.125), ("triangle", 0.25)):
        run = copy_run(trained.path, tmp_path / "runs" / surrogate, surrogate, surrogate)
        rewrite(run, lambda rows: [{k.replace("accuracy", "mse"): r[k] for k in r} for r in rows])
        ended(run, metrics={"val/mse": error, "test/mse": 2 * error})
    index = write_site([tmp_path / "runs"], tmp_path / "site")
    rows = {row["run"]: row for row in Page(index).table}
    assert (rows["atan"]["val/mse"], rows["atan"]["test/mse"]) == ("0.125", "0.25")
    with browser(tmp_path / "profile") as tab:
        tab.open(index.as_uri())
        tab.until(f"{DRAWN} && {LINES}.length === 3")
        assert tab.evaluate("document.getElementById('metric').selectedOptions[0].text") == (
            "val/mse"
        )
        press(tab, "val/mse")
        assert column(tab, "run") == ["atan", "triangle", "sigmoid"]
        table = "[...document.querySelectorAll('#comparison tbody tr')]"
        order = tab.evaluate(f"{table}.map((row) => row.cells[0].textContent)")
        assert order == ["atan", "triangle", "sigmoid"]  # lower is better
        best = tab.evaluate(f"{table}[0].cells[2].textContent")
        assert best == "0.125 (slope 25, scale 1)"
        plots = tab.evaluate(
            "[...document.querySelectorAll('#strips figcaption')].map((one) => one.textContent)"
        )
        assert plots[:2] == ["val/mse", "test/mse"]
        assert tab.complaints == []


@pytest.mark.parametrize("plot", ["strip-val", "curves-0"])
def test_a_point_leads_to_its_run(trained, tmp_path, plot):
    for surrogate in ("sigmoid", "atan"):
        copy_run(trained.path, tmp_path / "runs" / surrogate, surrogate, surrogate)
    index = write_site([tmp_path / "runs"], tmp_path / "site")
    with browser(tmp_path / "profile") as tab:
        tab.open(index.as_uri())
        tab.until(f"{DRAWN} && {LINES}.length === 2")
        find(tab, "atan")  # the plots are others then
        tab.until(f"{LINES}.length === 1 && {DRAWN}")
        tab.evaluate(
            f"""(() => {{
              const plot = document.querySelector('[data-figure={plot}]');
              const [customdata] = plot.data.find((trace) => trace.customdata?.length).customdata;
              setTimeout(() => plot.emit('plotly_click', {{ points: [{{ customdata }}] }}));
            }})()"""
        )
        tab.until("document.title.startsWith('atan')")
