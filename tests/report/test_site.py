"""The site of many runs, read back."""

import base64
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from pages import Page, page_of, unpacked
from runs import SCRIPT, copy_run, records

from surrolab.report.drawing import DASH
from surrolab.report.site import Site, discover, write_site
from surrolab.report.site.defaults import settings
from surrolab.report.site.discover import Place
from surrolab.report.site.run_file import read_run
from surrolab.report.site.served import application


@pytest.fixture(scope="module")
def runs(tmp_path_factory, trained):
    """Two surrogates, a slope more, seeds, and a sweep of two trials."""
    folder = tmp_path_factory.mktemp("runs") / "runs"
    at = folder / "2026-11-25"
    for seed in range(3):
        copy_run(trained.path, at / f"sigmoid-{seed}", seed=seed, accuracy=0.8 + 0.05 * seed)
    copy_run(trained.path, at / "steep", "steep", slope=50.0, accuracy=0.7)
    copy_run(trained.path, at / "atan", "arctan", "atan", 4.0, accuracy=0.93)
    records(at / "atan")
    (folder / "latest").symlink_to("2026-11-25/atan")
    sweep = folder.parent / "sweeps" / "widths"
    for trial in range(2):
        for seed in range(2):
            copy_run(trained.path, sweep / "trials" / str(trial) / f"seed{seed}", seed=seed)
    found = {"objectives": [{"name": "val/accuracy", "direction": "maximize"}], "study": "widths"}
    found["trials"] = [
        {
            "number": trial,
            "state": "complete",
            "values": [0.5],
            "parameters": {"surrogate.slope": 2.0},
            "runs": [{"seed": s, "directory": f"trials/{trial}/seed{s}"} for s in range(2)],
        }
        for trial in range(2)
    ]
    (sweep / "study.json").write_text(json.dumps(found))
    return folder.parent


@pytest.fixture(scope="module")
def site(runs, tmp_path_factory):
    return write_site([runs], tmp_path_factory.mktemp("site")).parent


def test_the_index_has_every_run_once(site):
    index = Page(site / "index.html")
    rows = index.table
    assert sorted(row["directory"] for row in rows) == [
        *("0/seed0", "0/seed1", "1/seed0", "1/seed1", "2026-11-25/atan"),
        *(f"2026-11-25/sigmoid-{seed}" for seed in range(3)),
        "2026-11-25/steep",
    ]
    row = next(row for row in rows if row["run"] == "arctan")
    assert (row["surrogate"], row["slope"], row["val/accuracy"]) == ("atan", "4", "0.93")
    assert (row["status"], row["seed"], row["epochs"]) == ("completed", "0", "3")
    trials = [(row["sweep"], row["trial"]) for row in rows if row["sweep"] != DASH]
    assert trials == [("widths", "0")] * 2 + [("widths", "1")] * 2
    assert "9 runs: 9 completed" in index.words


def test_every_address_leads_somewhere_in_the_site(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) == 11
    for path in pages:
        assert Page(path).missing() == []
    assert (site / "index.html").read_text().count("plotly.js v") == 0
    assert sum(path.stat().st_size for path in site.rglob("plotly.min.js")) > 1e6


def test_runs_that_differ_in_the_seed_only_are_one_group(site):
    facts = Page(site / "index.html").data["index"]["runs"]
    groups = {}
    for fact in facts:
        groups.setdefault(fact["group"], []).append(fact)
    assert sorted(map(len, groups.values())) == [1, 1, 7]


def test_curves_are_those_of_the_files(site, runs):
    names = Page(site / "index.html").data["index"]["curves"]
    assert names[0] == "val/accuracy"
    text = (site / "curves" / f"{names.index('spikes/hidden1/rate')}.js").read_text()
    lines = unpacked(text.partition('"')[2].removesuffix('");\n'))
    run = read_run(Place((runs / "runs" / "2026-11-25" / "atan").resolve()))
    expected = [end["spikes/hidden1/rate"] for end in run.ends]
    assert lines[run.key] == pytest.approx(expected, rel=5e-4)


