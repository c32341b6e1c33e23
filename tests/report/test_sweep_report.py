"""The page of a sweep, read back."""

import base64
import hashlib
import json
import random
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import optuna
import pytest
from PIL import Image

from surrolab.report import write_sweep_report

SECTIONS = ["best", "history", "importance", "slices", "contours", "parallel", "curves", "slope"]
VOID = {"meta", "br", "link", "img", "input"}
SLOPE = {"kind": "float", "low": 0.5, "high": 100, "log": True, "step": None, "when": None}
TAIL = {"kind": "float", "low": 1.1, "high": 4, "log": False, "step": None}
PARAMETERS = {
    "surrogate": {"kind": "categorical", "choices": ["sigmoid", "q_pseudo_spike"], "when": None},
    "surrogate.slope": SLOPE,
    "surrogate.tail": {**TAIL, "when": {"surrogate": ["q_pseudo_spike"]}},
}


class Page(HTMLParser):
    """What a browser would find in the page."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.ids, self.words, self.loads, self.links = [], "", [], []
        self.tags, self.scripts, self.open, self.plots = [], [], [], {}
        self.rows, self.policy = [], ""
        self.feed(self.source)
        assert self.open == []
        (self.data,) = [text for kind, text in self.scripts if kind == "application/json"]
        found = json.loads(self.data)
        self.figures, self.notes = found["figures"], found["notes"]
        assert set(self.figures) == set(self.plots)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag not in VOID:
            self.open.append(tag)
        names = ("src", "srcset", "data", "action", "poster", "background")
        self.loads += [attributes[name] for name in names if name in attributes]
        if tag == "a":
            self.links.append(attributes["href"])
        elif "href" in attributes:
            self.loads.append(attributes["href"])
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "script":
            self.scripts.append([attributes.get("type"), ""])
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]
        if "data-figure" in attributes:
            self.plots[attributes["data-figure"]] = attributes
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1][1] += data
        elif self.open and self.open[-1] != "style":
            self.words += data
        if self.rows and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def section(self, name):
        return [figure for key, figure in self.figures.items() if key.rpartition("-")[0] == name]

    def row(self, number):
        """The row of a trial in the table of all."""
        return next(row for row in reversed(self.rows) if row[0].split()[0] == str(number))


def distribution(parameter):
    if parameter["kind"] == "categorical":
        made = optuna.distributions.CategoricalDistribution(parameter["choices"])
    else:
        made = optuna.distributions.FloatDistribution(
            parameter["low"], parameter["high"], log=parameter["log"]
        )
    return optuna.distributions.distribution_to_json(made)


def trial(number, state="complete", values=(0.9,), parameters=None, seeds=(0,), **more):
    parameters = (
        {"surrogate": "sigmoid", "surrogate.slope": 3.0} if parameters is None else parameters
    )
    one = len(seeds) == 1
    ended = state in ("complete", "pruned", "failed")
    return {
        "number": number,
        "state": state,
        "values": list(values) if state == "complete" else None,
        "parameters": parameters,
        "distributions": {k: distribution(PARAMETERS[k]) for k in parameters if k in PARAMETERS},
        "intermediate": {},
        "started": "2026-11-25T13:00:00+00:00",
        "ended": "2026-11-25T13:01:40+00:00" if ended else None,
        "duration_s": 100.0 if ended else None,
        "reason": None,
        "error": None,
        "starting_point": False,
        "attempts": 1,
        "runs": [
            {
                "seed": seed,
                "directory": f"trials/{number}" if one else f"trials/{number}/seed{seed}",
                "metrics": {"val/accuracy": (values[0] or 0) + 0.01 * seed}
                if state == "complete"
                else None,
            }
            for seed in seeds
        ],
        "command": f"python train.py surrogate=sigmoid seed=0 # {number}",
        **more,
    }


def study(trials, **more):
    return {
        "study": "slope",
        "exported": "2026-11-25T14:00:00+00:00",
        "command": "surrolab sweep sweeps/slope.yaml trials=20",
        "version": "0.1.0",
        "objectives": [{"name": "val/accuracy", "direction": "maximize"}],
        "sampler": {"name": "tpe", "multivariate": True},
        "pruner": {"name": "hyperband"},
        "pruning": {"metric": "val/accuracy", "on": "epoch"},
        "seeds": [0],
        "max_epochs": 5,
        "target": 20,
        "base": ["data=digits"],
        "parameters": PARAMETERS,
        "trials": trials,
        "best": [],
        **more,
    }


def metrics_file(path, epochs, start=0.5):
    """As runs leave it: rows between the epochs, blank cells, rates by layer."""
    path.mkdir(parents=True, exist_ok=True)
    lines = [
        "step,epoch,train/loss,val/loss,val/accuracy,spikes/hidden1/rate,spikes/hidden2/rate,x"
    ]
    for epoch in range(epochs):
        lines.append(f"{20 * epoch + 10},,,,,,,1.5")
        lines.append(
            f"{20 * epoch + 20},{epoch},1.0,{2 / (epoch + 1)},{start + 0.1 * epoch},0.1,0.3,"
        )
    (path / "metrics.csv").write_text("\n".join(lines) + "\n")


def some_trials(count, objectives=1, seeds=(0,)):
    draw = random.Random(1)
    trials = []
    for number in range(count):
        surrogate = ["sigmoid", "q_pseudo_spike"][number % 2]
        parameters = {"surrogate": surrogate, "surrogate.slope": 10 ** draw.uniform(-0.3, 2)}
        if number % 2:
            parameters["surrogate.tail"] = draw.uniform(1.1, 4)
        values = [draw.random() for _ in range(objectives)]
        trials.append(trial(number, values=values, parameters=parameters, seeds=seeds))
    return trials


def write(directory, found):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "study.json").write_text(json.dumps(found))
    path = write_sweep_report(directory)
    assert path == directory / "report.html"
    assert sorted(p.name for p in directory.glob("*")) in (
        ["report.html", "study.json"],
        ["report.html", "study.json", "trials"],
    )
    return Page(path)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A sweep of everything: complete, pruned, failed, running, silent."""
    directory = tmp_path_factory.mktemp("single")
    trials = some_trials(12)
    trials[3] |= {"reason": "silent: hidden1"}
    trials += [
        trial(12, "pruned", intermediate={"1": 0.2, "2": 0.3}),
        trial(13, "failed", error="RunError: loss is nan"),
        trial(14, "running"),
        trial(15, "waiting", parameters={}),
    ]
    best = max(range(12), key=lambda n: trials[n]["values"][0])
    for number in range(15):
        metrics_file(directory / "trials" / str(number), {12: 2, 13: 1, 14: 3}.get(number, 5))
    return write(directory, study(trials, best=[best])), trials, best


