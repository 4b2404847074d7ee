import os
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from raterbench.benchmark.experiment.experiment import Candidate, Split
from raterbench.benchmark.experiment.splits import make_folds
from raterbench.benchmark.runner import progress
from raterbench.benchmark.runner.estimate import Estimate, estimate, networks
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.progress import Progress, announce, cores, duration, makespan
from raterbench.benchmark.runner.provenance import code_version
from raterbench.benchmark.store.units import write_record
from raterbench.datasets import Phantom


@pytest.fixture
def console():
    return Console(file=StringIO(), width=60, highlight=False)


@pytest.fixture
def plan(tiny, tmp_path):
    return make_plan(tiny(candidates=(Candidate("a", "tgce"), Candidate("b", "tgce"))), tmp_path)


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
    assert makespan(durations, jobs) == pytest.approx(max(free))


def test_the_plan_is_announced_in_whole_lines(plan, console):
    announce(plan, 2, seconds=150, console=console)
    first, second = console.file.getvalue().splitlines()
    assert first.startswith(
        "tiny: 2 candidates on phantom (6 subjects, 12 cases, 5 raters, 3 classes), folds, 2 folds, 1 repeat; results in"
    )
    assert second == "6 units: 0 done, 6 to run, 2 at a time; about 2 min"


def test_done_skipped_and_outdated_units_are_announced(plan, console):
    plan.skipped["b"] = "it needs [more]"
    for task in plan.runnable():
        write_record(plan.folder, task.record("done", meta={"code": "older"} if task.fold.fold else {}))
    announce(plan, 0, console=console)
    assert console.file.getvalue().splitlines()[1:] == [
        "skipped: b: it needs [more]",
        "4 units: all done, nothing to run",
        "computed by other code, libraries or machines: 1 unit of a, 1 unit of labels "
        f"(code older, now {code_version()}); a fresh run computes all again",
    ]
    path = plan.path(plan.tasks[0])
    path.write_bytes(path.read_bytes()[:-9])
    announce(plan, 0, console=console)
    assert console.file.getvalue().splitlines()[6:8] == [
        "4 units: 3 done, 1 to run, 1 at a time",
        "1 unit of these had a file that is damaged or another unit's, and will be computed again",
    ]


@pytest.mark.parametrize(("jobs", "guess"), [(1, 5.0), (2, 20.0), (4, 5.0)])
def test_the_time_left_is_right_within_a_factor_of_two(plan, console, clock, jobs, guess):
    """Units of 10 seconds, a first guess that is wrong by a factor of two, and a start-up that is not known."""
    plan = make_plan(plan.experiment.replace(split=Split(folds=2, repeats=4)), plan.folder)
    todo, length, startup = plan.tasks, {True: 10.0, False: 1.0}, 3.0
    shown = Progress(plan, todo, jobs, Estimate(guess, guess / 10), console)
    free, ends = [startup] * jobs, []
    for task in todo:
        slot = free.index(min(free))
        free[slot] += length[task.candidate is not None]
        ends.append((free[slot], task))
    real = max(free)
    assert real / 2.1 < shown.remaining() < real * 2.1
    for end, task in sorted(ends, key=lambda pair: pair[0]):
        clock.now = 1000 + end
        shown.finished(task.record("done", meta={"seconds": length[task.candidate is not None]}))
        if shown.left and task.candidate is not None:
            assert abs(shown.remaining() - (real - end)) <= max(1.5, (real - end) / 2)
    assert console.file.getvalue().splitlines()[-1].endswith(f"took {duration(real)}")


def test_each_end_is_a_line_and_reasons_are_printed_as_they_are(plan, console, clock):
    todo = plan.tasks[:3]
    with Progress(plan, todo, 1, Estimate(), console) as shown:
        clock.now += 4
        shown.finished(
            todo[0].record("failed", reason="a [bold] reason [/with] brackets that is longer than the screen is wide", meta={})
        )
        shown.finished(todo[1].record("done", meta={"seconds": 2.0, "warnings": ["[look] here"]}))
        shown.finished(todo[2].record("done", meta={"seconds": 2.0}))
    lines = console.file.getvalue().splitlines()
    assert lines[1] == "6 units: 3 done, 3 to run, 1 at a time"
    assert lines[2] == "failed: a, repeat 0, fold 0: a [bold] reason [/with] brackets that is longer than the screen is wide"
    assert lines[3].startswith("1/3 a, repeat 0, fold 0; about ")
    assert lines[4] == "warning: b, repeat 0, fold 0: [look] here"
    assert lines[6] == "3/3 labels, repeat 0, fold 0; took 4 s"
    assert lines[7] == "1 unit failed; its reason is in the report (run again with --retry-failed)"


def test_a_terminal_gets_a_bar(plan):
    console = Console(file=StringIO(), force_terminal=True, width=100)
    with Progress(plan, plan.tasks, 2, Estimate(1, 1), console) as shown:
        for task in plan.tasks:
            shown.finished(task.record("done", meta={"seconds": 1.0}))
    assert "6/6" in console.file.getvalue()


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


def test_cores_are_those_this_process_may_use():
    assert cores() == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores() >= 1
