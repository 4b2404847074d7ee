"""What a file or a command line may say: every wrong value is one sentence when the experiment is read."""

import dataclasses
import os
from datetime import date
from typing import get_type_hints

import pytest

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split, Statistics, read_experiment
from raterbench.benchmark.experiment.factory import build_method, build_metrics, load_plugins
from raterbench.benchmark.experiment.settings import MOST_UNITS, check_folder_name, check_plain, read_setting
from raterbench.benchmark.experiment.splits import read_manifest
from raterbench.benchmark.runner.plan import make_plan
from raterbench.datasets import Phantom, RaterbenchError
from raterbench.datasets.base import Preparation
from raterbench.methods import METHODS, Budget
from raterbench.parameters import parameter_hints

CANDIDATE = "[[candidates]]\nmethod = 'random-rater'\n"
WRONG = ["nan", "inf", "-inf", "-1", "1e300", "100000000000", "'x'", "[]", "{}", "1979-05-27", "0x" + "f" * 5000]
KEYS = {
    "": [f.name for f in dataclasses.fields(Experiment) if f.name in ("keep_cases", "seed")],
    "split": ["folds", "repeats", "validation"],
    "statistics": ["alpha", "resamples"],
    "budget": [name for name in Budget().get_params(deep=False) if name not in ("backbone", "weights")],
    "preparation": [f.name for f in dataclasses.fields(Preparation) if f.name != "slice_axis"],
}
ALL = [(table, key) for table, keys in KEYS.items() for key in keys]


@pytest.fixture
def toml(tmp_path):
    def write(text, name="mine.toml"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(("table", "key"), ALL, ids=str)
def test_every_numeric_key_refuses_what_is_no_number_of_its_range(toml, table, key):
    for value in WRONG:
        text = f"{key} = {value}\n{CANDIDATE}" if not table else f"{CANDIDATE}[{table}]\n{key} = {value}\n"
        with pytest.raises(RaterbenchError, match=r"mine\.toml: ") as caught:
            read_experiment(toml(text))
        said = str(caught.value)
        assert f"{key} = " in said
        assert "must be" in said or "units" in said, said
        assert len(said) < 600


def test_no_number_of_an_experiment_is_without_a_range():
    for cls in (Experiment, Split, Statistics):
        bare = {name for name, hint in get_type_hints(cls, include_extras=True).items() if hint in (int, float)}
        assert bare == set(), cls


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Experiment)])
@pytest.mark.parametrize("value", ["7", "-1.5", "true", "nan", "[[1]]", "{a = {b = 1}}", "1979-05-27", "['', 5]"])
def test_a_value_of_another_kind_is_a_sentence_at_every_key(toml, field, value):
    right = {
        ("keep_cases", "7"),
        ("keep_weights", "true"),
        ("samples", "7"),
        ("seed", "7"),
        ("timeout", "7"),
        ("samples", "7"),
        ("keep_weights", "true"),
        ("search_threshold", "true"),
    }
    if (field, value) in right:
        return
    text = f"{field} = {value}\n" + (CANDIDATE if field != "candidates" else "")
    if (field, value) == ("dataset_options", "{a = {b = 1}}"):
        return  # The data set says what its options may be.
    with pytest.raises(RaterbenchError):
        read_experiment(toml(text))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"split": Split(repeats=10**8)}, rf"makes at least 500000000 units, and {MOST_UNITS} are the most"),
        ({"split": Split("leave-one-centre-out", repeats=10**8)}, "makes at least 200000000 units"),
        ({"split": Split("holdout", repeats=MOST_UNITS + 1)}, f"makes at least {MOST_UNITS + 1} units"),
        ({"metrics": ("dice", "dice")}, "metrics lists 'dice' twice"),
        ({"fused_rows": ("staple", "staple")}, "fused_rows lists 'staple' twice"),
        ({"dataset_options": {"data": "x"}}, "dataset_options has no 'data'"),
        ({"dataset_options": {"a": date(1979, 5, 27)}}, "dataset_options: a = .* is a date: put it in quotes"),
        ({"dataset_options": {"a": {"b": float("nan")}}}, "dataset_options: a: b = nan is no number"),
        ({"dataset_options": {"a": 2**63}}, "dataset_options: a = 9223372036854775808 is too large"),
        ({"description": "a\0b"}, "holds a character that no text can have"),
        ({"description": "\ud800"}, "holds a character that no text can have"),
        ({"budget": {"epochs": 0}}, "budget: epochs = 0 must be a whole number from 1"),
        ({"preparation": {"multiple": 7}}, "preparation: multiple = 7 must be a whole number from 32 to 1024, in steps of 32"),
    ],
)
def test_an_experiment_that_nobody_can_run_is_a_sentence(values, says):
    with pytest.raises(RaterbenchError, match=says):
        Experiment("x", (Candidate("a", "tgce"),), **values)


