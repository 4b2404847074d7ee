"""Who cannot be told from whom, who is ahead and by how much, and what would be needed to tell the rest apart."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ...benchmark.statistics.caption import exploratory_reasons, left_out_sentences
from ...benchmark.statistics.comparison import Comparison
from ...benchmark.statistics.verdict.tie_groups import TieGroup
from ..tables.wording import count_of, joined, p_text

CLEARLY = 2 / 3
"""From this share of the subjects on, that most of them say the opposite of the mean is worth a sentence."""
LESS = ", by less than is relevant"
ORDER = ("better", "worse", "higher", "lower", f"better{LESS}", f"worse{LESS}", "equivalent", "undecided")
"""Verdicts in the order in which they are told."""
OPPOSITE = {"better": "worse", "worse": "better"}


@dataclass(frozen=True)
class Verdicts:
    """A comparison on one metric with what its sentences need.

    ``label`` is the metric and ``against`` its reference in words, ``better`` its direction. ``tied`` holds all pairs, None
    where nothing is ranked. ``write`` writes a value or, with True, a difference with its sign.
    """

    comparison: Comparison
    tied: TieGroup | None
    label: str
    against: str
    better: str
    write: Callable[[float, bool], str]

    @property
    def rows(self) -> pd.DataFrame:
        """The candidates' rows on the metric, indexed by candidate."""
        return self.comparison.rows_for(self.comparison.metric)

    @property
    def baseline(self) -> str:
        """The candidate that others are compared with."""
        return self.comparison.terms.baseline

    @cached_property
    def by_name(self) -> dict[str, dict[Hashable, Any]]:
        """The same rows by candidate."""
        return {str(name): row for name, row in self.rows.to_dict("index").items()}

    def interval(self, low: float, high: float, *, sign: bool = True) -> str:
        """``−.012 to +.004``."""
        return f"{self.write(low, sign)} to {self.write(high, sign)}"


def headline(found: Verdicts) -> str:
    """Who is ahead, or who cannot be told from the best."""
    rows = found.rows
    have = rows[rows["mean"].notna() & rows["complete"].astype(bool)]
    best = _by_mean(found, [str(name) for name in have.index[have["best"].astype(bool)]])
    on = f"on {found.label} against {found.against}"
    if have.empty:
        said = f"No candidate has a value {on}."
    elif len(rows) == 1:
        name = str(have.index[0])
        said = f"{name} reaches a mean {found.label} against {found.against} of {_mean(found, found.by_name[name])}."
    elif not best:
        said = f"No candidate can be called best {on}."
    elif not found.comparison.terms.by_model_t:
        verb = "has" if len(best) == 1 else "have"
        said = f"As published, {joined(best)} {verb} the best mean {on}: {_mean(found, found.by_name[best[0]])}."
    elif found.tied is not None and len(found.tied.pairs) and found.tied.pairs["p"].isna().all():
        reason = next((reason for reason in found.tied.pairs["reason"] if reason), "")
        said = f"Nothing can be said about which candidate is better {on}: {reason}."
    elif len(best) == 1:
        said = _ahead_of_all(found, best[0], on)
    else:
        means = joined([f"{name} ({found.write(found.by_name[name]['mean'], False)})" for name in best])
        # Who cannot be told from the best may still be told from one another, or from the baseline.
        some_apart = rows["significant"].any() or (found.tied is not None and found.tied.pairs["apart"].any())
        if len(best) < len(have):
            said = f"{len(best)} of {len(have)} candidates cannot be told from the best {on}: {means}."
        elif some_apart:
            said = f"No other candidate can be told from the best {on}: {means}."
        else:
            said = f"The {len(have)} candidates cannot be told apart {on}: {means}."
    return said


def _ahead_of_all(found: Verdicts, best: str, on: str) -> str:
    """One candidate that can be told from every other that may be ranked."""
    mean = _mean(found, found.by_name[best])
    if best == found.baseline:
        # Its family of comparisons is smaller than that of all pairs, and may have told apart what all pairs do not.
        others = found.rows[found.rows["verdict"].str.startswith("worse")]
        who = "every other candidate" if len(others) == len(found.rows) - 1 else f"{joined(list(map(str, others.index)))}"
        return f"{best} is ahead of {who} {on}: {mean}." if len(others) else f"{best} has the best mean {on}: {mean}."
    pairs = found.tied.pairs if found.tied is not None else pd.DataFrame()
    mine = pairs[(pairs["one"] == best) | (pairs["other"] == best)] if len(pairs) else pairs
    if mine.empty:
        return f"{best} has the best mean {on}: {mean}."
    nearest = mine.iloc[int(mine["difference"].abs().to_numpy().argmin())]
    turn = 1 if nearest["one"] == best else -1
    low, high = sorted((turn * nearest["low"], turn * nearest["high"]))
    other = nearest["other"] if turn == 1 else nearest["one"]
    gap = f"{found.write(turn * nearest['difference'], True)}, {found.interval(low, high)}"
    ranked = f"{count_of(len(mine), 'other candidate')} that may be ranked"
    if len(mine) == len(found.rows) - 1:
        ranked = "every other candidate"
    return f"{best} is ahead of {ranked} {on}: {mean}; the next is {other} ({gap}, over all pairs)."


