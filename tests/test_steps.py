import numpy as np
import pytest

from raterbench.benchmark.labels.batch import over_cases
from raterbench.benchmark.runner.first_look import look_at_cases
from raterbench.datasets import Folder, Geometry, Phantom, RatingFolder, load_dataset
from raterbench.datasets.images import write_labels
from raterbench.steps import counted_step, listening, step


class Heard:
    """What began and ended, with how much of it was done in the end."""

    def __init__(self):
        self.open, self.ended = [], []

    def begin(self, step):
        self.open.append(step)

    def end(self, step):
        self.open.remove(step)
        self.ended.append((step.what, step.done, step.total))


@pytest.fixture
def heard():
    heard = Heard()
    with listening(heard):
        yield heard
    assert not heard.open


def test_a_step_is_heard_and_counted(heard):
    assert list(counted_step("counting", "abc")) == ["a", "b", "c"]
    with step("outside") as outer, step("inside", 2) as inner:
        assert heard.open == [outer, inner]
    assert heard.ended == [("counting", 3, 3), ("inside", 0, 2), ("outside", 0, None)]


def test_a_step_ends_with_an_error(heard):
    with pytest.raises(ZeroDivisionError):
        [1 / n for n in counted_step("dividing", [1, 0])]
    assert heard.ended == [("dividing", 1, 2)]


def test_without_a_listener_nothing_changes():
    assert list(counted_step("counting", [1, 2])) == [1, 2]


def test_the_loud_places_are_heard(heard, tmp_path):
    for name in "ab":
        for file in (f"images/{name}.png", f"ratings/anna/{name}.png"):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            write_labels(tmp_path / file, np.eye(4, dtype=np.uint8), Geometry.axis_aligned(2))
    reading = ("reading the ratings of all cases to find their values", 2, 2)
    RatingFolder(tmp_path)
    load_dataset(f"folder:{tmp_path}")
    assert heard.ended == [reading, reading, ("opening the data set 'folder'", 0, None)]
    Folder(tmp_path).fingerprint()
    assert heard.ended[-1] == ("reading 4 files to know their content", 4, 4)
    look_at_cases(Phantom(subjects=4, slices=1, size=32), [0, 1, 3], [])
    assert heard.ended[-1] == ("looking at 3 of 3 cases first", 3, 3)
    assert over_cases([1, 2], str, "writing", 1) == ["1", "2"]
    assert heard.ended[-1] == ("writing", 2, 2)