def test_every_section_is_there_with_its_plots(single):
    page, trials, best = single
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    assert "trials" in page.ids
    assert "pareto" not in page.ids
    for name in SECTIONS[1:]:
        assert page.section(name), name
    assert len(page.section("slices")) == 3
    for attributes in page.plots.values():
        assert attributes["role"] == "img"
        assert len(attributes["aria-label"]) > 20
    assert trials[best]["command"] in page.words


def test_the_head_counts_what_was_done(single):
    page, _, _ = single
    assert "12 complete, 1 pruned, 1 failed, 1 running, 1 waiting; 20 asked for" in page.words
    assert "1 silent" in page.words
    # 12 whole trials of 5 epochs, 2 of the pruned, 1 of the failed, 3 of the running one
    assert "66 trained; 69 without pruning, which saved 3 (4%)" in page.words
    assert "23 min 20 s of training" in page.words
    assert "PED-ANOVA" in page.words


def test_the_table_has_every_trial(single):
    page, trials, _ = single
    for one in trials:
        row = page.row(one["number"])
        assert row[1] == one["state"]
        if one["state"] == "complete":
            assert float(row[2]) == pytest.approx(one["values"][0], rel=1e-3)
    assert "RunError: loss is nan" in page.row(13)
    assert "silent: hidden1" in page.row(3)
    assert page.row(12)[-4] == "2"  # epochs
    assert "trials/12/" in page.links


