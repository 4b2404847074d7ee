"""The one training loop: what it keeps, when it stops, what it shares between candidates."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import CaseList, RaterbenchError
from raterbench.methods import Budget, FusedLabels, NetworkMethod
from raterbench.methods.learning.preparation import prepare_image
from raterbench.methods.learning.training import Diverged, StopRule, evaluate
from raterbench.methods.networks.confusion_network import ConfusionNetwork
from raterbench.methods.networks.random_rater import RandomRater

FEATURES = (4, 4, 4, 8, 8, 4)
TRAIN = make_dataset(shapes=[(32, 32)] * 6)
VALIDATION = make_dataset(shapes=[(32, 32)] * 2)


def budget(**options):
    return Budget(**{"epochs": 4, "batch_size": 2, "features": FEATURES} | options)


def fit(method, seed=0, train=TRAIN, validation=VALIDATION):
    return method.fit(train, validation, seed=seed)


class Scripted(NetworkMethod):
    """Its validation losses are written beforehand; it notes its weights after every epoch and all images it sees."""

    listed = False
    script: ClassVar[list[float]] = []

    def fit(self, train, validation, *, seed, device="cpu"):
        self.weights_, self.seen_, self.asked_ = [], [], 0
        return super().fit(train, validation, seed=seed, device=device)

    def loss(self, outputs, ratings, present):
        if torch.is_grad_enabled():
            return super().loss(outputs, ratings, present)
        self.weights_.append({name: t.clone() for name, t in self.module_.state_dict().items()})
        self.asked_ += 1
        return torch.tensor(self.script[self.asked_ - 1])


def scripted(losses, **options):
    method = Scripted(budget=budget(epochs=len(losses), **options))
    method.script = losses
    return fit(method)


def test_the_weights_of_the_best_epoch_are_kept():
    method = scripted([3.0, 1.0, 2.0, 1.0, 5.0])
    assert method.report_.best_epoch == 1
    assert [epoch for epoch, _, _ in method.report_.curve] == [0, 1, 2, 3, 4]
    kept = method.module_.state_dict()
    assert all(torch.equal(kept[name], weight) for name, weight in method.weights_[1].items())
    assert not all(torch.equal(kept[name], weight) for name, weight in method.weights_[4].items())


class NotesLayouts(FusedLabels):
    """It notes where its weights lie, and how, when a loss is computed."""

    listed = False

    def step_loss(self, module, batch):
        self.weights_ = [(w.data_ptr(), w.stride()) for w in module.parameters() if w.ndim == 4]
        self.channels_last_ = [w.is_contiguous(memory_format=torch.channels_last) for w in module.parameters() if w.ndim == 4]
        return super().step_loss(module, batch)


def test_validation_lays_weights_out_otherwise_and_gives_the_same_tensors_back():
    method = fit(NotesLayouts(budget=budget()))
    module, held_out = method.module_.eval(), method.slices(VALIDATION)
    with torch.no_grad():
        plain = method.step_loss(module, held_out.batch(torch.arange(len(held_out)), method.device_))
    own = method.weights_
    assert not all(method.channels_last_)
    loss = evaluate(method, module, held_out, method.budget_, method.device_)
    assert all(method.channels_last_) and loss == pytest.approx(float(plain), rel=1e-5)
    assert own == [(w.data_ptr(), w.stride()) for w in module.parameters() if w.ndim == 4]


def test_training_stops_when_patience_is_spent_and_not_before():
    losses = [3.0, 2.0, 2.5, 2.5, 1.0, 2.0, 2.0, 2.0, 0.0]
    method = scripted(losses, patience=3)
    assert [v for _, _, v in method.report_.curve] == losses[:8]
    assert method.report_.best_epoch == 4
    assert len(scripted(losses, patience=2).report_.curve) == 4


@pytest.mark.parametrize(
    ("options", "losses", "ran"),
    [
        ({"min_improvement": 0.1}, [2.0, 1.9, 1.85, 1.0, 0.95], 3),  # 1.85 is better than 2.0 by less than a tenth
        ({"min_improvement": 0.1}, [2.0, 1.9, 1.7, 1.6, 1.4], 5),
        ({"min_improvement": 0.1}, [-1.0, -1.05, -1.08, -2.0], 3),  # as the loss of Dice
        ({"min_improvement": 0.0}, [0.0, -0.1, 0.1, -0.2, 0.0, -0.1], 6),
        ({"weak_epochs": "in total"}, [3.0, 2.0, 2.5, 1.0, 2.0, 0.5], 5),
        ({"weak_epochs": "in total", "min_improvement": 0.1}, [3.0, 2.9, 2.0, 1.9, 1.0], 4),
    ],
)
def test_the_stop_rule_counts_weak_epochs(options, losses, ran):
    rule = StopRule(Budget(patience=2, **options))
    assert next(epoch for epoch, loss in enumerate(losses, start=1) if rule.ends(loss) or epoch == len(losses)) == ran


class Broken(NetworkMethod):
    listed = False
    when: ClassVar[bool] = True

    def loss(self, outputs, ratings, present):
        factor = float("nan") if torch.is_grad_enabled() == self.when else 1.0
        return super().loss(outputs, ratings, present) * factor


@pytest.mark.parametrize("in_training", [True, False])
def test_a_loss_that_is_no_number_ends_the_fit(in_training):
    method = Broken(budget=budget())
    method.when = in_training
    which = "training" if in_training else "validation"
    with pytest.raises(Diverged, match=rf"the {which} loss became nan in epoch 1: lower budget\.learning_rate = 0"):
        fit(method)


class WithDropout(NetworkMethod):
    listed = False

    def build(self, n_channels, n_classes, n_raters):
        return torch.nn.Sequential(super().build(n_channels, n_classes, n_raters), torch.nn.Dropout(0.3))


@pytest.mark.parametrize("cls", [NetworkMethod, RandomRater, ConfusionNetwork, WithDropout])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(cls):
    states = []
    for seed, outside in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(outside)
        states.append(fit(cls(budget=budget()), seed).module_.state_dict())
    one, again, other = states
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_fitting_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(RandomRater(budget=budget()))
    assert torch.equal(torch.rand(3), expected)


def watched(cls):
    """A method class that notes the images of every training batch, and its first weights."""

    class Watched(cls):
        listed = False

        def build(self, *sizes):
            module, self.batches_ = super().build(*sizes), []
            self.first_ = [p.clone() for p in getattr(module, "network", module).parameters()]
            module.register_forward_pre_hook(lambda m, args: self.batches_.append(args[0].clone()) if m.training else None)
            return module

    return Watched


def test_all_candidates_see_the_same_batches_from_the_same_first_weights():
    methods = [fit(watched(cls)(budget=budget())) for cls in (NetworkMethod, FusedLabels, RandomRater, ConfusionNetwork)]
    first = methods[0]
    assert len(first.batches_) == 4 * 3
    assert not torch.equal(first.batches_[0], first.batches_[3])
    for method in methods[1:]:
        assert all(torch.equal(a, b) for a, b in zip(method.first_, first.first_, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(method.batches_, first.batches_, strict=True))


def test_an_epoch_of_few_slices_has_several_passes_in_other_orders():
    still = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "epochs": 2}
    one, several = (fit(watched(NetworkMethod)(budget=budget(**still, **more))) for more in ({}, {"least_steps": 7}))
    assert (len(one.batches_), len(several.batches_)) == (2 * 3, 2 * 9)  # 6 slices: 3 passes of 3 steps
    assert len(one.report_.curve) == len(several.report_.curve) == 2
    shown = [torch.cat(several.batches_[start : start + 3]) for start in range(0, 9, 3)]
    every = [sorted(image.sum().item() for image in images) for images in shown]
    assert every[0] == every[1] == every[2] and not torch.equal(shown[0], shown[1])
    enough = fit(watched(NetworkMethod)(budget=budget(**still, least_steps=3)))
    assert all(torch.equal(a, b) for a, b in zip(enough.batches_, one.batches_, strict=True))


def test_training_lowers_the_loss():
    still = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0}
    curve = fit(NetworkMethod(budget=budget(epochs=15, learning_rate=1e-2, **still))).report_.curve
    assert curve[-1][1] < 0.9 * curve[0][1]


def test_a_random_rater_is_present_and_drawn_evenly():
    method = RandomRater()
    present = torch.ones(3000, 3, 2, 2, dtype=torch.bool)
    present[:, 1] = False
    ratings = torch.arange(3.0).view(1, 3, 1, 1, 1).expand(3000, 3, 2, 2, 2)
    drawn, there = method.select_targets(ratings, present, torch.Generator().manual_seed(0))
    assert drawn.shape == (3000, 1, 2, 2, 2) and there.shape == (3000, 1, 2, 2) and there.all()
    counts = np.bincount(drawn[:, 0, 0, 0, 0].long().numpy(), minlength=3)
    assert counts[1] == 0 and 1350 < counts[0] < 1650


def test_cases_that_nobody_rated_are_a_clear_error():
    unrated = CaseList("mine", list(TRAIN), TRAIN.classes)
    unrated.cases[2] = unrated.cases[2].unlabelled()
    for cls in (NetworkMethod, FusedLabels):
        with pytest.raises(RaterbenchError, match="case 'case 2' has no rater at all"):
            fit(cls(budget=budget()), train=unrated)
    unjudged = make_dataset(shapes=[(32, 32)] * 2, change=lambda labels: np.full_like(labels, 255))
    with pytest.raises(RaterbenchError, match="no rater judged a voxel of the 2 cases"):
        fit(NetworkMethod(budget=budget()), validation=unjudged)


def test_slices_that_nobody_judged_are_left_out_of_training():
    slices = np.arange(4)[:, None, None]
    half = make_dataset(shapes=[(4, 32, 32)], change=lambda labels: np.where(slices < 2, 255, labels).astype(np.uint8))
    method = NetworkMethod(budget=budget())
    assert len(method.prepare(half, seed=0)) == 2


class WithPosterior(NetworkMethod):
    """A second network sees the ratings; its code of two numbers enters the logits and is kept near zero."""

    listed = False

    def build(self, n_channels, n_classes, n_raters):
        return torch.nn.ModuleDict({"prior": self.backbone(n_channels, n_classes), "posterior": torch.nn.Linear(n_classes, 2)})

    def step_loss(self, module, batch):
        self.seen_ = [*getattr(self, "seen_", []), (module.training, batch)]
        code = module["posterior"](batch.ratings.mean(dim=(1, 3, 4)))
        logits = module["prior"](batch.images) + code[..., None, None]
        return self.loss(logits, batch.ratings, batch.present) + code.square().mean()

    def outputs(self, case, part=None):
        return self.module_["prior"](prepare_image(case, self.preparation_))


def test_a_method_with_a_posterior_network_needs_no_loop_of_its_own():
    method = fit(WithPosterior(budget=budget(rotation=0.0, translation=0.0, scaling=0.0)))
    assert len(method.report_.curve) == 4
    prepared = method.slices(TRAIN)
    assert prepared.cases.tolist() == list(range(6))
    for training, batch in method.seen_:
        assert training or batch.cases.tolist() == [0, 1]
        if training:
            assert torch.equal(batch.images, prepared.batch(batch.cases, torch.device("cpu")).images)
    assert sorted(i for training, batch in method.seen_[:4] if training for i in batch.cases.tolist()) == list(range(6))


class Watched(NetworkMethod):
    """Notes the learning rates of its two groups of parameters at every training step."""

    listed = False

    def parameter_groups(self, module):
        parameters = list(module.parameters())
        self.rates_ = []
        self.groups_ = [{"params": parameters[:-1]}, {"params": parameters[-1:], "lr": 0.05}]
        return self.groups_

    def step_loss(self, module, batch):
        if torch.is_grad_enabled():
            self.rates_.append([group["lr"] for group in self.groups_])
        return super().step_loss(module, batch)


def test_the_cosine_schedule_falls_after_each_epoch_and_each_group_keeps_its_rate():
    rates = np.array(fit(Watched(budget=budget(learning_rate=0.01))).rates_)
    expected = (1 + np.cos(np.pi * np.arange(4) / 4)) / 2
    np.testing.assert_allclose(rates[:, 0].reshape(4, 3), np.repeat(0.01 * expected, 3).reshape(4, 3))
    np.testing.assert_allclose(rates[:, 1], 5 * rates[:, 0])


def test_one_cycle_rises_in_a_quarter_of_all_steps_and_then_falls():
    rates = np.array(fit(Watched(budget=budget(learning_rate=0.01, epochs=8, schedule="one-cycle"))).rates_)
    assert len(rates) == 24
    assert rates[:, 0].argmax() == 5
    assert rates[5].tolist() == pytest.approx([0.01, 0.05])
    assert (np.diff(rates[:6], axis=0) > 0).all() and (np.diff(rates[5:], axis=0) < 0).all()
    assert rates[-1, 0] < 1e-5


@pytest.mark.parametrize("epochs", [1, 2])
def test_one_cycle_takes_few_steps(epochs):
    rates = np.array(fit(Watched(budget=budget(epochs=epochs, batch_size=6, schedule="one-cycle"))).rates_)
    assert len(rates) == epochs and (rates > 0).all()


def test_predictions_are_kept_after_some_epochs_and_change_nothing():
    losses = [3.0, 1.0, 2.0, 1.5, 5.0]
    without, kept = scripted(losses), scripted(losses, keep_epochs=3)
    assert without.report_.by_epoch is None
    found = kept.report_.by_epoch
    assert found.epochs == (0, 1, 4, 1), "at equal ratios, and the best"
    assert found.foreground.shape == (4, 32, 32) and found.image.max() == 255
    assert (found.foreground[3] == found.foreground[1]).all() and (found.foreground[2] != found.foreground[1]).any()
    # What was kept of the best epoch is what the fitted method predicts for the first validation case.
    expected = 255 * (1 - kept.predict_proba(VALIDATION[0])[0])
    np.testing.assert_allclose(found.foreground[3], expected, atol=0.51)
    for one, other in zip(without.weights_, kept.weights_, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
