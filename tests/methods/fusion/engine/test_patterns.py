"""Patterns against a plain search for unique columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.datasets.base import IGNORE
from raterbench.methods.fusion.engine import threads as threads_module
from raterbench.methods.fusion.engine import vote_encoding as encoding
from raterbench.methods.fusion.engine.patterns import find_patterns
from raterbench.methods.fusion.engine.vote_encoding import BLOCK


def agree_with_numpy(stack, n_classes):
    """Stack [R, N]: the patterns must be its unique columns, with their counts and their places."""
    found = find_patterns({f"{r:02}": row for r, row in enumerate(stack)}, n_classes)
    # Columns as byte strings: NumPy's own search along an axis takes ten times as long.
    columns = np.ascontiguousarray(stack.T)
    texts, counts = np.unique(columns.view(f"S{len(stack)}").ravel(), return_counts=True)
    unique = texts.view(np.uint8).reshape(-1, len(stack)).T
    hard = np.where(found.votes.any(axis=1), found.votes.argmax(axis=1), IGNORE)
    order = np.lexsort(hard[::-1])
    assert np.array_equal(hard[:, order], unique)
    assert np.array_equal(found.counts[order], counts)
    assert np.array_equal(np.stack([found.spread(row.astype(np.uint8)) for row in hard]), stack)
    assert found.counts.sum() == stack.shape[1]


@st.composite
def stacks(draw):
    classes = draw(st.integers(2, 5))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    stack = random.integers(classes, size=(draw(st.integers(1, 9)), draw(st.integers(1, 300)))).astype(np.uint8)
    stack[random.random(stack.shape) < draw(st.sampled_from([0, 0.2]))] = IGNORE
    return stack, classes


@pytest.mark.parametrize("dense", [4, 60, 1 << 20])
@settings(max_examples=12, deadline=None, derandomize=True)
@given(example=stacks())
def test_patterns_are_the_unique_columns(dense, example):
    """Whatever the number of keys beyond which they are renumbered."""
    before, encoding.LARGEST_TABLE = encoding.LARGEST_TABLE, dense
    try:
        agree_with_numpy(*example)
    finally:
        encoding.LARGEST_TABLE = before


@pytest.mark.parametrize(("raters", "classes"), [(7, 2), (7, 4), (24, 2)])
def test_patterns_of_large_images(raters, classes):
    """An odd number of voxels, more than one block holds, with byte keys, wider keys and renumbered keys."""
    random = np.random.default_rng(0)
    truth = random.integers(classes, size=BLOCK + 3)
    stack = np.where(random.random((raters, len(truth))) < 0.01, 0, truth).astype(np.uint8)
    agree_with_numpy(stack, classes)


def test_ratings_that_are_read_only_or_not_contiguous():
    labels = np.random.default_rng(0).integers(3, size=(6, 7, 8)).astype(np.uint8)
    labels.flags.writeable = False
    turned = find_patterns({"a": labels.T, "b": labels.transpose(2, 1, 0)}, 3)
    assert turned.unanimous
    assert np.array_equal(turned.spread(turned.mean.argmax(axis=0).astype(np.uint8)), labels.T)


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize(("raters", "classes"), [(7, 2), (12, 2)])
def test_threads_change_nothing(threads, raters, classes, monkeypatch):
    """Byte keys and wider ones, of a number of voxels that no number of threads divides."""
    monkeypatch.setattr(threads_module, "LARGE", 1000)
    monkeypatch.setattr(encoding, "BLOCK", 4096)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    random = np.random.default_rng(1)
    stack = random.integers(classes, size=(raters, 100_003)).astype(np.uint8)
    stack[:, 30_000:60_000] = 0
    agree_with_numpy(stack, classes)
