"""snnTorch's tutorial 5: the same network here and there."""

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.comparison import dots, reaches
from surrolab.results.records import Records
from surrolab.results.statistics import bounds, differences, interval, said

PUBLISHED = 0.9387  # of MNIST
BATCH, TRAINING = 128, 3500  # of mnist5k
OBJECTIVES = {"ce_step": "every step counts", "ce_rate": "by spike counts"}


def groups(records: Records) -> dict[str, Records]:
    """Name and runs of everything that was trained."""
    found = {"snnTorch, mnist5k": records.of("library")}
    for study in ("mnist5k", "mnist"):
        for objective, how in OBJECTIVES.items():
            some = records.of(study, objective=objective)
            if some:
                found[f"`{objective}` ({how}), {study}"] = some
    return found


def claims(records: Records) -> list[Claim]:
    """Accuracies; only those of MNIST itself can be held against the tutorial's."""
    found = []
    for name, some in groups(records).items():
        ours = some.metric("test/accuracy")
        same_data = some[0].study == "mnist"
        published: float | str = PUBLISHED if same_data else f"{PUBLISHED:.3f} (MNIST)"
        holds = reaches(ours, PUBLISHED) if same_data else None
        found.append(Claim(name, published, ours, some, holds))
    return found


def figure(records: Records) -> Figure:
    """Accuracy by seed, beside the tutorial's."""
    drawn = Figure(figsize=(7, 3.4), layout="constrained")
    axis = drawn.subplots()
    columns = {
        name.replace("`", "").replace(" (", "\n(").replace(", ", "\n"): some.metric("test/accuracy")
        for name, some in groups(records).items()
    }
    dots(axis, columns, {"tutorial, one epoch of MNIST": PUBLISHED})
    axis.set_ylabel("test accuracy", fontsize=8)
    return drawn


def findings(records: Records) -> str:
    """What came out, in words."""
    library = records.of("library")
    steps = library[0].values["gradient_steps"]
    there = library.metric("test/accuracy")
    told = [
        f"snnTorch itself reaches {interval(there)[0]:.1%} on mnist5k after {steps:g} gradient "
        f"steps, each image seen {steps * BATCH / TRAINING:.1f} times, where MNIST shows each once."
    ]
    for objective in OBJECTIVES:
        ours = records.of("mnist5k", objective=objective).metric("test/accuracy")
        told.append(f"`{objective}` reaches {interval(ours)[0]:.1%} here.")
    counts = records.of("mnist5k", objective="ce_rate").metric("test/accuracy")
    gap = differences(counts, there)
    low, high = bounds(gap)
    same = "do not differ beyond their seeds" if low <= 0 <= high else "differ"
    told.append(
        f"By spike counts, as the tutorial has it, that is {said(gap, 1, 100, '+')} points from "
        f"snnTorch: the two {same}."
    )
    whole = records.of("mnist")
    if whole:
        for objective in OBJECTIVES:
            ours = whole.of(objective=objective).metric("test/accuracy")
            verdict = "reached" if reaches(ours, PUBLISHED) else "not reached"
            told.append(
                f"On MNIST `{objective}` has {interval(ours)[0]:.2%} after an epoch: the "
                f"tutorial's {PUBLISHED:.2%} is {verdict}."
            )
    else:
        told.append("MNIST's own files were not at hand, so its figure is not held against these.")
    return " ".join(told)
