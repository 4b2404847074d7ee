import heapq
import os
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from raterbench.benchmark.experiment.experiment import Candidate, Split
from raterbench.benchmark.experiment.splits import make_folds
from raterbench.benchmark.runner import estimate as estimate_module
from raterbench.benchmark.runner import progress
from raterbench.benchmark.runner.estimate import Estimate, estimate, networks
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.progress import (
    Progress,
    announce,
    busy_after,
    busy_after_equal,
    cores,
    duration,
    seconds_in_all,
)
from raterbench.benchmark.runner.provenance import code_version
from raterbench.benchmark.runner.run import Ended, what_to_do
from raterbench.benchmark.store.units import Origin, measuring_path, training_path
from raterbench.datasets import Phantom
from raterbench.methods import Diagnosed, FusedLabels
from raterbench.methods.networks.own_preparation import OwnPreparation
from raterbench.methods.quality.class_frequencies import ClassFrequencies

from ...made_units import write_measured, write_trained


@pytest.fixture
def console():
    return Console(file=StringIO(), width=60, highlight=False)


@pytest.fixture
def plan(tiny, tmp_path):
    return make_plan(tiny(candidates=(Candidate("a", "tgce"), Candidate("b", "gce"))), tmp_path)


def measuring(plan, *units):
    return plan.measuring_task(
        {unit: plan.parts[unit.kind].names for unit in units}, plan.folds[units[0].repeat, units[0].fold]
    )


def write_all(plan, **of_training):
    for unit in plan.runnable():
        if unit.kind == "method":
            write_trained(plan.folder, unit, **of_training)
        write_measured(plan.folder, unit, plan.parts[unit.kind].names)


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "1 s"), (0.4, "1 s"), (59.6, "60 s"), (89.9, "90 s"), (90, "2 min"), (3600, "60 min"), (5400, "1 h 30 min")],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 100), max_size=7), st.integers(1, 4))
def test_the_last_task_ends_when_a_plain_loop_says(durations, jobs):
    free = [0.0] * jobs
    for seconds in durations:
        slot = free.index(min(free))
        free[slot] += seconds
    assert seconds_in_all(durations, jobs) == pytest.approx(max(free))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=5), st.floats(0.1, 30), st.integers(0, 40))
def test_equal_tasks_are_taken_up_as_if_one_by_one(busy, seconds, n):
    assert sorted(busy_after_equal(seconds, n, busy)) == pytest.approx(sorted(busy_after([seconds] * n, busy)))


def test_the_time_left_does_not_take_longer_with_more_units(plan, console, clock, monkeypatch):
    todo = what_to_do(plan)
    shown = Progress(plan, todo, 2, Estimate(), console)
    shown.finished(todo.training[0], Ended(10.0))
    shown.finished(measuring(plan, todo.training[0].unit), Ended(1.0))
    taken, plain = [], heapq.heapreplace
    monkeypatch.setattr(progress.heapq, "heapreplace", lambda heap, item: taken.append(plain(heap, item)))
    monkeypatch.setattr(shown, "to_train", range(10**6))
    monkeypatch.setattr(shown, "left", range(2 * 10**6))
    assert shown.remaining() == pytest.approx((10 * (1 + 10**6) + 1 + 2 * 10**6) / 2, rel=1e-5)
    assert len(taken) <= 4


def test_the_plan_is_announced_in_whole_lines(plan, console):
    announce(plan, 2, what_to_do(plan), seconds=150, console=console)
    first, second = console.file.getvalue().splitlines()
    assert first.startswith(
        "tiny: 2 candidates on phantom (6 subjects, 12 cases, 5 raters, 3 classes), folds, 2 folds, 1 repeat; results in"
    )
    assert second == "10 units: 0 done, 4 to train, 6 only to measure, 2 at a time; about 2 min"


def test_done_skipped_and_outdated_units_are_announced(plan, console):
    plan.skipped["b"] = "it needs [more]"
    write_all(plan)
    older = Origin(code="older")
    write_trained(plan.folder, plan.units[0], origin=older)
    write_measured(plan.folder, plan.units[2], plan.parts["raters"].names, origin=older)
    announce(plan, 0, what_to_do(plan), console=console)
    assert console.file.getvalue().splitlines()[1:] == [
        "skipped: b: it needs [more]",
        "8 units: all done, nothing to run",
        "computed by other code, libraries or machines: 1 unit of a, 1 unit of raters "
        f"(code older, now {code_version()}); a fresh run computes all again",
    ]
    for path in (training_path(plan.folder, plan.units[0]), measuring_path(plan.folder, plan.units[3])):
        path.write_bytes(path.read_bytes()[:-9])
    announce(plan, 1, what_to_do(plan), console=console)
    assert console.file.getvalue().splitlines()[6:8] == [
        "8 units: 6 done, 1 to train, 1 only to measure, 1 at a time",
        "2 units of these had a file that is damaged or another unit's, and will be computed again",
    ]


