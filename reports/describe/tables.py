"""The tables of a description: agreement, raters, cases, what is missing, what looks wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...benchmark.labels.describe import Description
from ..tables.table import Cell, Table
from ..tables.wording import FUSED, NO_VALUE, count_of, write_number

SHOWN_CASES = 10
LISTED = 6
"""Cases named in one cell."""
COEFFICIENTS = {
    "dice": "Dice of two raters, mean",
    "dice_empty_as_1": "the same, with 1 where neither marked anything",
    "kappa": "Fleiss’ kappa",
    "alpha": "Krippendorff’s alpha, nominal",
}


def describe_tables(found: Description) -> list[Table]:
    """All that have something to say, in the order of the page."""
    tables = [agreement_table(found), raters_table(found), cases_table(found), suspicious_table(found), missing_table(found)]
    return [table for table in tables if table.rows]


def consensus_name(found: Description) -> str:
    """How the fusion of the other raters is called."""
    return FUSED.get(found.consensus, found.consensus)


def number(value: float, decimals: int = 3, *, sign: bool = False, unit: str = "") -> Cell:
    """A number to read and to sort by."""
    known = value is not None and np.isfinite(value)
    text = write_number(value, decimals, sign=sign)
    return Cell(text + unit if known else NO_VALUE, sort=float(value) if known else None)


def agreement_table(found: Description) -> Table:
    """The coefficients with their intervals."""
    rows, plain = [], []
    left_out, compared = found.compared
    for key, words in COEFFICIENTS.items():
        value, (low, high) = found.coefficients[key], found.intervals[key]
        between = f"{write_number(low, 3)} to {write_number(high, 3)}" if np.isfinite(low) else NO_VALUE
        if key != "dice_empty_as_1" or left_out:
            rows.append([Cell(words), number(value), Cell(between)])
        plain.append({"coefficient": key, "value": value, "low": low, "high": high})
    subject = found.pairs["case"].map(found.cases.set_index("case")["subject"])
    by_case = found.pairs.groupby(["class", subject, "case"], sort=False)["dice"].mean()
    per_class = by_case.groupby(level=[0, 1], sort=False).mean().groupby(level=0, sort=False).mean()
    if len(per_class) > 1:
        marked = found.pairs[found.pairs["dice"].notna()].groupby("class")["case"].nunique()
        for name, value in per_class.items():
            n = int(marked.get(name, 0))
            rows.append([Cell(f"Dice of two raters, {name} ({count_of(n, 'case')})"), number(value), Cell(NO_VALUE)])
            plain.append({"coefficient": f"dice {name}", "value": value, "cases": n})
    contested = float(found.cases["contested"].mean())
    rows.append([Cell("Voxels on which raters disagree"), number(100 * contested, 2, unit=" %"), Cell(NO_VALUE)])
    plain.append({"coefficient": "contested", "value": contested})
    plain.append({"coefficient": "left out", "value": left_out, "of": compared})
    empty = (
        f"Where neither of two raters marked a class there is nothing to compare: {left_out} of {compared} comparisons (two "
        "raters, a case, a class) are left out. "
    )
    caption = (
        f"Dice: the mean over pairs of raters, then cases, then subjects. {empty if left_out else ''}"
        "Kappa and alpha count every voxel that at least two raters judged, the background too, over all cases together; "
        "1 is perfect, 0 is chance. Intervals: bootstrap over subjects."
    )
    return Table(
        "agreement", "How much the raters agree", caption, ["Coefficient", "Value", "95 % interval"], rows, pd.DataFrame(plain)
    )


def raters_table(found: Description) -> Table:
    """Each rater with the others and against their consensus."""
    table = rater_means(found)
    notes = rater_notes(found)
    rows = [
        [
            Cell(str(rater)),
            Cell(str(int(row["cases"])), sort=row["cases"]),
            number(row["pair_dice"]),
            number(row["dice"]),
            number(row["sensitivity"]),
            number(row["specificity"], 4),
            number(100 * row["volume_bias"], 0, sign=True, unit=" %"),
            Cell(notes.get(str(rater), "")),
        ]
        for rater, row in table.iterrows()
    ]
    head = ["Rater", "Cases", "Dice with another", "Dice", "Sensitivity", "Specificity", "Volume bias", "Note"]
    caption = (
        "Dice with another: the mean over the other raters. The next three are against the consensus of all others "
        f"({consensus_name(found)}), the rater left out: Dice (of what at least one of the two marked), sensitivity and "
        "specificity, the median over cases"
        + (" of the mean over classes" if len(found.classes) > 2 else "")
        + ". Volume bias: how much more or less the rater marks than the other raters, each of them alone, on voxels that both "
        "judged; the geometric mean over raters and cases, in which ratios beyond 8 count as 8. It is 0 for raters who differ "
        "only by chance, however many they are. Outlying: in the median case the rater’s Dice against the others is more than "
        f"{write_number(found.rater_apart.limit, 3)} below that of the middle rater (3.5 robust standard deviations of "
        "all raters in all cases, and at least 0.05); there, 1 counts for two empty masks where another rater marked something."
    )
    plain = table.reset_index(names="rater").assign(note=[notes.get(rater, "") for rater in found.raters])
    return Table("raters", "Each rater and the others", caption, head, rows, plain, words=frozenset({7}))


def rater_means(found: Description) -> pd.DataFrame:
    """A row a rater: cases, pair_dice, dice, sensitivity, specificity (medians over cases), volume_bias, below."""
    by_case = values_by_case(found)
    table = by_case.groupby("rater")[["dice", "sensitivity", "specificity"]].median().reindex(list(found.raters))
    table["volume_bias"] = np.expm1(np.log1p(by_case["volume_bias"]).groupby("rater").mean()).reindex(table.index)
    table.insert(0, "cases", by_case.groupby("rater").size().reindex(table.index).fillna(0).astype(int))
    matrix = pair_matrix(found)
    table.insert(1, "pair_dice", matrix.mean(axis=1).reindex(table.index))
    table["below_middle"] = found.rater_apart.below
    return table


def values_by_case(found: Description) -> pd.DataFrame:
    """Means over classes, indexed by rater and case: dice, sensitivity, specificity, and (geometric) volume_bias."""
    ratings = found.ratings.assign(volume_bias=np.log1p(found.ratings["volume_bias"]))
    by_case = ratings.groupby(["rater", "case"])[["dice", "sensitivity", "specificity", "volume_bias"]].mean()
    return by_case.assign(volume_bias=np.expm1(by_case["volume_bias"]))


def pair_matrix(found: Description) -> pd.DataFrame:
    """Mean Dice [R, R] of pairs over cases and classes that one of them marked; empty on the diagonal."""
    turned = found.pairs.rename(columns={"rater": "other", "other": "rater"})
    both = pd.concat([found.pairs, turned])
    matrix = both.groupby(["rater", "other"])["dice"].mean().unstack()
    return matrix.reindex(index=list(found.raters), columns=list(found.raters))


def rater_notes(found: Description) -> dict[str, str]:
    """What is special about a rater."""
    notes = {rater: ["outlying"] for rater in found.outlying_raters}
    for pair in found.duplicates():
        share = "" if pair.everywhere else f" in {len(pair.cases)} of {pair.common} cases"
        for one, other in ((pair.rater, pair.other), (pair.other, pair.rater)):
            notes.setdefault(one, []).append(f"same as {other}{share}")
    return {rater: "; ".join(words) for rater, words in notes.items()}


def cases_table(found: Description) -> Table:
    """Cases with the least agreement."""
    order = found.cases.assign(outlying=found.case_apart.outlying).sort_values("dice")
    rows = [
        [
            Cell(str(row["case"])),
            Cell(str(row["raters"]), sort=row["raters"]),
            number(row["dice"]),
            number(row["kappa"]),
            number(100 * row["contested"], 2, unit=" %"),
            Cell("outlying" if row["outlying"] else ""),
        ]
        for row in order.head(SHOWN_CASES).to_dict("records")
    ]
    caption = (
        f"The {min(SHOWN_CASES, len(order))} of {count_of(len(order), 'case')} with the least agreement; cases.csv has all. "
        f"Dice of two raters, mean; Fleiss’ kappa of the case; voxels on which raters disagree. Outlying: more than "
        f"{write_number(found.case_apart.limit, 3)} below the median case "
        f"({write_number(float(found.cases['dice'].median()), 3)})."
    )
    head = ["Case", "Raters", "Dice", "Kappa", "Disagree on", "Note"]
    return Table("cases", "Cases with the least agreement", caption, head, rows, order, words=frozenset({5}))


def suspicious_table(found: Description) -> Table:
    """Files to look at again, the same kind of the same rater together."""
    rows: list[list[Cell]] = []
    entries: list[tuple[str, str, int, list[str]]] = []
    for pair in found.duplicates():
        cases = ["all"] if pair.everywhere else list(pair.cases)
        entries.append((f"{pair.rater}, {pair.other}", "identical masks", len(pair.cases), cases))
    for (rater, what), part in found.suspects[found.suspects["what"] != "identical"].groupby(["rater", "what"]):
        words = {"empty": "empty, though others marked something", "touches nobody": "touches nobody else’s mask"}[str(what)]
        entries.append((str(rater), words, len(part), part["case"].astype(str).tolist()))
    for off in found.outlying_ratings():
        entries.append((off.rater, f"Dice {write_number(off.below, 2)} below the middle rater", 1, [off.case]))
    for who, words, n, cases in entries:
        named = ", ".join(map(str, cases[:LISTED])) + (", …" if len(cases) > LISTED else "")
        rows.append([Cell(who), Cell(words), Cell(str(n), sort=n), Cell(named)])
    plain = pd.DataFrame([(w, t, n, " ".join(map(str, c))) for w, t, n, c in entries], columns=["rater", "what", "n", "cases"])
    caption = (
        "Worth a look before anything is trained; look-again.csv names every case. A rating is far off by the same rule as "
        "a rater; those of outlying raters are left out."
    )
    head = ["Rater", "What", "Cases", "Which"]
    return Table(
        "look-again", "Identical, empty, alone, or far off", caption, head, rows, plain, words=frozenset({1, 3})
    )  # fmt: skip


def missing_table(found: Description) -> Table:
    """Raters who left out cases or voxels; without rows if nobody did."""
    once = found.ratings.drop_duplicates(["case", "rater"])
    rated, judged = once.groupby("rater").size(), once.groupby("rater")["judged"].mean()
    rows, plain = [], []
    for rater in found.raters:
        n, share = int(rated.get(rater, 0)), float(judged.get(rater, np.nan))
        plain.append({"rater": rater, "rated": n, "of": len(found.cases), "judged": share})
        if n < len(found.cases) or share < 1:
            row = [Cell(rater), Cell(f"{n} of {len(found.cases)}", sort=n), number(100 * share, 1, unit=" %")]
            rows.append(row)
    caption = "Cases that a rater rated, and the share of voxels judged in them. Raters who are not listed left nothing out."
    return Table("missing", "What is missing", caption, ["Rater", "Cases rated", "Voxels judged"], rows, pd.DataFrame(plain))
