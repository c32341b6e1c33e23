"""``surrolab reproduce RESULT``: a published result, from its runs to its row in the ledger."""

from pathlib import Path
from typing import Any

from surrolab.errors import UserError

HELP = """usage: surrolab reproduce RESULT [key=value ...]
       surrolab reproduce --list
       surrolab reproduce --rebuild [ledger=DIR]

Run what it takes to make a published result again, and put what came out into the ledger: a record
of each run, a figure, a page and rows of the table. The same command again goes on where it was
stopped; Ctrl-C stops it after saving. --rebuild runs nothing and makes table, pages and figures of
the records that are there.

  budget=NAME   published, the paper's; short, what two cores do in two hours; quick, a try-out
  workers=K     processes of each study; by default one for each GPU, or each core
  output=DIR    of the runs; by default outputs/results/RESULT/BUDGET
  ledger=DIR    by default docs/results

Results (sweeps/results/RESULT.yaml):
{results}"""
KEYS = ("budget", "workers", "output", "ledger")


def run_command(words: list[str]) -> int:
    """Reproduce a result, or make the ledger again; the exit status.

    Raises:
        UserError: a result, budget or key that there is not.
        RunError: runs that fail.
        KeyboardInterrupt: it was told to stop, and has saved.
    """
    from surrolab.results.definition import names, read_result

    if not words or {"-h", "--help"} & set(words):
        print(HELP.format(results=_listed()))
        if not words:
            raise UserError(f"RESULT: missing; allowed: {', '.join(names())}")
        return 0
    if words == ["--list"]:
        print(_listed())
        return 0
    rebuild = "--rebuild" in words
    name, given = _read([word for word in words if word != "--rebuild"], rebuild)
    ledger = Path(given.get("ledger", "docs/results"))
    if not rebuild:
        result = read_result(name)
        workers = given.get("workers", "auto")
        if workers != "auto" and not (workers.isdecimal() and int(workers)):
            raise UserError(
                f"workers: {workers!r} is not allowed; allowed: auto, or a whole number above 0"
            )
        if name != result.name and "ledger" not in given:
            raise UserError(
                "ledger: missing; allowed beside a file of your own: ledger=DIR, so that no record "
                "of docs/results is written over"
            )
        budget = given.get("budget", "published")
        result.at(budget)  # refused before the heavy imports
        from surrolab.results.ledger import check_analysis
        from surrolab.results.reproduce import reproduce

        check_analysis(result)
        output = Path(given.get("output", f"outputs/results/{result.name}/{budget}"))
        reproduce(result, budget, output, ledger, workers)
    from surrolab.results.ledger import write_ledger

    found = write_ledger(ledger)
    for outcome in found:
        if rebuild or (outcome.result.name, outcome.budget) == (name, budget):
            _tell(outcome, ledger)
    return 0


def _tell(outcome: Any, ledger: Path) -> None:
    from surrolab.results.ledger import cells

    for claim in outcome.claims:
        shown = cells(outcome, claim)
        published = f" (published: {shown[2]})" if shown[2] else ""
        print(f"{outcome.result.name}: {shown[1]}: {shown[3]}{published}")
    print(f"page: {ledger / outcome.result.name}.md")


def _read(words: list[str], rebuild: bool) -> tuple[str, dict[str, str]]:
    given: dict[str, str] = {}
    results: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if word.startswith("-"):
            raise UserError(
                f"{word}: not allowed here; allowed: --list alone, --rebuild, --help, --debug"
            )
        if not equals:
            results.append(word)
        elif key not in KEYS:
            raise UserError(f"{key}: no such key; allowed: {', '.join(KEYS)}")
        elif not value:
            raise UserError(f"{key}: nothing is given; allowed: {key}=VALUE")
        else:
            given[key] = value
    if rebuild and (results or set(given) - {"ledger"}):
        raise UserError(f"{' '.join(words)}: too much; allowed beside --rebuild: ledger=DIR")
    if not rebuild and len(results) != 1:
        what = "missing" if not results else f"{len(results)} of them ({', '.join(results)})"
        raise UserError(f"RESULT: {what}; allowed: one of surrolab reproduce --list")
    return results[0] if results else "", given


def _listed() -> str:
    from surrolab.results.definition import names, read_result

    lines = []
    for name in names():
        about = read_result(name).about
        lines.append(f"  {name:24} {about['title']} ({about['paper'].partition(',')[0]})")
    return "\n".join(lines)
