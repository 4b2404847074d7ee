"""The sentences that must stand under a comparison: how many, which test, which correction, and what to beware of."""

from __future__ import annotations

from collections.abc import Sequence

from .comparison import Comparison

AS_PUBLISHED = (
    "Tested as published, over the means of the trained models and without correction: folds and repeats share their "
    "subjects, so these p-values are anti-conservative (in repeated cross-validation they call up to about half of all "
    "differences significant where there is none)."
)
FEW_REPEATS = (
    "With fewer than 3 repeats the luck of training is not averaged out: expect the tests to err more often than alpha says."
)


def caption(comparison: Comparison) -> list[str]:
    """Plain sentences, the most important first."""
    terms = comparison.terms
    sentences = [_counts(comparison), *_test(comparison)]
    if comparison.few_repeats and terms.per_subject:
        sentences.append(FEW_REPEATS)
    if comparison.few_subjects:
        n, what = (comparison.n_subjects, "subjects") if terms.per_subject else (comparison.n_models, "models")
        smallest = f"the smallest p they can give is {comparison.smallest_p:.2g}"
        sentences.append(f"{n} {what} are too few for any difference to be significant: {smallest}.")
    dropped = len(comparison.dropped.get(terms.primary_metric, ()))
    if dropped:
        what = "subject(s)" if terms.per_subject else "fold(s)"
        sentences.append(f"{dropped} {what} left out on {terms.primary_metric}, because not all candidates have them.")
    apart = _incomplete(comparison)
    if apart:
        sentences.append(f"{', '.join(apart)}: results on less than half of the others' data, so not ranked and never best.")
    return sentences


def _counts(comparison: Comparison) -> str:
    amounts = [(comparison.n_subjects, "subject"), (comparison.n_cases, "case"), (comparison.n_repeats, "repeat")]
    return "n = " + ", ".join(f"{n} {word}{'s' if n != 1 else ''}" for n, word in amounts) + "."


def _test(comparison: Comparison) -> Sequence[str]:
    terms = comparison.terms
    if not terms.per_subject:
        return [f"Two-sided Wilcoxon signed-rank test against {terms.baseline}.", AS_PUBLISHED]
    return [
        f"Two-sided paired Wilcoxon signed-rank test (zeros: Pratt) against {terms.baseline}, one value a subject; "
        f"Holm's correction over {comparison.n_comparisons} comparison{'s' if comparison.n_comparisons != 1 else ''}, "
        f"alpha = {terms.alpha:g}.",
        f"Confirmatory: {terms.primary_metric} against {terms.reference}; all else is exploratory.",
        f"Intervals: {100 * (1 - terms.alpha):g} % bootstrap over subjects ({terms.resamples} resamples).",
    ]


def _incomplete(comparison: Comparison) -> list[str]:
    table = comparison.of(comparison.terms.primary_metric)
    return [str(name) for name in table.index[~table["complete"].astype(bool)]]