def test_a_run_has_a_page_with_all_there_is(site):
    page = page_of(site, "atan")
    assert {key.rpartition("-")[0] for key in page.plots} == {
        *("learning", "layers", "rasters", "gradients", "membranes", "confusion"),
    }
    for attributes in page.plots.values():
        assert attributes["role"] == "img"
        assert len(attributes["aria-label"]) > 20
    for words in ("surrogate=atan", "surrogate.slope=4", "trainer.max_epochs=3", "not 30", "torch"):
        assert words in page.words
    assert "[[8, 2], [1, 9]]" in str(page.figures["confusion-0"]["data"][0]["text"])
    assert "85.0% are right" in page.plots["confusion-0"]["aria-label"]


def test_rasters_are_the_spikes_of_the_record(runs, tmp_path):
    run = copy_run(runs / "runs" / "2026-11-25" / "steep", tmp_path / "runs" / "x")
    spikes = records(run)
    write_site([run], tmp_path / "site")
    page = page_of(tmp_path / "site", "x")
    for sample, trace in enumerate(page.figures["rasters-0"]["data"]):
        packed = np.frombuffer(base64.b64decode(trace["bits"]["data"]), np.uint8).reshape(50, -1)
        shown = np.unpackbits(packed, axis=1, count=trace["bits"]["columns"])
        assert (shown == spikes[:, sample].T).all()
    assert "sample 2, class 1, taken for 5, after epoch 3" in page.words
    shapes = page.figures["rasters-0"]["choices"][1]["shapes"]
    assert [shape["x0"] for shape in shapes] == [15.5]  # where the shorter sample ends


def test_long_records_stay_small(runs, tmp_path):
    run = copy_run(runs / "runs" / "2026-11-25" / "steep", tmp_path / "runs" / "x")
    records(run, steps=1500, neurons=256)
    write_site([run], tmp_path / "site")
    page = page_of(tmp_path / "site", "x")
    assert page.path.stat().st_size < 60_000
    bits = page.figures["rasters-0"]["data"][0]["bits"]
    assert bits["columns"] == 375  # four steps in each


def test_what_differs_from_the_default(trained):
    run = read_run(Place(trained.path))
    found = {setting.key: setting for setting in settings(run.config, run.options)}
    different = {key for key, setting in found.items() if setting.differs}
    assert different == {"trainer.max_epochs", "name"} - ({"name"} - different)
    assert found["trainer.max_epochs"].default == "30"
    assert found["surrogate"].value == "sigmoid"
    changed = {**run.config, "surrogate.slope": 3, "model.hidden": [64], "unheard.of": 1}
    found = {setting.key: setting for setting in settings(changed, {**run.options, "data": "xx"})}
    different = {key for key, setting in found.items() if setting.differs} - {"name"}
    assert different == {"trainer.max_epochs", "surrogate.slope", "model.hidden", "data"}


def test_what_a_user_names_stays_text(runs, tmp_path):
    real = runs / "runs" / "2026-11-25" / "steep"
    run = copy_run(real, tmp_path / "runs" / "<b>'\"x", SCRIPT, notes=SCRIPT)
    result = json.loads((run / "result.json").read_text())
    result |= {"error": SCRIPT, "status": "failed", "findings": [{"message": SCRIPT}]}
    result["metrics"][SCRIPT] = 1.0
    (run / "result.json").write_text(json.dumps(result))
    (run / "overrides.txt").write_text(f"name={SCRIPT}\n")
    (run / "train.log").write_text(SCRIPT)
    text = (run / "metrics.csv").read_text()
    (run / "metrics.csv").write_text(text.replace("val/accuracy", SCRIPT.replace(",", ";"), 1))
    provenance = {"layers": {SCRIPT: {"engine": SCRIPT}}, "git": {SCRIPT: [SCRIPT]}}
    (run / "provenance.json").write_text(json.dumps(provenance))
    (tmp_path / "runs" / "study.json").write_text("{")
    site = write_site([tmp_path / "runs"], tmp_path / "site").parent
    index, page = Page(site / "index.html"), Page(next((site / "runs").iterdir()))
    for shown in (index, page):
        assert not {"b", "img"} & set(shown.tags) - {"b" if shown is page else ""}
        assert shown.words.count(SCRIPT) >= 2
        assert shown.missing() == []
        for kind, text in shown.scripts:
            assert not set("<>&") & set(text), kind
    assert [kind for kind, _ in page.scripts] == [None, None, "figures"]
    assert SCRIPT in page.words
    for path in (site / "curves").iterdir():
        assert "<" not in path.read_text()
    shown = [text for text in strings(page.figures) if "<" in text.replace("<extra></extra>", "")]
    assert [text for text in shown if "<script" in text or "<b>" in text or "<img" in text] == []


