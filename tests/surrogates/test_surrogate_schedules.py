"""How slope and scale move: schedules against their closed forms, windows against the spread."""

import inspect
import math

import pytest
import torch

import surrolab.surrogates
from surrolab.surrogates import Boxcar, FastSigmoid, PiecewiseLeaky, Sigmoid, SparseFastSigmoid
from surrolab.surrogates.schedules import Adaptive, Cosine, Exponential, Learned, Linear

SLOPED = [
    cls
    for cls in vars(surrolab.surrogates).values()
    if inspect.isclass(cls) and "slope" in inspect.signature(cls).parameters
    if cls not in (surrolab.surrogates.Surrogate, PiecewiseLeaky, SparseFastSigmoid)
]


def test_linear_by_the_same_amount():
    course = Linear(end=9.0)
    assert [course.value(1.0, epoch, 5) for epoch in range(5)] == [1, 3, 5, 7, 9]
    assert [course.value(13.0, epoch, 5) for epoch in range(5)] == [13, 12, 11, 10, 9]


def test_exponential_by_the_same_factor():
    values = [Exponential(end=16.0).value(1.0, epoch, 5) for epoch in range(5)]
    assert values == pytest.approx([1, 2, 4, 8, 16], rel=1e-14)
    values = [Exponential(end=1.0).value(1000.0, epoch, 4) for epoch in range(4)]
    assert values == pytest.approx([1000, 100, 10, 1], rel=1e-14)


def test_cosine_is_slow_at_both_ends():
    values = [Cosine(end=4.0).value(2.0, epoch, 5) for epoch in range(5)]
    half = math.sqrt(2) / 2
    assert values == pytest.approx([2, 3 - half, 3, 3 + half, 4], rel=1e-14)
    thirds = [Cosine(end=1.0).value(5.0, epoch, 4) for epoch in range(4)]
    assert thirds == pytest.approx([5, 4, 2, 1], rel=1e-14)


@pytest.mark.parametrize("kind", [Linear, Exponential, Cosine])
def test_begin_and_length(kind):
    course = kind(end=100.0, begin=3, length=4)
    values = [course.value(25.0, epoch, 20) for epoch in range(20)]
    assert values[:4] == [25.0] * 4
    assert values[7:] == [100.0] * 13
    assert values[3] < values[4] < values[5] < values[6] < values[7]
    # The same course as one of its own, begun at 0 and over at the end of a run of 5.
    assert values[3:8] == [kind(end=100.0).value(25.0, epoch, 5) for epoch in range(5)]


@pytest.mark.parametrize("kind", [Linear, Exponential, Cosine])
def test_the_ends_are_exact_and_a_run_of_one_epoch_stays_at_the_start(kind):
    for total in (2, 3, 7, 30):
        assert kind(end=0.3).value(0.1, 0, total) == 0.1
        assert kind(end=0.3).value(0.1, total - 1, total) == 0.3
    assert kind(end=0.3).value(0.1, 0, 1) == 0.1
    assert kind(end=0.3, begin=8).value(0.1, 4, 5) == 0.1


@pytest.mark.parametrize(
    ("kind", "options", "line"),
    [
        (Linear, {"end": 0.0}, "end: 0.0 is not allowed; allowed: a number above 0"),
        (Cosine, {"end": math.inf}, "end: inf is not allowed"),
        (Linear, {"end": 1.0, "unit": "batches"}, "unit: 'batches' is not allowed; allowed: epoch"),
        (Linear, {"end": 1.0, "begin": -1}, "begin: -1 is not allowed; allowed: at least 0"),
        (Linear, {"end": 1.0, "length": 0}, "length: 0 is not allowed; allowed: at least 1"),
        (Adaptive, {"width_in_std": -1.0}, "width_in_std: -1.0 is not allowed"),
        (Adaptive, {"every_epochs": 0}, "every_epochs: 0 is not allowed; allowed: 1 or more"),
        (Adaptive, {"least": 3.0, "most": 2.0}, "least: 3.0 is above most; allowed: at most 2.0"),
        (Learned, {"per": "synapse"}, "per: 'synapse' is not allowed; allowed: layer, neuron"),
    ],
)
def test_what_is_out_of_range_is_refused(kind, options, line):
    with pytest.raises(ValueError) as error:
        kind(**options)
    assert str(error.value).startswith(line)


@pytest.mark.parametrize("cls", [cls for cls in SLOPED if cls.__name__ != "Dspike"])
@pytest.mark.parametrize("width", [1.0, 2.5])
def test_adaptive_puts_the_edge_of_the_window_at_so_many_deviations(cls, width):
    """The derivative itself says where the window ends: where it falls below 1 % of its peak."""
    course = Adaptive(width, least=1e-3, most=1e3)
    surrogate = cls()
    assert course.fits(surrogate)
    std = 0.37
    surrogate.slope = course.slope(surrogate, std)
    x = torch.linspace(0, 3 * width * std, 300_001, dtype=torch.float64)
    h = surrogate.derivative(x).abs()
    edge = x[h >= 0.01 * h.max()].max().item()
    assert edge == pytest.approx(width * std, rel=1e-4)


def test_adaptive_refuses_few_shapes():
    kept = {cls for cls in SLOPED if Adaptive().fits(cls())}
    assert {Sigmoid, FastSigmoid, Boxcar} <= kept
    assert len(kept) >= 6


def test_with_a_boxcar_it_is_the_width_of_the_paper():
    """2 sqrt(1 + leak^2) gain threshold, the spread after a normalised current: MPD-AGL."""
    leak, gain, threshold = 0.2, 0.7, 0.5
    generator = torch.Generator().manual_seed(0)
    current = gain * threshold * torch.randn(2, 2_000_000, generator=generator)
    membrane = leak * current[0] + current[1]
    surrogate = Boxcar()
    surrogate.slope = Adaptive().slope(surrogate, membrane.std().item())
    width = 2 * math.sqrt(1 + leak**2) * gain * threshold
    assert 1 / surrogate.slope == pytest.approx(width, rel=2e-3)
    assert surrogate.peak == pytest.approx(1 / width, rel=2e-3)


def test_adaptive_keeps_within_its_bounds():
    surrogate = FastSigmoid(25.0)
    assert Adaptive().slope(surrogate, 0.5) == pytest.approx(18.0)
    assert Adaptive(least=20.0).slope(surrogate, 0.5) == 20.0
    assert Adaptive(most=10.0).slope(surrogate, 0.5) == 10.0
    assert Adaptive().slope(surrogate, 0.0) == 25.0  # never varies: nothing to follow
    assert Adaptive().slope(surrogate, math.nan) == 25.0


def test_adaptive_fits_only_where_the_slope_sets_the_window():
    assert not Adaptive().fits(PiecewiseLeaky())  # infinite
    assert not Adaptive().fits(SparseFastSigmoid())  # cut off at a distance of its own
    surrogate = Sigmoid(3.0)
    assert Adaptive().fits(surrogate)
    assert surrogate.slope == 3.0


def test_a_learned_one_has_the_size_of_the_layer():
    assert Learned().size((5,)) == ()
    assert Learned("neuron").size((5,)) == (5,)
    assert Learned("neuron").size((5, 3, 2)) == (5, 1, 1)
