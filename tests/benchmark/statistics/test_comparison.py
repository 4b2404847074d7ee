"""From the long table to one value per subject, and to the comparison of all candidates."""

import subprocess
import sys
import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench import RaterbenchError
from raterbench.benchmark.experiment.experiment import Statistics
from raterbench.benchmark.statistics.caption import AS_PUBLISHED, FEW_REPEATS, caption
from raterbench.benchmark.statistics.comparison import COLUMNS, Comparison, breakdown, compare_results, split_ratio
from raterbench.benchmark.statistics.long_rows import LongRows
from raterbench.benchmark.statistics.ranking import composite_score, composite_scores, mean_ranks
from raterbench.benchmark.statistics.significance import corrected_resampled_t, holm, wilcoxon
from raterbench.benchmark.statistics.subjects import case_values, paired, subject_values
from raterbench.benchmark.statistics.verdict.as_published import as_published
from raterbench.benchmark.statistics.verdict.shared_cells import CaseValues
from raterbench.benchmark.store.results import LONG_COLUMNS

SETTINGS = Statistics()
GAIN = {"A": 0.0, "B": 0.02, "C": 0.05}

COMPARED = [name for name in LONG_COLUMNS if name not in ("parameters", "threshold")]
"""The columns of ``Results.rows``, which comparisons are made of."""


