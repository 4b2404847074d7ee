"""Which code, libraries and machines computed which numbers, told where the units of an experiment differ."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from .table import Cell, Table
from .wording import count_of

PARTS = ("code", "versions", "hardware")
DECIDING = ("code", "versions")
"""What may change numbers; another machine of the same kind does not."""


def origins(units: pd.DataFrame) -> pd.DataFrame:
    """``owner code versions hardware n``: how many finished units of whom were computed by what, in the order of units.

    ``versions`` has only the libraries whose versions differ between units.
    """
    done = units[units["status"] == "done"]
    found = done[list(PARTS)].astype(str)
    found["owner"] = done["candidate"].astype(str).where(done["kind"] == "method", "raters and fused labels")
    told = [set(text.split(", ")) for text in found["versions"].unique()]
    common = set.intersection(*told) if len(told) > 1 else set()
    found["versions"] = [", ".join(v for v in text.split(", ") if v not in common) for text in found["versions"]]
    return found.groupby(["owner", *PARTS], sort=False).size().reset_index(name="n")


def differing(units: pd.DataFrame, parts: Sequence[str] = PARTS) -> list[str]:
    """Those of the parts in which finished units differ."""
    found = origins(units)
    return [part for part in parts if found[part].nunique() > 1]


def mixed_words(units: pd.DataFrame) -> str:
    """One sentence with the origin of each candidate's units where code or libraries differ; else empty."""
    parts = differing(units, DECIDING)
    if not parts:
        return ""
    said = []
    table = origins(units).groupby(["owner", *parts], sort=False)["n"].sum().reset_index()
    for owner, mine in table.groupby("owner", sort=False):
        rows = mine.to_dict("records")
        origin = [", ".join(f"code {row[part]}" if part == "code" else str(row[part]) for part in parts) for row in rows]
        each = [f"{count_of(int(row['n']), 'unit')} by {by}" for row, by in zip(rows, origin, strict=True)]
        said.append(f"{owner}: {', '.join(each)}")
    what = {"code": "code", "versions": "libraries"}
    kinds = " and ".join(what[part] for part in parts)
    return f"MIXED: the units were computed by different {kinds}. {'; '.join(said)}. Candidates are compared across them."


def origins_table(units: pd.DataFrame) -> Table | None:
    """Which units were computed by what; None if all were by the same."""
    if not differing(units):
        return None
    found = origins(units)
    rows = [
        [Cell(row["owner"]), Cell(str(row["n"]), sort=float(row["n"])), *(Cell(row[part] or "the same") for part in PARTS)]
        for _, row in found.iterrows()
    ]
    head = ["Candidate", "Units", "Code", "Libraries that differ", "Machine"]
    caption = (
        "The table counts finished units by the code of raterbench (the start of a hash), the libraries and the machine that "
        "computed them. Numbers of different origin stand beside each other in all other tables."
    )
    return Table("origins", "What computed the numbers", caption, head, rows, found, words=frozenset({2, 3, 4}))
