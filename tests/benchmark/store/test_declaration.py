"""What was declared before anything ran is stored with its time, and a later change is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split, Statistics
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import execute
from raterbench.benchmark.store.declaration import (
    FILE,
    declaration_hash,
    declaration_state,
    declaration_words,
    declared_part,
    read_declarations,
    record_declaration,
)
from raterbench.benchmark.store.results import Results, read_results
from raterbench.datasets import RaterbenchError

from ...made_units import MadeUnit, made_facts, write_run

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
CANDIDATES = (Candidate("A", "majority-vote"), Candidate("B", "staple"))


def study(**changes: Any) -> Experiment:
    return Experiment(**{"name": "study", "candidates": CANDIDATES, "split": Split(folds=3, repeats=3)} | changes)


def units() -> list[MadeUnit]:
    return [
        MadeUnit(name, fold=fold, rows=[[name, f"c{fold}", f"s{fold}", "here", "thing", "raters", "dice", 0.5]])
        for name in ("A", "B")
        for fold in (0, 1)
    ]


@pytest.fixture
def declare(tmp_path: Path) -> Callable[..., Results]:
    """As a run would: declares an experiment, and then leaves its units (``there=False``: it was stopped before)."""

    def run(*, there: bool = True, facts: dict[str, Any] | None = None, **changes: Any) -> Results:
        experiment, made = study(**changes), units()
        record_declaration(tmp_path, experiment, made_facts(made) | (facts or {}))
        if there:
            write_run(tmp_path, experiment, facts or {}, made)
            return read_results(tmp_path)
        return None  # type: ignore[return-value]

    return run


def test_a_run_stores_its_declaration_before_its_units_and_only_once(tiny: Callable[..., Experiment], tmp_path: Path) -> None:
    experiment = tiny(candidates=(Candidate("Vote", "fused-labels"), Candidate("Other", "fused-labels")), keep_cases=0)
    plan = make_plan(experiment, tmp_path)
    record = []

    def interrupted(*_: object, **__: object) -> None:
        record.append(read_declarations(tmp_path))
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("raterbench.benchmark.runner.run._run_tasks", interrupted)
        execute(plan, jobs=1)
    [[stored]] = record
    assert re.fullmatch(TIME, stored.time) and stored.trained == 0
    assert stored.declared["baseline"] == "Vote" and stored.declared["folds"] == plan.facts["split_hash"]
    assert stored.hash == declaration_hash(declared_part(experiment, plan.facts))
    before = (tmp_path / FILE).read_bytes()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("raterbench.benchmark.runner.run._run_tasks", interrupted)
        execute(make_plan(experiment.replace(metrics=("dice", "precision")), tmp_path), jobs=1)
    assert (tmp_path / FILE).read_bytes() == before, "another metric changes nothing of what was declared"


def test_what_was_declared_first_needs_no_words(declare: Callable[..., Results]) -> None:
    results = declare()
    state = declaration_state(results)
    assert (state.words, state.changed, state.stored) == ("", False, "stored before the first unit was trained")
    assert len(state.hash) == 64
    again = declare(metrics=("dice", "precision"), references=("raters",), keep_cases=1)
    assert declaration_state(again) == state, "what only adds to the report was not declared"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"statistics": Statistics(baseline="B")}, "baseline A, now B"),
        ({"statistics": Statistics(alpha=0.1)}, "alpha 0.05, now 0.1"),
        ({"statistics": Statistics(smallest_difference=0)}, "smallest difference 0.01, now 0.0"),
        ({"statistics": Statistics(primary_metric="precision")}, "primary metric dice, now precision"),
        ({"statistics": Statistics(primary_reference="majority")}, "primary reference auto, now majority"),
        ({"candidates": (CANDIDATES[0], Candidate("C", "simple"))}, "candidates: B is gone; candidates: C is new"),
        (
            {"candidates": (CANDIDATES[0], Candidate("B", "staple", {"pool": "dataset"}))},
            "candidates: B {'method': 'staple', 'seed': None}, now {'method': 'staple', 'pool': 'dataset', 'seed': None}",
        ),
        ({"split": Split(folds=3, repeats=1)}, "split: repeats 3, now 1"),
        ({"seed": 7}, "seed 0, now 7"),
        ({"budget": {"epochs": 3}}, "budget: epochs is new"),
        ({"facts": {"fingerprint": "other"}}, "data '', now other"),
    ],
)  # fmt: skip
def test_a_later_change_is_told_with_what_and_when(declare: Callable[..., Results], changes: dict[str, Any], says: str) -> None:
    declare()
    state = declaration_state(declare(**changes))
    assert state.changed
    assert re.search(f"declared on {TIME} was changed on {TIME}, when 4 units were trained: {re.escape(says)}", state.words)
    assert "Nothing is confirmatory under the new declaration" in state.words
    assert not declaration_state(declare()).changed, "back to what was declared"


def test_a_change_before_anything_was_trained_is_none(declare: Callable[..., Results]) -> None:
    """Nobody could know a result."""
    declare(there=False)
    results = declare(statistics=Statistics(baseline="B"))
    assert len(read_declarations(results.folder)) == 2
    assert declaration_words(results) == ""
    assert "baseline B, now A" in declaration_words(declare())


def test_an_experiment_file_that_was_edited_by_hand_is_a_change(declare: Callable[..., Results]) -> None:
    folder = declare().folder
    stored = json.loads((folder / "experiment.json").read_text())
    stored["experiment"]["statistics"]["baseline"] = "B"
    (folder / "experiment.json").write_text(json.dumps(stored))
    state = declaration_state(read_results(folder))
    assert state.changed and "later, at a time that was not stored: baseline A, now B" in state.words


def test_a_declaration_that_came_after_the_units_shows_nothing(declare: Callable[..., Results]) -> None:
    folder = declare().folder
    (folder / FILE).unlink()
    state = declaration_state(read_results(folder))
    assert (state.words, state.changed, state.stored) == ("", False, "not stored"), "results of an earlier version"
    state = declaration_state(declare())
    assert not state.changed and "when 4 units were trained already, so these results do not show" in state.words


def alter(entry: dict[str, Any]) -> None:
    entry["declared"]["baseline"] = "B"


@pytest.mark.parametrize(
    "change",
    [alter, lambda entry: entry.pop("time"), lambda entry: entry.update(trained="x"), lambda entry: entry.update(hash="0")],
)
def test_a_changed_file_is_noticed(declare: Callable[..., Results], change: Callable[[dict[str, Any]], object]) -> None:
    results = declare()
    stored = json.loads((results.folder / FILE).read_text())
    change(stored["declarations"][0])
    (results.folder / FILE).write_text(json.dumps(stored))
    state = declaration_state(results)
    assert state.changed and "was changed or is damaged" in state.words
    with pytest.raises(RaterbenchError, match=r"declaration\.json was changed since raterbench wrote it"):
        read_declarations(results.folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"declarations": 1}', '{"declarations": []}', '{"declarations": [1]}'])
def test_another_file_in_its_place_is_noticed(declare: Callable[..., Results], text: str) -> None:
    results = declare()
    (results.folder / FILE).write_text(text)
    assert declaration_state(results).changed


def test_only_trained_units_count(tmp_path: Path) -> None:
    """Of what failed or was skipped, no result could be seen."""
    made = [MadeUnit("A", status="failed", reason="x"), MadeUnit("B", status="skipped", reason="x"), *units()[:1]]
    write_run(tmp_path, study(), {}, made)
    (tmp_path / "units" / "odd.trained.npz").write_bytes(b"no unit")
    (tmp_path / "units" / "link.trained.npz").symlink_to("odd.trained.npz")
    record_declaration(tmp_path, study(), made_facts(made))
    assert read_declarations(tmp_path)[0].trained == 1
