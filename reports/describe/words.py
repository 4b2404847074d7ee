"""What a description says in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...benchmark.labels.describe import Description
from ..tables.wording import count_of, write_number
from .tables import missing_table, rater_means

NAMED = 5
"""Names in one sentence."""
NOTABLE = 0.03
"""A difference in size between consensus and raters from which sensitivity and specificity are warned of."""
OFTEN = 3
"""Cases of one rater that are named, before they are only counted."""


def headline(found: Description) -> str:
    """How much the raters agree, in a sentence."""
    kappa, (low, high) = found.coefficients["kappa"], found.intervals["kappa"]
    between = f" (95 % interval {write_number(low, 2)} to {write_number(high, 2)})" if np.isfinite(low) else ""
    if np.isfinite(kappa):
        tail = f"Fleiss’ kappa is {write_number(kappa, 2)}{between}."
    else:
        tail = "only one class was ever marked, so chance-corrected agreement is undefined."
    dice, (left_out, compared) = found.coefficients["dice"], found.compared
    if not np.isfinite(dice):
        return f"No rater marked anything, so there is no overlap to measure; {tail}"
    text = f"Two raters overlap with a Dice of {write_number(dice, 2)} on average; {tail}"
    if left_out:
        filled = write_number(found.coefficients["dice_empty_as_1"], 2)
        text += (
            f" In {left_out} of {compared} comparisons neither rater marked the class: they are left out of this Dice; "
            f"counted as 1, they would make it {filled}."
        )
    return text


def findings(found: Description) -> list[str]:
    """What stands out, and what was looked for and not found."""
    return [*_raters(found), *_duplicates(found), *_cases(found), *_files(found), _missing(found)]


def warnings(found: Description) -> list[str]:
    """What a reader should keep in mind; first what the data set itself asks."""
    lines = [f"{question[:1].upper()}{question[1:]}." for question in found.questions]
    if found.anonymous_raters:
        lines.append(
            "The raters are anonymous: one name may be another person in each case, so there are no tables of single raters."
        )
    if any(2 * len(pair.cases) >= pair.common for pair in found.duplicates()):
        lines.append(
            "Copies make the agreement look higher than it is, and a consensus counts their vote twice. "
            "Leave one of each pair out, or find out what happened."
        )
    if found.outlying_raters:
        lines.append(
            "A rater who differs from the others is not therefore wrong: look at the pictures before leaving anybody out."
        )
    if len(found.cases) < found.n_dataset:
        lines.append(f"Only {len(found.cases)} of {found.n_dataset} cases were looked at.")
    larger = consensus_size(found)
    if abs(larger) >= NOTABLE:
        sides = ("low", "high") if larger > 0 else ("high", "low")
        lines.append(
            f"The consensus of the others is {abs(100 * larger):.0f} % {'larger' if larger > 0 else 'smaller'} than what a "
            f"rater marks on average, so that all sensitivities are too {sides[0]} and all specificities too {sides[1]}: "
            "compare raters with each other only. Volume bias does not use the consensus."
        )
    if not np.isfinite(found.intervals["kappa"][0]):
        lines.append("With fewer than five subjects there are no intervals, and outliers are hard to detect.")
    return lines


def consensus_size(found: Description) -> float:
    """How much larger the consensus of the others is than each rater's mask, in the geometric mean; 0 where it is unknown."""
    rows = found.ratings[(found.ratings["voxels"] > 0) & (found.ratings["consensus_voxels"] > 0)]
    return float(np.expm1(np.log(rows["consensus_voxels"] / rows["voxels"]).mean())) if len(rows) else 0.0


def _raters(found: Description) -> list[str]:
    if found.anonymous_raters:
        return []
    if len(found.raters) < 3 or np.isnan(found.rater_apart.below).all():
        return ["With fewer than three raters a case it cannot be said which of them differs from the others."]
    table = rater_means(found)
    lines = []
    for rater in found.outlying_raters:
        row, others = dict(zip(table.columns, table.loc[rater].to_numpy(np.float64), strict=True)), table.drop(index=rater)
        bias = 100 * row["volume_bias"]
        more = f" and marks {abs(bias):.0f} % {'more' if bias > 0 else 'less'} than they do" if abs(bias) >= 10 else ""
        lines.append(
            f"{rater} is an outlier: Dice {write_number(row['dice'], 2)} against the consensus of the others{more}; "
            f"the other raters reach {write_number(others['dice'].min(), 2)} to {write_number(others['dice'].max(), 2)}."
        )
    return lines or ["No rater is an outlier."]


def _duplicates(found: Description) -> list[str]:
    lines = []
    for pair in found.duplicates()[:NAMED]:
        if pair.everywhere:
            where = f"all {pair.common} cases" if pair.common > 1 else "their only common case"
            lines.append(f"{pair.rater} and {pair.other} have identical masks in {where}: they count as two, but are one.")
        else:
            lines.append(f"{pair.rater} and {pair.other} have identical masks in {len(pair.cases)} of {pair.common} cases.")
    if len(found.duplicates()) > NAMED:
        lines.append(f"{len(found.duplicates()) - NAMED} further pairs of raters share identical masks.")
    return lines


def _cases(found: Description) -> list[str]:
    if not found.outlying_cases:
        return ["No case has far less agreement than the others."] if len(found.cases) >= 5 else []
    return [f"{_named(found.outlying_cases)}: far less agreement than in the other cases."]


def _files(found: Description) -> list[str]:
    lines = []
    for what, words in (("empty", "empty though others marked something"), ("touches nobody", "touching nobody else’s mask")):
        part = found.suspects[found.suspects["what"] == what]
        if len(part):
            pairs = list(zip(part["rater"].astype(str), part["case"].astype(str), strict=True))
            who = _named(_in_cases(pairs, found.ratings.groupby("rater")["case"].nunique().to_dict()))
            lines.append(f"{count_of(len(part), 'mask')} {words}: {who}.")
    off = found.outlying_ratings()
    if off:
        rated = found.ratings.groupby("rater")["case"].nunique().to_dict()
        who = _named(_in_cases([(rating.rater, rating.case) for rating in off], rated))
        lines.append(f"{count_of(len(off), 'rating')} far below the middle rater of the case: {who}.")
    return lines


def _in_cases(pairs: Sequence[tuple[str, str]], rated: Mapping[Any, int]) -> list[str]:
    """``Ada in c1``, or ``Ada in 8 of 9 cases`` where a rater comes often; those who come most first."""
    by_rater: dict[str, list[str]] = {}
    for rater, case in pairs:
        by_rater.setdefault(rater, []).append(case)
    words: list[str] = []
    for rater, cases in sorted(by_rater.items(), key=lambda item: -len(item[1])):
        often = len(cases) > OFTEN
        words += [f"{rater} in {len(cases)} of {rated[rater]} cases"] if often else [f"{rater} in {case}" for case in cases]
    return words


def _missing(found: Description) -> str:
    table = missing_table(found)
    if not table.rows:
        return "Nothing is missing: every rater judged every voxel of every case."
    rated, expected = int(table.plain["rated"].sum()), int(table.plain["of"].sum())
    gaps = f"{expected - rated} of {expected} ratings are missing" if rated < expected else "no rating is missing"
    partial = table.plain["judged"].lt(1).sum()
    return f"{gaps[0].upper()}{gaps[1:]}" + (f"; {count_of(int(partial), 'rater')} left out voxels." if partial else ".")


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
