"""Agreement of gradients: known vectors, and intervals that cover what they say."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from surrolab.diagnostics.agreement import Agreement, agreement
from surrolab.diagnostics.student import student_quantile

FIRST, SECOND = "layers.hidden1.synapse.weight", "layers.readout.synapse.weight"


def vector(*values):
    return torch.tensor(values, dtype=torch.float64)


def one(g, m, groups=None, **options):
    groups = None if groups is None else {"w": groups}
    found = agreement({"w": g}, {"w": m}, groups, names=["w"], **options)
    assert found["w"] == found["all"]
    return found["all"]


def test_known_vectors():
    found = one(vector(2.0, 2.0, 0.0, -4.0), vector(1.0, -1.0, 0.0, -4.0))
    assert found.cosine == pytest.approx(16 / math.sqrt(24 * 18))
    assert found.signs == pytest.approx(2 / 3)  # the zero of the reference does not count
    assert found.counted == 0.75
    assert found.norm_ratio == pytest.approx(math.sqrt(24 / 18))
    assert found.projection == pytest.approx(16 / math.sqrt(24))
    assert found.cosine_interval is found.projection_interval is found.reason is None
    same, opposite = (one(sign * vector(3.0, -1.0), vector(1.5, -0.5)) for sign in (1, -1))
    assert (same.cosine, same.signs, same.norm_ratio) == pytest.approx((1, 1, 2))
    assert (opposite.cosine, opposite.signs) == pytest.approx((-1, 0))
    assert one(vector(0.0, 1.0), vector(1.0, 0.0)).cosine == 0


def test_what_is_negligible_does_not_count_and_a_zero_does_not_agree():
    found = one(vector(1.0, -1.0, 0.0, 1.0), vector(1.0, 1e-7, 0.5, 2e-6))
    assert (found.counted, found.signs) == (0.75, pytest.approx(2 / 3))


def test_tiny_and_huge_gradients_have_an_angle():
    found = one(vector(1e-200, 1e-200), vector(1e200, 0.0))
    assert found.cosine == pytest.approx(math.sqrt(0.5))


def test_layers_and_all_of_them():
    g = {
        FIRST: torch.eye(2),
        SECOND: torch.ones(1, 3),
        "layers.readout.synapse.bias": torch.ones(3),
    }
    m = {name: -value if name == SECOND else value for name, value in g.items()}
    found = agreement(g, m)
    assert {name: value.cosine for name, value in found.items()} == pytest.approx(
        {"hidden1": 1, "readout": -1, "all": (2 - 3) / 5}
    )
    both = agreement(g, m, names=[FIRST, SECOND, "layers.readout.synapse.bias"])
    assert both["readout"].cosine == pytest.approx(0)
    with pytest.raises(ValueError, match=r"^names: no parameter is left; allowed: "):
        agreement({"bias": torch.ones(1)}, {"bias": torch.ones(1)})


@pytest.mark.parametrize(
    ("g", "m", "reason"),
    [
        (vector(0.0, 0.0), vector(1.0, 1.0), "the gradient is zero"),
        (vector(1.0, 1.0), vector(0.0, 0.0), "the reference is zero"),
        (vector(0.0), vector(0.0), "both gradients are zero"),
        (vector(math.nan, 1.0), vector(1.0, 1.0), "the gradient is not finite"),
        (vector(1.0, 1.0), vector(math.inf, 1.0), "the reference is not finite"),
    ],
)
def test_where_there_is_no_angle_the_reason_is_given(g, m, reason):
    found = one(g, m)
    assert found.cosine is None
    assert found.projection is None
    assert found.reason == reason
    sampled = one(g, m, torch.stack([m, m, m, m]))
    assert (sampled.cosine, sampled.reason) == (None, reason)


def sampled(cosine, noise, seed, size=40, groups=16):
    """A gradient and groups of a noisy reference of length 2 at a known angle to it."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(size, 2)))[0]
    truth = 2 * (cosine * basis[:, 0] + math.sqrt(1 - cosine**2) * basis[:, 1])
    # Not the same noise in all directions: more along some elements.
    scale = noise * (0.2 + rng.uniform(size=size))
    drawn = truth + rng.normal(size=(groups, size)) * scale
    return torch.tensor(3 * basis[:, 0]), torch.tensor(drawn), torch.tensor(truth)


