"""The comparison of anybody's table, with every kind of sentence."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from raterbench import RaterbenchError
from raterbench.benchmark.statistics import compare
from raterbench.benchmark.statistics.verdict.compare_table import COLUMNS, TableComparison
from raterbench.benchmark.statistics.verdict.model_t import model_t
from raterbench.benchmark.statistics.verdict.sentences import AS_PUBLISHED, MAYBE_FOLDS, NO_MODELS, NO_REPEATS, NO_SUBJECTS

NAMES = {"candidate": "method", "value": "dice", "subject": "patient", "repeat": "run", "fold": "part"}


def long_table(gains: dict[str, float], *, n: int = 30, folds: int = 5, repeats: int = 3, noise: float = 0.02) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    subject = rng.normal(0, 0.05, n)
    parts = []
    for repeat in range(repeats):
        fold = rng.permutation(np.arange(n) % folds)
        for name, gain in gains.items():
            value = 0.8 + gain + subject + noise / 2 * rng.normal(size=folds)[fold] + noise * rng.normal(size=n)
            parts.append(pd.DataFrame({"method": name, "run": repeat, "part": fold, "patient": np.arange(n), "dice": value}))
    return pd.concat(parts, ignore_index=True)


def compared(table: pd.DataFrame, **settings: object) -> TableComparison:
    names = {role: column for role, column in NAMES.items() if column in table}
    return compare(table, **{**names, **settings})


def said(found: TableComparison) -> str:
    return "\n".join(found.sentences)


GAINS = {"A": 0.0, "B": 0.1, "C": -0.1, "D": 0.0001}


def test_better_worse_equivalent_and_undecided() -> None:
    found = compared(long_table(GAINS), smallest_difference=0.05)
    assert list(found.table.columns) == COLUMNS and found.baseline == "A"
    verdict = found.table.set_index("candidate")["verdict"].to_dict()
    assert verdict == {"A": "baseline", "B": "better", "C": "worse", "D": "equivalent"}
    assert "B is better than A: difference +0.1" in said(found) and "C is worse than A: difference -0.1" in said(found)
    assert "D and A are equivalent" in said(found)
    assert "No smallest relevant difference" not in said(found)
    open_ = compared(long_table(GAINS))
    assert "D against A is undecided" in said(open_) and "No smallest relevant difference" in said(open_)
    assert "with 80 % power" in said(open_)


def test_better_by_less_than_is_relevant_and_lower_is_better() -> None:
    found = compared(long_table({"A": 0.0, "B": 0.1}), smallest_difference=0.2)
    assert "B is better than A, by less than is relevant: difference +0.0979" in said(found)
    lower = compared(long_table({"A": 0.0, "B": 0.1}), smallest_difference=0.2, better="lower")
    assert "B is worse than A, by less than is relevant" in said(lower)
    assert lower.table["rank"].tolist() == [1, 2]


def test_the_numbers_are_those_of_the_test() -> None:
    table = long_table(GAINS)
    found = compared(table, baseline="B").table.set_index("candidate")
    wide = table.pivot(index=["run", "part", "patient"], columns="method", values="dice").reset_index()
    test = model_t(wide["C"] - wide["B"], wide["patient"], 10 * wide["run"] + wide["part"])
    row = found.loc["C"]
    assert (row["difference"], row["p"], row["df"]) == pytest.approx((test.mean, test.p, test.df), rel=1e-6)
    assert (row["low"], row["high"]) == pytest.approx(test.interval(row["level"]), rel=1e-6)
    assert row["p_false_claim"] == row["p"] / 2
    assert (row["n_subjects"], row["n_models"]) == (30, 15)
    assert found.loc["A", "tied_with_best"] == np.False_ and found.loc["B", "verdict"] == "baseline"


def test_who_cannot_be_told_from_the_best() -> None:
    found = compared(long_table({"A": 0.0, "B": 0.1, "C": 0.1001}))
    assert "2 of 3 candidates cannot be told from the best: B, C." in said(found)


def test_one_repeat_is_exploratory_and_says_what_is_not_known() -> None:
    found = compared(long_table(GAINS, repeats=1).drop(columns="run"))
    assert NO_REPEATS in found.sentences and "All comparisons are exploratory: one repeat." in found.sentences


def test_without_repeats_and_folds_it_is_the_t_test_over_subjects() -> None:
    table = long_table(GAINS, repeats=1).drop(columns=["run", "part"])
    found = compared(table)
    assert NO_MODELS in found.sentences
    wide = table.pivot(index="patient", columns="method", values="dice")
    expected = stats.ttest_rel(wide["B"], wide["A"]).pvalue
    row = found.table.set_index("candidate").loc["B"]
    assert row["p"] == pytest.approx(expected, rel=1e-6)
    assert pd.isna(row["n_models"])


def test_a_hold_out() -> None:
    assert "hold-out with 2 repeats" in said(compared(long_table(GAINS, folds=1, repeats=2)))
    assert "B: no test against A (difference +0.0" in said(compared(long_table(GAINS, folds=1, repeats=2)))
    few = compared(long_table(GAINS, folds=1, repeats=3).drop(columns="part"))
    assert "All comparisons are exploratory: a hold-out with 3 repeats, where 5 are needed." in few.sentences
    assert "exploratory:" not in said(compared(long_table(GAINS, folds=1, repeats=5)))


def test_ranks_against_means() -> None:
    table = long_table({"A": 0.0, "B": 0.0}, noise=1e-6)
    table.loc[table["method"] == "B", "dice"] += 0.01
    table.loc[(table["method"] == "B") & (table["patient"] < 3), "dice"] -= 0.5
    assert "; it wins on 27 of 30 subjects, but loses on average" in said(compared(table))
    assert "; it loses on 27 of 30 subjects, but wins on average" in said(compared(table, better="lower"))


def test_missing_cells_and_failed_folds_are_said() -> None:
    table = long_table({"A": 0.0, "B": 0.1})
    table.loc[(table["method"] == "B") & (table["run"] == 1) & (table["part"] == 2), "dice"] = np.nan
    found = compared(table)
    assert "Repeat 1, fold 2 is left out, because B has no value there; A has a mean of" in said(found)
    assert "6 values are missing or not finite" in said(found)
    many = compared(table[(table["method"] == "A") | (table["run"] == 0)])
    assert "10 trained models are left out" in said(many)


def test_missing_subjects_and_repeats_are_called_what_they_are() -> None:
    table = long_table({"A": 0.0, "B": 0.1}, repeats=1).drop(columns=["run", "part"])
    few = compared(table[(table["method"] == "A") | (table["patient"] > 2)])
    assert "3 subjects are left out, because B or A has no value there" in said(few)
    repeated = long_table({"A": 0.0, "B": 0.1}, folds=1, repeats=6).drop(columns="part")
    assert "Repeat 2 is left out, because B has no value" in said(
        compared(repeated[(repeated["method"] == "A") | (repeated["run"] != 2)])
    )
    one_number = long_table({"A": 0.0, "B": 0.1}).assign(part=lambda rows: 5 * rows["run"] + rows["part"]).drop(columns="run")
    found = compared(one_number[(one_number["method"] == "A") | (one_number["part"] != 7)])
    assert "Fold 7 is left out" in said(found) and NO_REPEATS not in found.sentences


def test_nobody_is_advised_to_measure_less() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        table = long_table({"A": 0.0, "B": 0.01}).assign(dice=lambda rows: rows["dice"] + rng.normal(0, 0.03, len(rows)))  # noqa: B023
        row = compared(table).table.set_index("candidate").loc["B"]
        words = said(compared(table))
        if row["verdict"] == "undecided" and "would find this one with" in words:
            numbers = words.split("would find this one with ")[1].split(".")[0]
            assert all(int(part.split()[0]) > (30 if "subjects" in part else 3) for part in numbers.split(" or "))


def test_rows_that_nothing_tells_apart_are_averaged() -> None:
    table = long_table({"A": 0.0, "B": 0.1}).drop(columns=["run", "part"])
    assert "120 rows have the same candidate and subject as another and were averaged" in said(compared(table))
    cases = long_table({"A": 0.0, "B": 0.1}).assign(slice=0)
    both = pd.concat([cases, cases.assign(slice=1)])
    assert "averaged" not in said(compared(both, case="slice"))


def trainings(seed: int = 0) -> pd.DataFrame:
    """One row a training, 40 a candidate, 5 candidates, wide."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.normal(0.8 + 0.05 * (name == "C"), 0.05, 40) for name in "ABCDE"})