def against_the_baseline(found: Verdicts) -> list[str]:
    """A sentence for each kind of verdict: better, worse, both by less than is relevant, equivalent, undecided, no test."""
    rows = found.rows
    others = rows[rows.index != found.baseline]
    said = []
    baseline, smallest = found.baseline, found.comparison.terms.smallest_difference
    place = {words: number for number, words in enumerate(ORDER)}
    for words in sorted(set(others["verdict"]), key=lambda words: place.get(words, len(place))):
        tested = others[(others["verdict"] == words) & others["p"].notna()]
        if tested.empty:
            continue
        who = joined([f"{name} ({_evidence(found, row)})" for name, row in tested.iterrows()])
        are = "is" if len(tested) == 1 else "are"
        head, _, tail = str(words).partition(", ")
        if words == "equivalent":
            both = "is equivalent to" if len(tested) == 1 else "are equivalent to"
            ends = [found.interval(row["equivalence_low"], row["equivalence_high"]) for _, row in tested.iterrows()]
            level = f"{100 * (1 - 2 * found.comparison.terms.alpha):g} %"
            who = joined([f"{name} ({level} interval {own})" for name, own in zip(tested.index, ends, strict=True)])
            said.append(f"{who} {both} {baseline}: the difference is below {smallest:g}, the smallest that is relevant.")
        elif words == "undecided":
            said.append(f"Undecided against {baseline}: {who}.")
        else:
            than = f"{head} than" if head in OPPOSITE else f"{head} on {found.label} than"
            relevance = f", {tail}" if tail else ""
            said.append(f"{who} {are} {than} {baseline}{relevance}.")
    for reason, named in others[others["p"].isna()].groupby("why_no_p", sort=False):
        said.append(f"No test of {joined(list(map(str, named.index)))} against {baseline}: {reason}.")
    return [*said, *_ranks_against_means(found, others)]


def _evidence(found: Verdicts, row: pd.Series) -> str:
    """Difference, Holm's interval and p."""
    p = f"{p_text(float(row['p_holm']))}" if np.isfinite(row["p_holm"]) else f"{p_text(float(row['p']))}, uncorrected"
    difference = found.write(row["difference"], True)
    return f"{difference}, {found.interval(row['low'], row['high'])}, {p}" if np.isfinite(row["low"]) else f"{difference}, {p}"


def _ranks_against_means(found: Verdicts, others: pd.DataFrame) -> list[str]:
    """Said where a clear majority of the subjects says the opposite of the mean."""
    if found.better not in ("higher", "lower"):
        return []
    sign, said = (1 if found.better == "higher" else -1), []
    for name, row in others[others["n_pairs"] > 0].iterrows():
        wins, losses = (row["n_higher"], row["n_lower"])[::sign]
        ahead = sign * row["difference"]
        of = f"of {row['n_pairs']:.0f} subjects against {found.baseline}"
        if ahead < 0 and wins >= CLEARLY * row["n_pairs"]:
            said.append(f"{name} wins on {wins:.0f} {of}, but loses on average.")
        elif ahead > 0 and losses >= CLEARLY * row["n_pairs"]:
            said.append(f"{name} loses on {losses:.0f} {of}, but wins on average.")
    return said


def false_claim(found: Verdicts) -> str:
    """The probability that the candidate with the best mean is not really better than the baseline; empty where it is that."""
    if found.better not in ("higher", "lower") or not found.comparison.terms.by_model_t:
        return ""
    rows = found.rows
    rows = rows[rows["complete"].astype(bool) & rows["mean"].notna()]
    rows = rows[~rows.index.isin(list(found.comparison.terms.never_best))]
    if rows.empty:
        return ""
    best = _by_mean(found, list(map(str, rows.index)))[0]
    p = float(found.by_name[best]["p_false_claim"])
    if best == found.baseline or not np.isfinite(p):
        return ""
    share = "less than 0.1 %" if p < 0.001 else f"{100 * p:.2g} %"
    return (
        f"{best} has the best mean; the claim that it is better than {found.baseline} is false with a probability of {share} "
        "(one-sided p, read with a flat prior)."
    )


def needed(found: Verdicts) -> str:
    """What the design finds, and what would be needed to find the differences that are undecided."""
    smallest = found.comparison.smallest_found
    if not np.isfinite(smallest):
        return ""
    rows = found.rows
    said = f"This design finds a difference of {found.write(smallest, False)} with 80 % power"
    ways = []
    for name, row in rows[(rows["verdict"] == "undecided") & rows["p"].notna()].iterrows():
        amounts = [("subjects_needed", row["n_pairs"], "subjects"), ("repeats_needed", found.comparison.n_repeats, "repeats")]
        # The plan smooths the estimates, so it may ask for no more than there is; that is no advice.
        counts = [f"{row[key]:,.0f} {word}" for key, now, word in amounts if np.isfinite(row[key]) and row[key] > now]
        ways.append(f"{name} {' or '.join(counts)}" if counts else f"{name} more of both")
    return f"{said}; to tell the others from {found.baseline} it would take: {', '.join(ways)}." if ways else f"{said}."


def limits(found: Verdicts) -> list[str]:
    """What makes the answer less than a confirmation: the design, folds that were left out."""
    reasons = exploratory_reasons(found.comparison)
    said = [f"All of this is exploratory: {joined(reasons)}."] if reasons else []
    return [*said, *left_out_sentences(found.comparison)]


def _mean(found: Verdicts, row: Mapping[Hashable, Any]) -> str:
    level = f"{100 * (1 - found.comparison.terms.alpha):g} %"
    mean = found.write(row["mean"], False)
    if not np.isfinite(row["ci_low"]):
        return mean
    return f"{mean} ({level} interval {found.interval(row['ci_low'], row['ci_high'], sign=False)})"


def _by_mean(found: Verdicts, names: Sequence[str]) -> list[str]:
    """Names, the best mean first."""
    means = found.rows.loc[list(names), "mean"]
    return [str(name) for name in means.sort_values(ascending=found.better == "lower", kind="stable").index]