@pytest.mark.parametrize(
    "name", ["", " ", "\t", ".", "..", "a/b", "../x", "/x", "a\\b", "a\0", "a\nb", "a\x1b[1m", "n" * 201, "é" * 101, 5, None]
)
def test_a_name_that_becomes_a_folder_is_no_path(name):
    with pytest.raises(RaterbenchError, match=r"^name = .*: it names a folder"):
        check_folder_name(name, "name")


@pytest.mark.parametrize("name", ["x", "my experiment", "größe 中文", "a.b", "[bold]", "😀", "n" * 200])
def test_any_other_name_is_one(name):
    check_folder_name(name, "name")
    assert Experiment(name, (Candidate("a/b [red] \n", "tgce"),)).name == name


@pytest.mark.parametrize("name", ["", "  ", "labels"])
def test_a_candidate_needs_a_name(name):
    with pytest.raises(RaterbenchError, match="cannot be called"):
        Candidate(name, "tgce")


def test_values_are_plain_to_any_depth():
    deep: dict = {}
    for _ in range(60):
        deep = {"a": deep}
    with pytest.raises(RaterbenchError, match="nested too deeply"):
        check_plain(deep, "options")
    check_plain({"a": [1, 2.5, True, None, "x", {"b": [-(2**63) + 1]}]}, "options")


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("a=3", "a", 3),
        (" a = x", "a", " x"),
        ("a=", "a", ""),
        ("a='x'", "a", "x"),
        ("a=1\nb = 2", "a", "1\nb = 2"),
        ("a==", "a", "="),
    ],
)
def test_a_setting_is_a_key_and_one_value(text, key, value):
    assert read_setting(text, "") == (key, value)


@pytest.mark.parametrize(
    "text", ["", "a", "=", "=5", " =5", "a=" + "[" * 5000 + "]" * 5000, "a=" + "9" * 5000, "a=nan", "a=\udcff", "a=1979-05-27"]
)
def test_what_is_no_setting_is_a_sentence(text):
    with pytest.raises(RaterbenchError, match="--set"):
        read_setting(text, "a=1")


def test_files_that_extend_without_end_are_a_sentence(toml, tmp_path):
    for n in range(30):
        toml(f"extends = 'e{n + 1}.toml'\n", f"e{n}.toml")
    with pytest.raises(RaterbenchError, match="more than 20 experiments extend one another"):
        read_experiment(toml("extends = 'e0.toml'"))
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "again.toml").symlink_to("mine.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    for name, says in {
        "loop": "symbolic links",
        "again": "circle",
        "pipe": "a pipe",
        "folder": "a folder",
        "none": "neither",
    }.items():
        with pytest.raises(RaterbenchError, match=says):
            read_experiment(toml(f"extends = '{name}.toml'"))


