"""Pages on paper and in the dark, in a browser."""

import json
import shutil

import pytest
from browser import CHROMIUM, browser
from reader import DRAWN
from runs import copy_run, records

from surrolab.report.site import write_site

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")

# A4 within its margins, in the pixels of a style: the index lies on its side.
WIDTHS = {"index": 1032, "run": 688}
# Texts and plots that take no room, though nothing hides them on the screen.
LOST = """(() => {
  const lost = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode;
    const element = node.parentElement;
    const apart = 'nav, button:not(th button), script, style, noscript, option, [hidden], .unseen, '
      + '.plot, label:has(:placeholder-shown)';
    if (!node.data.trim() || element.closest(apart)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const { width, height } = range.getBoundingClientRect();
    const faint = getComputedStyle(element);
    const seen = width && height && faint.visibility === 'visible' && faint.opacity > 0.5;
    if (!seen) lost.push(node.data);
  }
  for (const element of document.querySelectorAll('select, input[type=checkbox], .plot svg')) {
    if (!element.getBoundingClientRect().width) lost.push(element.outerHTML.slice(0, 200));
  }
  for (const element of document.querySelectorAll('.scroll, .wide, table, pre, .log')) {
    const high = element.scrollHeight > element.clientHeight + 1
      && getComputedStyle(element).overflowY !== 'visible';
    if (high || element.scrollWidth > element.clientWidth + 1) {
      lost.push(`clipped: ${element.outerHTML.slice(0, 200)}`);
    }
  }
  return lost;
})()"""
# Colours as a plot and a page have them: of the page, of texts, of notes, of links, of a line.
COLOURS = """(() => {
  const of = (selector, key) => getComputedStyle(document.querySelector(selector))[key];
  return [of('body', 'backgroundColor'), of('body', 'color'), of('.faint', 'color'),
    of('a', 'color'), of('.plot .scatterlayer path.js-line', 'stroke'),
    of('.plot .xtick text', 'fill')];
})()"""


@pytest.fixture(scope="module")
def pages(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("looks")
    for surrogate in ("sigmoid", "atan", "triangle"):
        notes = f"{surrogate}: what the shape does to the first layer, second try"
        copy_run(trained.path, folder / "runs" / surrogate, surrogate=surrogate, notes=notes)
    failed = copy_run(trained.path, folder / "runs" / "failed", notes="x" * 80)
    records(failed)
    result = json.loads((failed / "result.json").read_text())
    findings = [{"message": "hidden1 is silent", "first_epoch": 0, "last_epoch": 2}]
    result |= {"status": "failed", "error": "no memory", "findings": findings}
    (failed / "result.json").write_text(json.dumps(result))
    (failed / "train.log").write_text("a line of the log\n" * 200)
    index = write_site([folder / "runs"], folder / "site")
    (run,) = index.parent.glob("runs/failed-*.html")
    yield {"index": index, "run": run}
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["index", "run"])
def test_paper_hides_nothing(pages, name, tmp_path):
    with browser(tmp_path / "profile") as tab:
        tab.look(width=WIDTHS[name])
        tab.open(pages[name].as_uri())
        tab.until(DRAWN)
        tab.send("Emulation.setEmulatedMedia", media="print")
        tab.evaluate("dispatchEvent(new Event('beforeprint'))")
        tab.until(DRAWN)
        assert tab.evaluate(LOST) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= WIDTHS[name]


def contrast(one, other):
    """Of two colours, as WCAG has it."""

    def light(colour):
        parts = [float(part) / 255 for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05

    high, low = sorted((light(one), light(other)), reverse=True)
    return high / low


@pytest.mark.parametrize("name", ["index", "run"])
def test_the_dark_has_colours_of_its_own(pages, name, tmp_path):
    with browser(tmp_path / "profile") as tab:
        tab.look()
        tab.open(pages[name].as_uri())
        tab.until(DRAWN)
        light = tab.evaluate(COLOURS)
        tab.look(dark=True)
        tab.until(f"JSON.stringify({COLOURS}) !== {json.dumps(json.dumps(light))}")
        tab.until(f"{COLOURS}.at(-1) !== {json.dumps(light[-1])}")
        dark = tab.evaluate(COLOURS)
    for one, other in zip(light, dark, strict=True):
        assert one != other
    for page, *others in (light, dark):
        for i, colour in enumerate(others):
            assert contrast(page, colour) >= (3 if i == 3 else 4.5), (i, page, colour)
