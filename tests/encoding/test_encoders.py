"""Each encoder against its formula, and what snnTorch does instead."""

import math

import pytest
import torch
from scipy import stats
from snntorch import spikegen

from surrolab.encoding import Delta, Direct, Encoder, Latency, Rate

ALL = (Direct, Rate, Latency, Delta)
ONES = torch.ones(3, dtype=torch.int64)


def images(batch=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, 2, 4, 5, generator=generator).to(dtype)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_static_samples_get_a_time_axis_and_keep_their_dtype(cls, dtype):
    encoder = cls(steps=7)
    assert isinstance(encoder, Encoder)
    x, lengths = encoder(images(dtype=dtype), ONES)
    assert x.shape == (7, 3, 2, 4, 5)
    assert x.dtype == dtype
    assert lengths.tolist() == [7, 7, 7]
    assert lengths.dtype == torch.int64
    if cls is not Direct:
        assert set(x.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("cls", [Direct, Delta])
def test_sequences_keep_their_steps_and_lengths(cls):
    x_TBF = torch.rand(9, 3, 4)
    given = torch.tensor([9, 2, 5])
    x, lengths = cls(steps=7)(x_TBF, given, is_sequence=True)
    assert x.shape == x_TBF.shape
    assert torch.equal(lengths, given)


@pytest.mark.parametrize("cls", [Rate, Latency])
def test_codes_of_static_samples_refuse_sequences(cls):
    message = (
        f"^encoding: {cls.__name__.lower()} needs static samples, and these are sequences; "
        "allowed: direct, delta$"
    )
    with pytest.raises(ValueError, match=message):
        cls(steps=7)(torch.rand(9, 3, 4), ONES, is_sequence=True)


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        *((cls, "steps", value) for cls in ALL for value in (0, -1, 2.5)),
        *((cls, "gain", value) for cls in (Direct, Rate) for value in (0.0, -1.0, math.inf)),
        *((Latency, "tau", value) for value in (0.0, math.nan)),
        *((Latency, "threshold", value) for value in (0.0, 1.0, -0.1)),
        *((Delta, "threshold", value) for value in (0.0, math.inf)),
    ],
)
def test_parameters_out_of_range(cls, name, value):
    with pytest.raises(ValueError, match=rf"^{name}: {value} is not allowed; allowed: a "):
        cls(**{"steps": 5, name: value})


def test_repr_shows_the_parameters():
    shown = repr(Latency(steps=5, tau=2.0))
    assert shown == "Latency(steps=5, tau=2.0, threshold=0.01, linear=False)"


def test_direct_repeats_without_a_copy():
    x_BF = images()
    x, _ = Direct(steps=50)(x_BF, ONES)
    assert x.data_ptr() == x_BF.data_ptr()
    assert x.stride(0) == 0
    scaled, _ = Direct(steps=50, gain=2.5)(x_BF, ONES)
    assert scaled.stride(0) == 0
    assert torch.equal(scaled[17], 2.5 * x_BF)


def test_direct_passes_sequences_through():
    x_TBF = torch.rand(9, 3, 4, requires_grad=True)
    assert Direct(steps=1)(x_TBF, ONES, is_sequence=True)[0] is x_TBF
    scaled, _ = Direct(steps=1, gain=0.5)(x_TBF, ONES, is_sequence=True)
    assert torch.equal(scaled, 0.5 * x_TBF)
    scaled.sum().backward()
    assert (x_TBF.grad == 0.5).all()


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
def test_rate_lies_in_the_binomial_interval(gain):
    steps = 2000
    x_BF = torch.tensor([[-0.5, 0.0, 0.02, 0.3, 0.5, 0.9, 1.0, 7.0]])
    torch.manual_seed(4)
    spk, _ = Rate(steps, gain)(x_BF, ONES[:1])
    counts = spk.sum(0)[0]
    for count, x in zip(counts.tolist(), x_BF[0].tolist(), strict=True):
        probability = min(max(gain * x, 0), 1)
        low, high = stats.binom.interval(0.9999, steps, probability)
        assert low <= count <= high


