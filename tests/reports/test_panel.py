"""The raters as a panel: tables and sentences on made values whose right verdict is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.store.results import Results, read_results
from raterbench.reports.analysis import Analysis
from raterbench.reports.answer.other_raters import CONSENSUS, order_sentence, stand_in_sentence
from raterbench.reports.panel import VALUES, Panel
from raterbench.reports.tables.panel_tables import interchangeability_table, raters_left_out

RATERS = ("Ada", "Ben", "Cleo")
NOBODY_KNOWS = "Whether networks may stand in for a rater is not known: "


def made_panel(
    levels: Mapping[str, Sequence[float]], *, repeats: int = 3, folds: int = 4, n: int = 16, **other: object
) -> Panel:
    """Candidates at one level against each rater, and raters who agree with one another at .8."""
    rng = np.random.default_rng(0)
    rows = [
        (name, rater, repeat, fold, f"s{subject}", f"c{subject}", level + rng.normal(0, 0.01))
        for repeat in range(repeats)
        for subject, fold in enumerate(rng.permutation(np.arange(n) % folds))
        for name, own in levels.items()
        for rater, level in zip(RATERS, own, strict=True)
    ]
    pairs = [(r, s, f"c{i}", 0.8 + rng.normal(0, 0.01)) for i in range(n) for r in RATERS for s in RATERS if r != s]
    candidates = pd.DataFrame(rows, columns=VALUES)
    raters = pd.DataFrame(pairs, columns=["rater", "other", "case", "value"])
    fields = {"names": RATERS, "label": "Dice", "better": "higher", "smallest_difference": 0.02} | other
    return Panel(candidates, candidates[:0], raters, candidates, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("levels", "says"),
    [
        (
            {"A": [0.9] * 3, "B": [0.8] * 3},
            "A and B may stand in for each of the 3 raters: Dice is not lower than that of the other raters by 0.02 or more "
            "against each of them. Exploratory, not corrected for 2 candidates.",
        ),
        (
            {"A": [0.9, 0.9, 0.7], "B": [0.7] * 3},
            "A may on average over the raters, which is not shown for each of them: Dice is not lower than that of the other "
            "raters by 0.02 or more; B is farther from the raters than they are from one another. Exploratory,",
        ),
        (
            {"A": [0.8] * 3, "B": [0.85, 0.85, 0.75], "C": [0.7] * 3, "D": [0.6] * 3},
            "against each of them; B may on average over the raters, which is not shown for each of them; C and D are farther",
        ),
        (
            {"A": [0.6] * 3},
            "No candidate is shown to be as close to the raters as they are to one another; A is farther from the raters than "
            "they are from one another. Exploratory. ",
        ),
        ({name: [0.9] * 3 for name in "ABCDE"}, "5 of 5 candidates may stand in for each of the 3 raters"),
    ],
)
def test_may_networks_stand_in_for_a_rater(levels: Mapping[str, Sequence[float]], says: str) -> None:
    sentence = stand_in_sentence(made_panel(levels))
    assert says in sentence and sentence.endswith(CONSENSUS)


def test_what_is_not_shown_is_not_said() -> None:
    """Neither a stand-in nor the opposite: the interval is wider than what is relevant."""
    panel = made_panel({"A": [0.795] * 3}, smallest_difference=0.0001)
    assert set(panel.interchangeability["verdict"]) <= {"undecided", "farther"}
    unsure = made_panel({"A": [0.8] * 3}, smallest_difference=0.0001, n=8)
    assert "undecided" in set(unsure.interchangeability["verdict"])
    sentence = stand_in_sentence(unsure)
    assert "may stand in" not in sentence and sentence.startswith("No candidate is shown")


@pytest.mark.parametrize("margin", [0.0, 0.02])
def test_less_is_better_for_a_distance(margin: float) -> None:
    panel = made_panel({"A": [0.7] * 3, "B": [0.9] * 3}, better="lower", label="HD95", smallest_difference=margin)
    assert panel.interchangeability.groupby("candidate")["verdict"].unique().map(list).to_dict() == {
        "A": ["closer"],
        "B": ["farther"],
    }
    words = "HD95 is not higher than that of the other raters by 0.02 or more" if margin else "HD95 is lower than that of the"
    assert f"A may stand in for each of the 3 raters: {words}" in stand_in_sentence(panel)


def test_a_difference_that_is_shown_and_not_relevant() -> None:
    panel = made_panel({"A": [0.79] * 3}, smallest_difference=0.03, n=40)
    overall = panel.interchangeability.iloc[0]
    assert (overall["rater"], overall["verdict"]) == ("all raters", "farther, by less than is relevant")
    assert "A may stand in for each" in stand_in_sentence(panel)


def test_what_cannot_be_tested_is_said() -> None:
    once = made_panel({"A": [0.9] * 3}, repeats=1, folds=1)
    assert stand_in_sentence(once) == (
        "Whether networks may stand in for a rater cannot be tested: one trained model: what another training would change "
        "cannot be known."
    )
    assert set(once.interchangeability["verdict"]) == {"no test"}
    assert "Exploratory (one repeat)." in stand_in_sentence(made_panel({"A": [0.9] * 3}, repeats=1))
    assert stand_in_sentence(made_panel({"A": [0.9] * 3}, reason="the sky is blue")) == f"{NOBODY_KNOWS}the sky is blue."
    panel = made_panel({"A": [0.9] * 3})
    alone = replace(panel, raters=panel.raters[:0])
    assert stand_in_sentence(alone).startswith(f"{NOBODY_KNOWS}no case has labels of two raters")


def test_anonymous_raters_are_compared_within_the_case_and_cannot_be_left_out() -> None:
    panel = made_panel({"A": [0.9] * 3, "B": [0.7] * 3}, anonymous=True)
    assert set(panel.interchangeability["rater"]) == {"all raters"}
    assert "A may on average over the raters of a case: Dice is not lower" in stand_in_sentence(panel)
    assert panel.without_each_rater.empty and panel.curve.empty
    assert "not known: the raters are anonymous" in order_sentence(panel)


@pytest.mark.parametrize(
    ("levels", "says"),
    [
        (
            {"A": [0.9] * 3, "B": [0.8] * 3, "C": [0.7] * 3},
            "Measured against the single raters, A is first, whichever of the 3 raters is left out, and no other place "
            "changes. Against one rater alone the same is first for 3 of 3.",
        ),
        (
            {"A": [0.9] * 3, "B": [0.8, 0.8, 0.7], "C": [0.7, 0.7, 0.9]},
            "A is first, whichever of the 3 raters is left out, while other places change.",
        ),
        (
            {"A": [0.99, 0.6, 0.6], "B": [0.7] * 3},
            "A is first, but not whichever of the 3 raters is left out: without Ada B. Against one rater alone the same is "
            "first for 1 of 3.",
        ),
    ],
)
def test_does_the_order_survive_other_raters(levels: Mapping[str, Sequence[float]], says: str) -> None:
    sentence = order_sentence(made_panel(levels))
    assert says in sentence and "without a test" in sentence


def test_candidates_that_are_first_together_and_those_without_an_order() -> None:
    panel = made_panel({"A": [0.9] * 3})
    assert order_sentence(panel) == "Whether the order survives other raters is not known: there is one candidate."
    twins = pd.concat([panel.compared, panel.compared.assign(candidate="B")])
    both = replace(panel, compared=twins)
    assert "A and B are together first, whichever of the 3 raters is left out, and no other place changes" in order_sentence(
        both
    )
    one = replace(panel, compared=twins[twins["rater"] == "Ada"], names=("Ada",))
    assert order_sentence(one).endswith("there is one rater.")
    apart = pd.concat([panel.compared[:3], twins[-3:].assign(candidate="B")])
    assert "the candidates share no subject" in order_sentence(replace(panel, compared=apart))


# From results on disk ------------------------------------------------------------------------------------------------


def test_the_panel_of_results_has_every_rater_once(results: Results) -> None:
    panel = Panel.of(results)
    assert panel.names == ("Ada", "Ben", "Cleo", "Dan", "Eve") and not panel.reason
    assert not panel.candidates.duplicated(VALUES[:-1]).any()
    assert set(panel.candidates["candidate"]) == set(results.candidates)
    rows = results.single_raters
    chosen = (
        (rows["candidate"] == "STAPLE") & (rows["rater"] == "Ben") & (rows["case"] == "s03-z1") & (rows["kind"] == "method")
    )
    mine = panel.candidates.query("candidate == 'STAPLE' and rater == 'Ben' and case == 's03-z1'")["value"]
    assert mine.tolist() == pytest.approx([rows.loc[chosen, "value"].mean()])
    assert set(panel.fused["candidate"]) == {"majority-vote", "staple", "soft-average"}
    assert np.isfinite(panel.consensus).all() and len(panel.consensus) == 3


def test_raters_nobody_named_as_references_are_in_no_other_table(analysis: Analysis) -> None:
    assert [r for r in analysis.references["dice"] if r.startswith("rater:")] == ["rater:Ada"]
    assert "rater:Ben" in set(analysis.results.long_table["reference"])


def test_the_table_of_interchangeability(analysis: Analysis) -> None:
    table = interchangeability_table(analysis)
    assert table is not None
    n = len(analysis.candidates)
    assert len(table.rows) == 6 * n and table.rules == frozenset(range(6, 6 * n, 6))
    assert [row[1].text for row in table.rows[:6]] == ["all raters (mean)", "Ada", "Ben", "Cleo", "Dan", "Eve"]
    assert "worse by 0.01, the smallest difference that was declared" in table.caption
    assert "Single raters reward consensus" in table.caption and "(STAPLE)" in table.caption
    assert "The trained models allow no more: one repeat" in table.caption
    assert list(table.plain["verdict"]) == [row[-1].text for row in table.rows]


def test_the_table_without_each_rater(analysis: Analysis) -> None:
    table = raters_left_out(analysis)
    assert table is not None
    assert [row[0].text for row in table.rows] == [
        "All 5 raters",
        *(f"Without {r}" for r in ("Ada", "Ben", "Cleo", "Dan", "Eve")),
    ]
    assert all(sum(cell.bold for cell in row) == 1 for row in table.rows)
    assert table.head == ["Raters", *analysis.candidates]
    assert "5 with 1," in table.caption and "5 of 5 with 4." not in table.caption.partition("with 1,")[0]


def test_results_without_single_raters_have_neither_table(make: Callable[..., Path]) -> None:
    """As an earlier version left them: nothing is shown, and the sentences say what to do."""
    results = read_results(make(candidates=("A", "B"), pictures=False))
    results = replace(results, long_table=results.long_table[~results.long_table["reference"].str.startswith("rater:")])
    analysis = Analysis(results)
    assert interchangeability_table(analysis) is None and raters_left_out(analysis) is None
    again = "no candidate was measured against the single raters: run the experiment again, which measures this"
    assert again in stand_in_sentence(Panel.of(results)) and again in order_sentence(Panel.of(results))
    soft = replace(results.experiment.statistics, primary_metric="entropy error")
    other = replace(results, experiment=results.experiment.replace(statistics=soft, metrics=("entropy error",)))
    assert "is not measured against single raters" in stand_in_sentence(Panel.of(other))
