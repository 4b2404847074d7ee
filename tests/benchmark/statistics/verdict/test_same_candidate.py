"""One candidate under several names."""

import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.statistics.verdict.same_candidate import pair_tests, same_candidate, same_candidate_table
from raterbench.benchmark.statistics.verdict.shared_cells import CaseValues


def ten_seeds(luck: float, folds: int = 5) -> CaseValues:
    return CaseValues.of(seed_cases(luck, folds))


def seed_cases(luck: float, folds: int = 5, repeats: int = 1, n: int = 40, names: int = 10) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = []
    for repeat in range(repeats):
        fold = rng.permutation(np.arange(n) % folds)
        for seed in range(names):
            value = rng.normal(size=n) + luck * rng.normal(size=folds)[fold]
            part = {
                "candidate": f"seed {seed}",
                "repeat": repeat,
                "fold": fold,
                "subject": np.arange(n),
                "case": 0,
                "value": value,
            }
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def test_the_luck_of_training_fools_the_test_over_subjects_alone() -> None:
    found = same_candidate(ten_seeds(1.0))
    assert found.n_pairs == 45
    assert found.subjects > 0.2
    assert found.model_t < 0.12
    assert 0.3 < found.variance_ratio < 3
    assert same_candidate(ten_seeds(0.0)).subjects < 0.15


def test_the_table_has_each_repeat_alone_and_all_together() -> None:
    cases = seed_cases(1.0, repeats=3, n=20, names=5)
    table = same_candidate_table(cases).set_index("design")
    assert list(table.index) == ["1 x 5 folds", "3 x 5 folds"]
    assert table["n_subjects"].tolist() == [20, 20]
    assert table.loc["3 x 5 folds"].drop("n_subjects").to_dict() == asdict(same_candidate(CaseValues.of(cases)))
    alone = [same_candidate(CaseValues.of(cases[cases["repeat"] == repeat])) for repeat in range(3)]
    assert table.loc["1 x 5 folds", "subjects"] == pytest.approx(np.mean([each.subjects for each in alone]))
    assert table["n_pairs"].tolist() == [30, 10]


def test_an_interval_covers_0_where_its_test_finds_nothing() -> None:
    values = CaseValues.of(seed_cases(1.0, names=6))
    pairs = pair_tests(values)
    assert (pairs["covers_model_t"] == (pairs["p_model_t"] > 0.05)).all()
    found = same_candidate(values)
    assert found.subjects_coverage == pairs["covers_subjects"].mean() < 0.9 < found.model_t_coverage


def test_the_same_values_differ_nowhere_and_one_model_tells_nothing() -> None:
    values = ten_seeds(0.5)
    twins = CaseValues(["a", "b"], values.cells, values.values[:, [0, 0]])
    assert (same_candidate(twins).subjects, same_candidate(twins).model_t) == (0, 0)
    single = same_candidate(ten_seeds(0.5, folds=1))
    assert math.isnan(single.model_t) and math.isnan(single.variance_ratio) and not math.isnan(single.subjects)
    assert same_candidate(CaseValues(["a"], values.cells, values.values[:, :1])).n_pairs == 0
