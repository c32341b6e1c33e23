"""Losses and predictions: padding, gradients, and the same from snnTorch where it is right."""

import math

import pytest
import snntorch.functional as SF
import torch
import torch.nn.functional as F

from surrolab.objectives import (
    CELast,
    CELatency,
    CEMax,
    CEMean,
    CERate,
    CEStep,
    MSECount,
    MSEStep,
    Objective,
    ObjectiveOutput,
)
from surrolab.targets import UNASKED

MEMBRANE = (CEMax, CEMean, CELast, CEStep, MSEStep)
SPIKES = (CERate, CELatency, MSECount)
ALL = (*MEMBRANE, *SPIKES)
T, B, C = 12, 5, 4
FULL = torch.full((B,), T)


def readout(cls, steps=T, batch=B, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y_TBC = torch.randn(steps, batch, C, generator=generator, dtype=torch.float64)
    if cls in SPIKES:
        y_TBC = (y_TBC > 0.8).double()
    return y_TBC.to(dtype)


def target_for(cls, steps=T, batch=B, per_step=False):
    generator = torch.Generator().manual_seed(9)
    lead = (steps, batch) if per_step else (batch,)
    if cls is MSEStep:
        return torch.randn(*lead, C, generator=generator, dtype=torch.float64)
    return torch.randint(C, lead, generator=generator)


@pytest.mark.parametrize("cls", ALL)
def test_what_each_objective_needs(cls):
    assert issubclass(cls, Objective)
    assert cls.readout == ("spikes" if cls in SPIKES else "membrane")
    assert cls.task == ("regression" if cls is MSEStep else "classification")


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_output(cls, dtype):
    y_TBC = readout(cls, dtype=dtype).requires_grad_()
    hidden = {"hidden1": (torch.rand(T, B, 3) > 0.5).to(dtype).requires_grad_()}
    objective = cls(lower_rate=0.9, lower_strength=1.0)
    output = objective(y_TBC, target_for(cls), FULL, hidden)
    assert isinstance(output, ObjectiveOutput)
    loss, prediction = output
    assert loss.shape == ()
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert not prediction.requires_grad
    shapes = {CEStep: (T, B), MSEStep: (T, B, C)}
    assert prediction.shape == shapes.get(cls, (B,))
    assert prediction.is_floating_point() == (cls is MSEStep)
    loss.backward()
    for leaf in (y_TBC, hidden["hidden1"]):
        assert leaf.grad.dtype == dtype
        assert leaf.grad.isfinite().all()
        assert leaf.grad.any()


@pytest.mark.parametrize("padding", [0.0, 1.0, 50.0, math.inf, math.nan])
@pytest.mark.parametrize("cls", ALL)
def test_padding_has_no_influence(cls, padding):
    """A padded batch against its samples one by one, at their own lengths."""
    lengths = torch.tensor([12, 1, 7, 12, 4])
    target = target_for(cls, per_step=cls in (CEStep, MSEStep))
    objective = cls(lower_rate=0.5, lower_strength=3.0, upper_rate=0.6, upper_strength=2.0)
    y_TBC = readout(cls)
    spk_TBN = readout(CERate, seed=5)
    for sample, length in enumerate(lengths.tolist()):
        y_TBC[length:, sample] = padding
        spk_TBN[length:, sample] = padding
        if target.ndim > 1:  # as a loader pads, with what is no class
            target[length:, sample] = -1
    y_TBC.requires_grad_()
    spk_TBN.requires_grad_()
    loss, prediction = objective(y_TBC, target, lengths, {"hidden1": spk_TBN})
    y_grad, spk_grad = torch.autograd.grad(loss, (y_TBC, spk_TBN))

    alone = cls()
    losses, rates = [], 0
    for sample, length in enumerate(lengths.tolist()):
        own = y_TBC.detach()[:length, sample : sample + 1].requires_grad_()
        own_target = (
            target[:length, sample : sample + 1] if target.ndim > 1 else target[sample : sample + 1]
        )
        own_loss, own_prediction = alone(own, own_target, torch.tensor([length]), {})
        (own_grad,) = torch.autograd.grad(own_loss, own)
        torch.testing.assert_close(y_grad[:length, sample], own_grad[:, 0] / B)
        assert not y_grad[length:, sample].any()
        assert not spk_grad[length:, sample].any()
        if own_prediction.ndim > 1:
            assert torch.equal(prediction[:length, sample], own_prediction[:, 0])
            assert not prediction[length:, sample].any()
        else:
            assert prediction[sample] == own_prediction[0]
        losses.append(own_loss.detach())
        rates = rates + spk_TBN.detach()[:length, sample].sum(0)
    rates = rates / lengths.sum()
    activity = 3 * (0.5 - rates).relu().square().mean() + 2 * (rates - 0.6).relu().square().mean()
    torch.testing.assert_close(loss.detach(), torch.stack(losses).mean() + activity)


@pytest.mark.parametrize("cls", ALL)
def test_the_mask_changes_nothing_where_it_masks_nothing(cls):
    """One more step, valid for nobody, makes the masked path take over."""
    y_TBC = readout(cls)
    longer = torch.cat([y_TBC, torch.full_like(y_TBC[:1], 99.0)])
    objective = cls()
    fast = objective(y_TBC, target_for(cls), FULL, {})
    masked = objective(longer, target_for(cls), FULL, {})
    torch.testing.assert_close(fast.loss, masked.loss, rtol=1e-14, atol=0)
    if fast.prediction.ndim > 1:
        assert torch.equal(fast.prediction, masked.prediction[:-1])
    else:
        assert torch.equal(fast.prediction, masked.prediction)


@pytest.mark.parametrize("cls", ALL)
def test_gradcheck(cls):
    generator = torch.Generator().manual_seed(2)
    y_TBC = torch.rand(4, 2, C, generator=generator, dtype=torch.float64).requires_grad_()
    spk = torch.rand(4, 2, 2, generator=generator, dtype=torch.float64).requires_grad_()
    objective = cls(lower_rate=0.55, lower_strength=1.0, upper_rate=0.6, upper_strength=2.0)
    target = target_for(cls, batch=2)
    for lengths in (torch.tensor([4, 4]), torch.tensor([4, 2])):
        assert torch.autograd.gradcheck(
            lambda y, spk, lengths=lengths: objective(y, target, lengths, {"hidden1": spk}).loss,
            (y_TBC, spk),
            fast_mode=True,
        )


@pytest.mark.parametrize("cls", [CEMax, CEMean, CELast, CERate, CEStep])
def test_more_of_the_right_class_lowers_the_loss(cls):
    y_TBC = readout(cls).requires_grad_()
    target = target_for(cls)
    cls()(y_TBC, target, FULL, {}).loss.backward()
    right = F.one_hot(target, C).bool()
    total_BC = y_TBC.grad.sum(0)
    assert (total_BC[right] < 0).all()
    assert (total_BC[~right] > 0).all()


@pytest.mark.parametrize("cls", ALL)
def test_a_step_down_the_gradient_lowers_the_loss(cls):
    y_TBC = readout(cls).requires_grad_()
    target = target_for(cls)
    before = cls()(y_TBC, target, FULL, {}).loss
    (gradient,) = torch.autograd.grad(before, y_TBC)
    after = cls()(y_TBC - 1e-4 * gradient, target, FULL, {}).loss
    expected = before - 1e-4 * gradient.square().sum()
    torch.testing.assert_close(after - before, expected - before, rtol=0.05, atol=1e-12)


def compare(ours, theirs, factor=1.0, seed=0):
    cls = type(ours)
    y_TBC = readout(cls, dtype=torch.float32, seed=seed).requires_grad_()
    target = target_for(cls)
    loss = ours(y_TBC, target, FULL, {}).loss * factor
    other = theirs(y_TBC, target).squeeze()
    torch.testing.assert_close(loss, other, rtol=1e-5, atol=1e-7)
    left, right = (torch.autograd.grad(value, y_TBC)[0] for value in (loss, other))
    torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-7)


