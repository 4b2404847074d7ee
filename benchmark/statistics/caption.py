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
    "With fewer than 3 repeats the variation between trainings is not averaged out: the false-positive rate is higher than "
    "alpha."
)


def caption(comparison: Comparison) -> list[str]:
    """Plain sentences, the most important first."""
    terms = comparison.terms
    sentences = [_counts(comparison), *_test(comparison)]
    if comparison.few_repeats and terms.per_subject:
        sentences.append(FEW_REPEATS)
    sentences += _differing(comparison)
    if comparison.left_out:
        folds = "1 fold" if comparison.left_out == 1 else f"{comparison.left_out} folds"
        sentences.append(f"{folds} (of all repeats) left out, because not all compared candidates have them.")
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


def _differing(comparison: Comparison) -> Sequence[str]:
    """On how many subjects (or models) the candidates differ from the baseline, and whether any p can be significant."""
    what, n = ("subject", comparison.n_subjects) if comparison.terms.per_subject else ("trained model", comparison.n_models)
    everyone = f"{n} {what}{'s' if n != 1 else ''}"
    tested = comparison.tested
    equal = tested[tested["n_differ"] < tested["n_pairs"]]
    found = []
    if len(equal):
        pairs = zip(equal.index, equal["n_differ"], equal["n_pairs"], strict=True)
        counts = ", ".join(f"{differ:.0f} of {of:.0f} for {name}" for name, differ, of in pairs)
        baseline = comparison.terms.baseline
        found.append(f"Not every {what} differs from {baseline}, and only those that do are evidence: {counts}.")
    if comparison.few_subjects and comparison.n_comparisons:
        most = comparison.most_differ
        which = f"{everyone}, of which at most {most} differ{'s' if most == 1 else ''}," if most < n else everyone
        smallest = f"the smallest p they can give is {comparison.smallest_p:.2g}"
        found.append(f"{which} are too few for any difference to be significant: {smallest}.")
    return found


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
    table = comparison.rows_for(comparison.terms.primary_metric)
    return [str(name) for name in table.index[~table["complete"].astype(bool)]]