def test_rate_draws_each_step_neuron_and_sample_anew_from_the_global_generator():
    x_BF = torch.full((20, 30), 0.4)
    torch.manual_seed(1)
    first, _ = Rate(40)(x_BF, ONES)
    again, _ = Rate(40)(x_BF, ONES)
    torch.manual_seed(1)
    same, _ = Rate(40)(x_BF, ONES)
    assert torch.equal(first, same)
    assert not torch.equal(first, again)
    # Neighbours along each axis coincide as often as independent draws do: 0.4^2 + 0.6^2.
    for axis in range(3):
        left = first.narrow(axis, 0, first.shape[axis] - 1)
        right = first.narrow(axis, 1, first.shape[axis] - 1)
        low, high = stats.binom.interval(0.9999, left.numel(), 0.52)
        assert low <= (left == right).sum().item() <= high


def times_of(spk_TBF):
    """Step of the only spike, -1 where there is none."""
    assert set(spk_TBF.sum(0).unique().tolist()) <= {0.0, 1.0}
    return torch.where(spk_TBF.any(0), spk_TBF.argmax(0), -1)


@pytest.mark.parametrize("tau", [0.5, 5.0, 20.0])
def test_latency_follows_the_published_formula(tau):
    steps, threshold = 30, 0.2
    x_BF = torch.linspace(0, 1, 501, dtype=torch.float64).unsqueeze(0)
    spk, _ = Latency(steps, tau, threshold)(x_BF, ONES[:1])
    for x, time in zip(x_BF[0].tolist(), times_of(spk)[0].tolist(), strict=True):
        if x <= threshold:
            assert time == -1
        else:
            assert time == min(round(tau * math.log(x / (x - threshold))), steps - 1)


def test_latency_is_when_an_integrator_reaches_the_threshold():
    """dU/dt = (x - U) / tau from rest, by small steps."""
    tau, threshold, dt = 5.0, 0.2, 1e-3
    x = torch.tensor([0.25, 0.4, 0.7, 1.0], dtype=torch.float64)
    u, crossing = torch.zeros_like(x), torch.full_like(x, -1)
    for step in range(10_000):
        u += dt / tau * (x - u)
        crossing = torch.where((crossing < 0) & (u >= threshold), (step + 1) * dt, crossing)
        if (crossing >= 0).all():
            break
    torch.testing.assert_close(Latency(30, tau, threshold).times(x), crossing, rtol=1e-3, atol=2e-3)


def test_linear_latency():
    x_BF = torch.tensor([[0.05, 0.1, 0.100001, 0.25, 0.5, 0.75, 1.0, 3.0]])
    spk, _ = Latency(21, tau=20.0, threshold=0.1, linear=True)(x_BF, ONES[:1])
    assert times_of(spk)[0].tolist() == [-1, -1, 18, 15, 10, 5, 0, 0]
    spk, _ = Latency(11, tau=20.0, threshold=0.1, linear=True)(x_BF, ONES[:1])
    assert times_of(spk)[0].tolist() == [-1, -1, 10, 10, 10, 5, 0, 0]


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_latency_falls_with_the_input(linear, dtype):
    x_BF = torch.linspace(0.011, 1, 400).to(dtype).unsqueeze(0)
    spk, _ = Latency(40, tau=30.0, linear=linear)(x_BF, ONES[:1])
    times = times_of(spk)[0]
    assert (times.diff() <= 0).all()
    assert times[0] > times[-1] >= 0