def test_trained_units_whose_parts_are_wanted_are_only_to_measure(plan, console):
    write_all(plan)
    more = make_plan(plan.experiment.replace(metrics=("dice", "brier", "entropy", "precision")), plan.folder)
    announce(more, 3, what_to_do(more), console=console)
    assert console.file.getvalue().splitlines()[1] == "10 units: 0 done, 0 to train, 10 only to measure, 3 at a time"


def test_candidates_alike_are_counted_once(tiny, tmp_path, console):
    plan = make_plan(tiny(candidates=(Candidate("a", "tgce"), Candidate("b", "tgce"))), tmp_path)
    todo = what_to_do(plan)
    with Progress(plan, todo, 1, Estimate(), console) as shown:
        for task in todo.training:
            shown.finished(task, Ended(1.0))
        for unit in todo.units:
            shown.finished(measuring(plan, unit), Ended(1.0))
    lines = console.file.getvalue().splitlines()
    assert lines[1] == "8 units: 0 done, 2 to train, 6 only to measure, 1 at a time"
    assert lines[-1].startswith("8/8 measuring ") and "; took " in lines[-1]


@pytest.mark.parametrize(("jobs", "guess"), [(1, 5.0), (2, 20.0), (4, 5.0)])
def test_the_time_left_is_right_within_a_factor_of_two(plan, console, clock, jobs, guess):
    """Trainings of 10 seconds, measurements of 1, a first guess wrong by a factor of two, and a start-up that is not known."""
    plan = make_plan(plan.experiment.replace(split=Split(folds=2, repeats=4)), plan.folder)
    todo, length, startup = what_to_do(plan), {True: 10.0, False: 1.0}, 3.0
    shown = Progress(plan, todo, jobs, Estimate(guess, guess / 10), console)
    free, ends = [startup] * jobs, []
    labels, trainings = [[measuring(plan, unit)] for unit in todo.measuring], list(todo.training)
    for tasks in (*labels, *([one, measuring(plan, one.unit)] for one in trainings)):
        slot = free.index(min(free))
        for task in tasks:
            free[slot] += length[task in trainings]
            ends.append((free[slot], task))
    real = max(free)
    assert real / 2.1 < shown.remaining() < real * 2.1
    for end, task in sorted(ends, key=lambda pair: pair[0]):
        clock.now = 1000 + end
        shown.finished(task, Ended(length[task in trainings]))
        if shown.left and task in trainings:
            assert abs(shown.remaining() - (real - end)) <= max(1.5, (real - end) / 2)
    assert console.file.getvalue().splitlines()[-1].endswith(f"took {duration(real)}")


def test_each_end_is_a_line_and_reasons_are_printed_as_they_are(plan, console, clock):
    todo = what_to_do(plan)
    first, second = todo.training[:2]
    raters, *fusions = [unit for unit in plan.units if unit.kind != "method"][:3]
    reason = "a [bold] reason [/with] brackets that is longer than the screen is wide"
    with Progress(plan, todo, 1, Estimate(), console) as shown:
        clock.now += 4
        shown.finished(first, Ended(2.0, failed=((first.words, reason),)))
        shown.finished(second, Ended(2.0, warnings=("[look] here",)))
        shown.finished(plan.references[0], Ended(2.0))
        shown.finished(measuring(plan, second.unit), Ended(2.0))
        shown.finished(measuring(plan, raters, *fusions), Ended(2.0, failed=(("measuring raters", "[why]"),)))
    lines = console.file.getvalue().splitlines()
    assert lines[1] == "10 units: 0 done, 4 to train, 6 only to measure, 1 at a time"
    assert lines[2] == f"failed: a, repeat 0, fold 0: {reason}"
    assert lines[3].startswith("1/10 a, repeat 0, fold 0; about ")
    assert lines[4] == "warning: b, repeat 0, fold 0: [look] here"
    assert lines[5].startswith("2/10 measuring b, repeat 0, fold 0; about ")
    assert lines[6] == "failed: measuring raters: [why]"
    assert lines[7].startswith("5/10 measuring 3 units, repeat 0, fold 0; about ")
    assert lines[8] == "2 units failed; their reasons are in the report (run again with --retry-failed)"
    assert len(lines) == 9