def strings(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def broken(folder: Path, real: Path):
    """Directories in every state that a kill, a full disk or somebody else leaves."""
    for name in ("cut", "config", "result", "numbers", "binary", "pickled", "folders"):
        copy_run(real, folder / name)
    whole = (real / "config.yaml").read_text()
    (folder / "cut" / "metrics.csv").write_text((real / "metrics.csv").read_text()[:-20])
    (folder / "cut" / "result.json").write_text('{"status": "compl')
    (folder / "cut" / "records" / "diagnostics-epoch0003.npz").write_bytes(b"PK\x03\x04")
    (folder / "config" / "config.yaml").write_text(whole[: len(whole) // 2] + "\n  x: [")
    (folder / "result" / "result.json").write_text("[1]")
    junk = {"status": "completed", "metrics": {"val/accuracy": "x", "a": None, "b": 1e400}}
    junk |= {"findings": [1, {}], "duration_s": "long", "best_epoch": "x", "error": {"a": 1}}
    (folder / "numbers" / "result.json").write_text(json.dumps(junk))
    (folder / "numbers" / "provenance.json").write_text('{"time": 5, "layers": [1], "git": "x"}')
    for file in ("config.yaml", "result.json", "metrics.csv", "overrides.txt", "train.log"):
        (folder / "binary" / file).write_bytes(os.urandom(3000))
    np.savez(
        folder / "pickled" / "records" / "diagnostics-epoch0009.npz",
        layers=np.array([{"a": 1}], dtype=object),
    )
    np.savez(
        folder / "pickled" / "records" / "activity-epoch0009.npz",
        layers=["hidden1"],
        spikes_0=np.zeros((3, 0, 1), np.uint8),
        neurons_0=np.zeros((2, 2)),
    )
    np.savez(folder / "pickled" / "records" / "confusion-epoch0001.npz", counts=np.zeros((2, 3)))
    np.savez(
        folder / "pickled" / "records" / "diagnostics-epoch0002.npz",
        layers=["a"],
        gradient_norm=np.full((1, 4), np.nan),
        spiking=["a"],
        membrane_edges=np.arange(3.0),
        membrane_counts=np.zeros((1, 2), int),
        windows=[np.inf],
    )
    for file in ("metrics.csv", "result.json", "provenance.json"):
        (folder / "folders" / file).unlink()
        (folder / "folders" / file).mkdir()
    starting = folder / "starting"
    starting.mkdir()
    (starting / "config.yaml").touch()
    (starting / ".lock").touch()
    failed = copy_run(real, folder / "failed")
    shutil.rmtree(failed / "records")
    (failed / "metrics.csv").unlink()
    (failed / "result.json").write_text(
        json.dumps({"status": "failed", "metrics": {}, "error": "data.root: not there"})
    )
    foreign = folder / "foreign"
    foreign.mkdir()
    (foreign / "config.yaml").write_text("a: &a [1, 2]\nb: *a\n")
    (foreign / "result.json").write_text('{"answer": 42}')
    endless = folder / "endless"
    endless.mkdir()
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))]
    (endless / "config.yaml").write_text("\n".join(lines))
    (folder / "round").symlink_to(folder)
    (folder / "nowhere").symlink_to(folder / "gone")
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "pipe" / "config.yaml")


