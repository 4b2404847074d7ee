"""Recipes: what turns logits into probabilities and ratings into a loss."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import RaterbenchError
from raterbench.methods import Budget, FusedLabels, NetworkMethod, SeparateNetworks
from raterbench.methods.learning.losses import soft_cross_entropy, soft_dice_loss
from raterbench.methods.learning.recipes import (
    RECIPES,
    Composed,
    Conventional,
    SoftCrossEntropy,
    SoftSeg,
    make_hard,
)

LOSSES = ("cross-entropy", "dice", "dice-semimetric", "dice-cross-entropy", "adaptive-wing", "mse")
EVERY = [
    *(RECIPES.get(name)() for name in RECIPES.names()),
    *(SoftSeg(scope=scope) for scope in ("slice", "case")),
    *(Composed(activation="normalised-relu", loss_function=loss) for loss in LOSSES),
    *(Composed(labels="hard", loss_function=loss, reduction="sum") for loss in LOSSES),
    *(Composed(activation="sigmoid", loss_function=loss) for loss in LOSSES),
]


def two_classes(foreground):
    """The foreground's logits [N] beside a background of zeros, [1, 2, N]."""
    f = torch.tensor(foreground)
    return torch.stack([torch.zeros_like(f), f])[None]


def foregrounds(*shares):
    """Two-class ratings [1, R, 2, N] from each rater's share of foreground."""
    f = torch.tensor(shares)
    return torch.stack([1 - f, f], dim=1)[None]


def test_the_recipes_are_known_by_name():
    assert RECIPES.names() == ["composed", "conventional", "soft-cross-entropy", "softseg"]


def test_normalised_relu_has_its_worked_values():
    p = SoftSeg().activate(two_classes([-1.0, 0.0, 2.0, 4.0]))
    torch.testing.assert_close(p[0, 1], torch.tensor([0.0, 0.0, 0.5, 1.0]))
    three = SoftSeg(exclusion="sum").activate(torch.tensor([10.0, 2.0, 5.0]).view(1, 3, 1))
    torch.testing.assert_close(three.flatten(), torch.tensor([0.588235, 0.117647, 0.294118]), atol=1e-6, rtol=0)


def test_each_foreground_class_has_its_own_maximum_and_the_background_is_the_rest():
    logits = torch.tensor([[[9.0, 9.0, 9.0, 9.0], [4.0, 1.0, 4.0, -1.0], [-1.0, 0.1, 0.2, -1.0]]])
    expected = torch.tensor([[[0.0, 0.25, 0.0, 1.0], [1.0, 0.25, 0.5, 0.0], [0.0, 0.5, 0.5, 0.0]]])
    torch.testing.assert_close(SoftSeg().activate(logits), expected)
    torch.testing.assert_close(SoftSeg().activate(logits * torch.tensor([1.0, 0.01, 100.0])[:, None]), expected)


