"""Losses against worked examples, torch, MONAI and numerical gradients."""

import math

import monai.losses
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from raterbench.methods.learning.losses import (
    absent_rater_penalty,
    adaptive_wing,
    dice_semimetric_loss,
    masked_mean,
    reliability_regularisers,
    soft_cross_entropy,
    soft_dice_loss,
    truncated_generalised_cross_entropy,
)

THESIS = {"theta": 0.5, "epsilon": 1.0, "alpha": 2.1}
WING = [  # target, prediction, omega 8, omega 14
    (1, 0.8, 1.257862, 2.201259),
    (1, 0.3, 4.182873, 7.320028),
    (0, 0.2, 0.267893, 0.468813),
    (0, 0.8, 3.583807, 6.271662),
    (0.5, 0.3, 0.587090, 1.027408),
    (0.5, 1.0, 2.280692, 3.991210),
]


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def ratings_like(labels, n_classes):
    """Labels [B, R, *S] as ratings [B, R, K, *S] float64."""
    return functional.one_hot(labels, n_classes).movedim(-1, 2).double()


def random_batch(seed, n_raters=3, n_classes=3, shape=(4, 5)):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, n_classes, *shape, generator=random, dtype=torch.float64)
    labels = torch.randint(n_classes, (2, n_raters, *shape), generator=random)
    present = torch.rand(2, n_raters, *shape, generator=random) < 0.7
    return logits, ratings_like(labels, n_classes) * present.unsqueeze(2), present, labels


@pytest.mark.parametrize(("target", "predicted", "omega_8", "omega_14"), WING)
def test_adaptive_wing_has_its_published_values(target, predicted, omega_8, omega_14):
    for omega, expected in ((8.0, omega_8), (14.0, omega_14)):
        found = adaptive_wing(double(predicted), double(target), omega=omega, **THESIS)
        assert found.item() == pytest.approx(expected, abs=1e-6)


def test_adaptive_wing_is_continuous_at_theta():
    for target in (0.0, 0.3, 1.0):
        near, far = (adaptive_wing(double(target + d), double(target), omega=8.0, **THESIS) for d in (0.5 - 1e-9, 0.5 + 1e-9))
        assert near.item() == pytest.approx(far.item(), abs=1e-7)


def test_adaptive_wing_has_a_gradient_even_where_it_is_exact():
    predicted = torch.tensor([0.0, 0.2, 0.9, 0.5], dtype=torch.float64, requires_grad=True)
    target = double(0.0, 0.0, 1.0, 0.5)
    adaptive_wing(predicted, target, omega=8.0, **THESIS).sum().backward()
    assert predicted.grad.isfinite().all()
    inner = torch.tensor([0.2, 0.9, 0.31], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: adaptive_wing(p, double(0.0, 0.2, 0.5), omega=8.0, **THESIS), inner)


def binary(values):
    """Foreground values [N] as probabilities [1, 2, N]."""
    foreground = double(*values)
    return torch.stack([1 - foreground, foreground])[None]


@pytest.mark.parametrize(
    ("predicted", "target", "expected"),
    [
        ((0.9, 0.6, 0.2, 0.1), (1, 1, 0, 0), -0.8333333),
        ((0.9, 0.6, 0.2, 0.1), (1, 0.5, 0.25, 0), -0.7692308),
        ((0, 0, 0, 0), (0, 0, 0, 0), -1.0),
    ],
)
def test_soft_dice_has_its_worked_values(predicted, target, expected):
    present = torch.ones(1, 1, 4, dtype=torch.bool)
    found = soft_dice_loss(binary(predicted), binary(target)[:, None], present, smooth=1.0)
    assert found.item() == pytest.approx(expected, abs=1e-7)


def test_the_dice_semimetric_is_best_at_soft_labels_themselves():
    """The soft Dice of a label of .4 is best at 0 or 1, whatever else is there; here at three voxels."""
    target, present = binary([0.4, 1.0, 0.0]), torch.ones(1, 1, 3, dtype=torch.bool)
    found, plain = {}, {}
    for p in (0.0, 0.2, 0.4, 0.6, 1.0):
        probability = binary([p, 1.0, 0.0])
        found[p] = dice_semimetric_loss(probability, target[:, None], present).item()
        plain[p] = soft_dice_loss(probability, target[:, None], present, smooth=0.0).item()
        apart, size = abs(p - 0.4), p + 1.0 + 1.4
        assert found[p] == pytest.approx(-(size - apart) / size)
    assert min(found, key=found.__getitem__) == 0.4 and found[0.4] == -1
    assert min(plain, key=plain.__getitem__) in (0.0, 1.0)