def test_a_table_of_trainings() -> None:
    table = trainings()
    found = compare(table, wide=True)
    assert found.sentences[0] == "n = 40 trained models of each candidate."
    assert {NO_SUBJECTS, MAYBE_FOLDS} <= set(found.sentences)
    row = found.table.set_index("candidate").loc["C"]
    assert row["p"] == pytest.approx(stats.ttest_rel(table["C"], table["A"]).pvalue, rel=1e-6)
    assert (row["verdict"], row["n_models"]) == ("better", 40) and pd.isna(row["n_subjects"])
    assert compare(table.melt(var_name="m", value_name="v").assign(run=np.tile(np.arange(40), 5)), candidate="m", value="v",
                   repeat="run").table.set_index("candidate").loc["C", "p"] == pytest.approx(row["p"])  # fmt: skip


def test_trainings_of_a_cross_validation_get_the_corrected_test() -> None:
    from raterbench.benchmark.statistics.significance import corrected_resampled_t, corrected_t_interval

    table = trainings().assign(run=np.repeat(np.arange(10), 4), fold=np.tile(np.arange(4), 10))
    found = compare(table, wide=True, repeat="run", fold="fold")
    row = found.table.set_index("candidate").loc["C"]
    gaps = (table["C"] - table["A"]).to_numpy()
    assert row["p"] == pytest.approx(corrected_resampled_t(gaps, 1 / 3), rel=1e-6)
    assert (row["low"], row["high"]) == pytest.approx(corrected_t_interval(gaps, 1 / 3, row["level"]), rel=1e-6)
    assert "corrected resampled t-test over trained models" in said(found) and MAYBE_FOLDS not in found.sentences


