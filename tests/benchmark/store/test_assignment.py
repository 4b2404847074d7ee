"""Who rated what, packed and unpacked."""

import numpy as np
import pytest

from raterbench.benchmark.store.assignment import pack_assignment, unpack_assignment
from raterbench.datasets import Case, CaseList, Geometry
from raterbench.errors import RaterbenchError

RATERS = ("ada", "ben", "eve")


def data(*rated):
    labels = np.zeros((2, 2), np.uint8)
    image = np.zeros((1, 2, 2), np.float32)
    cases = [
        Case(f"c{i}", "s", "h", image, dict.fromkeys(names, labels), Geometry.axis_aligned(2)) for i, names in enumerate(rated)
    ]
    return CaseList("made", cases, ("background", "thing"), RATERS)


def test_what_was_packed_comes_back():
    train = data(["ada"], ["eve", "ada"], ["ben"], ["ada", "ben", "eve"])
    packed = pack_assignment(train)
    assert packed.nbytes == 2
    table = unpack_assignment(packed, ["c0", "c1", "c2", "c3"], RATERS)
    assert table.index.tolist() == ["c0", "c1", "c2", "c3"]
    assert table.columns.tolist() == list(RATERS)
    assert table.to_numpy().tolist() == [[True, False, False], [True, False, True], [False, True, False], [True] * 3]


def test_no_case_is_read():
    class Unread(CaseList):
        def load(self, position):
            raise AssertionError("a case was read")

    unread = Unread("made", data(["ada"], ["eve"]).cases, ("background", "thing"), RATERS)
    assert unpack_assignment(pack_assignment(unread), ["c0", "c1"], RATERS).to_numpy().sum() == 2


def test_other_cases_are_noticed():
    packed = pack_assignment(data(*[["ada"]] * 8))
    with pytest.raises(RaterbenchError, match="other cases than these 5"):
        unpack_assignment(packed, [f"c{i}" for i in range(5)], RATERS)