def benchmark_rows(n_subjects: int = 20, repeats: int = 3, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for candidate, repeat, subject, slice_ in np.ndindex(3, repeats, n_subjects, 2):
        name = "ABC"[candidate]
        key = (
            "e",
            "d",
            name,
            "method",
            repeat,
            (subject + repeat) % 5,
            f"s{subject:02}_{slice_}",
            f"s{subject:02}",
            f"c{subject % 2}",
        )
        for class_ in ("grey", "white"):
            value = 0.8 + GAIN[name] + rng.normal(0, 0.02)
            rows += [(*key, class_, "truth", "dice", value), (*key, class_, "truth", "rvd", 1 - value)]
        rows.append((*key, "all", "none", "entropy", rng.random()))
    for subject in range(n_subjects - 3):
        key = ("e", "d", "anna", "rater", 0, 0, f"s{subject:02}_0", f"s{subject:02}", "c0")
        rows.append((*key, "grey", "truth", "dice", 0.9))
    return pd.DataFrame(rows, columns=COMPARED)


def fold_means(cases: pd.DataFrame) -> pd.DataFrame:
    """(repeat, fold) x candidates: each trained model's mean over its test cases."""
    return cases.groupby(["repeat", "fold", "candidate"])["value"].mean().unstack("candidate")


def benchmark_units(rows: pd.DataFrame) -> pd.DataFrame:
    keys = rows.loc[rows["kind"] == "method", ["candidate", "kind", "repeat", "fold"]].drop_duplicates()
    return keys.assign(status="done", n_train=12, n_validation=4, n_test=4)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return benchmark_rows()


@pytest.fixture(scope="module")
def comparison(rows: pd.DataFrame) -> Comparison:
    return compare_results(rows, benchmark_units(rows), SETTINGS, "truth", "A")


def test_one_value_a_subject_by_hand() -> None:
    key = ("e", "d", "A", "method")
    values = pd.DataFrame(
        [
            (*key, 0, 0, "s_1", "s", "c", "grey", "truth", "dice", 0.2),
            (*key, 0, 0, "s_1", "s", "c", "white", "truth", "dice", 0.4),
            (*key, 1, 3, "s_1", "s", "c", "grey", "truth", "dice", 0.6),
            (*key, 1, 3, "s_1", "s", "c", "white", "truth", "dice", np.nan),
            (*key, 0, 0, "s_2", "s", "c", "grey", "truth", "dice", 1.0),
            (*key, 0, 0, "s_2", "s", "c", "white", "truth", "dice", 1.0),
            (*key, 0, 0, "t_1", "t", "c", "grey", "truth", "dice", np.inf),
            (*key, 0, 0, "t_1", "t", "c", "grey", "staple", "dice", 0.0),
        ],
        columns=COMPARED,
    )
    # s_1: repeats (.2 + .4) / 2 and .6 -> .45; s_2: 1; the subject: .725
    table = subject_values(values, "dice", "truth")
    assert table.loc["s", "A"] == pytest.approx(0.725)
    assert np.isnan(table.loc["t", "A"])
    assert subject_values(values, "dice", "truth", "grey").loc["s", "A"] == pytest.approx(0.7)
    assert case_values(values, "dice", "truth")["undefined"].sum() == 2


def test_metrics_without_classes_or_reference_are_found(rows: pd.DataFrame) -> None:
    assert subject_values(rows, "entropy", "truth").shape == (20, 3)
    with pytest.raises(RaterbenchError, match="did you mean 'dice'"):
        subject_values(rows, "dise", "truth")
    with pytest.raises(RaterbenchError, match="not measured against 'staple'"):
        subject_values(rows, "dice", "staple")


def test_only_subjects_that_all_have_are_compared() -> None:
    values = pd.DataFrame(
        {"A": [1.0, 2, 3, 4], "B": [1.0, np.nan, 3, 4], "C": [1.0, np.nan, np.nan, np.nan]}, index=list("stuv")
    )
    pairs = paired(values)
    assert list(pairs.values.index) == ["s", "u", "v"]
    assert (list(pairs.complete), list(pairs.dropped)) == (["A", "B"], ["t"])


def test_the_columns_and_numbers_of_the_table(rows: pd.DataFrame, comparison: Comparison) -> None:
    assert list(comparison.table.columns) == COLUMNS
    values = subject_values(rows, "dice", "truth")
    difference = values["C"] - values["A"]
    row = comparison.rows_for("dice").loc["C"]
    assert row["n"] == 20
    assert row["mean"] == pytest.approx(values["C"].mean())
    assert row["std"] == pytest.approx(values["C"].std())
    assert row["difference"] == pytest.approx(difference.mean())
    assert row["ci_low"] < row["mean"] < row["ci_high"]
    test = CaseValues.of(case_values(rows, "dice", "truth")).difference("C", "A").test
    assert (row["p"], row["df"], row["n_pairs"], row["n_trainings"]) == (test.p, test.df, 20, 15)
    assert (row["low"], row["high"]) == test.interval(row["level"]) and row["low"] > 0.01
    assert row["verdict"] == "better" and row["p_false_claim"] == row["p"] / 2
    assert row["p_wilcoxon"] == pytest.approx(wilcoxon(difference).p)
    assert row["n_higher"] + row["n_lower"] == 20
    raw = comparison.rows_for("dice").loc[["B", "C"], "p"]
    assert comparison.rows_for("dice").loc[["B", "C"], "p_holm"].to_numpy() == pytest.approx(holm(raw))
    folds = fold_means(case_values(rows, "dice", "truth"))
    assert row["p_corrected_t"] == pytest.approx(corrected_resampled_t((folds["C"] - folds["A"]).to_numpy(), 4 / 16))
    assert row["significant"]


def test_the_confirmatory_family_is_the_primary_metric_against_the_baseline(comparison: Comparison) -> None:
    assert comparison.rows_for("dice")["family"].to_dict() == {"A": "", "B": "confirmatory", "C": "confirmatory"}
    assert set(comparison.rows_for("rvd").loc[["B", "C"], "family"]) == {"exploratory"}
    assert np.isnan(comparison.rows_for("dice").loc["A", "p"])


def test_best_and_rank_follow_the_direction_of_the_metric(comparison: Comparison) -> None:
    for metric in ("dice", "rvd"):
        assert comparison.rows_for(metric)["best"].to_dict() == {"A": False, "B": False, "C": True}
    assert comparison.rows_for("dice")["rank"].tolist() == [3, 2, 1] and comparison.rows_for("rvd")["rank"].isna().all()
    assert comparison.rows_for("dice").loc["C", ["rank_low", "rank_high"]].tolist() == [1, 1]
    assert not comparison.rows_for("entropy")["best"].any()


def test_raters_are_described_over_their_own_subjects_and_not_tested(comparison: Comparison) -> None:
    row = comparison.rows_for("dice", "rater").loc["anna"]
    assert (row["n"], row["mean"], row["family"]) == (17, pytest.approx(0.9), "")
    assert np.isnan(row["p"])


def test_how_much_data_it_rests_on(rows: pd.DataFrame, comparison: Comparison) -> None:
    assert (comparison.n_subjects, comparison.n_cases, comparison.n_repeats) == (20, 40, 3)
    assert not comparison.few_repeats
    assert comparison.n_models == 15
    assert FEW_REPEATS not in caption(comparison)
    few = rows[(rows["repeat"] == 0) & rows["subject"].isin(["s00", "s01", "s02", "s03", "s04"])]
    small = compare_results(few, benchmark_units(few), SETTINGS, "truth", "A")
    assert small.few_repeats
    assert FEW_REPEATS in caption(small)
    assert set(small.rows_for("dice").loc[["B", "C"], "exploratory"]) == {"one repeat"}


def test_the_order_of_rows_does_not_matter(rows: pd.DataFrame, comparison: Comparison) -> None:
    first = rows.groupby("candidate", sort=False).head(1)
    mixed = pd.concat([first, rows.drop(first.index).sample(frac=1, random_state=0)])
    again = compare_results(mixed, benchmark_units(mixed), SETTINGS, "truth", "A", ["dice", "rvd", "entropy"])
    pd.testing.assert_frame_equal(again.table, comparison.table)


def test_other_names_give_the_same_numbers(rows: pd.DataFrame, comparison: Comparison) -> None:
    names = {"A": "zebra", "B": "yak", "C": "ant"}
    renamed = rows.replace({"candidate": names})
    again = compare_results(renamed, benchmark_units(renamed), SETTINGS, "truth", "zebra")
    expected = comparison.table.replace({"candidate": names})
    pd.testing.assert_frame_equal(again.table, expected)


def test_a_candidate_whose_units_all_failed_stays_and_counts(rows: pd.DataFrame, comparison: Comparison) -> None:
    failed = {"candidate": "D", "kind": "method", "repeat": 0, "fold": 0, "status": "failed"}
    units = pd.concat([benchmark_units(rows), pd.DataFrame([failed])])
    with_failed = compare_results(rows, units, SETTINGS, "truth", "A")
    assert with_failed.rows_for("dice").loc["D", "n"] == 0
    assert with_failed.n_comparisons == 3
    assert with_failed.rows_for("dice").loc["C", "p_holm"] > comparison.rows_for("dice").loc["C", "p_holm"]


def test_a_nearly_failed_candidate_takes_nobodys_subjects_away(rows: pd.DataFrame) -> None:
    part = rows[(rows["candidate"] != "C") | rows["subject"].isin(["s00", "s01"])]
    result = compare_results(part, benchmark_units(part), SETTINGS, "truth", "A")
    assert result.n_subjects == 20
    row = result.rows_for("dice").loc["C"]
    assert (row["n"], row["complete"], row["best"]) == (2, False, False)
    assert any(sentence.startswith("C: results on less than half") for sentence in caption(result))


def test_means_use_what_all_share_and_differences_what_two_share(rows: pd.DataFrame) -> None:
    part = rows[(rows["candidate"] != "B") | (rows["subject"] != "s07")]
    result = compare_results(part, benchmark_units(part), SETTINGS, "truth", "A")
    assert result.rows_for("dice")["n"].tolist() == [19, 19, 19]
    assert result.rows_for("dice").loc[["B", "C"], "n_pairs"].tolist() == [19, 20]


def test_as_published_tests_the_trained_models_without_correction(rows: pd.DataFrame) -> None:
    result = compare_results(rows, benchmark_units(rows), SETTINGS, "truth", "A", protocol="as-published")
    folds = fold_means(case_values(rows, "dice", "truth"))
    row = result.rows_for("dice").loc["B"]
    assert row["n"] == 15
    assert row["p"] == pytest.approx(as_published(folds["B"], folds["A"]).p)
    assert np.isnan(row["p_holm"])
    assert np.isnan(row["low"]) and row["exploratory"] == "as published"
    assert AS_PUBLISHED in caption(result)
    assert "too small" in AS_PUBLISHED


def test_wrong_names_are_errors_in_plain_words(rows: pd.DataFrame) -> None:
    units = benchmark_units(rows)
    with pytest.raises(RaterbenchError, match="baseline 'Z' has no results"):
        compare_results(rows, units, SETTINGS, "truth", "Z")
    with pytest.raises(RaterbenchError, match=r"primary metric 'dices'.*did you mean 'dice'"):
        compare_results(rows, units, Statistics(primary_metric="dices"), "truth", "A")


def test_metrics_without_the_reference_are_left_out_unless_asked_for(rows: pd.DataFrame) -> None:
    other = pd.concat([rows, rows[rows["metric"] == "dice"].assign(metric="brier", reference="soft average")])
    assert "brier" not in set(compare_results(other, benchmark_units(rows), SETTINGS, "truth", "A").table["metric"])
    with pytest.raises(RaterbenchError, match="'brier' was not measured against 'truth'"):
        compare_results(other, benchmark_units(rows), SETTINGS, "truth", "A", ["brier"])
    assert compare_results(other, benchmark_units(rows), SETTINGS, "soft average", "A", ["brier"]).n_subjects == 20
    with pytest.raises(RaterbenchError, match="no metric was measured against 'staple'"):
        compare_results(rows[rows["metric"] != "entropy"], benchmark_units(rows), SETTINGS, "staple", "A")


def test_one_candidate_alone_is_described(rows: pd.DataFrame) -> None:
    alone = rows[rows["candidate"] == "A"]
    result = compare_results(alone, benchmark_units(alone), SETTINGS, "truth", "A")
    assert result.rows_for("dice").loc["A", "n"] == 20
    assert result.n_comparisons == 0


def test_a_class_that_a_metric_does_not_have_gives_no_numbers(rows: pd.DataFrame) -> None:
    result = compare_results(rows, benchmark_units(rows), SETTINGS, "truth", "A", class_="grey")
    assert result.rows_for("dice")["n"].tolist() == [20, 20, 20]
    assert result.rows_for("entropy")["n"].tolist() == [0, 0, 0]


def test_breakdown_by_class_and_centre(rows: pd.DataFrame) -> None:
    by_class = breakdown(rows, "dice", "truth").set_index(["candidate", "group"])
    assert by_class.loc[("B", "grey"), "mean"] == pytest.approx(subject_values(rows, "dice", "truth", "grey")["B"].mean())
    by_centre = breakdown(rows, "dice", "truth", "centre").set_index(["candidate", "group"])
    assert by_centre.loc[("B", "c1"), "n"] == 10


def test_split_ratio_counts_validation_as_training(rows: pd.DataFrame) -> None:
    assert split_ratio(benchmark_units(rows)) == 0.25
    assert np.isnan(split_ratio(pd.DataFrame()))


@pytest.mark.parametrize(
    ("ddof", "expected"), [(0, [0.4515100, 0.2435332, -0.6950431]), (1, [0.3686563, 0.1988440, -0.5675003])]
)
def test_composite_score_of_the_published_table(ddof: int, expected: list[float]) -> None:
    means = pd.DataFrame(
        [(87.1, 88.7, 86.4, 9.9), (86.6, 89.0, 85.1, 10.1), (84.8, 93.1, 79.1, 16.4)],
        columns=["dice", "precision", "recall", "avd"],
    )
    better = {"dice": "higher", "precision": "higher", "recall": "higher", "avd": "lower"}
    assert composite_score(means, better, ddof).to_numpy() == pytest.approx(expected, abs=5e-8)


def composite_rows(n_subjects: int = 4) -> pd.DataFrame:
    """The published table's values for each subject of two trainings, moved by the subject; D lacks most of its precision."""
    published = {"A": (87.1, 88.7, 86.4, 9.9), "B": (86.6, 89.0, 85.1, 10.1), "C": (84.8, 93.1, 79.1, 16.4)}
    rows = []
    for candidate, values in (published | {"D": (1.0, 1.0, 1.0, 90.0)}).items():
        for repeat, subject, slice_ in np.ndindex(2, n_subjects, 2):
            for metric, value in zip(("dice", "precision", "recall", "avd"), values, strict=True):
                lacks = candidate == "D" and metric == "precision" and subject + repeat
                moved = np.nan if lacks else value + 0.1 * subject + slice_
                key = ("e", "d", candidate, "method", repeat, 0, f"s{subject}_{slice_}", f"s{subject}", "c", "cord", "truth")
                rows.append((*key, metric, moved))
    return pd.DataFrame(rows, columns=COMPARED)


def test_composite_scores_pool_every_subject_and_training() -> None:
    rows = composite_rows()
    found = composite_scores(LongRows(rows), "truth")
    assert found is not None and list(found.apart) == ["D"] and found.n_left_out == 0
    assert found.scores.shape == (8, 3) and list(found.scores) == ["A", "B", "C"]
    wide = rows[rows["candidate"] != "D"].pivot_table("value", ["candidate", "repeat", "subject"], "metric")
    z = (wide - wide.mean()) / wide.std(ddof=1)
    expected = z.assign(avd=-z["avd"]).mean(axis=1)
    assert found.scores.loc[(1, 0, "s2"), "C"] == pytest.approx(expected["C", 1, "s2"])
    assert found.mean_ranks.to_dict() == {"A": 1.5, "B": 2.0, "C": 2.5}
    assert found.parts.loc["C"].to_numpy() == pytest.approx(
        z.assign(avd=-z["avd"]).groupby("candidate").mean().loc["C", found.parts.columns]
    )


def test_composite_scores_of_one_subject_are_those_of_the_published_table() -> None:
    rows = composite_rows(1).query("candidate != 'D' and repeat == 0")
    found = composite_scores(LongRows(rows), "truth")
    assert found is not None
    assert found.scores.to_numpy()[0] == pytest.approx([0.3686563, 0.1988440, -0.5675003], abs=5e-8)
    rows.loc[(rows["candidate"] == "B") & (rows["metric"] == "recall"), "value"] = np.nan
    again = composite_scores(LongRows(rows), "truth")
    assert again is not None and list(again.apart) == ["B"] and again.n_left_out == 0


def test_mean_ranks_by_hand() -> None:
    values = pd.DataFrame({"A": [0.1, 0.5], "B": [0.1, 0.7], "C": [-0.3, -0.1]})
    assert mean_ranks(values, "higher").tolist() == [1.75, 1.25, 3]
    assert mean_ranks(values, "lower").tolist() == [2.25, 2.75, 1]
    assert mean_ranks(values, "zero").tolist() == [1.75, 2.25, 2]
    assert mean_ranks(values, "none").isna().all()


def small_rows(values: np.ndarray, metric: str = "dice") -> pd.DataFrame:
    """Rows of ``values`` [candidates, subjects]: one case a subject, two folds, one repeat."""
    rows = [
        ("e", "d", "ABC"[c], "method", 0, s % 2, f"s{s:02}_0", f"s{s:02}", "c0", "lesion", "truth", metric, values[c, s])
        for c, s in np.ndindex(values.shape)
    ]
    return pd.DataFrame(rows, columns=COMPARED)


def compared(values: npt.ArrayLike, **settings: object) -> Comparison:
    rows = small_rows(np.asarray(values, float))
    return compare_results(rows, benchmark_units(rows), Statistics(), "truth", "A", **settings)


@pytest.mark.parametrize("n", [2, 6, 60])
@pytest.mark.parametrize("protocol", ["model-t", "as-published"])
def test_candidates_that_are_zero_everywhere_do_not_differ(n: int, protocol: str) -> None:
    row = compared(np.zeros((2, n)), protocol=protocol).rows_for("dice").loc["B"]
    assert (row["difference"], row["p"], row["significant"], row["why_no_p"]) == (0, 1, False, "")
    assert row["verdict"] == ("equivalent" if protocol == "model-t" else "undecided")
    assert (row["low"], row["high"]) == (0, 0) or protocol == "as-published"


def test_what_is_undefined_says_why() -> None:
    nothing = np.nan
    table = compared([[0.5, 0.6, 0.7], [nothing, nothing, nothing], [0.6, 0.7, 0.8]]).rows_for("dice")
    assert table.loc["B", "why_no_mean"] == "none of the 3 values of B is defined"
    assert table.loc["B", "why_no_p"] == "no subject and training has a value of both B and A"
    assert "same for all trained models" in table.loc["C", "why_no_corrected_t"]
    assert "no variation" in table.loc["C", "why_no_p"] and table.loc["C", "verdict"] == "undecided"
    assert np.isnan(table.loc["C", "p_corrected_t"])
    assert (table.loc["A", ["why_no_mean", "why_no_p"]] == "").all()
    assert "do not differ" in table.loc["A", "why_no_interval"]
    baseline = compared([[nothing] * 3, [0.1, 0.2, 0.3]]).rows_for("dice")
    assert baseline.loc["B", "mean"] == pytest.approx(0.2)
    assert baseline.loc["B", "why_no_p"] == "no subject and training has a value of both B and A"
    alone = compared([[0.5], [0.6]]).rows_for("dice").loc["B"]
    assert np.isnan(alone["p"]) and alone["why_no_p"].startswith("one trained model")
    assert alone["why_no_corrected_t"].startswith("fewer than two trained models")


def test_who_cannot_be_told_from_the_best_is_marked_with_it() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(0.8, 0.05, 40)
    values = np.stack([base + rng.normal(0, 0.02, 40), base + rng.normal(0, 0.02, 40), base - 0.2])
    table = compared(values).rows_for("dice")
    assert table["best"].tolist() == [True, True, False]
    assert table["rank_low"].tolist() == [1, 1, 3] and table["rank_high"].tolist() == [2, 2, 3]


def test_a_metric_without_direction_is_higher_or_lower() -> None:
    values = np.stack([np.linspace(0.5, 0.6, 20), np.linspace(0.7, 0.81, 20)])
    for better in ("zero", "none"):
        row = compared(values, better={"dice": better}).rows_for("dice").loc["B"]
        assert (row["verdict"], np.isnan(row["rank"])) == ("higher", True)


def test_a_fold_that_one_candidate_lacks_is_named_with_its_pull(rows: pd.DataFrame) -> None:
    part = rows[(rows["candidate"] != "B") | (rows["repeat"] != 2) | (rows["fold"] != 1)].copy()
    part.loc[(part["repeat"] == 2) & (part["fold"] == 1) & (part["metric"] == "dice"), "value"] -= 0.3
    result = compare_results(part, benchmark_units(part), SETTINGS, "truth", "A")
    assert result.rows_for("dice").loc[["B", "C"], "n_trainings"].tolist() == [14, 15]
    [said] = [sentence for sentence in caption(result) if "left out" in sentence]
    assert said.startswith("Repeat 2, fold 1 is left out, because B has no value there") and "higher than with it" in said


def test_a_metric_without_any_value_leaves_the_others_alone(rows: pd.DataFrame, comparison: Comparison) -> None:
    lost = rows.copy()
    lost.loc[lost["metric"] == "rvd", "value"] = [np.nan, np.inf, -np.inf, 1e301] * (int((lost["metric"] == "rvd").sum()) // 4)
    result = compare_results(lost, benchmark_units(lost), SETTINGS, "truth", "A")
    pd.testing.assert_frame_equal(result.rows_for("dice"), comparison.rows_for("dice"))
    assert result.rows_for("rvd")["mean"].isna().all() and not result.rows_for("rvd")["best"].any()
    assert result.rows_for("rvd")["why_no_mean"].str.startswith("none of the 240 values").all()


EXTREMES = [0.0, -0.0, 5e-324, -1e-310, 1e-13, 0.5, 1.0, -1.0, 1e150, -1e300, 1e300, 1.7e308, np.inf, -np.inf, np.nan]


@given(st.integers(1, 3), st.integers(1, 7), st.sampled_from(["higher", "lower", "zero", "none"]), st.data())
@settings(max_examples=60, deadline=None)
def test_no_values_make_a_comparison_raise(candidates: int, subjects: int, better: str, data: st.DataObject) -> None:
    value = st.sampled_from(EXTREMES) | st.floats(-1, 1)
    values = data.draw(st.lists(value, min_size=candidates * subjects, max_size=candidates * subjects))
    protocol = data.draw(st.sampled_from(["model-t", "as-published"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = compared(np.reshape(values, (candidates, subjects)), protocol=protocol, better={"dice": better})
        assert caption(result)
    table = result.rows_for("dice")
    numbers = ["mean", "difference", "p", "effect", "p_corrected_t", "rank", "low", "high"]
    assert not np.isinf(table[numbers].to_numpy(float)).any()
    assert (table["mean"].notna() | (table["why_no_mean"] != "")).all()
    others = table[table.index != "A"]
    assert (others["p"].notna() | (others["why_no_p"] != "")).all()
    if protocol == "model-t":
        assert (others["p_corrected_t"].notna() | (others["why_no_corrected_t"] != "") | (others["why_no_p"] != "")).all()


def test_statistics_need_no_torch() -> None:
    modules = ("calibration", "caption", "comparison", "simulation", "arithmetic")
    code = "import sys\n" + "".join(f"import raterbench.benchmark.statistics.{m}\n" for m in modules)
    code += "assert not {m for m in sys.modules if m == 'torch' or m.startswith('raterbench.methods')}"
    subprocess.run([sys.executable, "-c", code], check=True)
