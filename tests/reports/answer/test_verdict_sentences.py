"""Every kind of sentence of the answer, on made tables whose right verdict is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from raterbench.benchmark.experiment.experiment import Statistics
from raterbench.benchmark.statistics.comparison import compare_results
from raterbench.benchmark.statistics.metric_table import Protocol
from raterbench.benchmark.statistics.verdict.tie_groups import tie_group
from raterbench.reports.answer.verdict_sentences import (
    Verdicts,
    against_the_baseline,
    false_claim,
    headline,
    limits,
    needed,
)
from raterbench.reports.tables.wording import write_number

N, REPEATS, FOLDS = 40, 3, 5


def made(
    shifts: Mapping[str, npt.ArrayLike],
    *,
    noise: float = 0.01,
    repeats: int = REPEATS,
    folds: int = FOLDS,
    holdout: bool = False,
    protocol: Protocol = "model-t",
    baseline: str = "base",
    lost: tuple[str, int, int] | None = None,
    smallest: float = 0.01,
    better: str = "higher",
) -> Verdicts:
    """Candidates whose values are a subject's .8 ± .05, plus a shift (one, or one a subject), plus noise."""
    rng = np.random.default_rng(1)
    subjects = rng.normal(0.8, 0.05, N)
    rows = []
    for repeat in range(repeats):
        fold_of = np.zeros(N, int) if holdout else rng.permutation(np.arange(N) % folds)
        for name, shift in shifts.items():
            luck = rng.normal(0, noise / 2, folds)
            values = subjects + np.broadcast_to(shift, N) + luck[fold_of] + rng.normal(0, noise, N)
            for s in range(N):
                if lost != (name, repeat, int(fold_of[s])):
                    key = (name, "method", repeat, int(fold_of[s]), f"s{s}", f"s{s}", "c", "lesion", "truth", "dice")
                    rows.append((*key, values[s]))
    columns = ["candidate", "kind", "repeat", "fold", "case", "subject", "centre", "class", "reference", "metric", "value"]
    table = pd.DataFrame(rows, columns=columns)
    units = table[["candidate", "kind", "repeat", "fold"]].drop_duplicates().assign(status="done")
    units = units.assign(n_train=32, n_validation=0, n_test=8)
    settings = Statistics(smallest_difference=smallest)
    found = compare_results(table, units, settings, "truth", baseline, better={"dice": better}, protocol=protocol)
    direction = "lower" if better == "lower" else "higher"
    tied = tie_group(found.values, better=direction) if protocol == "model-t" and better in ("higher", "lower") else None

    def write(value: float, sign: bool) -> str:
        return write_number(value, 3, sign=sign)

    return Verdicts(found, tied, "Dice", "the truth", better, write)


def test_better_and_worse() -> None:
    found = made({"base": 0.0, "up": 0.05, "down": -0.05})
    assert headline(found).startswith("up is ahead of every other candidate on Dice against the truth: 0.8")
    better, worse = against_the_baseline(found)
    assert better.startswith("up (+0.05") and better.endswith(", p < .001) is better than base.")
    assert worse.startswith("down (−0.0") and worse.endswith("is worse than base.")
    assert "false with a probability of less than 0.1 %" in false_claim(found)


def test_of_a_metric_where_lower_is_better_the_lower_is_better() -> None:
    found = made({"base": 0.0, "up": 0.05}, better="lower")
    assert headline(found).startswith("base is ahead")
    assert against_the_baseline(found)[0].endswith("is worse than base.")


def test_of_a_metric_without_direction_a_candidate_is_higher() -> None:
    found = made({"base": 0.0, "up": 0.05}, better="none")
    assert headline(found) == "No candidate can be called best on Dice against the truth."
    assert against_the_baseline(found)[0].endswith("is higher on Dice than base.")
    assert false_claim(found) == ""


def test_equivalent() -> None:
    found = made({"base": 0.0, "twin": 0.0}, noise=0.004)
    [said] = against_the_baseline(found)
    assert said.startswith("twin (") and "is equivalent to base: the difference is below 0.01" in said
    assert headline(found).startswith("The 2 candidates cannot be told apart on Dice against the truth: ")


def test_better_by_less_than_is_relevant() -> None:
    [said] = against_the_baseline(made({"base": 0.0, "little": 0.005}, noise=0.003))
    assert said.endswith("is better than base, by less than is relevant.")


