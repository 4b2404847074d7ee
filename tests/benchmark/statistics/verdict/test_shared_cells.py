"""Differences over the subjects and trainings that two candidates share."""

import numpy as np
import pandas as pd
import pytest

from raterbench import RaterbenchError
from raterbench.benchmark.statistics.verdict.model_t import model_t
from raterbench.benchmark.statistics.verdict.shared_cells import CaseValues


def long_table(values: dict[str, list[tuple[int, int, str, str, float]]]) -> pd.DataFrame:
    """``candidate repeat fold subject case value`` from rows by candidate."""
    rows = [(name, *row) for name, mine in values.items() for row in mine]
    return pd.DataFrame(rows, columns=["candidate", "repeat", "fold", "subject", "case", "value"])


def random_table(candidates: str = "ABC", n: int = 12, folds: int = 3, repeats: int = 3, seed: int = 0) -> pd.DataFrame:
    """Two cases a subject."""
    rng = np.random.default_rng(seed)
    rows = []
    for repeat in range(repeats):
        fold = rng.permutation(np.arange(n) % folds)
        for name in candidates:
            for subject in range(n):
                for case in range(2):
                    key = (name, repeat, int(fold[subject]), f"s{subject:02}", f"s{subject:02}_{case}")
                    rows.append((*key, 0.8 + 0.02 * candidates.index(name) + rng.normal(0, 0.05)))
    return pd.DataFrame(rows, columns=["candidate", "repeat", "fold", "subject", "case", "value"])


def test_an_entry_is_the_mean_over_the_cases_that_both_have() -> None:
    nan = np.nan
    table = long_table(
        {
            "A": [(0, 0, "s", "s1", 1.0), (0, 0, "s", "s2", 5.0), (1, 0, "s", "s1", 3.0), (0, 0, "t", "t1", 1.0)],
            "B": [(0, 0, "s", "s1", 2.0), (0, 0, "s", "s2", nan), (1, 0, "s", "s1", np.inf), (0, 0, "t", "t1", 1.5)],
        }
    )
    both = CaseValues.of(table).entries(["B", "A"])
    assert both.values.tolist() == [[2.0, 1.0], [1.5, 1.0]]
    assert both.means == pytest.approx([1.75, 1.0])
    assert CaseValues.of(table).difference("B", "A").test.mean == pytest.approx(0.75)


def test_the_difference_is_that_of_the_test_on_arrays() -> None:
    table = random_table()
    found = CaseValues.of(table).difference("B", "A")
    by_entry = table.groupby(["candidate", "repeat", "fold", "subject"])["value"].mean().unstack("candidate").reset_index()
    model = by_entry["repeat"] * 10 + by_entry["fold"]
    expected = model_t(by_entry["B"] - by_entry["A"], by_entry["subject"], model)
    assert (found.test.p, found.test.df) == pytest.approx((expected.p, expected.df), rel=1e-6)
    wins = (by_entry["B"] - by_entry["A"]).groupby(by_entry["subject"]).mean() > 0
    assert (found.n_higher, found.n_lower, found.n_subjects) == (wins.sum(), (~wins).sum(), 12)


def test_the_order_of_rows_does_not_matter() -> None:
    table = random_table()
    one = CaseValues.of(table).difference("C", "A")
    other = CaseValues.of(table.sample(frac=1, random_state=1)).difference("C", "A")
    assert other.test == one.test


def test_rounding_error_is_no_difference() -> None:
    table = long_table(
        {"A": [(0, k % 3, f"s{k}", "c", 0.1 + 0.2) for k in range(9)], "B": [(0, k % 3, f"s{k}", "c", 0.3) for k in range(9)]}
    )
    found = CaseValues.of(table).difference("A", "B")
    assert (found.test.mean, found.test.p, found.n_higher) == (0, 1, 0)


def test_a_missing_repeat_is_left_out_of_the_difference_only() -> None:
    table = random_table()
    table = table[(table["candidate"] != "C") | (table["repeat"] != 2)]
    values = CaseValues.of(table)
    assert values.difference("B", "A").test.n_entries == 36
    assert values.difference("C", "A").test.n_entries == 24
    assert values.n_repeats == 3


def test_a_lost_fold_is_named_with_its_pull() -> None:
    table = random_table("AB")
    hard = (table["repeat"] == 1) & (table["fold"] == 2)
    table.loc[hard, "value"] -= 0.5
    table = table[~hard | (table["candidate"] == "A")]
    (lost,) = CaseValues.of(table).left_out_folds("B", "A")
    assert (lost.repeat, lost.fold, lost.lacking, lost.other, lost.pull) == (1, 2, "B", "A", "up")
    assert "Repeat 1, fold 2 is left out, because B has no value there; A has a mean of 0.3" in lost.sentence()
    assert lost.sentence().endswith("so the means of both are higher than with it.")
    assert CaseValues.of(random_table("AB")).left_out_folds("B", "A") == []


def test_nothing_shared_is_no_difference() -> None:
    table = long_table({"A": [(0, 0, "s", "c", 1.0)], "B": [(0, 0, "t", "c", 1.0)]})
    values = CaseValues.of(table)
    assert values.difference("B", "A") is None
    assert [fold.pull for fold in values.left_out_folds("B", "A")] == ["", ""]


def test_an_unknown_candidate_is_named_with_the_nearest() -> None:
    with pytest.raises(RaterbenchError, match="no candidate 'STAPEL'; did you mean 'STAPLE'"):
        CaseValues.of(long_table({"STAPLE": [(0, 0, "s", "c", 1.0)]})).entries(["STAPEL"])
