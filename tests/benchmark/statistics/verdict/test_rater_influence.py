"""How the order of candidates depends on the raters."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from raterbench.benchmark.statistics.verdict.rater_influence import NOBODY, leave_a_rater_out, rater_curve


def table(means: dict[str, list[float]], n: int = 4, repeats: int = 2) -> pd.DataFrame:
    """Each candidate's value against each rater, the same for all subjects."""
    rows = [
        (name, f"r{rater}", repeat, 0, f"s{subject}", f"c{subject}", value)
        for name, values in means.items()
        for rater, value in enumerate(values)
        for subject in range(n)
        for repeat in range(repeats)
    ]
    return pd.DataFrame(rows, columns=["candidate", "rater", "repeat", "fold", "subject", "case", "value"])


def test_one_rater_decides_the_order() -> None:
    values = table({"A": [0.9, 0.5, 0.5], "B": [0.6, 0.6, 0.6]})
    found = leave_a_rater_out(values, better="higher").set_index(["left_out", "candidate"])
    assert found.loc[(NOBODY, "A"), ["mean", "rank"]].tolist() == pytest.approx([1.9 / 3, 1])
    assert found.loc[("r0", "A"), ["mean", "rank"]].tolist() == pytest.approx([0.5, 2])
    assert found.loc[("r1", "B"), "rank"] == 2
    assert len(found) == 8
    lower = leave_a_rater_out(values, better="lower").set_index(["left_out", "candidate"])
    assert lower.loc[(NOBODY, "A"), "rank"] == 2


def test_raters_of_only_some_cases_and_missing_values_count_where_all_have_them() -> None:
    values = table({"A": [0.9, 0.5], "B": [0.6, 0.6]})
    lost = (values["candidate"] == "A") & (values["rater"] == "r0") & (values["subject"] == "s0")
    values.loc[lost, "value"] = np.nan
    found = leave_a_rater_out(values, better="higher").set_index(["left_out", "candidate"])
    # s0 has only rater 1 left, for both candidates.
    assert found.loc[(NOBODY, "A"), "mean"] == pytest.approx((0.5 + 3 * 0.7) / 4)
    assert found.loc[(NOBODY, "B"), "mean"] == pytest.approx(0.6)
    assert found.loc[("r1", "A"), "mean"] == pytest.approx(0.9)


def test_a_single_rater_cannot_be_left_out() -> None:
    assert set(leave_a_rater_out(table({"A": [0.5], "B": [0.6]}), better="higher")["left_out"]) == {NOBODY}


def test_the_curve_of_the_number_of_raters() -> None:
    values = table({"A": [0.9, 0.5, 0.5], "B": [0.6, 0.6, 0.6]})
    curve = rater_curve(values, better="higher").set_index("n_raters")
    # Alone, only the first of three raters has A ahead; of pairs, the two with that rater.
    assert curve["panels"].tolist() == [3, 3, 1]
    assert curve["same_best"].tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert curve["agreement"].tolist() == pytest.approx([-1 / 3, 1 / 3, 1])


def test_many_panels_are_drawn_by_the_seed() -> None:
    rng = np.random.default_rng(0)
    values = table({name: list(rng.random(12)) for name in "ABC"}, n=2, repeats=1)
    one, other = (rater_curve(values, better="higher", seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    assert one["panels"].max() == 200 and one["same_best"].iloc[-1] == 1


def test_the_agreement_of_orders_is_kendalls_tau() -> None:
    rng = np.random.default_rng(1)
    means = {name: list(rng.integers(0, 4, 3) / 4) for name in "ABCDE"}
    curve = rater_curve(table(means, n=1, repeats=1), better="higher").set_index("n_raters")
    values = np.array(list(means.values()))
    expected = [stats.kendalltau(values.mean(axis=1), values[:, rater]).statistic for rater in range(3)]
    assert curve.loc[1, "agreement"] == pytest.approx(np.nanmean(expected))


def test_of_many_raters_some_sizes_are_enough() -> None:
    rng = np.random.default_rng(0)
    curve = rater_curve(table({name: list(rng.random(45)) for name in "AB"}, n=1, repeats=1), better="higher")
    assert len(curve) == 20 and curve["n_raters"].is_monotonic_increasing
    assert curve["n_raters"].iloc[[0, -1]].tolist() == [1, 45] and curve["same_best"].iloc[-1] == 1
