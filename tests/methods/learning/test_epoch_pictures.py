"""Which part of a validation slice is kept for the figure of epochs."""

import numpy as np
import pytest
import torch
from torch import nn

from raterbench.methods import Budget
from raterbench.methods.learning.batches.slices import PreparedSlices
from raterbench.methods.learning.epoch_pictures import EpochWatch


class Bright:
    """Takes the brightness of an image for the probability of its foreground."""

    def slice_probability(self, module, images, window):
        foreground = images[(..., *window)]
        return torch.cat([1 - foreground, foreground], dim=1)


@pytest.mark.parametrize(
    ("judged", "shown"),
    [
        (None, (slice(0, 6), slice(0, 5))),
        ((slice(2, 5), slice(1, 3)), (slice(2, 5), slice(1, 3))),
        ((slice(5, 6), slice(0, 5)), (slice(5, 6), slice(0, 5))),
    ],
    ids=["nobody judged it", "a part was judged", "the last row was judged"],
)
def test_the_judged_part_of_the_middle_slice_is_kept_and_all_of_one_that_nobody_judged(judged, shown):
    """The first case has three slices; of the second rater there is nothing."""
    images = torch.linspace(0, 1, 4 * 6 * 5).view(4, 1, 6, 5)
    present = torch.zeros(4, 2, 6, 5, dtype=torch.bool)
    present[[0, 2, 3], 0] = True
    if judged:
        present[(1, 0, *judged)] = True
    slices = PreparedSlices(images, torch.zeros(4, 2, 2, 6, 5), present, torch.tensor([0, 0, 0, 1]), torch.ones(4, 2))
    watch = EpochWatch(Bright(), slices, Budget(epochs=3, keep_epochs=2), torch.device("cpu"))
    for epoch in range(3):
        watch.add(nn.Identity(), epoch, best_epoch=1)
    found, expected = watch.pictures(), images[1, 0][shown].numpy()
    assert found.epochs == (0, 2, 1)
    assert found.image.shape == expected.shape and found.image.max() == 255
    np.testing.assert_array_equal(found.foreground, [np.round(255 * expected)] * 3)
