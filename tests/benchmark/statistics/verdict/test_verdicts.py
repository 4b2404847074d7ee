"""Holm's intervals and the words that follow, on tests whose right verdict is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.benchmark.statistics.significance import holm
from raterbench.benchmark.statistics.verdict.model_t import ModelT, model_t
from raterbench.benchmark.statistics.verdict.verdicts import holm_levels, verdicts


def made(mean: float, error: float = 0.01, df: float = 30.0) -> ModelT:
    """A test of this mean and standard error."""
    from scipy import stats

    p = float(2 * stats.t.sf(abs(mean) / error, df))
    return ModelT(mean, error, df, p, 36, 15, 108, "crossed")


UNTESTED = ModelT(0.2, np.nan, np.nan, np.nan, 36, 1, 36, "hold-out", reason="one trained model")
IDENTICAL = ModelT(0.0, 0.0, np.nan, 1.0, 36, 15, 108, "crossed")


@pytest.mark.parametrize(
    ("test", "higher", "lower"),
    [
        (made(0.05), "better", "worse"),
        (made(-0.05), "worse", "better"),
        (made(0.02, 0.005), "better, by less than is relevant", "worse, by less than is relevant"),
        (made(-0.02, 0.005), "worse, by less than is relevant", "better, by less than is relevant"),
        (made(0.001), "equivalent", "equivalent"),
        (made(0.02, 0.02), "undecided", "undecided"),
        (UNTESTED, "undecided", "undecided"),
        (IDENTICAL, "equivalent", "equivalent"),
    ],
)
def test_every_verdict(test: ModelT, higher: str, lower: str) -> None:
    for better, words in (("higher", higher), ("lower", lower)):
        found = verdicts({"B": test}, better=better, smallest_difference=0.03)["B"]
        assert found.words == words
        assert found.significant == (words not in ("equivalent", "undecided"))


def test_without_a_relevant_difference_nobody_is_equivalent() -> None:
    assert verdicts({"B": IDENTICAL}, better="higher")["B"].words == "undecided"
    assert verdicts({"B": made(0.02, 0.005)}, better="higher")["B"].words == "better"


def test_levels_of_the_worked_example() -> None:
    # .005 <= .05 / 4 and .01 <= .05 / 3 are rejected, .03 > .05 / 2 is not: its level holds from there on.
    assert holm_levels([0.01, 0.04, 0.03, 0.005], 0.05) == pytest.approx([1 - 0.05 / 3, 0.975, 0.975, 1 - 0.05 / 4])
    assert holm_levels([np.nan, 0.01], 0.05) == pytest.approx([0.95, 0.975])
    assert holm_levels([0.01], 0.05) == pytest.approx([0.95])
    assert holm_levels([], 0.05).size == 0


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=7), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=100, deadline=None)
def test_the_interval_excludes_0_exactly_when_holm_rejects(shifts: list[float], alpha: float) -> None:
    tests = {f"c{k}": made(0.01 * shift, 0.01, 10 + k) for k, shift in enumerate(shifts)}
    found = verdicts(tests, better="higher", alpha=alpha)
    adjusted = holm([test.p for test in tests.values()])
    for (name, verdict), p in zip(found.items(), adjusted, strict=True):
        assert verdict.p_holm == p
        assert (verdict.low > 0 or verdict.high < 0) == (p <= alpha) == verdict.significant
        ahead = tests[name].mean > 0
        assert verdict.words == (("better" if ahead else "worse") if p <= alpha else "undecided")


def test_direction_size_and_significance_are_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.uniform(0.001, 0.002, 33), rng.uniform(-0.5, -0.4, 3)])
    test = model_t(
        np.tile(y, 3),
        np.tile(np.arange(36), 3),
        np.concatenate([10 * r + rng.permutation(np.arange(36) % 5) for r in range(3)]),
    )
    assert (y > 0).sum() == 33 and test.mean < 0
    assert verdicts({"B": test}, better="higher")["B"].words in ("undecided", "worse")


def test_a_missing_p_counts_in_the_family() -> None:
    found = verdicts({"B": made(0.025), "C": UNTESTED}, better="higher")
    assert found["B"].words == "better" and found["B"].level == pytest.approx(0.975)
    assert math.isnan(found["C"].p_holm) and math.isnan(found["C"].low)
    edge = verdicts({"B": made(0.022), "C": UNTESTED}, better="higher")["B"]
    assert edge.p_holm > 0.05 and edge.words == "undecided"


def test_the_probability_of_a_false_claim_is_the_one_sided_p() -> None:
    assert made(0.02).p_false_claim == pytest.approx(made(-0.02).p_false_claim) == made(0.02).p / 2
    assert made(0.0).p_false_claim == pytest.approx(0.5)
