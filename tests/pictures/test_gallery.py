"""The gallery's page and picture, read back."""

import math
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from surrolab.cli.surrogates import run_command
from surrolab.pictures.portrait import curves, figures, formula, link, stretch, unstretch
from surrolab.run.construct import build
from surrolab.schema import options
from surrolab.surrogates import NoSurrogate, Sigmoid, StraightThrough, Triangle

SHIPPED = {name: build("surrogate", node) for name, node in options("surrogate").items()}
VOID = {"meta", "rect", "path", "br", "link", "img", "input"}


class Card:
    def __init__(self, attributes):
        self.attributes = attributes
        self.paths = {}
        self.rects = []
        self.texts = []  # (x, y, label) of the drawing
        self.view_box = None
        self.names = set()
        self.words = ""
        self.links = []


class Page(HTMLParser):
    """The cards of the page, its tags in order, and what it would load."""

    def __init__(self, text):
        super().__init__()
        self.cards, self.tags, self.loads, self.open = [], [], [], []
        self.rows = []
        self.feed(text)
        assert self.open == []

    @property
    def card(self):
        return self.cards[-1] if "article" in self.open else None

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag not in VOID and tag != "!doctype":
            self.open.append(tag)
        if tag != "a":
            names = ("src", "href", "srcset", "data", "action", "xlink:href", "poster")
            self.loads += [attributes[name] for name in names if name in attributes]
        if tag == "article":
            self.cards.append(Card(attributes))
        if tag == "tr":
            self.rows.append(attributes)
        card = self.card
        if card is None:
            return
        if tag == "svg":
            card.view_box = attributes["viewbox"]
            card.attributes |= {"role": attributes["role"]}
            card.names = set(attributes["aria-labelledby"].split())
        elif tag == "path" and attributes["class"] in ("derivative", "primitive"):
            card.paths[attributes["class"]] = points(attributes["d"])
        elif tag == "rect":
            card.rects.append({key: float(attributes[key]) for key in ("x", "width")})
        elif tag == "text":
            card.texts.append([float(attributes["x"]), float(attributes["y"]), ""])
        elif tag in ("title", "desc"):
            card.names.discard(attributes["id"])
        elif tag == "a":
            card.links.append(attributes["href"])

    def handle_endtag(self, tag):
        if tag not in VOID:  # a browser writes </path>
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.card is not None:
            self.card.words += data
            if self.open[-1] == "text":
                self.card.texts[-1][2] += data


def points(path):
    numbers = np.array([[float(n) for n in pair.split()] for pair in path[1:].split("L")])
    assert np.isfinite(numbers).all()
    return numbers


