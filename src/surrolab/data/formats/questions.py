"""Questions of TREC, as Li and Roth published them: ``COARSE:fine question`` a line, Latin-1."""

import os

from surrolab.data.formats.labels import check_classes
from surrolab.data.formats.opening import opened
from surrolab.data.formats.problem import Source, shown
from surrolab.data.formats.table import TextTable

LONGEST = 1 << 16


def read_questions(
    path: str | os.PathLike[str], option: str, *, least_classes: int = 2
) -> TextTable:
    """Read questions with their coarse labels, such as ``train_5500.label``.

    Args:
        path: the file.
        option: the option that gave it, for errors.
        least_classes: how many classes there have to be.

    Raises:
        DataFileError: a line is not of this form, or there are too few classes.
    """
    source = Source(option, path)
    texts, labels = [], []
    with opened(source) as (file, _):
        row = 0
        while raw := file.readline(LONGEST + 1):
            row += 1
            line = raw.decode("latin-1").strip()
            if not line:
                continue
            label, _, text = line.partition(" ")
            coarse, colon, fine = label.partition(":")
            if not (coarse.isupper() and colon and fine and text.strip()) or len(raw) > LONGEST:
                raise source.error(
                    f"{shown(line)} is no question with its label",
                    "give lines such as 'NUM:date When was it ?'",
                    row=row,
                )
            texts.append(text.strip())
            labels.append(coarse)
    check_classes(labels, least_classes, source)
    return TextTable(texts, labels, None, None)