def test_half_written_failed_and_foreign_directories(runs, tmp_path):
    broken(tmp_path / "runs", runs / "runs" / "2026-11-25" / "steep")
    written = Site([tmp_path / "runs"], tmp_path / "site").write()
    assert (written.runs, written.foreign) == (9, 3)
    index = Page(written.index)
    status = {row["directory"].partition("/")[2]: row["status"] for row in index.table}
    assert status == {
        **dict.fromkeys(("config", "numbers", "pickled"), "completed"),
        **dict.fromkeys(("cut", "result", "binary", "folders"), "running"),
        "starting": "unfinished",  # it has a lock, which nobody holds
        "failed": "failed",
    }
    assert "3 more directories have" in index.words
    for path in (tmp_path / "site" / "runs").iterdir():
        Page(path)
    assert "data.root: not there" in page_of(tmp_path / "site", "failed").words
    cut = page_of(tmp_path / "site", "cut").figures["learning-0"]
    assert len(cut["data"][0]["y"]) == 2  # the third row is not whole


JUNK = [None, [], {}, "x", 3, -1.5, True, float("nan"), 10**400, [1, "a"], {"a": {"b": 1}}]


def damaged(value, draw):
    """The value with something in it replaced or gone."""
    if isinstance(value, dict) and value and draw.random() < 0.8:
        key = draw.choice(list(value))
        rest = {k: v for k, v in value.items() if k != key}
        return rest if draw.random() < 0.2 else rest | {key: damaged(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.7:
        place = draw.randrange(len(value))
        return [*value[:place], damaged(value[place], draw), *value[place + 1 :]]
    return draw.choice(JUNK)


def damaged_array(array, draw):
    changes = [lambda a: a[None], np.ravel, lambda a: a.astype(str), lambda a: np.ravel(a)[:0]]
    if array.dtype.kind in "fiu":
        changes += [lambda a, v=v: np.full(a.shape, v) for v in (np.nan, np.inf, 1e300, -1)]
    return draw.choice(changes)(array)


def test_files_damaged_in_any_way(runs, tmp_path):
    real = runs / "runs" / "2026-11-25" / "atan"
    for number in range(30):
        draw = random.Random(number)
        run = copy_run(real, tmp_path / "runs" / str(number))
        for file in ("result.json", "provenance.json"):
            value = json.loads((run / file).read_text())
            for _ in range(draw.randint(0, 4)):
                value = damaged(value, draw)
            (run / file).write_text(json.dumps(value))
        for file in ("config.yaml", "metrics.csv"):
            data = (run / file).read_bytes()
            place = draw.randrange(len(data))
            if draw.random() < 0.4:
                (run / file).write_bytes(data[:place] + draw.randbytes(4) + data[place + 2 :])
        for path in (run / "records").iterdir():
            with np.load(path) as file:
                arrays = dict(file)
            for key in draw.sample(list(arrays), min(len(arrays), draw.randint(0, 3))):
                arrays[key] = damaged_array(arrays[key], draw)
            np.savez(path, **arrays)
    written = Site([tmp_path / "runs"], tmp_path / "site").write()
    assert written.broken == {}
    assert written.runs + written.foreign == 30
    for path in (tmp_path / "site" / "runs").iterdir():
        Page(path)


def test_a_directory_that_nothing_can_be_made_of_hides_no_other(runs, tmp_path, monkeypatch):
    def fail(run, sweep):
        if run.name == "steep":
            raise ZeroDivisionError("<b>")
        return "page"

    monkeypatch.setattr("surrolab.report.site.site.run_page", fail)
    written = Site([runs / "runs"], tmp_path).write()
    assert (written.runs, written.foreign) == (4, 0)
    ((path, why),) = written.broken.items()
    assert (path.name, why) == ("steep", "ZeroDivisionError: <b>")
    assert f"No page could be made of {path} ({why})." in Page(written.index).words


def test_discovery_follows_nothing_twice(runs):
    twice = discover([runs, runs / "runs", runs / "runs" / "latest", runs / "sweeps" / "widths"])
    assert len(twice.runs) == 9
    assert [path.name for path in twice.sweeps] == ["widths"]
    (one,) = discover([runs / "sweeps" / "widths" / "trials" / "1" / "seed0"]).runs
    assert (one.sweep.name, one.trial) == ("widths", 1)


def test_a_sweep_has_its_page_whose_trials_lead_to_runs(site):
    (path,) = (site / "sweeps").iterdir()
    assert path.stat().st_size < 100_000  # the plotting library is there once
    page = Page(path)
    links = [a for a in page.addresses if a.startswith("../runs/")]
    assert len(links) == 2
    run = Page(site / "sweeps" / links[0])
    assert f"../sweeps/{path.name}" in run.addresses


def test_only_what_has_changed_is_read_again(runs, tmp_path):
    folder = tmp_path / "runs"
    shutil.copytree(runs / "runs", folder, symlinks=True)
    site = Site([folder], tmp_path / "site")
    assert site.write().changed == 5
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "site").rglob("*.*")}
    assert site.write().changed == 0
    changed = {path for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert changed == set()
    run = folder / "2026-11-25" / "steep"
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(result | {"status": "interrupted"}))
    assert site.write().changed == 1
    names = {p.name for p, at in before.items() if p.stat().st_mtime_ns != at}
    assert len(names) == 2
    assert "index.html" in names
    (tmp_path / "site" / "runs" / "mine.html").write_text("mine")
    shutil.rmtree(run)
    assert site.write().runs == 4
    left = {path.name.rpartition("-")[0] for path in (tmp_path / "site" / "runs").iterdir()}
    assert left == {"atan", "sigmoid-0", "sigmoid-1", "sigmoid-2", ""}


