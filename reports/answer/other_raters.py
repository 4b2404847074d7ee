"""Two answers about the raters for the first screen: may networks stand in for one, and would others change the order?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...benchmark.statistics.verdict.interchangeability import ALL_RATERS
from ...benchmark.statistics.verdict.rater_influence import NOBODY
from ..panel import Panel
from ..tables.wording import count_of

CLOSE = ("closer", "not farther", "farther, by less than is relevant")
"""Verdicts with which a candidate is not farther from a rater than is relevant."""
MOST_NAMES = 4
"""Up to so many candidates or raters are named; of more there is the number."""
CONSENSUS = "Single raters reward consensus, which is not the truth."


def stand_in_sentence(panel: Panel) -> str:
    """May networks stand in for a rater? For each rater, on average, not shown, or farther from raters than they are."""
    if panel.why_not_interchangeable:
        return f"Whether networks may stand in for a rater is not known: {panel.why_not_interchangeable}."
    table = panel.interchangeability
    overall = table[table["rater"] == ALL_RATERS].set_index("candidate")
    if overall["p"].isna().all():
        reason = next(iter(overall["reason"]), "no candidate has a value against a rater")
        return f"Whether networks may stand in for a rater cannot be tested: {reason}."
    groups: dict[str, list[str]] = {}
    for candidate, row in overall.iterrows():
        own = table.loc[(table["candidate"] == candidate) & (table["rater"] != ALL_RATERS), "verdict"]
        every = len(own) == len(panel.names) and own.isin(CLOSE).all()
        kind = "every" if every else "mean" if row["verdict"] in CLOSE else row["verdict"]
        groups.setdefault(kind, []).append(str(candidate))
    total, said = len(overall), []
    if names := groups.get("every"):
        each = f"each of the {len(panel.names)} raters"
        said.append(f"{_names(names, total)} may stand in for {each}: {_as_close(panel)} against each of them")
    if names := groups.get("mean"):
        raters = "the raters of a case" if panel.anonymous else "the raters"
        alone = "" if panel.anonymous else ", which is not shown for each of them"
        how = "" if "every" in groups else f": {_as_close(panel)}"
        said.append(f"{_names(names, total)} may on average over {raters}{alone}{how}")
    if not said:
        said.append("no candidate is shown to be as close to the raters as they are to one another")
    if names := groups.get("farther"):
        verb = "is" if len(names) == 1 else "are"
        said.append(f"{_names(names, total)} {verb} farther from the raters than they are from one another")
    if (names := groups.get("undecided")) and len(groups) > 1:
        said.append(f"for {_names(names, total)} it is undecided")
    if names := groups.get("no test"):
        said.append(f"for {_names(names, total)} there is no test")
    reasons = "; ".join(dict.fromkeys(str(why) for why in overall["exploratory"] if why))
    corrected = f", not corrected for {count_of(total, 'candidate')}" if total > 1 else ""
    text = "; ".join(said)
    exploratory = f"Exploratory{f' ({reasons})' if reasons else ''}{corrected}."
    return f"{text[:1].upper()}{text[1:]}. {exploratory} {CONSENSUS}"


def order_sentence(panel: Panel) -> str:
    """Does the order survive other raters? Who is first without each rater, and against one rater alone."""
    if panel.why_no_order:
        return f"Whether the order survives other raters is not known: {panel.why_no_order}."
    table = panel.without_each_rater
    ranks = table.pivot(index="left_out", columns="candidate", values="rank").reindex(pd.unique(table["left_out"]))
    whole = ranks.loc[NOBODY]
    if not np.isfinite(whole.to_numpy(float)).any():
        return "Whether the order survives other raters is not known: the candidates share no subject."
    first = {str(left_out): _first(row) for left_out, row in ranks.iterrows()}
    best, n = first.pop(NOBODY), len(panel.names)
    changed = {rater: names for rater, names in first.items() if names != best}
    verb = "is" if len(best) == 1 else "are together"
    said = f"Measured against the single raters, {_joined(best)} {verb} first"
    if not changed:
        same = (ranks.fillna(0) == whole.fillna(0)).all(axis=None)
        rest = "and no other place changes" if same else "while other places change"
        said += f", whichever of the {n} raters is left out, {rest}."
    elif len(changed) < MOST_NAMES:
        others = "; ".join(f"without {rater} {_joined(names) or 'nobody'}" for rater, names in changed.items())
        said += f", but not whichever of the {n} raters is left out: {others}."
    else:
        said += f", but not without {len(changed)} of the {n} raters, each left out in turn."
    alone = panel.curve[panel.curve["n_raters"] == 1]
    if n > 2 and len(alone) and np.isfinite(alone["same_best"].iloc[0]):
        tried = int(alone["panels"].iloc[0])
        said += f" Against one rater alone the same is first for {round(alone['same_best'].iloc[0] * tried)} of {tried}."
    return f"{said} These are ranks of means, without a test; nothing was trained anew."


def _as_close(panel: Panel) -> str:
    """What the test of non-inferiority showed, in words."""
    better, worse = ("higher", "lower") if panel.better == "higher" else ("lower", "higher")
    if panel.smallest_difference == 0:
        return f"{panel.label} is {better} than that of the other raters"
    return f"{panel.label} is not {worse} than that of the other raters by {panel.smallest_difference:g} or more"


def _first(ranks: pd.Series) -> tuple[str, ...]:
    known = ranks.dropna()
    return tuple(str(name) for name in known.index[known == known.min()])


def _names(names: Sequence[str], total: int) -> str:
    return _joined(names) if len(names) <= MOST_NAMES else f"{len(names)} of {total} candidates"


def _joined(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