def test_curves_are_those_of_the_files(single):
    page, _, best = single
    (figure,) = page.section("curves")
    assert len(figure["choices"]) == 4  # the rate is the mean over layers
    titles = [choice["yaxis"]["title"]["text"] for choice in figure["choices"]]
    assert titles == ["val/accuracy", "train/loss", "val/loss", "spikes/mean_rate"]
    traces = {(t["meta"], t["name"]): t for t in figure["data"] if t["mode"] != "markers"}
    (line,) = [t for (meta, name), t in traces.items() if meta == 0 and name == "best"]
    assert line["x"] == [1, 2, 3, 4, 5, None]
    assert line["y"][:-1] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])
    assert set(line["customdata"]) == {best, None}
    pruned = traces[0, "pruned"]
    assert pruned["y"] == [0.5, 0.6, None]
    assert pruned["line"]["dash"] == "dash"
    assert {name for _, name in traces} >= {"pruned", "failed", "running", "best"}
    assert traces[3, "best"]["y"][0] == pytest.approx(0.2)


def test_history_follows_the_best(single):
    page, trials, best = single
    (figure,) = page.section("history")
    (line,) = [t for t in figure["data"] if t["name"] == "best so far"]
    assert line["y"][-1] == pytest.approx(trials[best]["values"][0], rel=1e-4)
    assert line["y"] == sorted(line["y"])
    shown = [t for t in figure["data"] if t["name"] == "pruned (last value)"]
    assert shown[0]["y"] == [0.3]


def test_the_page_needs_nothing_beside_it(single):
    page, _, _ = single
    assert page.loads == []
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    assert [link for link in page.links if not link.startswith(("#", "trials/"))] == []
    assert page.source.count("plotly.js v") == 1
    # A browser runs these scripts and no other.
    assert "default-src 'none'" in page.policy
    scripts = [text for kind, text in page.scripts if kind is None]
    for text in scripts:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in page.policy
    assert len(scripts) == 2


def test_two_objectives(tmp_path):
    trials = some_trials(14, objectives=2)
    objectives = [
        {"name": "val/accuracy", "direction": "maximize"},
        {"name": "synops/effective_acs", "direction": "minimize"},
    ]
    values = {t["number"]: t["values"] for t in trials}
    best = [
        n
        for n, (a, s) in values.items()
        if not any(b >= a and r <= s and (b, r) != (a, s) for b, r in values.values())
    ]
    page = write(tmp_path, study(trials, objectives=objectives, best=best))
    assert "pareto" in page.ids
    (figure,) = page.section("pareto")
    front = next(t for t in figure["data"] if t.get("name") == "on the front")
    assert front["x"] == pytest.approx(sorted(values[n][0] for n in best), rel=1e-4)
    assert front["y"] == pytest.approx(sorted(values[n][1] for n in best), rel=1e-4)
    assert len(page.section("history")) == 2
    (bars,) = page.section("importance")
    assert [t["name"] for t in bars["data"]] == [
        "val/accuracy",
        "synops/effective_acs",
        "Pareto front",
    ]
    for trace in bars["data"]:
        assert sum(trace["x"]) == pytest.approx(1, abs=0.01)
    for figure in [*page.section("slices"), *page.section("contours")]:
        assert len(figure["choices"]) == 2


def test_importance_finds_what_mattered(tmp_path):
    trials = some_trials(30)
    for one in trials:
        slope = one["parameters"]["surrogate.slope"]
        one["values"] = [1 - abs(np.log10(slope / 10))]
    page = write(tmp_path, study(trials))
    (figure,) = page.section("importance")
    assert figure["layout"]["yaxis"]["ticktext"][0].strip() == "surrogate.slope"
    assert figure["data"][0]["x"][0] > 0.5


