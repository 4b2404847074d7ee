"""Odd files in a results folder: a sentence with the mend, or a unit that runs again; never a traceback."""

import dataclasses
import json

import numpy as np
import pytest

from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import write_plan
from raterbench.benchmark.runner.unit import compute
from raterbench.benchmark.store.results import read_results
from raterbench.benchmark.store.units import read_record, write_record
from raterbench.datasets import RaterbenchError


@pytest.fixture
def folder(tiny, plugin, tmp_path):
    """A results folder with one finished unit of each kind, and the file that names them."""
    made = tiny(plugins=(plugin(),), candidates=(Candidate("it", "instant"),), keep_cases=1)
    plan = make_plan(made, tmp_path / "out")
    write_plan(plan)
    for task in (plan.tasks[0], plan.tasks[-1]):
        write_record(plan.folder, compute(task))
    return plan.folder


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
        (lambda v: v["units"][1].pop("fold"), "unit 1 of the plan must have key, candidate, kind, repeat, fold"),
        (lambda v: v["units"][0].update(fold="x"), "unit 0 of the plan: fold = 'x' must be a whole number"),
        (lambda v: v.update(keys=[1]) or v.pop("units"), "keys = .* must be a list, each of it a text"),
        (lambda v: v["facts"].pop("raters"), "facts has no 'raters'"),
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
    "a short row": lambda r: {"rows": [["too", "short"]]},
    "a value that is a text": lambda r: {"rows": [[*r.rows[0][:-1], "text"]]},
    "rows that are a table": lambda r: {"rows": {"a": 1}},
    "a repeat that is a text": lambda r: {"repeat": "x"},
    "an unknown status": lambda r: {"status": "unknown"},
    "a list for a table": lambda r: {"meta": [1]},
    "a text for seconds": lambda r: {"meta": {**r.meta, "seconds": "long"}},
    "counts without names": lambda r: {"meta": {k: v for k, v in r.meta.items() if k != "calibration"}},
    "a short name": lambda r: {"meta": {**r.meta, "calibration": {**r.meta["calibration"], "cases": [["one"]]}}},
    "fewer regions": lambda r: {"meta": {**r.meta, "calibration": {**r.meta["calibration"], "regions": []}}},
    "a picture without raters": lambda r: {"meta": {**r.meta, "pictures": [{"case": "c", "why": "x"}]}},
    "a picture without its array": lambda r: {"meta": {**r.meta, "pictures": [{"case": "c", "why": "x", "raters": []}]}},
    "a kept case without its array": lambda r: {"meta": {**r.meta, "kept": ["c"] * 99}},
    "a map without its array": lambda r: {"meta": {**r.meta, "reliability": [["case", ["a rater"]]]}},
    "a short confusion": lambda r: {"meta": {**r.meta, "confusions": [["short"]]}},
    "counts of another shape": lambda r: {"arrays": {**r.arrays, "calibration": np.zeros(3)}},
}


def test_a_unit_of_another_form_is_as_good_as_none(folder):
    (path,) = (folder / "units").glob("it-*.npz")
    whole = read_record(path)
    for name, alter in ALTERED.items():
        written = write_record(folder, dataclasses.replace(whole, **alter(whole)))
        assert read_record(written) is None, name
        # What the other unit tells is still there.
        assert set(read_results(folder).rows["kind"]) == {"rater", "fusion"}, name