def test_without_a_relevant_difference_nothing_is_equivalent() -> None:
    [said] = against_the_baseline(made({"base": 0.0, "twin": 0.0}, noise=0.004, smallest=0.0))
    assert said.startswith("Undecided against base: twin (")


def test_undecided_with_what_would_be_needed() -> None:
    found = made({"base": 0.0, "other": 0.004}, noise=0.06)
    [said] = against_the_baseline(found)
    assert said.startswith("Undecided against base: other (") and " to " in said
    assert needed(found).startswith("This design finds a difference of 0.0")
    assert "to tell the others from base it would take: other " in needed(found)


def test_ties_name_the_whole_group() -> None:
    found = made({"base": 0.0, "one": 0.05, "two": 0.051}, noise=0.02)
    assert headline(found).startswith("2 of 3 candidates cannot be told from the best on Dice against the truth: ")
    assert "one (0." in headline(found) and "base" not in headline(found)


def test_who_is_tied_with_the_best_may_be_told_from_others() -> None:
    noisy = np.where(np.arange(N) % 2, 0.25, -0.2)
    found = made({"base": 0.0, "little": 0.02, "noisy": noisy}, noise=0.001)
    assert headline(found).startswith("No other candidate can be told from the best on Dice against the truth: noisy (0.")
    assert "little (" in against_the_baseline(found)[0] and "is better than base" in against_the_baseline(found)[0]


def test_a_collapsed_candidate_is_not_counted_among_those_that_were_beaten() -> None:
    found = made({"base": 0.0, "up": 0.05, "collapsed": -0.7})
    others = dataclasses.replace(found, tied=tie_group(found.comparison.values.only(["base", "up"]), better="higher"))
    assert headline(others).startswith("up is ahead of 1 other candidate that may be ranked on Dice")
    assert headline(found).startswith("up is ahead of every other candidate on Dice")


def test_ranks_that_disagree_with_the_mean_are_said_with_it() -> None:
    shift = np.full(N, 0.004)
    shift[:4] = -0.2
    said = against_the_baseline(made({"base": 0.0, "mostly": shift}, noise=0.0005))
    assert said[-1].startswith("mostly wins on 36 of 40 subjects against base, but loses on average.")
    turned = against_the_baseline(made({"base": 0.0, "rarely": -shift}, noise=0.0005))
    assert turned[-1] == "rarely loses on 36 of 40 subjects against base, but wins on average."


@pytest.mark.parametrize(("repeats", "words"), [(4, "a hold-out with 4 repeats, where 5 are needed"), (5, "")])
def test_hold_out_needs_five_repeats(repeats: int, words: str) -> None:
    said = limits(made({"base": 0.0, "up": 0.05}, repeats=repeats, holdout=True))
    assert said == ([f"All of this is exploratory: {words}."] if words else [])


def test_a_hold_out_with_two_repeats_tells_nothing() -> None:
    found = made({"base": 0.0, "up": 0.05}, repeats=2, holdout=True)
    assert headline(found).startswith(
        "Nothing can be said about which candidate is better on Dice against the truth: a hold-out"
    )
    [said] = against_the_baseline(found)
    assert said.startswith("No test of up against base: a hold-out with 2 repeats")
    assert false_claim(found) == "" and needed(found) == ""


def test_one_repeat_is_exploratory() -> None:
    assert limits(made({"base": 0.0, "up": 0.05}, repeats=1)) == ["All of this is exploratory: one repeat."]


def test_a_missing_fold_is_named_with_its_pull() -> None:
    [said] = limits(made({"base": 0.0, "up": 0.05}, lost=("up", 1, 2)))
    assert said.startswith("Repeat 1, fold 2 is left out, because up has no value there")


def test_the_baseline_may_be_another_than_the_first() -> None:
    found = made({"base": 0.0, "up": 0.05}, baseline="up")
    [said] = against_the_baseline(found)
    assert said.startswith("base (") and said.endswith("is worse than up.")


def test_as_published_says_so() -> None:
    found = made({"base": 0.0, "up": 0.05}, protocol="as-published")
    assert headline(found).startswith("As published, up has the best mean on Dice against the truth: 0.8")
    [said] = against_the_baseline(found)
    assert "uncorrected) is better than base." in said
    assert false_claim(found) == "" and limits(found) == []


def test_one_candidate_is_only_described() -> None:
    found = made({"base": 0.0})
    assert headline(found).startswith("base reaches a mean Dice against the truth of 0.79")
    assert against_the_baseline(found) == [] and needed(found) == ""