@pytest.mark.parametrize("cosine", [0.95, 0.5, 0.0, -0.7])
def test_the_cosines_interval_covers_what_it_says_and_noise_does_not_lower_it(cosine):
    covered, along, cosines, naive, ratios = [], [], [], [], []
    for seed in range(300):
        g, m_GP, truth = sampled(cosine, 0.8, seed)
        found = one(g, m_GP.mean(0), m_GP)
        low, high = found.cosine_interval
        covered.append(low <= cosine <= high)
        low, high = found.projection_interval
        along.append(low <= float(g @ truth / g.norm()) <= high)
        cosines.append(found.cosine)
        ratios.append(found.norm_ratio)
        naive.append(float(torch.nn.functional.cosine_similarity(g, m_GP.mean(0), dim=0)))
    # 300 draws at 95 %: 3.5 standard deviations are 0.045. The jackknife errs on the safe side.
    assert np.mean(covered) > 0.95 - 0.045
    assert np.mean(along) == pytest.approx(0.95, abs=0.045)
    assert np.mean(cosines) == pytest.approx(cosine, abs=0.02)
    assert np.mean(ratios) == pytest.approx(1.5, rel=0.02)
    if abs(cosine) >= 0.5:  # the uncorrected one would be too small
        assert abs(np.mean(naive)) < abs(cosine) - 0.03


def test_noise_that_drowns_the_reference_is_reported():
    known = [0, 0]
    for seed in range(50):
        g, m_GP, _ = sampled(0.5, 40.0, seed)
        found = one(g, m_GP.mean(0), m_GP)
        known[0] += found.cosine is not None
        known[1] += found.signs is not None
        assert found.projection_interval[0] < found.projection < found.projection_interval[1]
        if found.cosine is None:
            assert found.reason.startswith("the noise is too large")
            assert found.cosine_interval is found.norm_ratio is None
        if found.signs is None:
            assert "hardly an element" in found.reason
    assert known[0] <= 8
    assert known[1] <= 12


def test_signs_of_a_sampled_reference_count_where_they_are_significant():
    rng = np.random.default_rng(0)
    truth = np.repeat([1.0, -1.0, 0.0], 100)
    m_GP = torch.tensor(truth + 0.3 * rng.normal(size=(16, 300)))
    g = torch.tensor(np.tile([1.0, 1.0, 1.0, -1.0], 75))
    found = one(g, m_GP.mean(0), m_GP)
    # All 200 of the elements that are not zero, and one in a hundred of the others.
    assert 200 / 300 <= found.counted <= 206 / 300
    assert found.signs == pytest.approx(0.5, abs=0.02)


def test_too_few_groups_are_refused():
    with pytest.raises(ValueError, match=r"^groups: 3 is not allowed; allowed: at least 4$"):
        one(vector(1.0), vector(1.0), torch.ones(3, 1))


def test_an_agreement_says_nothing_by_default():
    assert Agreement().cosine is None


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 15, 31, 100])
def test_students_quantile(confidence, freedom):
    expected = stats.t.ppf(0.5 + confidence / 2, freedom)
    assert student_quantile(confidence, freedom) == pytest.approx(expected, rel=1e-9)


def test_students_quantile_refuses_what_it_cannot_have():
    with pytest.raises(ValueError, match=r"^confidence: 1 is not allowed; allowed: "):
        student_quantile(1, 5)
    with pytest.raises(ValueError, match=r"^freedom: 0 is not allowed; allowed: at least 1$"):
        student_quantile(0.95, 0)
