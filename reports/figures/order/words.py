"""Sentences that captions of these figures share."""

from __future__ import annotations

from ...analysis import Analysis
from ...tables.wording import count_of, words_of


def metric_against(analysis: Analysis) -> str:
    """The primary metric and what it is measured against."""
    return f"{analysis.label(analysis.metric)} against {words_of(analysis.reference)}"


def shared_words(analysis: Analysis, n: int) -> str:
    """How many subjects all candidates share, and how many repeats there are."""
    return f"{count_of(n, 'subject')} that all candidates have, {count_of(analysis.results.facts['n_repeats'], 'repeat')}"


def empty_words(analysis: Analysis) -> str:
    """What the primary metric does where a mask is empty, as a sentence after a space; empty where it never matters."""
    policy = analysis.empty_policy(analysis.metric)
    return f" {policy}" if policy and "changes nothing" not in policy else ""


def tested_words(analysis: Analysis, n_pairs: int) -> str:
    """Which test, and which correction."""
    return (
        "Differences are tested by model t (a t-test whose standard error contains subjects and trained models) on means over "
        f"subjects, at {analysis.alpha:g} after Holm over {count_of(n_pairs, 'pair')}, exploratory."
    )
