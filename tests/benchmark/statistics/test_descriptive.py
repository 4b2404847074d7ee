"""Means that are described and not tested."""

from __future__ import annotations

import pandas as pd
import pytest

from raterbench.benchmark.statistics.collapse import overlap_means
from raterbench.benchmark.statistics.descriptive import breakdowns, entropy_pairs, means_by_subject

COLUMNS = ["candidate", "kind", "repeat", "case", "subject", "centre", "class", "reference", "metric", "value"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Two subjects in two centres, two classes; B is 0.1 below A; fused labels and entropies."""
    found = []
    for place, subject in enumerate(("s1", "s2")):
        where = [0, f"{subject}-z0", subject, f"c{place + 1}"]
        for name, kind, shift in (("A", "method", 0.0), ("B", "method", -0.1), ("soft-average", "fusion", 0.05)):
            for k, label in enumerate(("white", "grey")):
                found.append([name, kind, *where, label, "truth", "dice", 0.8 - 0.2 * k + 0.1 * place + shift])
            if name != "B":
                found.append([name, kind, *where, "all", "none", "entropy", 0.5 + place + shift])
    return pd.DataFrame(found, columns=COLUMNS).assign(fold=0)


@pytest.mark.parametrize(("by", "groups"), [("class", ["grey", "white"]), ("centre", ["c1", "c2"])])
def test_breakdowns_have_every_kind_that_was_measured(rows: pd.DataFrame, by: str, groups: list[str]) -> None:
    table = breakdowns(rows, "dice", "truth", by)
    assert list(dict.fromkeys(table["kind"])) == ["method", "fusion"]
    assert sorted(set(table["group"])) == groups
    means = table.set_index(["candidate", "group"])["mean"]
    assert means["A", groups[0]] == pytest.approx(means["B", groups[0]] + 0.1)
    assert breakdowns(rows, "dice", "majority", by).empty


def test_means_by_subject_are_over_the_foreground(rows: pd.DataFrame) -> None:
    assert means_by_subject(rows, "dice", "truth")["A"].tolist() == pytest.approx([0.7, 0.8])
    assert list(means_by_subject(rows, "dice", "truth", "fusion")) == ["soft-average"]
    assert means_by_subject(rows, "dice", "truth", "rater").empty


def test_entropies_are_paired_case_by_case(rows: pd.DataFrame) -> None:
    pairs = entropy_pairs(rows, ["A", "B"])
    assert list(pairs) == ["A"], "B has no entropy"
    assert pairs["A"].to_dict("list") == {"raters": pytest.approx([0.55, 1.55]), "network": pytest.approx([0.5, 1.5])}


def test_what_shows_a_collapse_is_named_class_by_class(rows: pd.DataFrame) -> None:
    means = overlap_means(rows, {"dice": "truth"}, ["white", "grey"])
    assert list(means) == ["Dice of white", "Dice of grey"]
    assert means["Dice of grey"].to_dict() == pytest.approx({"A": 0.65, "B": 0.55})
    assert list(overlap_means(rows, {"dice": "truth"}, ["white"])) == ["Dice"]
