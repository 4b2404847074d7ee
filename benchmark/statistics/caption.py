"""The sentences that must stand under a comparison: how many, which test, which correction, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .comparison import Comparison

AS_PUBLISHED = (
    "Tested as published: Wilcoxon's signed-rank test over the means of the trained models, by the normal approximation and "
    "without correction. Folds and repeats share their subjects, so these p-values are too small (in repeated "
    "cross-validation they call up to about half of all differences significant where there is none)."
)
FEW_REPEATS = "Fewer than 3 repeats: how much other trainings would change is known from few trained models."
MOST_FOLDS = 3
"""Trained models left out that are named one by one."""


def caption(comparison: Comparison) -> list[str]:
    """Plain sentences, the most important first."""
    terms = comparison.terms
    sentences = [_counts(comparison), *_test(comparison)]
    if comparison.few_repeats and terms.by_model_t:
        sentences.append(FEW_REPEATS)
    if reasons := exploratory_reasons(comparison):
        sentences.append(f"Exploratory: {'; '.join(reasons)}.")
    if np.isfinite(comparison.smallest_found):
        found = f"{comparison.smallest_found:.3g}"
        sentences.append(f"With 80 % power this design finds a difference of {found} on {comparison.metric}.")
    sentences += left_out_sentences(comparison)
    if apart := _incomplete(comparison):
        sentences.append(f"{', '.join(apart)}: results on less than half of the others' data, so not ranked and never best.")
    return sentences


def exploratory_reasons(comparison: Comparison) -> list[str]:
    """Why the tests on the primary metric are no confirmation: one repeat, or a hold-out with few."""
    found = comparison.rows_for(comparison.metric)["exploratory"]
    return [reason for reason in dict.fromkeys(map(str, found)) if reason and comparison.terms.by_model_t]


def left_out_sentences(comparison: Comparison) -> list[str]:
    """Which trained models a candidate or the baseline lacks, and which way leaving them out pulls the means."""
    found = []
    for name, folds in comparison.left_out().items():
        baseline = comparison.terms.baseline
        if len(folds) <= MOST_FOLDS:
            found += [fold.sentence() for fold in folds]
            continue
        pulls = [fold.pull for fold in folds]
        start = f"{len(folds)} trained models are left out, because {name} or {baseline} has no value there"
        found.append(f"{start}; {pulls.count('up')} would lower the means of both, and {pulls.count('down')} would raise them.")
    return list(dict.fromkeys(found))


def _counts(comparison: Comparison) -> str:
    amounts = [
        (comparison.n_subjects, "subject"),
        (comparison.n_cases, "case"),
        (comparison.n_repeats, "repeat"),
        (comparison.n_models, "trained model"),
    ]
    *first, last = [f"{n} {word}{'s' if n != 1 else ''}" for n, word in amounts]
    return f"Each candidate has n = {', '.join(first)} and {last}."


def _test(comparison: Comparison) -> Sequence[str]:
    terms = comparison.terms
    if not terms.by_model_t:
        return [AS_PUBLISHED]
    comparisons = f"{comparison.n_comparisons} comparison{'s' if comparison.n_comparisons != 1 else ''}"
    relevance = (
        f"The smallest relevant difference of {terms.primary_metric} was declared as {terms.smallest_difference:g}."
        if terms.smallest_difference
        else "No smallest relevant difference was declared, so nothing can be called equivalent."
    )
    return [
        f"Two-sided model t against {terms.baseline}, whose standard error contains subjects and trained models; Holm's "
        f"correction over {comparisons}, of p and of the intervals of differences; alpha = {terms.alpha:g}.",
        f"Confirmatory: {terms.primary_metric} against {terms.reference}; all else is exploratory.",
        relevance,
        f"Intervals of means: {100 * (1 - terms.alpha):g} %, from the same variance, not adjusted.",
    ]


def _incomplete(comparison: Comparison) -> list[str]:
    table = comparison.rows_for(comparison.metric)
    return [str(name) for name in table.index[~table["complete"].astype(bool) & (table["n"] > 0)]]
