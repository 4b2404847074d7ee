import threading
import time
from io import StringIO

import pytest
from rich.console import Console

from raterbench.benchmark.runner.shown_steps import ShownSteps, how_far
from raterbench.steps import Step, counted_step, listening, step

QUICK = {"silent": 0.0, "between": 1000.0, "tick": 0.001}


def shown(work, *, terminal=False, **times):
    """What is seen while something is done; ``work`` gets a function that waits until a text is seen."""
    console = Console(file=StringIO(), width=100, force_terminal=terminal, highlight=False)

    def wait_for(text, count=1):
        for _ in range(5000):
            if console.file.getvalue().count(text) >= count:
                return
            time.sleep(0.002)
        raise AssertionError(f"{text!r} is not seen: {console.file.getvalue()!r}")

    try:
        with listening(ShownSteps(console, **QUICK | times)):
            work(wait_for)
    finally:
        assert "raterbench-steps" not in {thread.name for thread in threading.enumerate()}
    return console.file.getvalue()


def long_work(wait_for):
    with step("opening [the] data"):
        for n in counted_step("reading files", range(4)):
            if n:
                wait_for("reading files")
        wait_for("opening [the] data")
        time.sleep(0.05)


def test_short_work_is_silent():
    def work(wait_for):
        for _ in counted_step("reading", range(3)):
            time.sleep(0.02)

    assert shown(work, silent=1000.0) == ""


def test_each_step_is_a_line_and_the_innermost_counts():
    lines = sorted(shown(long_work).splitlines())
    assert lines[0] == "opening [the] data: 1 s so far"
    assert lines[1].startswith("reading files: ")
    assert len(lines) == 2


def test_lines_come_again_after_a_while():
    def work(wait_for):
        for _ in counted_step("reading files", range(4)):
            wait_for("reading files: 0 of 4, 1 s so far", 2)
            break

    assert shown(work, between=0.01)


def test_a_terminal_shows_a_bar_that_is_gone_in_the_end():
    assert shown(long_work, terminal=True).rstrip("\n").endswith("\x1b[2K")


def test_an_error_ends_the_display():
    def fail(wait_for):
        with step("failing"):
            wait_for("failing")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shown(fail)


@pytest.mark.parametrize(
    ("total", "done", "seconds", "words"),
    [
        (None, 0, 12, "12 s so far"),
        (1, 0, 200, "3 min so far"),
        (0, 0, 2, "2 s so far"),
        (12000, 0, 3, "0 of 12,000, 3 s so far"),
        (12000, 4200, 63, "35 % of 12,000, about 2 min left"),
        (200, 199, 10, "99 % of 200, about 1 s left"),
    ],
)
def test_how_far_in_words(total, done, seconds, words):
    assert how_far(Step("reading", total, done, started=100.0), 100.0 + seconds) == words
