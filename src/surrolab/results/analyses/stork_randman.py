"""stork's example on random manifolds: the same accuracy from the same setting?"""

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.comparison import dots, reaches
from surrolab.results.records import Records, best
from surrolab.results.statistics import interval

PUBLISHED = 0.963
STEPS, STEP_MS = 100, 2.0  # of a sample


def chosen(records: Records) -> Records:
    """At the learning rate that is best on validation, if several were tried."""
    return best(records.of("shallow"), ["optimizer.lr"])


def claims(records: Records) -> list[Claim]:
    """Test accuracy, and how active the network is."""
    some = chosen(records)
    ours = some.metric("test/accuracy")
    spikes = [STEPS * rate for rate in some.metric("spikes/hidden1/rate")]
    return [
        Claim("test accuracy", PUBLISHED, ours, records.of("shallow"), reaches(ours, PUBLISHED)),
        Claim(
            "spikes of a hidden neuron in a sample (bounded from above at 4)",
            None,
            spikes,
            some,
            unit="spikes",
            digits=2,
        ),
    ]


def figure(records: Records) -> Figure:
    """Accuracy by seed, beside the example's."""
    drawn = Figure(figsize=(4.5, 3.2), layout="constrained")
    axis = drawn.subplots()
    some = chosen(records)
    names = {"validation": "val/accuracy", "test": "test/accuracy"}
    dots(
        axis,
        {name: some.metric(metric) for name, metric in names.items()},
        {f"stork's example, {PUBLISHED:.1%}": PUBLISHED},
    )
    axis.set_ylabel("accuracy", fontsize=8)
    return drawn


def findings(records: Records) -> str:
    """What came out, in words."""
    some = chosen(records)
    ours = some.metric("test/accuracy")
    mean, _ = interval(ours)
    rate = some.mean("spikes/hidden1/rate")
    gap = 100 * (mean - PUBLISHED)
    if mean >= PUBLISHED:
        verdict = "the example's figure is reached"
    elif reaches(ours, PUBLISHED):
        verdict = "the example's figure lies in the 95 % interval of the seeds"
    else:
        verdict = "the example's figure is not reached"
    return (
        f"At learning rate {some[0].values['optimizer.lr']:g} the network classifies {mean:.1%} "
        f"of the test samples, {abs(gap):.1f} points {'above' if gap >= 0 else 'below'} the "
        f"example's {PUBLISHED:.1%}: {verdict}. Its hidden neurons fire {STEPS * rate:.1f} spikes "
        "in a sample "
        f"({1000 * rate / STEP_MS:.1f} Hz)."
    )
