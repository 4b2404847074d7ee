"""Majority, evidence and counts of votes against loops over voxels and raters; absent raters count nowhere."""

import numpy as np
import torch

from raterbench.methods.raters.votes import confusion_of, count_votes, majority_shares, summed_evidence


def random_votes(seed, n_raters=3, n_classes=3, shape=(2, 4)):
    """Hard ratings [2, R, K, *S] of which a third is absent, with labels and presence."""
    random = np.random.default_rng(seed)
    labels, present = random.integers(n_classes, size=(2, n_raters, *shape)), random.random((2, n_raters, *shape)) < 0.7
    ratings = torch.eye(n_classes)[torch.from_numpy(labels)].movedim(-1, 2) * torch.from_numpy(present).unsqueeze(2)
    return ratings, torch.from_numpy(present), labels


def test_the_majority_shares_ties_and_is_nothing_where_nobody_judged():
    votes = torch.tensor([[0, 0, 1], [0, 1, 2], [1, 1, 2], [2, 2, 2]])  # four voxels, three raters
    present = torch.tensor([[True, True, True], [True, True, False], [True, False, True], [False, False, False]])
    ratings = (torch.eye(3)[votes] * present.unsqueeze(2)).permute(1, 2, 0)[None]
    expected = [[1, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 0]]
    assert majority_shares(ratings, present.T[None])[0].T.tolist() == expected


def test_evidence_and_counts_are_sums_over_present_raters():
    ratings, present, labels = random_votes(0)
    random = torch.Generator().manual_seed(1)
    weights, truth = torch.randn(3, 3, 3, generator=random), torch.rand(2, 3, 2, 4, generator=random)
    evidence, counts = np.zeros((2, 3, 2, 4)), np.zeros((3, 3, 3))
    for b, r, y, x in np.argwhere(present.numpy()):
        said = labels[b, r, y, x]
        evidence[b, :, y, x] += weights[r, said].numpy()
        counts[r, said] += truth[b, :, y, x].numpy()
    np.testing.assert_allclose(summed_evidence(weights, ratings, present), evidence, atol=1e-5)
    np.testing.assert_allclose(count_votes(truth, ratings, present), counts, atol=1e-5)


def test_columns_sum_to_1_whatever_the_pseudo_count():
    """A published code adds the pseudo-count to the numerator alone, so that a probability can exceed 1."""
    counts = torch.tensor([[[90.0, 0.0], [0.0, 0.0]]])
    matrix = confusion_of(counts, 1.0)
    torch.testing.assert_close(matrix, torch.tensor([[[91 / 92, 0.5], [1 / 92, 0.5]]]))