def test_seeds_are_intervals(tmp_path):
    trials = some_trials(6, seeds=(0, 1, 2))
    for one in trials:
        one["values"] = [one["values"][0] + 0.01]  # the mean
        for seed in range(3):
            epochs = 3 + seed
            metrics_file(
                tmp_path / "trials" / str(one["number"]) / f"seed{seed}", epochs, seed * 0.1
            )
    page = write(tmp_path, study(trials, seeds=[0, 1, 2], pruning=None, pruner=None, best=[0]))
    for name in ("history", "slope"):
        (figure,) = page.section(name)
        bars = [t["error_y"] for t in figure["data"] if "error_y" in t]
        assert bars
        for bar in bars:
            assert [*bar["array"], *bar["arrayminus"]] == pytest.approx(
                [0.01] * 2 * len(bar["array"]), abs=1e-4
            )
    assert "lowest to the highest of 3 seeds" in page.words
    (figure,) = page.section("curves")
    best = next(t for t in figure["data"] if t["name"] == "best" and t["meta"] == 0)
    assert best["y"] == pytest.approx([0.1, 0.2, 0.3, None])  # the mean, as far as all got
    assert page.row(0)[-4] == "12"


def test_many_surrogates_have_a_plot_each(tmp_path):
    names = [f"formula_{i}" for i in range(9)]
    many = {"kind": "categorical", "choices": names, "when": None}
    trials = [
        trial(n, parameters={"surrogate": names[n % 9], "surrogate.slope": 1.5}) for n in range(20)
    ]
    page = write(tmp_path, study(trials, parameters={"surrogate": many, "surrogate.slope": SLOPE}))
    figures = page.section("slope")
    assert len(figures) == 9
    assert len({json.dumps(figure["layout"]) for figure in figures}) == 1  # can be compared
    assert [len(figure["data"][1]["x"]) for figure in figures] == [3, 3, 2, 2, 2, 2, 2, 2, 2]
    assert all(name in page.words for name in names)
    assert "nothing but the slope differs. Grey: the other surrogates." in page.words


@pytest.mark.parametrize(
    ("allowed", "words"),
    [
        (range(2), "only with surrogate = formula_0 or formula_1"),
        (range(8), "only with surrogate other than formula_8"),
        ([], "only with surrogate = "),
    ],
)
def test_conditions_in_few_words(tmp_path, allowed, words):
    names = [f"formula_{i}" for i in range(9)]
    many = {"kind": "categorical", "choices": names, "when": None}
    tail = {**TAIL, "when": {"surrogate": [names[i] for i in allowed]}}
    trials = [trial(0, parameters={"surrogate": names[0], "surrogate.tail": 2.0})]
    page = write(tmp_path, study(trials, parameters={"surrogate": many, "surrogate.tail": tail}))
    assert words in page.words


def test_epochs_that_were_not_validated_leave_no_hole_and_are_counted(tmp_path):
    directory = tmp_path / "trials" / "0"
    directory.mkdir(parents=True)
    rows = ["step,epoch,val/loss,val/accuracy", *(f"{n},{n},1.0,0.{n}" for n in (1, 3, 5))]
    (directory / "metrics.csv").write_text("\n".join(rows) + "\n")
    page = write(tmp_path, study([trial(0)], best=[0]))
    (figure,) = page.section("curves")
    assert figure["data"][0]["x"] == [2, 4, 6, None]
    assert page.row(0)[-4] == "6"


HOSTILE = "</script><script>alert(1)</script><b>x</b>&amp;%{x}$y$<!--"


