"""The files in sweeps/results: what they say, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from surrolab.errors import UserError
from surrolab.results.definition import FOLDER, merged, names, read_result
from surrolab.results.ledger import analysed
from surrolab.results.measuring import check

CHECKOUT = Path(__file__).parents[2]
RESULTS = names(CHECKOUT / FOLDER)
WHOLE: dict[str, Any] = {
    **dict.fromkeys(("title", "paper", "shows", "taken", "filled_in"), "words"),
    "studies": {"one": {"base": ["data=digits"], "space": {"seed": [1]}}},
}


def test_every_result_has_an_analysis_and_every_analysis_a_result() -> None:
    assert analysed() == RESULTS


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_can_be_tried_and_is_made_with_three_seeds_or_more(name: str) -> None:
    result = read_result(name, CHECKOUT / FOLDER)
    assert "quick" in result.budgets
    for budget in ("published", "short"):
        for study in result.at(budget if budget in result.budgets else "published").values():
            assert len(study["seeds"]) >= 3
            if "measure" in study:
                check(name, "a study", study)


def test_a_budget_changes_words_and_parameters_by_their_names() -> None:
    study = {
        "base": ["data=digits", "trainer.max_epochs=50", "~surrogate.slope"],
        "space": {"surrogate": ["sigmoid"], "optimizer.lr": [0.1, 0.2]},
        "seeds": [0, 1, 2],
    }
    changes = {
        "base": ["trainer.max_epochs=2", "name=x"],
        "space": {"optimizer.lr": [0.1]},
        "seeds": [0],
    }
    assert merged(study, changes) == {
        "base": ["data=digits", "~surrogate.slope", "trainer.max_epochs=2", "name=x"],
        "space": {"surrogate": ["sigmoid"], "optimizer.lr": [0.1]},
        "seeds": [0],
    }
    assert study["seeds"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"titel": "x"}, "titel: no such key; did you mean 'title'?"),
        ({"taken": None}, "taken: missing"),
        ({"studies": {"one": 3}}, "studies: is not allowed; allowed: studies by name"),
        ({"budgets": {"long": {}}}, "budgets.long: no such name; allowed: short, quick"),
        ({"budgets": {"short": {"two": {}}}}, "budgets.short.two: no such name; allowed: one"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**WHOLE, **change}))
    with pytest.raises(UserError) as caught:
        read_result(str(path))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_result_that_there_is_not_and_a_budget_that_it_has_not() -> None:
    with pytest.raises(UserError, match=r"there is no zenke2021_fig4; did you mean .zenke2021_fig"):
        read_result("zenke2021_fig4", CHECKOUT / FOLDER)
    result = read_result("zenke2021_fig3", CHECKOUT / FOLDER)
    with pytest.raises(
        UserError, match="budget: 'long' is not allowed; allowed for zenke2021_fig3"
    ):
        result.at("long")


@pytest.mark.parametrize(
    ("study", "says"),
    [
        ({"measure": "nothing"}, "measure: 'nothing' is not allowed; allowed: "),
        ({"measure": "x", "sampler": "grid"}, "sampler: no such key"),
    ],
)
def test_a_measurement_that_there_is_not(study: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        check("result", "one", study)
