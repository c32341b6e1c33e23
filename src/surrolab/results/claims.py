"""A row of the ledger: what was published, and what came out here."""

from dataclasses import dataclass

from surrolab.results.records import Records


@dataclass(frozen=True)
class Claim:
    """What was published, and what came out here.

    Args:
        what: in words.
        published: the number, or words where there is none; None: nothing was published.
        ours: one value for each seed.
        records: the runs that it rests on.
        holds: whether what was published came out; None: nothing to compare with.
        unit: "fraction", or the name of what is counted.
        digits: behind the point.
    """

    what: str
    published: float | str | None
    ours: list[float]
    records: Records
    holds: bool | None = None
    unit: str = "fraction"
    digits: int = 3