def test_the_last_end_says_how_long_it_took(plan, console, clock):
    write_all(plan)
    first, last = (training_path(plan.folder, unit) for unit in plan.training if unit.name == "a")
    for path in (first, last):
        path.unlink()
    todo = what_to_do(plan)
    with Progress(plan, todo, 1, Estimate(), console) as shown:
        clock.now += 4
        shown.finished(todo.training[0], Ended(2.0, failed=(("a", "why"),)))
        shown.finished(todo.training[1], Ended(2.0))
        shown.finished(measuring(plan, todo.training[1].unit), Ended(0.1))
    lines = console.file.getvalue().splitlines()
    assert lines[1] == "10 units: 8 done, 2 to train, 1 at a time"
    assert lines[-2] == "2/2 measuring a, repeat 0, fold 1; took 4 s"
    assert lines[-1] == "1 unit failed; its reason is in the report (run again with --retry-failed)"


def test_a_terminal_gets_a_bar(plan):
    console = Console(file=StringIO(), force_terminal=True, width=100)
    todo = what_to_do(plan)
    with Progress(plan, todo, 2, Estimate(1, 1), console) as shown:
        for unit in plan.units:
            shown.finished(measuring(plan, unit), Ended(1.0))
    assert "10/10" in console.file.getvalue()


def test_an_estimate_grows_with_what_there_is_to_do(tiny):
    def seconds(epochs, **changes):
        experiment = tiny(budget={"epochs": epochs, "features": [4, 4, 4, 4, 4, 4], "batch_size": 4}, **changes)
        return estimate(experiment, phantom, fold)

    phantom = Phantom(subjects=6, slices=2, size=32)
    fold = make_folds(phantom, Split(folds=2), 0)[0]
    few, many = seconds(1), seconds(500)
    assert 0 < few.method < many.method
    assert many.method > 20 * few.method
    assert 0 < many.labels < many.method


def test_one_network_a_rater_is_that_many_networks(tiny):
    phantom = Phantom(subjects=6, slices=2, size=32)
    both = tiny(candidates=(Candidate("all", "separate-networks"), Candidate("vote", "fused-labels")))
    assert networks(both, phantom) == (len(phantom.raters) + 1) / 2


def test_diagnosis_networks_are_timed_as_often_as_they_are_trained(tiny, monkeypatch):
    trained = []
    monkeypatch.setattr(estimate_module, "_training", lambda *_: 100.0)
    monkeypatch.setattr(estimate_module, "_measuring", lambda *_: 0.0)
    monkeypatch.setattr(estimate_module, "_seconds", lambda call: trained.append(call()) or 0.5)
    phantom = Phantom(subjects=8, slices=1, size=32, patients=0.5, missing=0.0)
    fold = make_folds(phantom, Split(folds=2), 0)[0]

    def seconds(**options):
        small = {"epochs": 2, "batch_size": 2, "features": [2, 2, 2, 2]}
        options = {"segmenter": "class-frequencies", "networks": ["no-mask", "dl-cat"], "diagnosis_budget": small, **options}
        candidates = (Candidate("it", "diagnosed", options), Candidate("skipped", "upgrade", {}))
        return estimate(tiny(candidates=candidates), phantom, fold).method

    # Half a second for two slices, one slice a case, two epochs; a validation case takes a third of a training case.
    one = 0.25 * (len(fold.train) + len(fold.validation) / 3) * 2
    assert seconds(controls=[]) == pytest.approx(2 * one) and len(trained) == 2 * estimate_module.STEPS
    assert seconds(controls=["cross-fitted", "permuted"]) == pytest.approx(6 * one)
    assert seconds(controls=["cross-fitted"], end_to_end=False, segmenter="fused-labels") == pytest.approx(100 + 2 * one)
    first = {"fusion": {"fusion": "diagnosis-first", "folds": 3, "diagnosis_budget": {"epochs": 2, "batch_size": 2}}}
    # Judged as published by both; cross-fitted and permuted by no-mask alone; the fusion has one network, and three.
    assert seconds(controls=["as published", "cross-fitted", "permuted"], **first) == pytest.approx((2 + 2 + 1 + 1 + 4) * one)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (ClassFrequencies(), False),
        (OwnPreparation(segmenter=ClassFrequencies()), False),
        (OwnPreparation(), True),
        (OwnPreparation(segmenter=FusedLabels()), True),
        (Diagnosed(segmenter=ClassFrequencies()), True),
    ],
    ids=repr,
)
def test_an_estimate_is_made_where_any_network_is_trained(method, expected):
    assert estimate_module.trains_networks(method) == expected


def test_cores_are_those_this_process_may_use():
    assert cores() == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores() >= 1
