"""A page of the site, read back."""

import base64
import json
import zlib
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

VOID = {"meta", "br", "link", "img", "input"}


def unpacked(text):
    if not text.startswith("{"):
        text = zlib.decompress(base64.b64decode(text, validate=True))
    return json.loads(text)


class Page(HTMLParser):
    """What a browser would find in a page of the site."""

    def __init__(self, path):
        super().__init__()
        self.path, self.words, self.addresses, self.open = path, "", [], []
        self.tags, self.scripts, self.rows, self.plots = [], [], [], {}
        self.terms, self.texts, self.id = [], {}, None
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []
        self.data = {kind: unpacked(text) for kind, text in self.scripts if kind}
        self.figures = self.data["figures"]["figures"]
        self.lists = self.data["figures"].get("lists", {})
        # What the page's script says in words.
        lines = [line for found in self.lists.values() for line in found]
        self.words += "\n".join("".join(line) for line in lines)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.id = attributes.get("id", self.id)
        if tag == "dt":
            self.terms.append(["", ""])
        self.addresses += [attributes[name] for name in ("src", "href") if name in attributes]
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "script":
            self.scripts.append([attributes.get("id"), ""])
        if "data-figure" in attributes:
            self.plots[attributes["data-figure"]] = attributes
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.id = None
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1][1] += data
        else:
            self.words += data
        if self.id:
            self.texts[self.id] = self.texts.get(self.id, "") + data
        for place, tag in enumerate(("dt", "dd")):
            if self.open and tag in self.open:
                self.terms[-1][place] += data
        if self.rows and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    @property
    def facts(self):
        """What is said of the terms in its lists."""
        return dict(self.terms)

    @property
    def table(self):
        """Rows of the index by their heads."""
        heads = self.rows[0]
        return [dict(zip(heads, row, strict=True)) for row in self.rows[1:] if row]

    def missing(self):
        """Addresses within the site that lead nowhere, and those that lead out of it."""
        lost = []
        for address in self.addresses:
            parts = urlsplit(address)
            if parts.scheme:
                lost += [] if address.startswith("file:///") else [address]
            elif parts.path and not (self.path.parent / unquote(parts.path)).exists():
                lost.append(address)
        return lost


def page_of(site, name):
    (path,) = (site / "runs").glob(f"{name}-????????.html")
    return Page(path)
