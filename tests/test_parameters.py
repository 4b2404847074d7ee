import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest

from raterbench.datasets import BUBIL, ISBI2015, MNIST, ConfusedShapes, Phantom, RaterbenchError, load_dataset
from raterbench.datasets.base import Preparation
from raterbench.methods import Budget
from raterbench.parameters import (
    Range,
    allows,
    as_hinted,
    check_arguments,
    check_values,
    classes_in,
    parameter_hints,
    words,
)

SHARE = Annotated[float, Range(0, 1, without="both")]
NOT_NUMBERS = [True, False, None, "1", "nan", [1], {"a": 1}]
BEYOND = [math.nan, math.inf, -math.inf, -1, -1e300, 1e300, 10**11, 10**400, -(10**400)]


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "says"),
    [
        (Range(1, 3), [1, 2, 3], [0.999, 3.001, math.nan], "from 1 to 3"),
        (Range(0, 1, without="both"), [1e-300, 0.5], [0, 1, math.nan], "greater than 0 and less than 1"),
        (Range(0, 2, without="low"), [0.1, 2], [0, 2.1, math.inf], "greater than 0 and at most 2"),
        (Range(0, 2, without="high"), [0, 1.9], [2, -1], "from 0, less than 2"),
        (Range(1), [1, 10**400, 1e308], [0.9, math.inf, math.nan], "of 1 or more"),
        (Range(0, without="low"), [1e-300, 5], [0, -1, math.inf], "greater than 0"),
        (Range(), [-1e308, 0], [-math.inf, math.inf, math.nan], "that is finite"),
        (Range(32, 96, step=32), [32, 64, 96], [0, 33, 128], "from 32 to 96, in steps of 32"),
    ],
)
def test_a_range_holds_its_numbers_and_says_so(allowed, inside, outside, says):
    assert all(value in allowed for value in inside)
    assert not any(value in allowed for value in outside)
    assert str(allowed) == says


@pytest.mark.parametrize(
    ("hint", "fits", "fits_not"),
    [
        (int, [0, -5, 10**30], [1.0, *NOT_NUMBERS]),
        (float, [0, 0.5], NOT_NUMBERS),
        (SHARE, [0.5], [*NOT_NUMBERS, *BEYOND, 0, 1]),
        (SHARE | None, [0.5, None], [2, "x"]),
        (bool, [True, False], [0, 1, "true"]),
        (str, ["", "x"], [5, None, ["x"]]),
        (Literal["a", "b"], ["a"], ["c", "", 1, None, ["a"], {}]),
        (Literal[1, 4], [1, 4], [True, 1.0, 2, "1", []]),
        (tuple[int, int], [[1, 2], (1, 2)], [[1], [1, 2, 3], [1, "2"], 5, "12"]),
        (tuple[str, ...], [[], ["x"]], ["x", [1], {"x": 1}]),
        (Sequence[Literal["a", "b"]], [["a"], ("a", "b")], ["a", ["c"], [["a"]]]),
        (Mapping[str, str], [{}, {"a": "b"}], [{"a": 1}, [], "a"]),
        (Any, [None, 5, "x", []], []),
    ],
)
def test_a_hint_says_what_a_value_may_be(hint, fits, fits_not):
    assert [value for value in fits if not allows(hint, value)] == []
    assert [value for value in fits_not if allows(hint, value)] == []
    assert words(hint)


def test_the_sentence_names_key_value_and_range():
    with pytest.raises(RaterbenchError, match=r"^here: share = nan must be a number greater than 0 and less than 1$"):
        check_values({"share": math.nan}, {"share": SHARE}, "here")
    with pytest.raises(
        RaterbenchError, match=r"^here: kind = 'forlders' must be 'folds' or 'folders'; did you mean 'folders'\?$"
    ):
        check_values({"kind": "forlders"}, {"kind": Literal["folds", "folders"]}, "here")
    with pytest.raises(RaterbenchError, match=r"^here: share = a number of \d+ bits must be"):
        check_values({"share": 16**5000}, {"share": SHARE}, "here")