def test_nothing_is_a_site_too(tmp_path):
    assert "No run has been found yet." in Page(write_site([], tmp_path)).words


def test_a_run_takes_little_room(site):
    sizes = [path.stat().st_size for path in (site / "runs").iterdir()]
    assert max(sizes) < 30_000
    assert sum(sizes) / len(sizes) < 20_000


def ask(site, path, method="GET", host="127.0.0.1:8080", **more):
    told = {}

    def start(status, headers):
        told.update(status=status, **dict(headers))

    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": host, **more}
    return told, b"".join(application(site)(environ, start))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:8080"])
def test_a_browser_leaves_out_port_80(site, host):
    assert ask(site, "/", host=host)[0]["status"] == "200 OK"


def test_served_pages_ask_whether_they_have_changed(site):
    told, page = ask(site, "/")
    assert told["status"] == "200 OK"
    assert page.count(b'src="/watch.js"') == 1
    assert b"connect-src 'self'" in page
    assert b"watch.js" not in (site / "index.html").read_bytes()
    head, nothing = ask(site, "/index.html", "HEAD")
    assert (head["ETag"], nothing) == (told["ETag"], b"")
    assert f"data-mark='{told['ETag']}'".encode() in page
    assert ask(site, "/watch.js")[0]["status"] == "200 OK"
    assert ask(site, "/index.html", HTTP_IF_NONE_MATCH=told["ETag"])[0]["status"][:3] == "304"


@pytest.mark.parametrize(
    ("path", "host", "method", "status"),
    [
        ("/../secret", "127.0.0.1:1", "GET", "404"),
        ("/runs/../../secret", "127.0.0.1:1", "GET", "404"),
        ("/assets/..", "127.0.0.1:1", "GET", "404"),
        ("/runs", "127.0.0.1:1", "GET", "404"),
        ("/.hidden", "127.0.0.1:1", "GET", "404"),
        ("/", "evil.example:80", "GET", "403"),
        ("/", "evil.example", "GET", "403"),
        ("/", "", "GET", "403"),
        ("/", "127.0.0.1:1", "POST", "405"),
    ],
)
def test_nothing_else_is_served(site, path, host, method, status):
    assert ask(site, path, method, host)[0]["status"].startswith(status)