def test_latency_times_equal_those_of_snntorch_without_its_normalization():
    x_BF = torch.linspace(0.02, 1, 200).unsqueeze(0)
    for linear in (True, False):
        theirs, _ = spikegen.latency_code(x_BF, threshold=0.01, tau=5, linear=linear)
        ours = Latency(20, 5.0, 0.01, linear).times(x_BF)
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_snntorch_normalization_depends_on_the_batch_and_loses_tau():
    """Why it is not used. If this fails, snnTorch was mended."""

    def theirs(x_BF, tau=5.0):
        return spikegen.latency_code(x_BF, num_steps=20, tau=tau, normalize=True)[0][0]

    bright = torch.tensor([[0.4, 0.9]])
    with_dark = torch.tensor([[0.4, 0.9], [0.0, 0.5]])
    assert not torch.allclose(theirs(bright), theirs(with_dark), rtol=0.5)
    torch.testing.assert_close(theirs(bright, tau=1.0), theirs(bright, tau=50.0))
    ours = Latency(20, 50.0)
    alone, _ = ours(bright, ONES[:1])
    together, _ = ours(with_dark, ONES[:2])
    assert torch.equal(alone[:, 0], together[:, 0])


def sine(steps=200, amplitude=1.0, period=100):
    t = torch.arange(steps, dtype=torch.float64)
    return (amplitude * torch.sin(2 * math.pi * t / period)).view(-1, 1, 1)


@pytest.mark.parametrize("threshold", [0.07, 0.1, 0.3])
def test_delta_reconstructs_the_signal_to_within_the_threshold(threshold):
    signal = torch.cat([sine(), sine(amplitude=0.4, period=37)], dim=2)  # at most 0.07 per step
    spk, _ = Delta(1, threshold, off_spikes=True)(signal, ONES[:1], is_sequence=True)
    assert set(spk.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert (threshold * spk.cumsum(0) - signal).abs().max() < threshold * 1.001


def test_delta_by_hand():
    signal = torch.tensor([0.0, 0.4, 1.0, 1.9, 2.0, 1.5, 0.9, 5.0, 5.0, 5.0]).view(-1, 1, 1)
    both, _ = Delta(1, 1.0, off_spikes=True)(signal, ONES[:1], is_sequence=True)
    #        level: 0, 0, 1, 1, 2, 2, 1, 2, 3, 4
    assert both.flatten().tolist() == [0, 0, 1, 0, 1, 0, -1, 1, 1, 1]
    on, _ = Delta(1, 1.0)(signal, ONES[:1], is_sequence=True)
    assert torch.equal(on, both.clamp(min=0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_delta_of_a_static_sample_counts_thresholds(dtype):
    x_BF = torch.tensor([[0.0, 0.05, 0.25, 0.5, 1.0, -0.25, -1.0]], dtype=dtype)
    on, _ = Delta(40, 0.125)(x_BF, ONES[:1])
    assert on.sum(0)[0].tolist() == [0, 0, 2, 4, 8, 0, 0]
    both, _ = Delta(40, 0.125, off_spikes=True)(x_BF, ONES[:1])
    assert both.sum(0)[0].tolist() == [0, 0, 2, 4, 8, -2, -8]
    # Not more than one in a step.
    steep, _ = Delta(5, 0.125)(x_BF, ONES[:1])
    assert steep[:, 0, 4].tolist() == [1] * 5


def test_delta_counts_whole_thresholds_whatever_the_rounding():
    """0.7 is a little less than seven times 0.1 in float32."""
    counts = torch.arange(1, 31)
    for threshold in (0.1, 0.3, 0.7):
        x_BF = torch.tensor([[threshold * count for count in counts.tolist()]])
        spk, _ = Delta(60, threshold)(x_BF, ONES[:1])
        assert torch.equal(spk.sum(0)[0].long(), counts)


def test_snntorch_delta_misses_a_slow_rise():
    """Why it is not used. If this fails, snnTorch was mended."""
    ramp = torch.linspace(0.05, 1, 20).view(-1, 1, 1)
    assert spikegen.delta(ramp, threshold=0.1).sum() == 0
    ours, _ = Delta(1, 0.1)(ramp, ONES[:1], is_sequence=True)
    assert ours.sum() == 10