@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_of_hard_labels_the_dice_semimetric_is_the_soft_dice(smooth):
    logits, ratings, present, _ = random_batch(3)
    p = logits.softmax(dim=1).requires_grad_()
    losses = [loss(p, ratings, present, smooth=smooth) for loss in (dice_semimetric_loss, soft_dice_loss)]
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, p)[0] for loss in losses))
    nothing = torch.zeros(1, 1, 2, 3), torch.zeros(1, 1, 3, dtype=torch.bool)
    assert dice_semimetric_loss(torch.ones(1, 2, 3) / 2, *nothing).item() == -1


def test_soft_dice_is_monais_for_one_rater():
    logits, _, _, labels = random_batch(0, n_raters=1)
    p, ratings = logits.softmax(dim=1), ratings_like(labels, 3)
    present = torch.ones_like(labels, dtype=torch.bool)
    theirs = monai.losses.DiceLoss(include_background=False, batch=True, smooth_nr=1.0, smooth_dr=1.0)
    found = soft_dice_loss(p, ratings, present, smooth=1.0)
    assert found.item() == pytest.approx(float(theirs(p, ratings[:, 0])) - 1, abs=1e-9)


def test_cross_entropy_is_torchs_over_all_present_pairs():
    logits, ratings, present, labels = random_batch(1)
    masked = labels.masked_fill(~present, -100)
    repeated = logits.unsqueeze(2).expand(-1, -1, 3, -1, -1)
    expected = functional.cross_entropy(repeated, masked, ignore_index=-100)
    assert soft_cross_entropy(logits, ratings, present).item() == pytest.approx(expected.item(), abs=1e-12)


def test_cross_entropy_of_soft_labels_is_torchs():
    logits, _, _, labels = random_batch(2, n_raters=1)
    soft = 0.8 * ratings_like(labels, 3) + 0.2 / 3
    everywhere = torch.ones_like(labels, dtype=torch.bool)
    expected = functional.cross_entropy(logits, soft[:, 0])
    assert soft_cross_entropy(logits, soft, everywhere).item() == pytest.approx(expected.item(), abs=1e-12)


def test_the_mean_of_nothing_is_nothing_and_has_no_gradient():
    values = torch.ones(1, 2, 3, requires_grad=True)
    mean = masked_mean(values, torch.zeros(1, 2, 3, dtype=torch.bool))
    mean.backward()
    assert mean.item() == 0
    assert not values.grad.any()


def two_raters(**options):
    """Two classes at one voxel, p = (.8, .2); rater 1 says 0, rater 2 says 1; reliabilities .9 and .4."""
    p, reliability = double(0.8, 0.2).view(1, 2, 1), double(0.9, 0.4).view(1, 2, 1)
    ratings, present = torch.eye(2, dtype=torch.float64).view(1, 2, 2, 1), torch.ones(1, 2, 1, dtype=torch.bool)
    return truncated_generalised_cross_entropy(p, ratings, present, reliability, **{"q": 0.5, "floor": 0.5} | options)


def test_tgce_has_its_worked_values():
    assert two_raters().item() == pytest.approx(0.5211553, abs=1e-7)
    assert two_raters(class_mean=True).item() == pytest.approx(0.3630903, abs=1e-7)
    assert two_raters(floor=0.1).item() == pytest.approx(0.7947707, abs=1e-7)


@pytest.mark.parametrize(("said", "expected"), [(0, 0.2111456), (1, 1.1055728)])
def test_full_reliability_is_generalised_cross_entropy(said, expected):
    p, one = double(0.8, 0.2).view(1, 2, 1), torch.ones(1, 1, 1, dtype=torch.float64)
    ratings = torch.eye(2, dtype=torch.float64)[said].view(1, 1, 2, 1)
    for reliability, value in ((one, expected), (0 * one, 0.5857864)):
        found = truncated_generalised_cross_entropy(p, ratings, one.bool(), reliability, q=0.5, floor=0.5)
        assert found.item() == pytest.approx(value, abs=1e-7)
    constant = truncated_generalised_cross_entropy(p, ratings, one.bool(), 0 * one, q=0.5, floor=0.1)
    assert constant.item() == pytest.approx(1.3675445, abs=1e-7)


def test_generalised_cross_entropy_goes_from_cross_entropy_to_absolute_error():
    assert two_raters(q=0.0).item() == pytest.approx(two_raters(q=1e-9).item(), abs=1e-6)
    ends = [-math.log(0.8) * 0.9 + 0.1 * math.log(2), -math.log(0.2) * 0.4 + 0.6 * math.log(2)]
    assert two_raters(q=0.0).item() == pytest.approx(sum(ends) / 2, abs=1e-12)
    assert two_raters(q=1.0).item() == pytest.approx((0.9 * 0.2 + 0.1 * 0.5 + 0.4 * 0.8 + 0.6 * 0.5) / 2, abs=1e-12)


