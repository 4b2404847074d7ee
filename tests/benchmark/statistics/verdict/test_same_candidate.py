"""One candidate under several names."""

import math

import numpy as np
import pandas as pd

from raterbench.benchmark.statistics.verdict.same_candidate import same_candidate
from raterbench.benchmark.statistics.verdict.shared_cells import CaseValues


def ten_seeds(luck: float, folds: int = 5, repeats: int = 1, n: int = 40) -> CaseValues:
    rng = np.random.default_rng(0)
    parts = []
    for repeat in range(repeats):
        fold = rng.permutation(np.arange(n) % folds)
        for seed in range(10):
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
    return CaseValues.of(pd.concat(parts, ignore_index=True))


def test_the_luck_of_training_fools_the_test_over_subjects_alone() -> None:
    found = same_candidate(ten_seeds(1.0))
    assert found.n_pairs == 45
    assert found.subjects > 0.2
    assert found.model_t < 0.12
    assert 0.3 < found.variance_ratio < 3
    assert same_candidate(ten_seeds(0.0)).subjects < 0.15


def test_the_same_values_differ_nowhere_and_one_model_tells_nothing() -> None:
    values = ten_seeds(0.5)
    twins = CaseValues(["a", "b"], values.cells, values.values[:, [0, 0]])
    assert (same_candidate(twins).subjects, same_candidate(twins).model_t) == (0, 0)
    single = same_candidate(ten_seeds(0.5, folds=1))
    assert math.isnan(single.model_t) and math.isnan(single.variance_ratio) and not math.isnan(single.subjects)
    assert same_candidate(CaseValues(["a"], values.cells, values.values[:, :1])).n_pairs == 0
