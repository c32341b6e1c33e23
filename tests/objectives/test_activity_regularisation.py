"""Bounds on the activity of hidden layers, and the parameters all objectives share."""

import inspect
import math

import pytest
import torch

from surrolab.objectives import CELatency, CEMax, CERate, MSECount, MSEStep, Objective

SHARED = {"lower_rate": 0.0, "lower_strength": 0.0, "upper_rate": 1.0, "upper_strength": 0.0}
T, B = 10, 2
FULL = torch.full((B,), T)
Y = torch.zeros(T, B, 3)
TARGET = torch.tensor([0, 2])


def activity_loss(hidden, lengths=FULL, **options):
    with_bounds = CEMax(**options)(Y, TARGET, lengths, hidden).loss
    return (with_bounds - CEMax()(Y, TARGET, lengths, hidden).loss).item()


def spikes(*counts, shape=None):
    """``[T, B, N]``; each neuron has so many spikes, all in the first sample."""
    spk_TBN = torch.zeros(T, B, len(counts))
    for neuron, count in enumerate(counts):
        spk_TBN[:count, 0, neuron] = 1
    return spk_TBN if shape is None else spk_TBN.view(T, B, *shape)


@pytest.mark.parametrize("cls", [CEMax, CERate, CELatency, MSECount, MSEStep])
def test_shared_parameters_and_their_defaults(cls):
    parameters = inspect.signature(cls).parameters
    assert SHARED.items() <= {name: each.default for name, each in parameters.items()}.items()
    own = set(parameters) - set(SHARED)
    assert own == {CELatency: {"temperature"}, MSECount: {"on_rate", "off_rate"}}.get(cls, set())


def test_lower_bound_by_hand():
    # Rates over 20 sample-steps: 0, 0.1, 0.4. Missing to 0.2: 0.2, 0.1, 0.
    hidden = {"hidden1": spikes(0, 2, 8)}
    expected = 100 * (0.2**2 + 0.1**2) / 3
    assert activity_loss(hidden, lower_rate=0.2, lower_strength=100) == pytest.approx(expected)


def test_upper_bound_by_hand():
    hidden = {"hidden1": spikes(0, 2, 8)}
    expected = 5 * 0.1**2 / 3
    assert activity_loss(hidden, upper_rate=0.3, upper_strength=5) == pytest.approx(expected)


def test_layers_add_up_and_each_place_of_a_map_is_a_neuron():
    hidden = {"hidden1": spikes(0, 2, 8), "hidden2": spikes(0, 0, 4, 4, shape=(1, 2, 2))}
    options = {"lower_rate": 0.2, "lower_strength": 10, "upper_rate": 0.3, "upper_strength": 5}
    first = 10 * (0.2**2 + 0.1**2) / 3 + 5 * 0.1**2 / 3
    second = 10 * (0.2**2 + 0.2**2) / 4
    assert activity_loss(hidden, **options) == pytest.approx(first + second)


def test_rates_are_over_valid_steps():
    # 2 spikes in 4 + 6 valid steps; what follows in the padding does not count.
    lengths = torch.tensor([4, 6])
    spk_TBN = spikes(2)
    spk_TBN[6:] = 1
    expected = 3 * (0.5 - 0.2) ** 2
    assert activity_loss(
        {"hidden1": spk_TBN}, lengths, lower_rate=0.5, lower_strength=3
    ) == pytest.approx(expected, rel=1e-5)


def test_gradients_push_silent_neurons_up_and_busy_ones_down():
    spk_TBN = spikes(0, 5, 10).requires_grad_()
    objective = CEMax(lower_rate=0.1, lower_strength=1, upper_rate=0.4, upper_strength=1)
    objective(Y, TARGET, FULL, {"hidden1": spk_TBN}).loss.backward()
    silent, inside, busy = spk_TBN.grad.unbind(2)
    assert (silent < 0).all()
    assert not inside.any()
    assert (busy > 0).all()
    # d/dspk of strength * (0.1 - r)^2 / 3, at r = 0 and with 20 sample-steps in the mean.
    torch.testing.assert_close(silent, torch.full_like(silent, -2 * 0.1 / 3 / 20))


def test_without_strength_the_hidden_layers_are_not_looked_at():
    class Closed(dict):
        def values(self):
            raise AssertionError("looked at")

    loss = CEMax(lower_rate=0.5, upper_rate=0.6)(Y, TARGET, FULL, Closed()).loss
    assert loss.item() == pytest.approx(math.log(3))
    with pytest.raises(AssertionError, match="looked at"):
        CEMax(upper_strength=1.0)(Y, TARGET, FULL, Closed())


def test_a_network_without_hidden_layers():
    assert activity_loss({}, lower_rate=0.5, lower_strength=1) == 0


@pytest.mark.parametrize("name", ["lower_rate", "upper_rate", "on_rate", "off_rate"])
@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_rates_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"^{name}: {value} is not allowed; allowed: a number"):
        MSECount(**{name: value})


@pytest.mark.parametrize("name", ["lower_strength", "upper_strength"])
@pytest.mark.parametrize("value", [-1, math.inf])
def test_strengths_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"^{name}: {value} is not allowed; allowed: a number"):
        CEMax(**{name: value})


def test_bounds_that_cross():
    with pytest.raises(ValueError, match=r"^lower_rate: 0.5 is not allowed; allowed: at most upp"):
        CEMax(lower_rate=0.5, upper_rate=0.2)
    with pytest.raises(ValueError, match=r"^on_rate: 0.2 is not allowed; allowed: a number above"):
        MSECount(on_rate=0.2, off_rate=0.2)


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_temperature_out_of_range(value):
    with pytest.raises(ValueError, match=rf"^temperature: {value} is not allowed; allowed: "):
        CELatency(temperature=value)


def test_repr_shows_the_parameters():
    shown = repr(CELatency(2.0, lower_strength=1.0))
    assert "temperature=2.0" in shown
    assert "lower_strength=1.0" in shown


def test_an_objective_has_to_say_how_it_reduces():
    with pytest.raises(TypeError, match="abstract"):
        Objective()
