"""Which part of a case a picture shows."""

from itertools import product

import numpy as np

from raterbench.reports.figures.views import LEAST, magnified

WHOLE = [slice(10, 210), slice(20, 260)]


def blocks(places, side=3):
    """Labels [300, 300] with a square object at each place."""
    labels = np.zeros((300, 300), np.uint8)
    for row, column in places:
        labels[row : row + side, column : column + side] = 1
    return labels


def test_of_many_small_objects_the_window_with_most_disagreement_is_shown():
    random = np.random.default_rng(0)
    ratings = np.stack([blocks(random.integers(10, 240, (60, 2))) for _ in range(2)])
    rows, columns = magnified(WHOLE, ratings)
    differ = (ratings[0] != ratings[1])[10:210, 20:260]
    sums = {
        (top, left): differ[top : top + LEAST, left : left + LEAST].sum()
        for top, left in product(range(200 - LEAST + 1), range(240 - LEAST + 1))
    }
    assert (rows.stop - rows.start, columns.stop - columns.start) == (LEAST, LEAST)
    assert sums[rows.start - 10, columns.start - 20] == max(sums.values())


def test_raters_who_agree_are_shown_where_they_drew_most():
    ratings = np.stack([blocks([(20, 30), (150, 200), (150, 206)])] * 2)
    rows, columns = magnified(WHOLE, ratings)
    assert rows.start <= 150 and rows.stop >= 153 and columns.start <= 200 and columns.stop >= 209


def test_a_large_object_is_shown_whole():
    assert magnified(WHOLE, np.stack([blocks([(50, 60)], side=90)] * 2)) == WHOLE


def test_without_any_object_nothing_is_cut():
    assert magnified(WHOLE, np.zeros((2, 300, 300), np.uint8)) == WHOLE
