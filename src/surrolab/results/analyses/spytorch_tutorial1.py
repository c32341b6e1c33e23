"""Tutorial 1 of spytorch: random labels, with the surrogate gradient and with the true one."""

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.comparison import above, reaches
from surrolab.results.figures import scatter
from surrolab.results.records import Records
from surrolab.results.statistics import differences, interval, said

# Training accuracy in the notebook, of one draw of samples and weights.
PUBLISHED = {"surrogate_gradient": 0.859, "true_gradient": 0.512}
NAMES = {"surrogate_gradient": "surrogate gradient", "true_gradient": "true gradient"}
CHANCE = 0.5
ACCURACY = "test/accuracy"  # the samples of the test are those of training


def claims(records: Records) -> list[Claim]:
    """Both training accuracies, and how far they are apart."""
    found = []
    for study, name in NAMES.items():
        some = records.of(study)
        ours = some.metric(ACCURACY)
        published = PUBLISHED[study]
        learns = published > 0.75
        # As good as published, or as far from learning: nearer to chance than to that.
        halfway = (CHANCE + PUBLISHED["surrogate_gradient"]) / 2
        holds = reaches(ours, published) if learns else interval(ours)[0] < halfway
        found.append(Claim(f"Training accuracy, {name}", published, ours, some, holds))
    gaps = _gaps(records)
    found.append(
        Claim(
            "Training accuracy, surrogate less true gradient",
            PUBLISHED["surrogate_gradient"] - PUBLISHED["true_gradient"],
            gaps,
            records,
            above(gaps),
        )
    )
    return found


def figure(records: Records) -> Figure:
    """Training accuracy of each seed, beside the published one."""
    drawn = Figure(figsize=(4.5, 3.4), layout="constrained")
    axis = drawn.subplots()
    for at, study in enumerate(NAMES):
        ours = records.of(study).metric(ACCURACY)
        scatter(axis, at, ours, color="tab:blue", label="seeds" if at == 0 else None)
        axis.plot(
            at,
            PUBLISHED[study],
            marker="_",
            markersize=40,
            color="black",
            linestyle="none",
            label="published" if at == 0 else None,
        )
        axis.text(at + 0.25, PUBLISHED[study], f"{PUBLISHED[study]:.3f}", size=7, va="center")
    axis.axhline(CHANCE, color="grey", linewidth=0.8, linestyle=":")
    axis.set_xticks(range(len(NAMES)), list(NAMES.values()))
    axis.set_xlim(-0.6, len(NAMES) - 0.3)
    axis.set_ylim(0.4, 1.02)
    axis.set_ylabel("training accuracy", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.legend(fontsize=7, loc="center right")
    return drawn


def findings(records: Records) -> str:
    """What came out, in words."""
    told = []
    for study, name in NAMES.items():
        told.append(f"with the {name} {said(records.of(study).metric(ACCURACY), 1, 100)} %")
    apart = (
        f"the difference is {said(_gaps(records), 1, 100)} points"
        if above(_gaps(records))
        else "the two cannot be told apart"
    )
    true = interval(records.of("true_gradient").metric(ACCURACY))[0]
    more = ""
    if true > CHANCE + 0.02:
        more = (
            " The true gradient reaches the readout's weights and none before them, which is "
            "enough to learn some labels by heart."
        )
    return f"Of the random labels are learned {' and '.join(told)}; {apart}.{more}"


def _gaps(records: Records) -> list[float]:
    return differences(*(records.of(study).metric(ACCURACY) for study in NAMES))
