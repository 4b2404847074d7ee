import numpy as np
import pytest
from matplotlib.path import Path as Outline

from raterbench.datasets.images.polygons import inside_polygon


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("whole", [False, True])
def test_pixels_inside_are_those_that_matplotlib_finds_inside(seed, whole):
    draws = np.random.default_rng(seed)
    angle = np.sort(draws.uniform(0, 2 * np.pi, 25))
    points = 20 + draws.uniform(5, 24, 25)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    # Half a pixel aside, no centre lies on an edge between whole numbers, where the two may decide differently.
    points = np.round(points) + 0.5 * np.array([0.37, 0.21]) if whole else points
    y, x = np.indices((40, 45))
    found = Outline(np.concatenate([points, points[:1]]), closed=True).contains_points(np.stack([x.ravel(), y.ravel()], axis=1))
    assert found.any() and np.array_equal(inside_polygon(points, (40, 45)), found.reshape(40, 45))


def test_neighbours_share_no_pixel_and_leave_none():
    left, right = [(2, 1), (5, 1), (5, 6), (2, 6)], [(5, 1), (9, 1), (9, 6), (5, 6)]
    masks = [inside_polygon(corners, (8, 12)) for corners in (left, right)]
    assert not (masks[0] & masks[1]).any()
    assert (masks[0] | masks[1]).sum() == 7 * 5 == inside_polygon([(2, 1), (9, 1), (9, 6), (2, 6)], (8, 12)).sum()


def test_order_and_a_repeated_first_point_do_not_matter_and_the_image_may_end_before():
    corners = np.array([(-3, -2), (4, -2), (4, 30), (-3, 30)])
    wanted = np.zeros((5, 6), bool)
    wanted[:, :4] = True
    for points in (corners, corners[::-1], np.concatenate([corners, corners[:1]])):
        assert np.array_equal(inside_polygon(points, (5, 6)), wanted)


@pytest.mark.parametrize("points", [[], [(2, 2)], [(1, 1), (3, 3)], [(1, 2), (4, 2), (2, 2)]])
def test_a_point_or_a_line_has_no_inside(points):
    assert not inside_polygon(points, (6, 6)).any()