def test_steps_in_which_nothing_is_asked_are_left_out():
    """Against the mean over each sample's asked steps, taken one by one."""
    y_TBC = readout(CEStep).requires_grad_()
    target = target_for(CEStep, per_step=True)
    asked = torch.rand(T, B, generator=torch.Generator().manual_seed(4)) < 0.3
    asked[:, 0], asked[:, 1] = True, False
    lengths = torch.tensor([T, T, 7, T, T])
    target = torch.where(asked, target, UNASKED)
    loss, prediction = CEStep()(y_TBC, target, lengths, {})
    losses = []
    for sample in range(B):
        steps = [t for t in range(int(lengths[sample])) if asked[t, sample]]
        own = [y_TBC[t, sample].logsumexp(0) - y_TBC[t, sample, target[t, sample]] for t in steps]
        losses.append(torch.stack(own).mean() if own else torch.zeros((), dtype=torch.float64))
    expected = torch.stack(losses).mean()
    torch.testing.assert_close(loss, expected)
    left, right = (torch.autograd.grad(value, y_TBC)[0] for value in (loss, expected))
    torch.testing.assert_close(left, right)
    assert prediction.shape == (T, B)


def test_losses_and_gradients_equal_those_of_snntorch():
    compare(CEMax(), SF.ce_max_membrane_loss())
    compare(CERate(), SF.ce_count_loss())
    compare(CEStep(), SF.ce_rate_loss())
    # 0.75 and 0.25 of 12 steps are whole numbers, which snnTorch would cut them off to.
    theirs = SF.mse_count_loss(correct_rate=0.75, incorrect_rate=0.25)
    compare(MSECount(0.75, 0.25), theirs, factor=T)