@pytest.mark.parametrize("recipe", [SoftSeg(), SoftSeg(exclusion="sum"), SoftSeg(scope="slice")], ids=repr)
def test_normalised_relu_makes_probabilities(recipe):
    p = recipe.activate(torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(p.sum(dim=1), torch.ones(3, 5, 5))
    assert (p >= 0).all() and (p <= 1).all()


def test_a_rare_class_cannot_shrink_away():
    """Smaller logits of a class change nothing, so no gradient pushes all of them below zero; over the sum one does."""
    logits = torch.tensor([[[2.0, 2.0, 2.0, 2.0], [1.0, 2.0, 0.5, 0.5], [0.1, 0.2, 0.1, 0.4]]], requires_grad=True)
    ratings, present = torch.zeros(1, 1, 3, 4), torch.ones(1, 1, 4, dtype=torch.bool)
    ratings[0, 0, 0] = 1
    for recipe, shrinks in ((SoftSeg(), False), (SoftSeg(exclusion="sum"), True)):
        logits.grad = None
        recipe.loss(logits, ratings, present).backward()
        along = (logits.grad * logits.detach())[0, 2].sum().item()  # the slope along a scaling of the rare class
        assert (along > 1e-3) == shrinks and (shrinks or abs(along) < 1e-6)


def test_without_any_mass_normalised_relu_says_background():
    for n_classes in (2, 3):
        for exclusion in ("rest", "sum"):
            p = SoftSeg(exclusion=exclusion).activate(-torch.ones(2, n_classes, 4))
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
    random, n_classes = torch.Generator().manual_seed(seed), 2 if "sigmoid" in repr(recipe) else n_classes
    logits = (scale * torch.randn(2, n_classes, 3, 4, generator=random)).requires_grad_()
    p = recipe.activate(logits)
    assert (p >= 0).all()
    torch.testing.assert_close(p.sum(dim=1), torch.ones(2, 3, 4))
    ratings = torch.nn.functional.one_hot(torch.randint(n_classes, (2, 3, 3, 4), generator=random), n_classes).movedim(-1, 2)
    loss = recipe.loss(logits, ratings.float(), torch.rand(2, 3, 3, 4, generator=random) < 0.8)
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


def test_hard_labels_of_two_classes_are_foreground_from_a_half_on():
    ratings = foregrounds([0.2, 0.499, 0.4999999, 0.5, 0.9])
    assert make_hard(ratings, "foreground")[0, 0, 1].tolist() == [0, 0, 1, 1, 1]
    assert make_hard(ratings, "fusion")[0, 0, 1].tolist() == [0, 0, 0, 0, 1]


def test_a_foreground_class_wins_a_tie_with_the_background():
    shares = [[0.4, 0.3, 0.3], [0.4, 0.4, 0.2], [0.4, 0.2, 0.4], [0.2, 0.4, 0.4], [1 / 3] * 3]
    ratings = torch.tensor(shares).T[None, None]
    assert make_hard(ratings, "foreground")[0, 0].argmax(dim=0).tolist() == [0, 1, 2, 1, 1]


def test_named_recipes_are_compositions():
    logits, present = two_classes([1.0, -0.5, 0.3]), torch.ones(1, 1, 3, dtype=torch.bool)
    soft = foregrounds([0.8, 0.3, 0.6])
    for named, composed in {
        SoftCrossEntropy(): Composed(),
        Conventional(): Composed(labels="hard", ties="fusion", loss_function="dice", smooth=1.0),
        SoftSeg(omega=14.0): Composed(activation="normalised-relu", loss_function="adaptive-wing", omega=14.0),
    }.items():
        assert named.loss(logits, soft, present) == composed.loss(logits, soft, present)
        assert named.makes_hard == composed.makes_hard and named.compares_voxels == composed.compares_voxels


def test_sigmoid_is_of_the_foregrounds_logit_and_its_cross_entropy_is_torchs():
    random = torch.Generator().manual_seed(0)
    logits, f = torch.randn(2, 2, 5, generator=random), torch.rand(2, 1, 5, generator=random)
    recipe, ratings, present = Composed(activation="sigmoid"), torch.stack([1 - f, f], dim=2), torch.ones(2, 1, 5) > 0
    torch.testing.assert_close(recipe.activate(logits)[:, 1], logits[:, 1].sigmoid())
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 1], f[:, 0])
    torch.testing.assert_close(recipe.loss(logits, ratings, present), expected)


def test_sigmoid_for_more_than_two_classes_is_an_error_that_names_softmax():
    recipe, dataset = Composed(activation="sigmoid"), make_dataset(shapes=[(32, 32)] * 2, n_classes=3)
    for method in (NetworkMethod(recipe=recipe), FusedLabels(recipe=recipe)):
        for ask in (method.skip_reason, lambda data, m=method: m.prepare(data, seed=0)):
            with pytest.raises(RaterbenchError, match=r'for two classes, and there are 3: write activation = "softmax"'):
                ask(dataset)
    with pytest.raises(RaterbenchError, match="there are 3"):
        recipe.activate(torch.zeros(1, 3, 4))


