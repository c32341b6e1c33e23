"""docs/results: the table of all results, a page and a figure for each, made of records alone."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

from surrolab.errors import UserError
from surrolab.files import write_text
from surrolab.report.summary import duration
from surrolab.results.claims import Claim
from surrolab.results.definition import BUDGETS, FOLDER, Result, Study, names, read_result
from surrolab.results.figures import save
from surrolab.results.markdown import table
from surrolab.results.records import Records, read_records, records_file
from surrolab.results.statistics import interval, said

HEAD = """# Results

Published results, run here again: each by the command of its row, which leaves a record of every
run in `records/`; this table, the pages and the figures are made of those records by
`make results`, and nothing in them is typed by hand.

Ours is the mean over seeds with its 95 % interval (Student's t). A network is that of the epoch
chosen on validation, and what was chosen, such as the best slope, was chosen on validation too. The
difference is ours less the published value. Time is that of the runs on one core each, all added
up, with whatever else the machine did. Budgets: `published` is that of the paper, `short` what two
cores do in at most two hours, `quick` a try-out (`make reproduce RESULT=... QUICK=1`); a page says
what a budget leaves out.
"""
COLUMNS = (
    *("result", "what", "published", "ours", "difference", "came out", "seeds", "runs", "time"),
    *("budget", "command", "commit"),
)


@dataclass(frozen=True)
class Outcome:
    """What came out of a result at a budget."""

    result: Result
    budget: str
    records: Records

    @property
    def analysis(self) -> ModuleType:
        return importlib.import_module(f"surrolab.results.analyses.{self.result.name}")

    @property
    def command(self) -> str:
        return command(self.result.name, self.budget)

    @property
    def figure_name(self) -> str:
        return f"{self.result.name}.{self.budget}.svg"

    @cached_property
    def claims(self) -> list[Claim]:
        claims: list[Claim] = self.analysis.claims(self.records)
        return claims


def command(name: str, budget: str) -> str:
    """The line that makes a result again."""
    more = {"published": "", "quick": " QUICK=1"}.get(budget, f" BUDGET={budget}")
    return f"make reproduce RESULT={name}{more}"


def analysed() -> list[str]:
    """Names of the results that have an analysis."""
    folder = Path(__file__).with_name("analyses")
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def outcomes(ledger: Path, folder: Path = FOLDER) -> list[Outcome]:
    """All that there are records of, by result and from the largest budget to the smallest.

    Raises:
        UserError: a file of records is not as it should be.
    """
    found = []
    for name in names(folder):
        for budget in BUDGETS:
            path = records_file(ledger, name, budget)
            if path.is_file():
                found.append(Outcome(read_result(name, folder), budget, read_records(path)))
    return found


def write_ledger(ledger: Path, folder: Path = FOLDER) -> list[Outcome]:
    """Make table, pages and figures of the records; what they were made of.

    Raises:
        UserError: a file of records is not as it should be, or does not hold what is asked of it.
    """
    found = outcomes(ledger, folder)
    by_result: dict[str, list[Outcome]] = {}
    for outcome in found:
        by_result.setdefault(outcome.result.name, []).append(outcome)
    rows: list[list[str]] = []
    for name, some in by_result.items():
        pages = [section(outcome) for outcome in some]
        for outcome in some:
            save(outcome.analysis.figure(outcome.records), ledger / "figures" / outcome.figure_name)
            rows += [cells(outcome, claim) for claim in outcome.claims]
        write_text(ledger / f"{name}.md", page(some[0].result, pages))
    write_text(ledger / "README.md", f"{HEAD}\n{table(COLUMNS, rows)}\n")
    return found


def page(result: Result, sections: Sequence[str]) -> str:
    """The page of a result."""
    about = result.about
    text = f"""# {about["title"]}

{about["paper"]}; {about["shows"]}. What it takes:
[{result.name}.yaml](../../sweeps/results/{result.name}.yaml).

**Taken from there.** {about["taken"]}

**Filled in.** {about["filled_in"]}
"""
    return "\n".join([text, *sections])


def section(outcome: Outcome) -> str:
    """What came out at a budget."""
    records = outcome.records
    columns = ("what", "published", "ours", "difference", "came out", "runs")
    full = [dict(zip(COLUMNS, cells(outcome, claim), strict=True)) for claim in outcome.claims]
    rows = [[cells[name] for name in columns] for cells in full]
    counted = "runs" if any("/" in name for name in records[0].metrics) else "measurements"
    return f"""## Budget: {outcome.budget}

`{outcome.command}`: {len(records)} {counted}, {duration(records.time_s())} on one core, commit
{", ".join(records.commits())}. {changes(outcome)}

{outcome.analysis.findings(records).strip()}

![{outcome.result.about["title"]}](figures/{outcome.figure_name})

{table(columns, rows)}
"""


def changes(outcome: Outcome) -> str:
    """What a budget changes, in words."""
    told = []
    for study, what in outcome.result.budgets.get(outcome.budget, {}).items():
        parts = []
        for key, value in what.items():
            if isinstance(value, dict):
                parts += [f"{name}={_short(item)}" for name, item in value.items()]
            elif key == "base":
                parts += [f"{word}" for word in value]
            else:
                parts.append(f"{key}={_short(value)}")
        told.append(f"`{study}`: " + ", ".join(f"`{part}`" for part in parts))
    run = {record.study for record in outcome.records}
    missing = [study for study in outcome.result.studies if study not in run]
    words = [f"`{study}`{_why(outcome.result.studies[study])}" for study in missing]
    files = f" Not run: {', '.join(words)}." if missing else ""
    if told:
        return f"Other than published: {'; '.join(told)}.{files}"
    return files.strip() or "Nothing is left out."


def _why(study: Study) -> str:
    return f", which needs {study['needs']}" if "needs" in study else ""


def _short(value: object) -> str:
    return str(value).replace(" ", "")


def cells(outcome: Outcome, claim: Claim) -> list[str]:
    """The row of a claim."""
    mean, digits = interval(claim.ours)[0], claim.digits
    published, difference = claim.published, ""
    if isinstance(published, int | float):
        difference = f"{mean - published:+.{digits}f}"
        published = f"{published:.{digits}f}"
    unit = "" if claim.unit == "fraction" else f" {claim.unit}"
    came = {None: "", True: "yes", False: "**no**"}[claim.holds]
    return [
        f"[{outcome.result.name}]({outcome.result.name}.md)",
        claim.what,
        published or "",
        said(claim.ours, digits) + unit,
        difference,
        came,
        str(len(claim.ours)),
        str(len(claim.records)),
        duration(claim.records.time_s()),
        outcome.budget,
        f"`{outcome.command}`",
        ", ".join(claim.records.commits()),
    ]


def check_analysis(result: Result) -> None:
    """Refuse a result that nothing could be said of, before anything runs.

    Raises:
        UserError: it has no analysis.
    """
    if result.name not in analysed():
        raise UserError(
            f"RESULT: {result.name} has no analysis; allowed: {', '.join(analysed())}, or a module "
            f"of that name in surrolab/results/analyses"
        )
