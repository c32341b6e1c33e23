"""In which language is it? Names of countries, languages, scripts and currencies."""

from collections import defaultdict
from collections.abc import Iterator

from surrolab.data.text import Texts, TokenSequences

LANGUAGES = (
    *("cs", "da", "de", "en", "es", "fi", "fr", "hu"),
    *("it", "nl", "pl", "pt", "ro", "sv", "tr", "vi"),
)
KINDS = ("territories", "languages", "scripts", "currencies")


class Languages(TokenSequences):
    """Names from the Unicode CLDR, as Babel has them, in 16 languages of Latin script.

    A sample is what one language calls one country, language, script or currency, in small
    letters; what several languages call it is left out. All names of one thing are on one side of
    a split: the samples are grouped by it. Nothing is downloaded and ``root`` is not used.

    Source: Unicode CLDR (Unicode licence) in Babel (BSD-3). How many samples there are depends on
    Babel's version.

    Args:
        as in `TokenSequences`.
    """

    licence = "Unicode licence (CLDR)"

    def texts(self) -> Texts:
        meanings: dict[str, set[str]] = defaultdict(set)
        rows = []
        for language, thing, name in names():
            meanings[name].add(language)
            rows.append((language, thing, name))
        own = dict.fromkeys(row for row in rows if len(meanings[row[2]]) == 1)
        # One name may be that of several things in one language: the first is enough.
        first = {name: (language, thing) for language, thing, name in reversed(own)}
        return Texts(
            list(first),
            [language for language, _ in first.values()],
            None,
            [thing for _, thing in first.values()],
        )


def names() -> Iterator[tuple[str, str, str]]:
    """Language, thing and name, in small letters."""
    from babel import Locale

    for language in LANGUAGES:
        locale = Locale(language)
        for kind in KINDS:
            for key, name in sorted(getattr(locale, kind).items()):
                if name and str(name).strip():
                    yield language, f"{kind}:{key}", str(name).strip().lower()
