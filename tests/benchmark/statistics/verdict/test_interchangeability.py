"""Whether a candidate may stand in for a rater."""

import numpy as np
import pandas as pd
import pytest

from raterbench import RaterbenchError
from raterbench.benchmark.statistics.verdict.interchangeability import ALL_RATERS, COLUMNS, interchangeability

RATERS = ("anna", "ben", "eve")


def panel_table(n: int = 20, seed: int = 0) -> pd.DataFrame:
    """Raters agree with one another at .8."""
    rng = np.random.default_rng(seed)
    rows = []
    for case in range(n):
        for place, rater in enumerate(RATERS):
            for other in RATERS[:place]:
                value = 0.8 + rng.normal(0, 0.02)
                rows += [(rater, other, f"c{case}", value), (other, rater, f"c{case}", value)]
    return pd.DataFrame(rows, columns=["rater", "other", "case", "value"])


def candidate_table(
    level: float, n: int = 20, folds: int = 4, repeats: int = 3, seed: int = 1, name: str = "A"
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for repeat in range(repeats):
        fold = rng.permutation(np.arange(n) % folds)
        for case in range(n):
            for rater in RATERS:
                key = (name, rater, repeat, fold[case], f"s{case}", f"c{case}")
                rows.append((*key, level + rng.normal(0, 0.02)))
    return pd.DataFrame(rows, columns=["candidate", "rater", "repeat", "fold", "subject", "case", "value"])


@pytest.mark.parametrize(
    ("level", "higher", "lower"),
    [(0.9, "superior", "neither"), (0.8, "not inferior", "not inferior"), (0.7, "neither", "superior")],
)
def test_superior_not_inferior_or_neither(level: float, higher: str, lower: str) -> None:
    for better, words in (("higher", higher), ("lower", lower)):
        found = interchangeability(candidate_table(level), panel_table(), better=better, smallest_difference=0.03)
        assert list(found.columns) == COLUMNS
        assert set(found["rater"]) == {*RATERS, ALL_RATERS}
        assert set(found["words"]) == {words}
        assert found["difference"].to_numpy() == pytest.approx(level - 0.8, abs=0.02)


def test_by_hand() -> None:
    panel = pd.DataFrame([("a", "b", "c0", 0.6), ("a", "c", "c0", 0.8), ("a", "a", "c0", 1.0), ("b", "a", "c0", 0.6)],
                         columns=["rater", "other", "case", "value"])  # fmt: skip
    mine = pd.DataFrame([("A", "a", 0, 0, "s", "c0", 0.9), ("A", "b", 0, 0, "s", "c0", 0.7)],
                        columns=["candidate", "rater", "repeat", "fold", "subject", "case", "value"])  # fmt: skip
    found = interchangeability(mine, panel, better="higher", smallest_difference=0.01).set_index("rater")
    assert found.loc["a", "difference"] == pytest.approx(0.2)
    assert found.loc["b", "difference"] == pytest.approx(0.1)
    assert found.loc[ALL_RATERS, "difference"] == pytest.approx(0.15)
    assert set(found["words"]) == {"neither"} and found["reason"].str.startswith("one trained model").all()


def test_only_cases_that_both_have_count() -> None:
    panel = panel_table()
    far = candidate_table(0.8)
    far.loc[far["case"] == "c3", "value"] = 0.0
    panel = panel[panel["case"] != "c3"]
    found = interchangeability(far, panel, better="higher", smallest_difference=0.05)
    assert set(found["n_subjects"]) == {19} and set(found["words"]) == {"not inferior"}


def test_several_candidates_keep_their_names() -> None:
    both = pd.concat([candidate_table(0.9), candidate_table(0.6, name="B")])
    found = interchangeability(both, panel_table(), better="higher", smallest_difference=0.03)
    words = found[found["rater"] == ALL_RATERS].set_index("candidate")["words"]
    assert words.to_dict() == {"A": "superior", "B": "neither"}


def test_what_cannot_be_compared_is_an_error() -> None:
    nobody = panel_table().query("rater == other")
    with pytest.raises(RaterbenchError, match="no case has labels of two raters"):
        interchangeability(candidate_table(0.8), nobody, better="higher", smallest_difference=0.01)
    with pytest.raises(RaterbenchError, match="no candidate was measured against a rater"):
        interchangeability(candidate_table(0.8).assign(case="x"), panel_table(), better="higher", smallest_difference=0.01)
