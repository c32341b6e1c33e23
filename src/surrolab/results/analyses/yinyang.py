"""Yin-Yang: spiking networks beside the ANN of the data set's paper."""

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.comparison import above, dots, reaches
from surrolab.results.records import Records, best
from surrolab.results.statistics import differences, interval

ANN = 0.976  # 4-30-3, with a standard deviation of 0.015
NO_HIDDEN = 0.643  # a network without a hidden layer
SMALL = 30


def control(records: Records, hidden: int) -> Records:
    """Frozen hidden weights, at the learning rate that is best for them."""
    some = records.of("true_gradient", **{"model.hidden": [hidden]})
    return best(some, ["optimizer.lr"])


def groups(records: Records) -> dict[str, Records]:
    """Name and best runs of each network that learns in its hidden layer."""
    found = {}
    for (surrogate,), some in records.of("small").by("surrogate").items():
        found[f"{SMALL} neurons, {surrogate}"] = best(some, ["optimizer.lr"])
    found["256 neurons, sigmoid"] = best(records.of("large"), ["optimizer.lr"])
    return found


def sizes(records: Records) -> list[int]:
    """Hidden neurons of the controls."""
    return sorted(hidden[0] for (hidden,) in records.of("true_gradient").by("model.hidden"))


def gain(records: Records) -> list[float]:
    """Accuracy of the small network less that of its control, by seed."""
    learned = best(records.of("small"), ["surrogate", "optimizer.lr"])
    return differences(*(r.metric("test/accuracy") for r in (learned, control(records, SMALL))))


def claims(records: Records) -> list[Claim]:
    """Each network beside the ANN, and what the hidden layer gives."""
    found = []
    for name, some in groups(records).items():
        ours = some.metric("test/accuracy")
        found.append(Claim(f"{name}, beside an ANN of 30", ANN, ours, some, reaches(ours, ANN)))
    for hidden in sizes(records):
        some = control(records, hidden)
        what = f"{hidden} neurons whose weights do not learn (true gradient)"
        found.append(Claim(what, None, some.metric("test/accuracy"), some))
    both = Records([*records.of("small"), *records.of("true_gradient")])
    what = f"{SMALL} neurons: what learning in the hidden layer adds"
    found.append(Claim(what, "a clear gap", gain(records), both, above(gain(records))))
    return found


def figure(records: Records) -> Figure:
    """Accuracy by seed, beside the ANN."""
    drawn = Figure(figsize=(7, 3.4), layout="constrained")
    axis = drawn.subplots()
    columns = {
        name.replace(", ", "\n"): some.metric("test/accuracy")
        for name, some in groups(records).items()
    }
    for hidden in sizes(records):
        columns[f"{hidden} neurons\ntrue gradient"] = control(records, hidden).metric(
            "test/accuracy"
        )
    dots(axis, columns, {"ANN, 4-30-3": ANN, "no hidden layer": NO_HIDDEN})
    axis.set_ylabel("test accuracy", fontsize=8)
    return drawn


def findings(records: Records) -> str:
    """What came out, in words."""
    means = {name: some.mean("test/accuracy") for name, some in groups(records).items()}
    told = [
        f"{name}: {mean:.1%}, {100 * (mean - ANN):+.1f} points from the ANN."
        for name, mean in means.items()
    ]
    mean, _ = interval(gain(records))
    sure = "" if above(gain(records)) else ", which the seeds do not tell from 0"
    told.append(
        f"Without a gradient into the hidden layer the best network of {SMALL} neurons is "
        f"{abs(100 * mean):.1f} points {'worse' if mean > 0 else 'better'}{sure}."
    )
    level = control(records, SMALL).mean("test/accuracy")
    told.append(
        f"It then reaches {level:.1%}, "
        + ("more" if level > NO_HIDDEN else "no more")
        + f" than a network without a hidden layer ({NO_HIDDEN:.1%})"
        + (
            ": random features of the points are of use by themselves."
            if level > NO_HIDDEN
            else "."
        )
    )
    return " ".join(told)
