"""Who cannot be told from the best, and rank intervals."""

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.statistics.significance import holm
from raterbench.benchmark.statistics.verdict.shared_cells import CaseValues
from raterbench.benchmark.statistics.verdict.tie_groups import PAIR_COLUMNS, rank_intervals, tie_group


def table(
    gains: dict[str, float], *, n: int = 20, folds: int = 4, repeats: int = 3, noise: float = 0.02, luck: float = 0.01
) -> CaseValues:
    rng = np.random.default_rng(0)
    subject = rng.normal(0, 0.1, n)
    parts = []
    for repeat in range(repeats):
        fold = rng.permutation(np.arange(n) % folds)
        for name, gain in gains.items():
            value = 0.8 + gain + subject + luck * rng.normal(size=folds)[fold] + noise * rng.normal(size=n)
            part = {
                "candidate": name,
                "repeat": repeat,
                "fold": fold,
                "subject": np.arange(n),
                "case": np.arange(n),
                "value": value,
            }
            parts.append(pd.DataFrame(part))
    return CaseValues.of(pd.concat(parts, ignore_index=True))


GAINS = {"A": 0.0, "B": 0.1, "C": 0.1005, "D": -0.2}


def test_the_group_has_all_that_cannot_be_told_from_the_best() -> None:
    found = tie_group(table(GAINS), better="higher")
    assert found.best[0] in ("B", "C") and list(found.group) == ["B", "C"]
    assert list(tie_group(table(GAINS), better="lower").group) == ["D"]
    assert list(found.pairs.columns) == PAIR_COLUMNS and len(found.pairs) == 6
    assert found.pairs["p_holm"].to_numpy() == pytest.approx(holm(found.pairs["p"]))
    excluded = (found.pairs["low"] > 0) | (found.pairs["high"] < 0)
    assert (excluded == found.pairs["apart"]).all()


def test_pairs_without_a_test_cannot_be_told_apart() -> None:
    values = table(GAINS, folds=1, repeats=2)
    found = tie_group(values, better="higher")
    assert list(found.group) == list("ABCD") and not found.pairs["apart"].any()
    assert found.pairs["reason"].str.contains("hold-out with 2").all()
    ranks = rank_intervals(values, better="higher")
    assert ranks["rank_low"].isna().all() and sorted(ranks["rank"]) == [1, 2, 3, 4]


def test_one_candidate_is_alone_in_its_group() -> None:
    found = tie_group(table({"A": 0.0}), better="higher")
    assert (list(found.best), list(found.group), len(found.pairs)) == (["A"], ["A"], 0)
    assert rank_intervals(table({"A": 0.0}), better="higher").loc["A"].tolist() == [1, 1, 1]


def test_the_same_candidate_under_two_names_shares_the_rank() -> None:
    values = table({"A": 0.0, "B": 0.1})
    twins = CaseValues(["A", "B", "B again"], values.cells, values.values[:, [0, 1, 1]])
    found = tie_group(twins, better="higher")
    assert (list(found.best), list(found.group)) == (["B", "B again"], ["B", "B again"])
    assert rank_intervals(twins, better="higher").loc[["B", "B again"], "rank"].tolist() == [1.5, 1.5]


def test_rank_intervals_hold_the_rank_and_grow_with_the_luck_of_training() -> None:
    gains = {"A": 0.0, "B": 0.01, "C": 0.02, "D": 0.03}
    calm, lucky = (rank_intervals(table(gains, luck=luck), better="higher") for luck in (0.001, 0.1))
    for ranks in (calm, lucky):
        assert ((ranks["rank_low"] <= ranks["rank"]) & (ranks["rank"] <= ranks["rank_high"])).all()
    width = [(ranks["rank_high"] - ranks["rank_low"]).sum() for ranks in (calm, lucky)]
    assert width[0] < width[1]
    assert rank_intervals(table(GAINS), better="higher").loc["D"].tolist() == [4, 4, 4]
    assert rank_intervals(table(GAINS), better="lower").loc["D"].tolist() == [1, 1, 1]


def test_candidates_that_share_nothing_have_no_ranks() -> None:
    rows = pd.DataFrame(
        {"candidate": ["A", "B"], "repeat": 0, "fold": 0, "subject": ["s", "t"], "case": "c", "value": [1.0, 2.0]}
    )
    values = CaseValues.of(rows)
    assert rank_intervals(values, better="higher").isna().all().all()
    found = tie_group(values, better="higher")
    assert list(found.best) == ["B"] and list(found.group) == ["A", "B"]
    assert found.pairs["reason"].tolist() == ["they share no value"]