def test_hints_that_cannot_be_resolved_are_passed_over():
    def function(*, count: "Annotated[int, Range(1, 2)]" = 1, other: "NobodyKnows | None" = None):  # noqa: F821
        return count, other

    function.__globals__.setdefault("Range", Range)
    assert set(parameter_hints(function)) == {"count"}
    with pytest.raises(RaterbenchError, match="count = 3"):
        check_arguments(function, {"count": 3, "other": object()}, "it")


NUMERIC = [
    (holder, name)
    for holder in (Preparation, Budget, Phantom, ConfusedShapes, MNIST, ISBI2015)
    for name, hint in parameter_hints(holder).items()
    if any(kind in str(hint) for kind in ("'int'", "'float'", "Range"))
]


@pytest.mark.parametrize(("holder", "name"), NUMERIC, ids=lambda value: getattr(value, "__name__", value))
def test_every_numeric_setting_has_a_range_of_finite_numbers(holder, name):
    hint = parameter_hints(holder)[name]
    for value in BEYOND:
        for wrong in (value, [value] * 2, [value] * 6):
            assert not allows(hint, wrong), f"{holder.__name__}: {name} = {wrong}"


@pytest.mark.parametrize("holder", [Preparation, Budget, Phantom, ConfusedShapes, MNIST, ISBI2015, BUBIL])
def test_no_number_is_without_a_range(holder):
    bare = {name for name, hint in parameter_hints(holder).items() if hint in (int, float, int | None, float | None)}
    assert bare == set()


@pytest.mark.parametrize("name", ["phantom", "confused-shapes", "mnist", "isbi2015", "bubil"])
@pytest.mark.parametrize("value", [math.nan, -1, 10**11, 1e300, True, "x", [], {}, None])
def test_options_of_data_sets_are_checked_before_anything_is_read(name, value):
    option = "set" if name == "bubil" else "seed"
    with pytest.raises(RaterbenchError, match=f"the data set '{name}': {option} = "):
        load_dataset(name, **{option: value})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Phantom(subjects=0), "phantom: subjects = 0 must be a whole number from 1"),
        (lambda: Phantom(missing=0.6), "phantom: missing = 0.6 must be a number from 0 to 0.5"),
        (lambda: MNIST(train=60001), "mnist: train = 60001 must be a whole number from 0 to 60000"),
        (lambda: ConfusedShapes(noise=math.inf), "confused-shapes: noise = inf must be a number from 0"),
        (lambda: BUBIL(set=True), "bubil: set = True must be 1 or 4"),
        (
            lambda: Budget(learning_rate=math.nan).check_parameters(),
            "budget: learning_rate = nan must be a number greater than 0",
        ),
    ],
)
def test_what_is_built_in_python_is_checked_too(make, says):
    with pytest.raises(RaterbenchError, match=says):
        make()


@pytest.mark.parametrize(
    ("hint", "classes"),
    [
        (Budget | None, {Budget}),
        (Sequence[Budget | int], {Sequence, Budget, int}),
        (tuple[Annotated[float, Range(0, 1)], ...], {tuple, float}),
        (Mapping[str, Any], {Mapping, str}),
        (Literal["a", 1], set()),
    ],
)
def test_the_classes_in_a_hint_are_found_at_any_depth(hint, classes):
    assert set(classes_in(hint)) == classes


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (float, 2, 2.0),
        (SHARE | None, 1, 1.0),
        (float | None, None, None),
        (int, 2, 2),
        (int | float, 2, 2),
        (float, True, True),
        (tuple[float, ...], (1, 2.5), (1.0, 2.5)),
        (tuple[int, int], (1, 2), (1, 2)),
        (str, "2", "2"),
        (None, 2, 2),
    ],
)
def test_whole_numbers_are_floats_where_only_floats_are_known(hint, value, expected):
    found = as_hinted(hint, value)
    assert found == expected
    assert str(found) == str(expected)