@pytest.mark.parametrize(
    "stored",
    [
        '{"folds": 5}',
        '{"folds": [5]}',
        '{"folds": [{}]}',
        '{"folds": [{"repeat": 1e400, "fold": 0, "train": [], "validation": [], "test": []}]}',
        '{"folds": [{"repeat": 0, "fold": 0, "train": [["a"]], "validation": [], "test": []}]}',
        '{"folds": [{"repeat": 0, "fold": 0, "train": [{}], "validation": [], "test": []}]}',
        '{"folds": [{"repeat": "x", "fold": 0, "train": [], "validation": [], "test": []}]}',
    ],
)
def test_an_odd_manifest_is_a_sentence(tmp_path, stored):
    (tmp_path / "splits.json").write_text(stored)
    with pytest.raises(RaterbenchError, match=r"split manifest '.*splits\.json'"):
        read_manifest(tmp_path / "splits.json", Phantom(subjects=4, slices=1, size=16))


def test_a_case_listed_twice_in_a_part_is_a_sentence(tmp_path):
    phantom = Phantom(subjects=4, slices=1, size=16)
    first, *rest = phantom.index["case"]
    fold = {"repeat": 0, "fold": 0, "train": [first, first], "validation": rest[:1], "test": rest[1:]}
    (tmp_path / "splits.json").write_text(str({"folds": [fold]}).replace("'", '"'))
    with pytest.raises(RaterbenchError, match="the train part of repeat 0, fold 0 lists a case twice"):
        read_manifest(tmp_path / "splits.json", phantom)


METHOD = """
class Odd(Instant):
    {line}
"""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("def __init__(self, *, share=0.5): raise RuntimeError('x')", "RuntimeError: x"),
        ("def __init__(self, *, share=0.5): import sys; sys.exit(0)", "SystemExit"),
        ("def __init__(self, must): pass", "TypeError: .*must"),
        ("def check_parameters(self): raise ValueError('no')", "ValueError: no"),
        ("def skip_reason(self, d): raise KeyError('x')", "KeyError: 'x'"),
        ("def skip_reason(self, d): return 5", "skip_reason gave 5: return a text, or None"),
        ("needs = property(lambda self: 1 / 0)", "ZeroDivisionError"),
        ("def get_params(self, deep=True): raise RuntimeError('x')", "RuntimeError: x"),
    ],
)
def test_a_method_that_goes_wrong_before_the_run_is_named_with_its_line(tiny, plugin, tmp_path, line, says):
    file = plugin(METHOD.format(line=line))
    with pytest.raises(RaterbenchError, match=f"^candidate 'it': .*{says}") as caught:
        make_plan(tiny(plugins=(file,), candidates=(Candidate("it", "odd"),)), tmp_path)
    assert "mine.py, line " in str(caught.value) or "skip_reason gave" in str(caught.value) or "must" in str(caught.value)


def test_two_plugins_cannot_have_one_name(plugin, tmp_path):
    one, other = plugin(name="one.py"), plugin(name="other.py")
    load_plugins((one, one))
    with pytest.raises(RaterbenchError, match=r"one\.py' and '.*other\.py' both have a method called 'instant': rename one"):
        load_plugins((one, other))


def test_a_metric_from_elsewhere_must_say_what_tables_need(tiny, plugin):
    lines = "from raterbench.benchmark.metrics import Metric\n\n\nclass Odd(Metric):\n    name = 'odd'\n"
    lines += "    def measure(self, p, r, *, spacing): ...\n"
    load_plugins((plugin(lines),))
    with pytest.raises(RaterbenchError, match=r"^metric 'odd': .*its attribute label is None"):
        build_metrics(tiny(metrics=("dice", "odd")))


def test_parameters_are_of_their_kind_for_every_method(tiny):
    others = {"budget", "recipe", "fusion", "segmenter", "space", "expertness"}
    for name in METHODS.names():
        for parameter in set(parameter_hints(METHODS.get(name))) - others:
            candidate = Candidate("it", name, {parameter: {"a": 1}})
            with pytest.raises(RaterbenchError, match=rf"candidate 'it': (\w+: )?{parameter}( = |: )"):
                build_method(candidate, tiny(candidates=(candidate,)))