def test_what_is_added_and_how_it_is_reduced():
    logits, present = two_classes([2.0, 4.0, 0.8]), torch.tensor([[[True, True, False]]])
    ratings = foregrounds([0.5, 0.25, 1.0])

    def loss(**options):
        return Composed(activation="normalised-relu", **options).loss(logits, ratings, present).item()

    assert loss(loss_function="mse") == pytest.approx((0.0 + 0.75**2) / 2)  # the prediction is (.5, 1, .2)
    both = loss(loss_function="dice") + loss(loss_function="cross-entropy")
    assert loss(loss_function="dice-cross-entropy") == pytest.approx(both)
    for name in ("mse", "adaptive-wing", "cross-entropy"):
        assert loss(loss_function=name, reduction="sum") == pytest.approx(2 * loss(loss_function=name))
    assert loss(loss_function="dice") == pytest.approx(-2 * 0.5 / 2.25)
    assert loss(loss_function="dice", smooth=1.0) == pytest.approx(-(1.0 + 1) / (2.25 + 1))
    semimetric = (1.5 + 0.75 - 0.75) / (1.5 + 0.75)
    assert loss(loss_function="dice-semimetric") == pytest.approx(-semimetric)
    assert loss(loss_function="dice-semimetric", smooth=1.0) == pytest.approx(-(1.5 + 1) / (2.25 + 1))
    nothing = Composed(activation="normalised-relu", loss_function="dice")
    assert nothing.loss(-logits, foregrounds([0.0, 0.0, 0.0]), present) == -1


RELU = [SoftSeg(), SoftSeg(scope="slice"), Composed(activation="normalised-relu", loss_function="dice-cross-entropy")]


@pytest.mark.parametrize("recipe", RELU, ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_training_never_sees_padding(recipe, n_classes):
    random = torch.Generator().manual_seed(0)
    inner, f = torch.randn(2, n_classes, 4, 4, generator=random), torch.rand(2, 1, n_classes, 4, 4, generator=random)
    ratings, judged = f / f.sum(dim=2, keepdim=True), torch.ones(2, 1, 4, 4, dtype=torch.bool)
    expected = recipe.loss(inner, ratings, judged)
    for padding in (0.0, 1e6, -1e6):
        padded = torch.nn.functional.pad(inner, (1, 1, 1, 1), value=padding).requires_grad_()
        loss = recipe.loss(padded, *(torch.nn.functional.pad(part, (1, 1, 1, 1)) for part in (ratings, judged)))
        torch.testing.assert_close(loss, expected)
        loss.backward()
        assert padded.grad.isfinite().all() and not padded.grad[:, :, 0].any()
        assert padded.grad[:, :, 1:-1, 1:-1].any()


class Brightness(torch.nn.Module):
    """The image is the foreground's logit, and 1e6 where it touches the edge of what the network sees."""

    def forward(self, images):
        edge = torch.ones_like(images)
        edge[..., 2:-2, 2:-2] = 0
        return torch.cat([0 * images, images + 1e6 * edge], dim=1)


def fitted(method, shapes, **options):
    dataset = make_dataset(shapes=shapes, **options)
    method.set_params(budget=Budget(epochs=1, batch_size=2, backbone="shallow"))
    return method.fit(dataset, dataset, seed=0), dataset


@pytest.mark.parametrize("scope", ["batch", "slice", "case"])
def test_a_prediction_never_sees_padding_and_its_maximum_is_of_the_case_or_slice(scope):
    method, (case, *_) = fitted(NetworkMethod(recipe=SoftSeg(scope=scope)), [(3, 28, 28)])
    method.module_ = Brightness()
    p = method.predict(case).probability[1]
    bright = np.maximum((case.image[0] - case.image.mean()) / case.image.std(), 0)
    peak = bright.max(axis=(1, 2), keepdims=True) if scope == "slice" else bright.max()
    np.testing.assert_allclose(p, bright / peak, atol=1e-5)


@pytest.mark.parametrize("scope", ["batch", "slice", "case"])
@pytest.mark.parametrize("cls", [FusedLabels, SeparateNetworks])
def test_a_prediction_does_not_depend_on_other_cases(cls, scope):
    method, cases = fitted(cls(recipe=SoftSeg(scope=scope)), [(2, 20, 28)] * 3)
    alone = method.predict(cases[0]).probability
    bright = dataclasses.replace(cases[1], image=1000 * cases[1].image)
    for case in (bright, cases[2]):
        method.predict(case)
    np.testing.assert_array_equal(method.predict(cases[0]).probability, alone)