def test_what_a_user_names_stays_text(tmp_path):
    trials = some_trials(12)
    text = json.dumps(study(trials, best=[0, 1]))
    name = f"{HOSTILE}.slope"
    text = text.replace('"surrogate.slope"', json.dumps(name))
    text = text.replace('"sigmoid"', json.dumps(HOSTILE))
    found = json.loads(text)
    found |= {"study": HOSTILE, "command": HOSTILE, "base": [HOSTILE], "version": HOSTILE}
    found["objectives"][0]["name"] = HOSTILE
    for one in found["trials"]:
        one["command"] = HOSTILE
        choices = {"surrogate": {"kind": "categorical", "choices": [HOSTILE, "q_pseudo_spike"]}}
        one["distributions"]["surrogate"] = distribution(choices["surrogate"])
        one["runs"][0]["directory"] = "javascript:alert(1)"
    found["trials"].append(trial(12, "failed", error=HOSTILE, reason=HOSTILE))
    (tmp_path / "javascript:alert(1)").mkdir()
    (tmp_path / "study.json").write_text(json.dumps(found))
    page = Page(write_sweep_report(tmp_path))
    assert len([kind for kind, _ in page.scripts]) == 3
    assert "b" not in page.tags
    assert page.words.count(HOSTILE) > 15
    assert not set("<>&") & set(page.data)
    assert not [link for link in page.links if link.startswith("javascript:")]
    assert page.section("importance")  # of names that Optuna takes as they are

    def texts(value, key=""):
        if isinstance(value, dict):
            for name, item in value.items():
                yield from texts(item, name)
        elif isinstance(value, list):
            for item in value:
                yield from texts(item, key)
        elif isinstance(value, str):
            yield key, value

    for key, shown in texts([page.figures, page.notes]):
        assert "<script" not in shown
        assert not re.search(r"<(?!br>|/?b>trial|/b>|b>|extra></extra>|/extra>)", shown), (
            key,
            shown,
        )
        assert "<b>x" not in shown
        if key != "hovertemplate":
            assert "$" not in shown.replace("&#36;", "")


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [trial(0, "waiting", parameters={})],
        [trial(0, "running")],
        [trial(0, "failed", error="x"), trial(1, "failed", error="y")],
        [trial(0, "pruned", intermediate={"1": 0.5})],
        [trial(0)],
        [trial(0), trial(1)],
        [trial(0, values=[None]), trial(1, values=[float("nan")]), trial(2, values=[float("inf")])],
        [trial(n, values=[0.0]) for n in range(12)],
        [trial(n, parameters={"surrogate.slope": float("nan")}) for n in range(12)],
    ],
    ids=["none", "waiting", "running", "failed", "pruned", "one", "two", "nan", "zero", "slope"],
)
@pytest.mark.parametrize("directories", [False, True])
def test_however_far_the_sweep_came(tmp_path, trials, directories):
    for one in trials if directories else ():
        metrics_file(tmp_path / "trials" / str(one["number"]), 2)
    page = write(tmp_path, study(trials, best=[0]))
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    finished = [t for t in trials if t["values"] and t["values"][0] == 0.9]
    assert ("No trial has finished yet." in page.words) == (
        not [t for t in trials if t["values"] and t["values"][0] in (0.9, 0.0)]
    )
    assert page.section("curves") or not directories or not trials or not finished


def test_files_that_are_missing_or_half_written(tmp_path):
    trials = some_trials(6)
    for number in range(6):
        metrics_file(tmp_path / "trials" / str(number), 3)
    at = tmp_path / "trials"
    text = (at / "0" / "metrics.csv").read_text()
    (at / "0" / "metrics.csv").write_text(text[: text.rindex("\n", 0, -1) + 12])  # no whole third
    (at / "1" / "metrics.csv").write_bytes(b"\xff\xfe\x00step,epoch\n\x00\x00,,\n\n")
    (at / "2" / "metrics.csv").unlink()
    (at / "2" / "metrics.csv").mkdir()
    shutil.rmtree(at / "3")
    (at / "4" / "metrics.csv").write_text("")
    (at / "5" / "metrics.csv").write_text(text.replace("0.7", "nan").replace("1.0", "inf"))
    trials[3]["runs"].append({"seed": 1, "directory": "../../etc", "metrics": {"x": None}})
    trials[4]["runs"] = None
    page = write(tmp_path, study(trials, best=[99]))
    (figure,) = page.section("curves")
    line = next(t for t in figure["data"] if t["meta"] == 0 and 0 in t["customdata"])
    assert [y for y, n in zip(line["y"], line["customdata"], strict=True) if n == 0] == [0.5, 0.6]
    assert page.row(0)[-4] == "2"