def values(card, kind):
    """The curve read off the drawing by its ticks, as someone with a ruler would."""
    across = {text: x for x, y, text in card.texts[:3]}
    up = {text: y - 4 for x, y, text in card.texts[3:]}
    unit = up["0"] - up["1"]
    pixels = card.paths[kind]
    x = (pixels[:, 0] - across["0"]) / (across["1"] - across["0"])
    place = (up["0"] - pixels[:, 1]) / unit
    y = np.where(abs(place) > 1, np.sign(place) * np.exp(abs(place) - 1), place)
    return x, y


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery") / "new" / "folder"
    words = ["surrogate=triangle", "surrogate.slope=3", "surrogate.normalize=area"]
    assert run_command([*words, "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def page(made):
    return Page((made / "surrogates.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_beside_it(made, page):
    assert page.loads == []
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    text = (made / "surrogates.html").read_text(encoding="utf-8")
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text  # and a browser would refuse it
    assert {path.name for path in made.iterdir()} == {"surrogates.html", "surrogates.png"}


def test_every_option_has_a_card_and_a_row(page):
    names = [card.attributes["data-option"] for card in page.cards]
    assert sorted(names) == sorted(options("surrogate"))
    assert len(page.rows) == 1 + len(names)  # the head of the table


def test_the_choice_comes_first_and_alone_is_marked(page):
    first, *others = page.cards
    assert first.attributes["data-option"] == "triangle"
    assert first.attributes["aria-current"] == "true"
    assert "chosen" in first.attributes["class"]
    assert re.search(r"slope 3,\s*scale 1\b", first.words)
    assert "your configuration" in first.words
    assert "slope 1, scale 1, normalize native" in first.words  # as shipped
    for card in others:
        assert "aria-current" not in card.attributes
        assert "chosen" not in card.attributes["class"]
    assert [row.get("class") for row in page.rows[1:]] == ["chosen"] + [None] * len(others)


def test_all_cards_share_their_axes(page):
    first = page.cards[0]
    ticks = first.texts
    assert {"-1".replace("-", "\N{MINUS SIGN}"), "0", "1"} <= {text for _, _, text in ticks}
    for card in page.cards:
        assert card.view_box == first.view_box
        assert card.texts == ticks


def test_curves_read_off_the_drawing_have_the_stated_peak(page):
    for card in page.cards:
        name = card.attributes["data-option"]
        surrogate = Triangle(3.0, normalize="area") if name == "triangle" else SHIPPED[name]
        _, h = values(card, "derivative")
        assert abs(h).max() == pytest.approx(figures(surrogate)[0], rel=0.02, abs=0.01), name


def test_primitives_read_off_the_drawing_rise_by_what_lies_under_the_derivative(page):
    checked = 0
    for card in page.cards:
        name = card.attributes["data-option"]
        if "primitive" not in card.paths:
            assert not SHIPPED[name].has_primitive
            continue
        if name == "none":  # its derivative is that of a step
            continue
        x, h = values(card, "derivative")
        _, primitive = values(card, "primitive")
        area = ((h[1:] + h[:-1]) / 2 * np.diff(x)).sum()
        assert primitive[-1] - primitive[0] == pytest.approx(area, rel=0.03, abs=0.02), name
        checked += 1
    assert checked >= 6


def test_the_window_is_where_the_derivative_is_seen(page):
    for card in page.cards:
        name = card.attributes["data-option"]
        surrogate = Triangle(3.0, normalize="area") if name == "triangle" else SHIPPED[name]
        (rect,) = card.rects
        across = {text: x for x, _, text in card.texts[:3]}
        half = rect["width"] / 2 / (across["1"] - across["0"])
        assert half == pytest.approx(min(figures(surrogate)[2], 1.5), abs=0.001), name
        assert rect["x"] + rect["width"] / 2 == pytest.approx(across["0"], abs=0.01)
        peak, area, _ = (
            "∞" if math.isinf(value) else f"{value:.4g}" for value in figures(surrogate)
        )
        words = " ".join(card.words.split())
        assert f"peak{peak} area{area} window±" in words.replace(" peak", "peak"), words


def test_every_drawing_is_named_for_those_who_do_not_see_it(page):
    for card in page.cards:
        assert card.attributes["role"] == "img"
        assert card.names == set()  # all that names it is there


def test_sources_lead_to_where_they_can_be_read(page):
    for card in page.cards:
        source = SHIPPED[card.attributes["data-option"]].source
        if "doi:" in source or "arXiv:" in source:
            (address,) = card.links
            assert re.match(
                r"https://(doi\.org/10\.\d+/\S+[\w)]|arxiv\.org/abs/\d+\.\d+)$", address
            )
        else:
            assert card.links == []


def test_links_and_formulas():
    assert link("a, doi:10.1126/sciadv.adi1480; sinabs") == "https://doi.org/10.1126/sciadv.adi1480"
    assert link("Bengio et al. 2013, arXiv:1308.3432") == "https://arxiv.org/abs/1308.3432"
    assert link("Dspike, Li et al. 2021, NeurIPS 34") is None
    assert formula(Sigmoid()) == "h(x) = k s (1 - s) with s = sigmoid(k x)"
    assert formula(StraightThrough()) == "h(x) = 1 everywhere"
    assert formula(NoSurrogate()) == "The true derivative of the step: 0 (almost) everywhere"
    for name, surrogate in SHIPPED.items():
        assert 5 < len(formula(surrogate)) < 110, name
        assert "`" not in formula(surrogate)


def test_the_picture_can_be_read(made):
    with Image.open(made / "surrogates.png") as picture:
        picture.load()
        assert picture.format == "PNG"
        assert min(picture.size) > 600
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    red = (abs(colours.astype(int) - (0xB9, 0x1C, 0x1C)).sum(axis=1) < 30).sum()
    assert red > 1000  # the frame around what is chosen


def test_the_axis_is_linear_up_to_one_and_logarithmic_beyond():
    y = np.array([-100.0, -1.0, -0.3, 0.0, 0.3, 1.0, math.e, math.e**2])
    assert stretch(y)[1:] == pytest.approx([-1, -0.3, 0, 0.3, 1, 2, 3])
    assert unstretch(stretch(y)) == pytest.approx(y)
    slopes = np.diff(stretch(np.array([0.999, 1.0, 1.001]))) / 0.001
    assert slopes == pytest.approx([1, 1], rel=1e-3)  # no corner where they meet


@pytest.mark.parametrize("slope", [1e-300, 1e300])
def test_no_slope_is_too_much(tmp_path, slope):
    assert (
        run_command(["surrogate=sigmoid", f"surrogate.slope={slope}", f"--output={tmp_path}"]) == 0
    )
    page = Page((tmp_path / "surrogates.html").read_text(encoding="utf-8"))
    assert page.cards[0].attributes["data-option"] == "sigmoid"


@pytest.mark.parametrize("name", SHIPPED)
def test_drawing_leaves_the_random_numbers_alone(name):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, second = curves(SHIPPED[name]), curves(SHIPPED[name])
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first.derivative, second.derivative)
    assert np.isfinite(first.derivative).all()


CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")
class TestBrowser:
    def start(self, made, tmp_path, *flags):
        return subprocess.run(
            [
                CHROMIUM,
                *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", *flags),
                (made / "surrogates.html").as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_it_opens_without_a_complaint(self, made, tmp_path):
        process = self.start(made, tmp_path, "--dump-dom")
        assert process.returncode == 0
        page = Page(process.stdout)
        assert len(page.cards) == len(SHIPPED)
        assert "CONSOLE" not in process.stderr

    @pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 500)])
    def test_it_follows_light_and_dark(self, made, tmp_path, dark, width):
        shot = tmp_path / "shot.png"
        flags = ["--blink-settings=preferredColorScheme=0", "--force-dark-mode"] if dark else []
        self.start(made, tmp_path, f"--window-size={width},900", f"--screenshot={shot}", *flags)
        with Image.open(shot) as picture:
            grey = np.asarray(picture.convert("L"))
        assert grey.shape == (900, width)
        assert (np.median(grey) < 60) if dark else (np.median(grey) > 200)
        assert grey.std() > 10
