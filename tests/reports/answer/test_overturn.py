"""What could overturn the answer, in words."""

import numpy as np
import pandas as pd

from raterbench.reports.answer.overturn import another_reference, other_trainings


def ranks(low: float = 1, high: float = 2) -> pd.DataFrame:
    table = {"rank": [2.0, 1.0, 3.0], "rank_low": [1.0, low, 3.0], "rank_high": [2.0, high, 3.0]}
    return pd.DataFrame(table, index=["A", "B", "C"])


def test_other_trainings_may_change_the_rank_of_the_best() -> None:
    repeats = pd.DataFrame({"A": [0.8, 0.9, 0.7], "B": [0.9, 0.8, 0.8], "C": [0.1, 0.2, 0.3]})
    said = other_trainings(ranks(), repeats)
    assert said == (
        "With other subjects and trainings B ranks 1 to 2 of 3; of the 3 repeats, the best mean has B in 2 and A in 1."
    )
    assert other_trainings(ranks(1, 1), repeats[:1]) == "With other subjects and trainings B ranks 1 of 3."
    assert other_trainings(ranks(np.nan, np.nan).assign(rank_low=np.nan), repeats) == ""


def test_another_reference_may_have_another_first() -> None:
    best = {"truth": ["A"], "raters": ["B"], "majority": ["B"], "staple": ["A", "C"]}
    assert another_reference(best, "truth") == (
        "The best mean depends on the reference: against the truth and STAPLE of the raters it is that of A, against the "
        "single raters and the raters’ majority it is B."
    )
    assert (
        another_reference({"truth": ["A"], "raters": ["A"]}, "truth") == "A has the best mean against each of the 2 references."
    )
    assert another_reference({"truth": ["A"]}, "truth") == ""