def test_mse_step_equals_snntorch_on_one_hot_targets():
    y_TBC = readout(MSEStep, dtype=torch.float32).requires_grad_()
    target = torch.tensor([0, 3, 1, 1, 2])
    theirs = SF.mse_membrane_loss()(y_TBC, target).squeeze()
    ours = MSEStep()(y_TBC, F.one_hot(target, C), FULL, {})
    torch.testing.assert_close(ours.loss, theirs)
    assert torch.equal(ours.prediction, y_TBC.detach())


def test_mean_and_last_by_hand():
    y_TBC = torch.zeros(3, 1, 2)
    y_TBC[:, 0, 1] = torch.tensor([3.0, 0.0, -1.0])
    one = torch.tensor([1])

    def loss_of(logit):
        return math.log(1 + math.exp(-logit))

    for cls, logit in ((CEMax, 3.0), (CEMean, 2 / 3), (CELast, -1.0)):
        loss, prediction = cls()(y_TBC, one, torch.tensor([3]), {})
        assert loss.item() == pytest.approx(loss_of(logit))
        assert prediction.item() == (0 if logit < 0 else 1)


def test_the_first_of_equal_maxima_gets_the_gradient():
    y_TBC = torch.zeros(4, 1, C, requires_grad=True)
    CEMax()(y_TBC, torch.tensor([2]), torch.tensor([4]), {}).loss.backward()
    assert y_TBC.grad[0].all()
    assert not y_TBC.grad[1:].any()


@pytest.mark.parametrize("cls", [CEMax, CEMean, CELast, CEStep, *SPIKES])
def test_a_silent_network_predicts_class_0(cls):
    y_TBC = torch.zeros(T, B, C)
    assert not cls()(y_TBC, target_for(cls), FULL, {}).prediction.any()


@pytest.mark.parametrize("cls", [CEStep, MSEStep])
def test_targets_for_each_step(cls):
    y_TBC = readout(cls)
    target = target_for(cls)
    repeated = target.expand(T, *target.shape)
    once, each = (cls()(y_TBC, given, FULL, {}).loss for given in (target, repeated))
    assert once == each
    varying = target_for(cls, per_step=True)
    per_step = [
        cls()(y_TBC[t : t + 1], varying[t], torch.ones(B, dtype=torch.int64), {}).loss
        for t in range(T)
    ]
    whole = cls()(y_TBC, varying, FULL, {}).loss
    torch.testing.assert_close(whole, torch.stack(per_step).mean())


def test_a_target_of_the_wrong_shape_is_not_broadcast():
    y_TBC = torch.zeros(T, C, C)
    full = torch.full((C,), T)
    with pytest.raises(ValueError, match=r"^target: shape \(4,\) does not fit; allowed: \(12, 4,"):
        MSEStep()(y_TBC, torch.zeros(C), full, {})
    with pytest.raises(ValueError, match=r"^target: shape \(4, 12\) does not fit; allowed: "):
        CEStep()(y_TBC, torch.zeros(C, T, dtype=torch.int64), full, {})