def test_as_published() -> None:
    table = trainings()
    found = compare(table, wide=True, statistics="as-published")
    row = found.table.set_index("candidate").loc["C"]
    assert row["p"] == pytest.approx(stats.wilcoxon(table["C"] - table["A"], method="asymptotic").pvalue)
    assert (row["mean"], row["std"]) == pytest.approx((table["C"].mean(), table["C"].std()))
    assert pd.isna(row["p_holm"]) and pd.isna(row["low"]) and row["verdict"] == "better"
    assert AS_PUBLISHED in found.sentences
    grouped = compared(long_table(GAINS), statistics="as-published").table.set_index("candidate")
    means = long_table(GAINS).groupby(["method", "run", "part"])["dice"].mean()
    assert grouped.loc["B", "n_models"] == 15 and grouped.loc["B", "std"] == pytest.approx(means["B"].std())
    with pytest.raises(RaterbenchError, match="it names no trained models"):
        compared(long_table(GAINS).drop(columns=["run", "part"]), statistics="as-published", name="it")


def test_equal_candidates_and_one_alone() -> None:
    table = long_table({"A": 0.0})
    twins = pd.concat([table, table.assign(method="B")])
    row = compared(twins, smallest_difference=0.01).table.set_index("candidate").loc["B"]
    assert (row["p"], row["low"], row["high"], row["verdict"]) == (1, 0, 0, "equivalent")
    alone = compared(table)
    assert alone.table["verdict"].tolist() == ["baseline"] and "over 0 comparisons" in said(alone)


def test_the_order_of_rows_changes_nothing() -> None:
    table = long_table(GAINS)
    mixed = pd.concat([table.iloc[:1], table.iloc[1:].sample(frac=1, random_state=0)])
    one, other = (compared(t, baseline="A").table.set_index("candidate").sort_index() for t in (table, mixed))
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"baseline": "a"}, "the table has no candidate 'a' for a baseline; known: A, B"),
        ({"alpha": 0.0}, "alpha must be .*; got 0"),
        ({"alpha": 0.7}, "alpha must be"),
        ({"smallest_difference": -0.1}, "smallest relevant difference must be 0 or more; got -0.1"),
        ({"fold": "patr"}, "no column 'patr'; did you mean 'part'"),
    ],
)
def test_mistakes_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RaterbenchError, match=message):
        compared(long_table({"A": 0.0, "B": 0.1}), **settings)


def test_it_needs_no_torch() -> None:
    code = "import sys\nfrom raterbench.benchmark.statistics import compare, interchangeability, rater_curve\n"
    code += "assert not {m for m in sys.modules if m in ('torch', 'SimpleITK') or m.startswith('raterbench.methods')}"
    subprocess.run([sys.executable, "-c", code], check=True)
