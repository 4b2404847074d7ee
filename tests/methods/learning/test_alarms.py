"""Alarms see a learned truth that is not what raters mean, and are silent where raters merely err."""

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.methods import Budget, ConfusionNetwork, FusedLabels, SoftSeg
from raterbench.methods.learning.alarms import (
    labels_swapped,
    lost_classes,
    majority_counts,
    majority_dice,
    not_dominant,
    truth_left_majority,
)

CLASSES = ("background", "outer", "inner")


def test_counts_leave_out_what_nobody_judged_and_use_present_raters_only():
    ratings = torch.tensor([[0, 1, 1, 1], [1, 1, 0, 1], [1, 1, 0, 0]]).view(1, 3, 1, 4)
    ratings = torch.nn.functional.one_hot(ratings, 2).movedim(-1, 2).float()
    present = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=torch.bool).view(1, 3, 1, 4)
    learned = torch.tensor([0.9, 0.2, 0.3, 0.6]).view(1, 1, 1, 4)
    counts = majority_counts(torch.cat([1 - learned, learned], dim=1), ratings, present)
    # Majorities: 1 (two of three), 1, 1 (one rater), nobody; learned: 1, 0, 0.
    assert counts.tolist() == [[0, 2], [0, 1]]
    assert majority_dice(counts.numpy()) == pytest.approx(2 * 1 / (1 + 3))


def test_the_dice_without_any_foreground_is_perfect():
    assert majority_dice(np.diag([5, 0, 0])) == 1
    assert majority_dice(np.array([[5, 1], [0, 0]])) == 0


@pytest.mark.parametrize(("dice", "kept", "said"), [([0.8, 0.9, 0.5], 2, True), ([0.8, 0.9, 0.5], 1, False), ([], 0, False)])
def test_a_truth_that_leaves_the_majority_is_told_by_the_epoch_that_was_kept(dice, kept, said):
    assert bool(truth_left_majority(dice, kept)) == said


def test_exchanged_classes_are_named():
    swapped = np.array([[90, 2, 1], [1, 1, 30], [0, 20, 2]])
    words = labels_swapped(swapped, CLASSES)
    assert len(words) == 2 and "'outer'" in words[0] and "call 'inner'" in words[0]
    assert labels_swapped(np.diag([9, 5, 3]), CLASSES) == []
    assert "'inner' is nowhere" in labels_swapped(np.array([[9, 0, 2], [0, 5, 3], [0, 0, 0]]), CLASSES)[0]


def test_a_class_that_neither_side_has_is_no_alarm():
    """A validation part may lack a rare class: nothing was learned of it that could be wrong."""
    assert labels_swapped(np.diag([9, 5, 0]), CLASSES) == []
    assert labels_swapped(np.zeros((3, 3), int), CLASSES) == []


def test_rare_classes_under_noise_are_no_swap():
    """Of what raters call inner, most is background by chance; what is learned as inner, they mostly call inner."""
    assert labels_swapped(np.array([[8000, 800, 600], [80, 700, 90], [20, 30, 300]]), CLASSES) == []


def test_dominance_is_of_the_mean_matrix_over_known_raters():
    good, bad = np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[0.6, 0.9], [0.4, 0.1]])
    assert not_dominant(np.stack([good, np.full((2, 2), np.nan)]), CLASSES[:2]) == []
    assert not_dominant(np.stack([good, good, bad]), CLASSES[:2]) == []
    assert "'outer'" in not_dominant(np.stack([good, bad, bad]), CLASSES[:2])[0]
    assert not_dominant(np.full((2, 2, 2), np.nan), CLASSES[:2]) == []


def test_what_is_said_of_the_data_is_no_alarm(confused_cases):
    matrices = {"careful": np.array([[0.9, 0.1], [0.1, 0.9]]), "other": np.array([[0.8, 0.1], [0.2, 0.9]])}
    train = confused_cases(matrices, 8, absent=("ghost",))
    budget = Budget(epochs=8, batch_size=4, learning_rate=1e-2, rotation=0.0, translation=0.0, scaling=0.0, features=(8,) * 6)
    method = ConfusionNetwork(budget=budget).fit(train, confused_cases(matrices, 4, seed=1), seed=0)
    assert [words for words in method.report_.warnings if "ghost" in words] and method.report_.alarms == []


class NeverStarts(FusedLabels):
    """The last layer's bias makes every logit negative: a normalised ReLU of them has no gradient."""

    listed = False

    def build(self, n_channels, n_classes, n_raters):
        module = super().build(n_channels, n_classes, n_raters)
        torch.nn.init.constant_(module.last.bias, -100.0)
        return module


def test_a_network_that_gives_background_alone_is_an_alarm():
    dataset = make_dataset(shapes=[(32, 32)] * 3)
    for cls, dead in ((NeverStarts, True), (FusedLabels, False)):
        method = cls(recipe=SoftSeg(), budget=Budget(epochs=1, backbone="shallow")).fit(dataset, dataset, seed=0)
        words = method.fit_report().alarms
        assert bool(words) == dead
    assert not method.predict(dataset[0]).probability[0].all()


def test_background_is_no_alarm_where_raters_marked_nothing_and_one_case_with_foreground_is_enough():
    dataset, nothing = make_dataset(shapes=[(32, 32)] * 3), make_dataset(shapes=[(32, 32)] * 3, change=np.zeros_like)
    seen = []

    def predict(case, foreground=0.0):
        seen.append(case)
        probability = np.zeros((2, 32, 32), np.float32)
        probability[1, 5, 5] = foreground
        return probability

    assert "gives background everywhere on all 3 training cases" in lost_classes(predict, dataset)[0] and len(seen) == 3
    assert not any(case.ratings for case in seen)
    assert lost_classes(predict, nothing) == [] and len(seen) == 3
    assert lost_classes(lambda case: predict(case, 0.06), dataset) == [] and len(seen) == 4
    assert lost_classes(lambda case: predict(case, 0.04), dataset) != []


def test_a_class_that_is_never_given_is_an_alarm_though_others_are():
    dataset = make_dataset(shapes=[(32, 32)] * 3, n_classes=3)
    two, three = np.zeros((3, 32, 32), np.float32), np.zeros((3, 32, 32), np.float32)
    two[0], two[1, 5, 5] = 0.5, 1
    three[0], three[1, 5, 5], three[2, 6, 6] = 0.5, 1, 1
    (alarm,) = lost_classes(lambda case: two, dataset)
    assert alarm.startswith(f"the network gives no {dataset.classes[2]} on all 3 training cases")
    assert lost_classes(lambda case: three, dataset) == []
