"""What ``raterbench fuse`` prints: each rater against the consensus, and what deserves attention."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table as RichTable

from ...benchmark.labels.fuse import FuseResult
from ..page.escaping import terminal_text
from ..tables.wording import count_of, write_number

TIES = {
    "lowest": "the lowest of the tied classes wins, so the background wherever it ties",
    "highest": "the highest of the tied classes wins",
    "background": "they go to the background",
    "foreground": "the lowest tied class that is not the background wins",
    "undecided": "they get no label",
}
COLUMNS = {"sensitivity": "Sensitivity", "specificity": "Specificity", "dice": "Dice"}


def print_fused(result: FuseResult, fusion: str, written: Sequence[Path], console: Console) -> None:
    """Print the sentences, the table, and what was written."""
    for line in fused_lines(result, fusion):
        console.print(terminal_text(line), soft_wrap=True)
    console.print(raters_table(result))
    for line in (_about(result, fusion), f"written: {', '.join(map(str, written))}"):
        console.print(terminal_text(line), soft_wrap=True)


def _about(result: FuseResult, fusion: str) -> str:
    """What the numbers of the table are."""
    counted = bool((result.raters["performance"] == "counted").all())
    about = "against the consensus" if counted else f"as {fusion} estimates them; Dice against the consensus"
    n = len(result.cases)
    return f"mean over {count_of(n, 'case')}, {about}" if n > 1 else f"of one case, {about}"


def raters_table(result: FuseResult) -> RichTable:
    """A row for each rater, the mean over cases and foreground classes."""
    rows = result.raters[result.raters["class"] != result.code.labels.classes[0]]
    n = len(result.cases)
    table = RichTable()
    table.add_column("Rater", overflow="fold")
    if n > 1:
        table.add_column("Cases", justify="right")
    for words in COLUMNS.values():
        table.add_column(words, justify="right", no_wrap=True)
    for rater, part in rows.groupby("rater", sort=True):
        cells = [write_number(float(part[column].mean()), 3) for column in COLUMNS]
        cases = [str(part["case"].nunique())] if n > 1 else []
        table.add_row(terminal_text(str(rater)), *cases, *cells)
    return table


def fused_lines(result: FuseResult, fusion: str) -> list[str]:
    """Sentences on what was fused, how it ended, and what is undecided."""
    cases, code = result.cases, result.code
    values = ", ".join(f"{name} = {value}" for name, value in zip(code.labels.classes, code.values, strict=True))
    raters = result.raters["rater"].nunique()
    lines = [f"{fusion}: {count_of(len(cases), 'case')}, {count_of(raters, 'rater')}; {values}"]
    iterations = cases["iterations"]
    if iterations.max() > 0:
        low, high = int(iterations.min()), int(iterations.max())
        lines.append(f"iterations: {low}" if low == high else f"iterations: {low} to {high}")
    lines += [f"region: {region}" for region in cases["region"].unique() if region != "image"]
    for status, why in (
        (
            "not identified",
            "other estimates of the raters explain their votes as well, so sensitivity and specificity depend on where the "
            "algorithm starts; more raters, or pool=dataset over many cases, would tell",
        ),
        ("not converged", "stopped at the last iteration; allow more with --set max_iterations=N"),
        ("degenerate", "raters all agree, or one stands alone: nothing could be estimated"),
    ):
        found = cases.loc[cases["status"] == status, "case"].tolist()
        if found:
            names = ", ".join(map(str, found[:3])) + (", ..." if len(found) > 3 else "")
            lines.append(f"{status} in {count_of(len(found), 'case')} ({names}): {why}")
    lines += _ties(cases, fusion)
    if undecided := int(cases["undecided"].sum()):
        lines.append(f"{count_of(undecided, 'voxel')} without a label, written as {code.undecided}")
    return [*lines, *(f"Please check: {question}" for question in result.questions)]


def _ties(cases: pd.DataFrame, fusion: str) -> list[str]:
    """What the rule for ties decided, and where the consensus of two raters is their intersection or union."""
    lines = []
    rule = str(cases["ties"].iloc[0])
    if tied := int(cases["tied"].sum()):
        lines.append(f"ties in {count_of(tied, 'voxel')}, decided by ties={rule}: {TIES.get(rule, 'the rule of the fusion')}")
    for like, loses in (("intersection", "the background wins"), ("union", "the foreground wins")):
        found = cases.loc[cases["like"] == like, "case"]
        if len(found) and fusion != like:
            which = "" if len(found) == len(cases) else f" in {count_of(len(found), 'case')}"
            other = "union" if like == "intersection" else "intersection"
            lines.append(
                f"the consensus of the two raters{which} is their {like}: where they disagree, {loses}; use {other} for the "
                "opposite, or soft-average to keep the disagreement"
            )
    return lines