def test_a_study_of_the_wrong_kind_is_no_trace(tmp_path):
    for text in ("", '{"study": "half', "[]", '{"objectives": []}'):
        (tmp_path / "study.json").write_text(text)
        with pytest.raises(ValueError, match=r"^study\.json: "):
            write_sweep_report(tmp_path)
    with pytest.raises(FileNotFoundError):
        write_sweep_report(tmp_path / "nowhere")
    assert not (tmp_path / "report.html").exists()


def test_anything_may_be_missing_from_the_study(tmp_path):
    whole = study(some_trials(11), best=[0])
    junk = [None, [], {}, "x", 3, -1.5, True, float("nan"), 10**400]
    draw = random.Random(0)
    for _ in range(40):
        found = json.loads(json.dumps(whole))
        places = [found, *found["trials"], *found["parameters"].values()]
        for _ in range(draw.randint(1, 12)):
            place = draw.choice(places)
            key = draw.choice([k for k in place if k != "objectives"] or [""])
            if draw.random() < 0.5:
                place.pop(key, None)
            else:
                place[key] = draw.choice(junk)
        (tmp_path / "study.json").write_text(json.dumps(found))
        write_sweep_report(tmp_path)
    Page(tmp_path / "report.html")


def test_neither_surrogate_nor_slope(tmp_path):
    lr = {"kind": "float", "low": 1e-4, "high": 1e-1, "log": True, "when": None}
    trials = [trial(n, parameters={"optimizer.lr": 10 ** -(n + 1)}) for n in range(4)]
    page = write(tmp_path, study(trials, parameters={"optimizer.lr": lr}))
    assert page.section("slope") == []
    assert "varies neither the surrogate nor its slope" in page.words
    by_surrogate = {"surrogate": PARAMETERS["surrogate"]}
    trials = [trial(n, parameters={"surrogate": "sigmoid"}) for n in range(4)]
    (figure,) = write(tmp_path, study(trials, parameters=by_surrogate)).section("slope")
    assert figure["layout"]["xaxis"]["ticktext"] == ["sigmoid", "q_pseudo_spike"]
    (figure,) = write(
        tmp_path, study([trial(n) for n in range(4)], parameters={"surrogate.slope": SLOPE})
    ).section("slope")
    assert len(figure["data"]) == 1
    assert figure["layout"]["xaxis"]["type"] == "log"


CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")
def test_a_browser_draws_it_in_the_dark_without_a_complaint(tmp_path):
    text = json.dumps(study(some_trials(12), best=[0])).replace('"slope"', json.dumps(HOSTILE))
    write(tmp_path / "sweep", json.loads(text))
    shot = tmp_path / "shot.png"
    process = subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"),
            *("--virtual-time-budget=4000", "--window-size=900,3000", f"--screenshot={shot}"),
            *("--blink-settings=preferredColorScheme=0", "--dump-dom"),
            (tmp_path / "sweep" / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    assert "CONSOLE" not in process.stderr
    drawn = re.findall(r'data-figure="[a-z]+-\d+"[^>]*data-drawn="yes"', process.stdout)
    assert len(drawn) == len(re.findall(r'data-figure="', process.stdout)) >= 9
    if shot.exists():  # not every release does both
        with Image.open(shot) as picture:
            grey = np.asarray(picture.convert("L"))
        assert np.median(grey) < 60
        assert grey.std() > 10
