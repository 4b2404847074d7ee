"""The confusion-matrix networks find raters' known matrices, and leave those they cannot know alone."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.base import clone

from raterbench.datasets import Case, Geometry, RaterbenchError
from raterbench.datasets.simulation.raters import pooled_confusion
from raterbench.methods import GCE, TGCE, Budget
from raterbench.methods.learning.confusion_matrices import (
    CERTAIN,
    expected_votes,
    matrices,
    n_parameters,
    negative_log_likelihood,
    starting_point,
)
from raterbench.methods.networks.confusion_network import LEVELS, ConfusionNetwork, ConfusionOutputs
from raterbench.methods.networks.cr_network import CRNetwork
from raterbench.methods.networks.oracle_confusion_network import OracleConfusionNetwork
from raterbench.methods.networks.tgce import TGCEOutputs

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
TWO = {
    "careful": np.array([[0.9, 0.2], [0.1, 0.8]]),
    "generous": np.array([[0.7, 0.05], [0.3, 0.95]]),
    "sparing": np.array([[0.98, 0.5], [0.02, 0.5]]),
}
THREE = {
    "even": np.array([[0.9, 0.1, 0.1], [0.05, 0.8, 0.1], [0.05, 0.1, 0.8]]),
    "generous": np.array([[0.7, 0.0, 0.1], [0.2, 1.0, 0.0], [0.1, 0.0, 0.9]]),
    "sparing": np.array([[0.95, 0.5, 0.05], [0.05, 0.5, 0.0], [0.0, 0.0, 0.95]]),
}


def learned(confused_cases, matrices, kind=ConfusionNetwork, **options):
    """The truth is how bright a voxel is, which the shallow network sees as well as the U-Net does."""
    train = confused_cases(matrices, options.pop("n_cases", 12), absent=options.pop("absent", ()))
    validation = confused_cases(matrices, 4, seed=1)
    network = {"backbone": options.pop("backbone", "shallow"), "learning_rate": options.pop("learning_rate", 0.1)}
    budget = Budget(epochs=options.pop("epochs", 30), batch_size=4, **network, **STILL)
    options = {"matrix_learning_rate": 5e-2, **options}
    return kind(budget=budget, **options).fit(train, validation, seed=0), train


def rmse(found, expected):
    return float(np.sqrt(np.mean((found - expected) ** 2)))


def built(n_raters, **options):
    method = ConfusionNetwork(budget=Budget(**STILL), **options)
    method.budget_ = method.budget
    method.module_ = method.build(1, 2, n_raters)
    return method


VARIANTS = [
    (ConfusionNetwork, {"level": "global"}),
    (ConfusionNetwork, {"level": "image"}),
    (ConfusionNetwork, {"level": "pixel", "matrix_learning_rate": 2e-2, "n_cases": 40, "epochs": 10}),
    (ConfusionNetwork, {"level": "global", "rank": 1}),
    (CRNetwork, {"level": "global", "matrix_learning_rate": 2e-2, "epochs": 25}),
    (CRNetwork, {"level": "image", "matrix_learning_rate": 2e-2, "epochs": 25}),
    (CRNetwork, {"level": "pixel", "matrix_learning_rate": 5e-3, "n_cases": 40, "epochs": 15}),
]


@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=lambda v: v.__name__ if isinstance(v, type) else str(v))
@pytest.mark.parametrize("matrices", [TWO, THREE], ids=["two classes", "three classes"])
def test_known_matrices_are_recovered(confused_cases, matrices, kind, options):
    method, train = learned(confused_cases, matrices, kind, **options)
    expected, n = np.stack(list(matrices.values())), train.n_classes
    start = np.where(np.eye(n) == 1, method.diagonal, (1 - method.diagonal) / (n - 1))
    assert rmse(start, expected) > 0.12 and rmse(np.eye(n), expected) > 0.17
    # A low-rank matrix of three classes cannot be any matrix.
    assert rmse(method.confusion_, expected) < (0.12 if options.get("rank") and n > 2 else 0.06)
    np.testing.assert_allclose(method.confusion_.sum(axis=1), 1)
    assert not method.report_.warnings and not method.report_.alarms
    assert len(method.report_.majority_dice) == len(method.report_.curve) and method.report_.majority_dice[-1] > 0.8


def test_known_matrices_are_recovered_with_the_u_net(confused_cases):
    method, _ = learned(confused_cases, THREE, level="image", backbone="unet", learning_rate=1e-2, epochs=15)
    assert rmse(method.confusion_, np.stack(list(THREE.values()))) < 0.06
    assert not method.report_.warnings and not method.report_.alarms and method.report_.majority_dice[-1] > 0.8


@pytest.mark.parametrize("level", LEVELS)
def test_matrices_of_a_case_have_the_form_of_their_level(confused_cases, level):
    method, train = learned(confused_cases, TWO, level=level, epochs=1)
    shape = (2, 2, *train[0].shape) if level == "pixel" else (2, 2)
    prediction = method.predict(train[0])
    for matrix in prediction.rater_confusion.values():
        assert matrix.shape == shape
        np.testing.assert_allclose(matrix.sum(axis=0), 1, atol=1e-5)
    p = prediction.probability
    for rater, right in prediction.rater_reliability.items():
        matrix = prediction.rater_confusion[rater].reshape(2, 2, *([-1] if level == "pixel" else [1]))
        expected = (np.einsum("kk...->k...", matrix) * p.reshape(2, -1)).sum(axis=0)
        np.testing.assert_allclose(right.ravel(), expected, atol=1e-5)


@pytest.mark.parametrize("kind", [ConfusionNetwork, CRNetwork])
def test_a_rater_who_was_never_seen_has_no_matrix_and_a_warning(confused_cases, kind):
    method, train = learned(confused_cases, TWO, kind, absent=("ghost",), epochs=2, trace_weight=0.5)
    prediction = method.predict(train[0])
    confusion = prediction.rater_confusion
    assert np.isnan(confusion["ghost"]).all() and np.isnan(prediction.rater_reliability["ghost"]).all()
    assert not np.isnan(confusion["careful"]).any()
    assert [w for w in method.report_.warnings if "'ghost' judged nothing in the training part" in w]


def test_weights_of_the_warm_up_are_an_alarm(confused_cases):
    kept = "the epoch that was kept is one of the warm-up"
    for warmup, said in ((1.0, True), (0.0, False)):
        method, _ = learned(confused_cases, TWO, warmup=warmup, epochs=3)
        assert any(kept in words for words in method.report_.alarms) == said


@pytest.mark.parametrize("level", LEVELS)
def test_matrices_stay_at_their_start_during_the_warm_up(confused_cases, level):
    class Watched(ConfusionNetwork):
        listed = False

        def start_epoch(self, module, epoch):
            super().start_epoch(module, epoch)
            self.starts_ = [*getattr(self, "starts_", []), module.head.layer.weight.detach().clone()]

    train = confused_cases(TWO, 4)
    budget = Budget(epochs=5, **STILL)
    starts = Watched(budget=budget, level=level, warmup=0.4).fit(train, train, seed=0).starts_
    assert torch.equal(starts[1], starts[0]) and torch.equal(starts[2], starts[0])
    assert not torch.equal(starts[3], starts[2])
    assert not torch.equal(*Watched(budget=budget, level=level, warmup=0.0).fit(train, train, seed=0).starts_[:2])


@pytest.mark.parametrize("shared", [True, False])
def test_the_likelihood_is_that_of_the_matrix_times_the_probability(shared):
    """A = [[.9, .2], [.1, .8]] and p = (.7, .3) give (.69, .31): a transposed product or a second softmax would not."""
    method = built(1, anchor=0.0)
    size = (1, 1) if shared else (3, 3)
    matrix = torch.tensor([[0.9, 0.2], [0.1, 0.8]]).view(1, 1, 2, 2, 1, 1).expand(1, 1, 2, 2, *size)
    outputs = ConfusionOutputs(torch.tensor([0.7, 0.3]).log().view(1, 2, 1, 1).expand(1, 2, 3, 3), matrix)
    present = torch.ones(1, 1, 3, 3, dtype=torch.bool)
    for said, weight, expected in ((0, 0.0, 0.3710637), (1, 0.0, 1.1711830), (1, 0.7, 2.3611830)):
        method.trace_weight = weight
        ratings = torch.eye(2)[said].view(1, 1, 2, 1, 1).expand(1, 1, 2, 3, 3)
        assert method.loss(outputs, ratings, present).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "method", [ConfusionNetwork(), ConfusionNetwork(rank=1), OracleConfusionNetwork(), GCE(), TGCE()], ids=repr
)
def test_losses_are_exact_where_the_network_computes_in_half_precision(method):
    """Under autocast a product would be rounded to three digits: rated correctly with .998, a voxel would cost nothing."""
    random, n = torch.Generator().manual_seed(0), 3
    logits = torch.randn(2, n, 8, 8, generator=random)
    ratings = torch.eye(n)[torch.randint(n, (2, 4, 8, 8), generator=random)].movedim(-1, 2)
    present, method = torch.ones(2, 4, 8, 8, dtype=torch.bool), clone(method)
    parameters = torch.randn(2, 4, n_parameters(n, getattr(method, "rank", None)), 1, 1, generator=random)
    method.truncation_ = 0.0

    def loss():
        outputs = logits
        if isinstance(method, ConfusionNetwork):
            outputs = ConfusionOutputs(logits, matrices(parameters, n, method.rank))
        elif isinstance(method, TGCE):
            outputs = TGCEOutputs(logits, torch.full((2, 4, 1, 1), 0.7))
        return method.loss(outputs, ratings, present).item()

    exact = loss()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert loss() == pytest.approx(exact, rel=1e-6)


def test_the_anchor_is_the_loss_at_the_start():
    said = torch.tensor([[0, 2, 1], [1, 1, 0]]).view(1, 2, 1, 3)
    present = torch.tensor([[1, 1, 0], [1, 0, 0]], dtype=torch.bool).view(1, 2, 1, 3)
    ratings = torch.nn.functional.one_hot(said, 3).movedim(-1, 2).float() * present.unsqueeze(2)
    logits = torch.tensor([[0.3, -1.0, 2.0], [0.0, 0.5, -0.5], [1.0, 0.2, 0.1]]).view(1, 3, 1, 3)
    method = ConfusionNetwork(budget=Budget(**STILL), trace_weight=0.0, diagonal=0.7, anchor=1.0)
    start = torch.full((3, 3), 0.15).fill_diagonal_(0.7).view(1, 1, 3, 3, 1, 1).expand(1, 2, 3, 3, 1, 1)
    twice = method.loss(ConfusionOutputs(logits, start), ratings, present)
    once = ConfusionNetwork(budget=Budget(**STILL), trace_weight=0.0, anchor=0.0).loss(
        ConfusionOutputs(logits, start), ratings, present
    )
    torch.testing.assert_close(twice, 2 * once)


def test_the_trace_counts_present_raters_only():
    method = built(2, level="global", trace_weight=1.0, diagonal=0.9, anchor=0.0)
    ratings = torch.tensor([1.0, 0.0]).view(1, 1, 2, 1, 1).expand(1, 2, 2, 32, 32)
    present = torch.tensor([True, False]).view(1, 2, 1, 1).expand(1, 2, 32, 32)
    outputs = method.module_(torch.zeros(1, 1, 32, 32))._replace(
        logits=torch.tensor([50.0, 0]).view(1, 2, 1, 1).expand(1, 2, 32, 32)
    )
    loss = method.loss(outputs, ratings * present.unsqueeze(2), present)
    assert loss.item() == pytest.approx(1.8 - np.log(0.9))
    loss.backward()
    gradient = method.module_.head.layer.weight.grad.view(2, 4)
    assert gradient[0].any() and not gradient[1].any()


def test_a_strong_trace_term_exchanges_the_labels_and_every_alarm_says_so(confused_cases):
    strong = {"trace_weight": 3.0, "matrix_learning_rate": 0.5, "anchor": 0.0, "backbone": "unet", "learning_rate": 1e-2}
    method, _ = learned(confused_cases, TWO, level="global", **strong)
    said = " ".join(method.report_.alarms)
    assert "has left the majority" in said and "not diagonally dominant" in said and "may be swapped" in said


def test_wrong_words_are_plain_errors(confused_cases):
    train = confused_cases(TWO, 2)
    for options, words in (
        ({"level": "pixels"}, "did you mean 'pixel'"),
        ({"start": "identiy"}, "did you mean 'identity'"),
        ({"diagonal": 0.3}, "must be between 1/2 and 1"),
        ({"diagonal": 0.5, "start": "random"}, "must be between 1/2 and 1"),
        ({"diagonal": 1.01}, "diagonal = 1.01 must be a number greater than 0 and at most 1"),
        ({"diagonal": float("nan")}, "diagonal = nan must be a number greater than 0"),
        ({"rank": 0}, "rank = 0 must be a whole number of 1 or more"),
        ({"rank": 0, "start": "random"}, "rank = 0 must be a whole number of 1 or more"),
    ):
        with pytest.raises(RaterbenchError, match=words):
            ConfusionNetwork(budget=Budget(epochs=1, **STILL), **options).fit(train, train, seed=0)


@pytest.mark.parametrize("level", ["global", "image"])
def test_the_oracle_knows_the_raters_and_learns_the_truth(confused_cases, level):
    train, test = confused_cases(TWO, 12), confused_cases(TWO, 4, seed=2)
    budget = Budget(epochs=20, batch_size=4, learning_rate=0.1, backbone="shallow", **STILL)
    method = OracleConfusionNetwork(level=level, budget=budget).fit(train, test, seed=0)
    known = pooled_confusion(train)
    for rater, matrix in method.predict(test[0]).rater_confusion.items():
        np.testing.assert_allclose(matrix, known[rater])
    wrong = np.mean([(method.predict_proba(case).argmax(axis=0) != case.truth.labels).mean() for case in test])
    assert wrong < 0.03


def test_the_oracles_loss_is_the_likelihood_of_the_known_matrix():
    method = OracleConfusionNetwork(level="global", budget=Budget(**STILL))
    method.n_classes_, method.raters_, method.confusion_ = 2, ("one",), TWO["careful"][None]

    image = np.zeros((1, 1, 3), np.float32)
    case = Case("case", "subject", "", image, {"one": np.array([[0, 1, 255]], np.uint8)}, Geometry.axis_aligned(2))
    labels = method.targets(case)["one"]
    np.testing.assert_allclose(labels[:, 0, 0], np.array([0.9, 0.2]) / 1.1, rtol=1e-6)
    np.testing.assert_allclose(labels[:, 0, 1], np.array([0.1, 0.8]) / 0.9, rtol=1e-6)
    assert not labels[:, 0, 2].any()
    ratings = torch.from_numpy(labels).view(1, 1, 2, 1, 3)
    outputs = torch.tensor([0.7, 0.3]).log().view(1, 2, 1, 1).expand(1, 2, 1, 3)
    present = torch.tensor([True, True, False]).view(1, 1, 1, 3)
    expected = -(np.log(0.69 / 1.1) + np.log(0.31 / 0.9)) / 2
    assert method.loss(outputs, ratings, present).item() == pytest.approx(expected, abs=1e-6)


def terms(parameters, n_classes, rank):
    """The terms [rank, K, K] of one low-rank matrix, from its parameters [C]."""
    factors = torch.nn.functional.softplus(parameters[:-1]).split(rank * n_classes)
    return torch.einsum("ir,rj->rij", factors[1].view(n_classes, rank), factors[0].view(rank, n_classes))


@pytest.mark.parametrize(("n_classes", "rank"), [(2, 1), (2, 2), (3, 2), (4, 3), (10, 4), (3, 6)])
def test_a_low_rank_start_is_that_of_full_matrices_and_its_terms_differ(n_classes, rank):
    torch.manual_seed(0)
    start = starting_point(n_classes, rank, 0.8)
    full = matrices(starting_point(n_classes, None, 0.8).view(1, 1, -1, 1, 1), n_classes, None)
    low = start.clone().requires_grad_()
    found = matrices(low.view(1, 1, -1, 1, 1), n_classes, rank)
    torch.testing.assert_close(found, full)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    (found * weights).sum().backward()
    second = low.grad[rank * n_classes : -1].view(n_classes, rank)
    for one, other in itertools.combinations(range(rank), 2):
        assert (terms(start, n_classes, rank)[one] - terms(start, n_classes, rank)[other]).abs().max() > 1e-3
        assert (second[:, one] - second[:, other]).abs().max() > 1e-3 * second.abs().max(), "equal gradients keep them equal"


@pytest.mark.parametrize("level", ["global", "image", "pixel"])
@pytest.mark.parametrize("kind", [ConfusionNetwork, CRNetwork])
def test_the_start_of_a_low_rank_network_is_drawn_from_its_seed(level, kind, confused_cases):
    train, starts = confused_cases(THREE, 1), []
    for seed in (0, 0, 1):
        method = kind(level=level, rank=2, budget=Budget(**STILL))
        method.prepare(train, seed=seed)
        starts.append(torch.cat([p.flatten() for p in method.module_.head.parameters()]))
    assert torch.equal(starts[0], starts[1]) and not torch.equal(starts[0], starts[2])


def test_a_rank_of_two_is_used():
    """Matrices whose errors need two terms: by gradient descent on the matrices alone, with the truth given."""
    truth = 0.02 + torch.block_diag(*2 * [torch.tensor([[0.68, 0.0], [0.24, 0.92]])])
    errors = []
    for rank in (1, 2):
        torch.manual_seed(0)
        parameters = starting_point(4, rank, 0.8).requires_grad_()
        optimiser = torch.optim.Adam([parameters], lr=0.1)
        for _ in range(250):
            found = matrices(parameters.view(1, 1, -1, 1, 1), 4, rank)[0, 0, :, :, 0, 0]
            loss = -(truth * found.log()).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        errors.append(rmse(found.detach().numpy(), truth.numpy()))
        if rank == 2:
            product = terms(parameters.detach(), 4, rank)
            assert (product[0] - product[1]).abs().max() > 0.05
            assert torch.linalg.matrix_rank(product.sum(dim=0), rtol=0.02) == 2
    assert errors[0] > 0.05
    assert errors[1] < 0.002


@pytest.mark.parametrize("start", ["identity", "random"])
@pytest.mark.parametrize(("level", "rank"), [("global", None), ("pixel", None), ("global", 2)])
def test_a_start_at_the_identity_can_be_learned_from(confused_cases, start, level, rank):
    method, _ = learned(confused_cases, THREE, level=level, rank=rank, start=start, diagonal=1.0, epochs=3, warmup=0.0)
    assert np.isfinite(method.report_.curve).all() and np.isfinite(method.confusion_).all()
    for n_classes in (2, 40):
        found = matrices(starting_point(n_classes, rank, 1.0).view(1, 1, -1, 1, 1), n_classes, rank)[0, 0, :, :, 0, 0]
        torch.testing.assert_close(found.diagonal(), torch.full((n_classes,), CERTAIN), atol=2e-6, rtol=0)
        assert (found > 0).all() and (found.argmax(dim=0) == torch.arange(n_classes)).all()


def test_a_start_at_the_identity_is_finite_where_the_network_is_certain_and_wrong():
    method = built(1, diagonal=1.0)
    logits = torch.tensor([300.0, 0.0]).view(1, 2, 1, 1).requires_grad_()
    ratings, present = torch.tensor([0.0, 1.0]).view(1, 1, 2, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.bool)
    confusion = matrices(starting_point(2, None, 1.0).view(1, 1, -1, 1, 1), 2, None)
    loss = method.loss(ConfusionOutputs(logits, confusion), ratings, present)
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


def test_the_likelihood_of_what_a_rater_hardly_ever_says_has_its_gradient():
    """-log of 1e-12 is 27.6, and its derivative in the logit of that entry is -1: no floor may come before."""
    parameters = torch.tensor([0.0, 0.0, -27.631, 0.0]).view(1, 1, 4, 1, 1).requires_grad_()
    said = expected_votes(matrices(parameters, 2, None), torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
    loss = negative_log_likelihood(said, torch.tensor([0.0, 1.0]).view(1, 1, 2, 1, 1)).sum()
    loss.backward()
    assert loss.item() == pytest.approx(27.631, abs=1e-2)
    assert parameters.grad.flatten()[2].item() == pytest.approx(-1, abs=1e-4)


@pytest.mark.parametrize("gap", [10.0, 40.0, 80.0])
def test_the_oracle_draws_a_certain_network_away_from_what_a_rater_never_says(gap):
    logits = torch.tensor([gap, 0.0, 0.0]).view(1, 3, 1, 1).requires_grad_()
    likelihood = torch.tensor([0.0, 1.0, 0.0]).view(1, 1, 3, 1, 1)
    ratings = torch.cat([likelihood, torch.zeros_like(likelihood)], dim=1)  # the second rater judged nothing
    present = torch.tensor([True, False]).view(1, 2, 1, 1)
    loss = OracleConfusionNetwork().loss(logits, ratings, present)
    loss.backward()
    assert loss.item() == pytest.approx(gap, abs=0.2)
    assert logits.grad.flatten()[1].item() == pytest.approx(-1, abs=2e-3)
