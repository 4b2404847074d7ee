"""Recipes: what turns logits into probabilities and ratings into a loss."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.datasets import RaterbenchError
from raterbench.methods.learning.losses import soft_cross_entropy, soft_dice_loss
from raterbench.methods.learning.recipes import RECIPES, Conventional, SoftCrossEntropy, SoftSeg

EVERY = [RECIPES.get(name)() for name in RECIPES.names()] + [SoftSeg(scope="slice")]


def two_classes(foreground):
    """The foreground's logits [N] beside a background of zeros, [1, 2, N]."""
    f = torch.tensor(foreground)
    return torch.stack([torch.zeros_like(f), f])[None]


def foregrounds(*shares):
    """Two-class ratings [1, R, 2, N] from each rater's share of foreground."""
    f = torch.tensor(shares)
    return torch.stack([1 - f, f], dim=1)[None]


def test_the_recipes_are_known_by_name():
    assert RECIPES.names() == ["conventional", "soft-cross-entropy", "softseg"]


def test_normalised_relu_has_its_worked_values():
    p = SoftSeg().activate(two_classes([-1.0, 0.0, 2.0, 4.0]))
    torch.testing.assert_close(p[0, 1], torch.tensor([0.0, 0.0, 0.5, 1.0]))
    three = SoftSeg().activate(torch.tensor([10.0, 2.0, 5.0]).view(1, 3, 1))
    torch.testing.assert_close(three.flatten(), torch.tensor([0.588235, 0.117647, 0.294118]), atol=1e-6, rtol=0)


def test_without_any_mass_normalised_relu_says_background():
    for n_classes in (2, 3):
        p = SoftSeg().activate(-torch.ones(2, n_classes, 4))
        assert (p[:, 0] == 1).all() and (p[:, 1:] == 0).all()


def test_the_maximum_is_that_of_the_batch_or_of_each_slice():
    logits = torch.cat([two_classes([2.0, 1.0]), two_classes([4.0, 1.0])])
    torch.testing.assert_close(SoftSeg().activate(logits)[:, 1], torch.tensor([[0.5, 0.25], [1.0, 0.25]]))
    torch.testing.assert_close(SoftSeg(scope="slice").activate(logits)[:, 1], torch.tensor([[1.0, 0.5], [1.0, 0.25]]))
    with pytest.raises(RaterbenchError, match="did you mean 'slice'"):
        SoftSeg(scope="slices").check_parameters()


def test_softseg_is_the_mean_wing_over_present_voxels():
    logits, present = two_classes([2.0, 4.0, 0.8]), torch.tensor([[[True, True, False]]])
    loss = SoftSeg().loss(logits, foregrounds([0.5, 0.5, 1.0]), present)
    exact, apart = 0.0, 2.280692  # the prediction is (.5, 1, .2)
    assert loss.item() == pytest.approx((exact + apart) / 2, abs=1e-5)


def test_conventional_learns_binarised_labels_and_softseg_and_cross_entropy_soft_ones():
    logits, present = two_classes([1.0, -0.5, 0.3]), torch.ones(1, 1, 3, dtype=torch.bool)
    soft, hard = foregrounds([0.8, 0.3, 0.6]), foregrounds([1.0, 0.0, 1.0])
    assert Conventional().loss(logits, soft, present) == Conventional().loss(logits, hard, present)
    assert Conventional().loss(logits, soft, present) == soft_dice_loss(logits.softmax(1), hard, present)
    assert SoftSeg().loss(logits, soft, present) != SoftSeg().loss(logits, hard, present)
    assert SoftCrossEntropy().loss(logits, soft, present) == soft_cross_entropy(logits, soft, present)


def test_two_class_softmax_is_the_sigmoid_of_the_difference():
    logits = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Conventional().activate(logits)[:, 1], (logits[:, 1] - logits[:, 0]).sigmoid())


@pytest.mark.parametrize("recipe", EVERY, ids=repr)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), n_classes=st.integers(2, 5), scale=st.sampled_from([0.0, 1e-6, 1.0, 100.0]))
def test_every_activation_is_a_distribution_with_a_finite_gradient(recipe, seed, n_classes, scale):
    random = torch.Generator().manual_seed(seed)
    logits = (scale * torch.randn(2, n_classes, 3, 4, generator=random)).requires_grad_()
    p = recipe.activate(logits)
    assert (p >= 0).all()
    torch.testing.assert_close(p.sum(dim=1), torch.ones(2, 3, 4))
    ratings = torch.nn.functional.one_hot(torch.randint(n_classes, (2, 3, 3, 4), generator=random), n_classes).movedim(-1, 2)
    loss = recipe.loss(logits, ratings.float(), torch.rand(2, 3, 3, 4, generator=random) < 0.8)
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()