def test_an_absent_rater_changes_nothing_in_tgce():
    p = double(0.8, 0.2).view(1, 2, 1)
    ratings = torch.zeros(1, 3, 2, 1, dtype=torch.float64)
    ratings[0, 0, 0], ratings[0, 1, 1] = 1, 1
    present = torch.tensor([True, True, False]).view(1, 3, 1)
    reliability = double(0.9, 0.4, 0.6).view(1, 3, 1).requires_grad_()
    loss = truncated_generalised_cross_entropy(p, ratings, present, reliability, q=0.5, floor=0.5)
    assert loss.item() == pytest.approx(0.5211553, abs=1e-7)
    (gradient,) = torch.autograd.grad(loss, reliability)
    assert gradient[0, 2, 0] == 0 and gradient[0, 0, 0] < 0 < gradient[0, 1, 0]


@pytest.mark.parametrize(("x", "expected"), [(0.5, 0.1713396), (1.0, 0.7), (0.6, 0.2371816), (0.0, 0.0)])
def test_only_absent_raters_pay_for_their_reliability(x, expected):
    """The mean is over the voxels that anybody judged; here half of them nobody did."""
    reliability = torch.cat([torch.full((1, 2, 3), x, dtype=torch.float64), torch.ones(1, 2, 3)], dim=2)
    present = torch.zeros(1, 2, 6, dtype=torch.bool)
    present[:, 0, :3] = True
    found = absent_rater_penalty(reliability, present, present.any(dim=1, keepdim=True), size=0.7)
    assert found.shape == (1, 2) and found[0, 0] == 0
    assert found[0, 1].item() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("reliability", "expected"), [(0.0, -0.0693147), (1.0, -0.0693147), (0.5, -0.0405465)])
def test_what_the_package_calls_an_entropy_rewards_the_extremes(reliability, expected):
    everywhere = torch.ones(1, 1, 1)
    found = reliability_regularisers(reliability * everywhere, everywhere.bool(), centre=0.0, entropy=0.1, total=0.0)
    assert found.item() == pytest.approx(expected, abs=1e-7)
    centred = reliability_regularisers(reliability * everywhere, everywhere.bool(), centre=0.1, entropy=0.0, total=0.0)
    assert centred.item() == pytest.approx(0.1 * (reliability - 0.5) ** 2, abs=1e-8)


def test_regularisers_count_present_raters_alone():
    present = torch.tensor([[[True, True, False], [True, False, False]]])
    reliability = double(0.9, 0.3, 0.7, 0.6, 0.2, 0.1).view(1, 2, 3)
    found = reliability_regularisers(reliability, present, centre=1.0, entropy=0.0, total=0.0)
    assert found.item() == pytest.approx((0.4**2 + 0.2**2 + 0.1**2) / 3, abs=1e-12)
    total = reliability_regularisers(reliability, present, centre=0.0, entropy=0.0, total=1.0)
    assert total.item() == pytest.approx(((0.9 + 0.6 - 1) ** 2 + (0.3 - 1) ** 2) / 2, abs=1e-12)


def test_gradients_are_those_of_the_values():
    logits, ratings, present, _ = random_batch(3, n_raters=2, shape=(2, 2))
    logits.requires_grad_()
    reliability = torch.rand(2, 2, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: soft_cross_entropy(z, ratings, present), logits)
    assert torch.autograd.gradcheck(lambda z: soft_dice_loss(z.softmax(1), ratings, present), logits)

    def tgce(z, r):
        return truncated_generalised_cross_entropy(z.softmax(1), ratings, present, r, q=0.7, floor=1 / 3)

    assert torch.autograd.gradcheck(tgce, (logits, reliability))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), n_raters=st.integers(1, 4), n_classes=st.integers(2, 4))
def test_laws_of_all_losses(seed, n_raters, n_classes):
    logits, ratings, present, _ = random_batch(seed, n_raters, n_classes)
    p, ones = logits.softmax(dim=1), torch.ones_like(present, dtype=torch.float64)
    losses = {
        "cross-entropy": soft_cross_entropy(logits, ratings, present),
        "dice": soft_dice_loss(p, ratings, present),
        "tgce": truncated_generalised_cross_entropy(p, ratings, present, ones, q=0.5, floor=1 / n_classes),
    }
    assert losses["cross-entropy"] >= losses["tgce"] >= 0
    assert -1 <= losses["dice"] <= 0
    turned = torch.randperm(n_raters, generator=torch.Generator().manual_seed(seed))
    assert soft_cross_entropy(logits, ratings[:, turned], present[:, turned]).item() == pytest.approx(
        losses["cross-entropy"].item()
    )
    assert soft_dice_loss(p, ratings[:, turned], present[:, turned]).item() == pytest.approx(losses["dice"].item())
