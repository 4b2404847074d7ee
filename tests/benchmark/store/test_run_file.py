"""Odd files in a results folder: a sentence with the mend, or a unit that runs again; never a traceback."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import write_plan
from raterbench.benchmark.store.results import read_results
from raterbench.benchmark.store.units import read_measuring, write_measuring
from raterbench.datasets import RaterbenchError


@pytest.fixture(scope="module")
def kept():
    """The results folder that the first test leaves to the others."""
    return list[Path]()


@pytest.fixture
def folder(tiny, plugin, compute, kept, tmp_path_factory, tmp_path):
    """A copy of a results folder with one finished unit of each kind, and the file that names them."""
    if not kept:
        made = tiny(plugins=(plugin(),), candidates=(Candidate("it", "instant"),), keep_cases=1)
        folder = tmp_path_factory.mktemp("run") / "out"
        write_plan(make_plan(made, folder))
        for name, kind in (("it", "method"), ("raters", "raters"), ("staple", "fusion")):
            compute(made, folder, name, kind=kind)
        kept.append(folder)
    return Path(shutil.copytree(kept[0], tmp_path / "out"))


def change(folder, alter):
    file = folder / "experiment.json"
    stored = json.loads(file.read_text())
    alter(stored)
    file.write_text(json.dumps(stored))


def paths(values, above=()):
    """The keys of all values within tables."""
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from paths(value, (*above, key))


def test_each_value_of_another_kind_is_a_sentence_or_does_no_harm(folder):
    """``None``, a number, a text, a list and a table in place of each value; and each value left out."""
    whole = json.loads((folder / "experiment.json").read_text())
    wrong = [None, -7, "x", [None], {"x": None}, "left out"]
    harmless = 0
    for path in paths(whole):
        for value in wrong:

            def alter(stored, path=path, value=value):
                *above, last = path
                for key in above:
                    stored = stored[key]
                if value == "left out":
                    del stored[last]
                else:
                    stored[last] = value

            (folder / "experiment.json").write_text(json.dumps(whole))
            change(folder, alter)
            try:
                read_results(folder)
                harmless += 1
            except RaterbenchError as error:
                assert "\n" not in str(error)
    assert harmless < len(list(paths(whole))) * len(wrong) / 2


@pytest.mark.parametrize(
    ("alter", "says"),
    [
        (lambda v: v.pop("units"), "has no 'units'"),
        (lambda v: v.update(units=[1]), "units = .* must be a list, each of it a table"),
        (lambda v: v["units"][1].pop("fold"), "a unit of the plan is wrong: .*`fold`"),
        (lambda v: v["units"][0].update(fold="x"), "a unit of the plan is wrong: Expected `int`, got `str`"),
        (lambda v: v["units"][0].update(stem="../x"), "the name of a unit's file leads out of the folder"),
        (lambda v: v.pop("parts"), "has no 'parts'"),
        (lambda v: v.update(parts={"method": 1}), "parts = .* must be a table"),
        (lambda v: v["facts"].pop("raters"), "facts has no 'raters'"),
        (lambda v: v["facts"].pop("questions"), "facts has no 'questions'"),
        (lambda v: v["facts"].update(classes="x"), "facts: classes = 'x' must be a list"),
        (lambda v: v["experiment"].update(later=1), "unknown key 'later'.*; if another version of raterbench wrote it"),
        (lambda v: v["experiment"].pop("name"), "has no key 'name'"),
        (lambda v: v["experiment"].update(seed=-1), "seed = -1 must be a whole number from 0"),
    ],
)
def test_the_sentence_names_the_file_the_key_and_the_mend(folder, alter, says):
    change(folder, alter)
    with pytest.raises(RaterbenchError, match=rf"experiment\.json.*{says}") as caught:
        read_results(folder)
    assert "run the experiment again" in str(caught.value)


ALTERED = {
    "a short table": lambda part: {"values": part.values[:, :1]},
    "a value that is a text": lambda part: {"values": "x"},
    "whole numbers for values": lambda part: {"values": part.values.astype(np.int64)},
    "a list of classes that is a text": lambda part: {"classes": 1},
    "no metric": lambda part: {"metric": None},
}


def test_a_unit_of_another_form_is_as_good_as_none(folder):
    (path,) = (folder / "units").glob("instant*.measured.npz")
    unit, parts = read_measuring(path)
    name = next(name for name in parts if name.startswith("rows/dice"))
    for what, alter in ALTERED.items():
        write_measuring(path, unit, {**parts, name: {**vars(parts[name]), **alter(parts[name])}})
        assert read_measuring(path) is None, what
        # What the other units tell is still there.
        assert set(read_results(folder).rows["kind"]) == {"rater", "fusion"}, what
