"""What must be said under a table: how many, which test, what the marks mean, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ...benchmark.statistics.caption import caption as statistics_caption
from ...benchmark.statistics.caption import exploratory_reasons
from ..analysis import Analysis
from .origins import mixed_words
from .table import CONFIRMED, EXPLORED
from .wording import SHORT, count_of, joined, words_of

FEW_SUBJECTS = 10
"""Below this many subjects a report warns that its numbers are rough."""


def main_caption(analysis: Analysis, metrics: Sequence[str]) -> Sequence[str]:
    """The caption of the comparison, in paragraphs: every fact that a reader needs to judge it."""
    ece = (
        "ECE: expected calibration error over all voxels pooled, without a test; open leaves out voxels with a confidence of "
        "exactly 1, closed counts them."
    )
    policies, tested = [analysis.empty_policy(m) for m in metrics], statistics_caption(analysis.comparison)
    paragraphs = [
        [spread(analysis), *references(analysis, metrics), marks(analysis), no_network(analysis)],
        # Nothing is called confirmatory where nothing is.
        [*(s for s in tested if analysis.confirmatory or not s.startswith("Confirmatory")), split_words(analysis)],
        [ece, never_calibrated(analysis)] if analysis.calibration.reference else [],
        [
            *abbreviations(analysis, metrics),
            *(p for p in policies if p and "changes nothing" not in p),
            undefined(analysis, metrics),
        ],
        [unfinished(analysis)],
        [f"Please check: {warning}" for warning in analysis.results.facts["warnings"]],
        missing(analysis),
    ]
    return [" ".join(s for s in part if s) for part in paragraphs if any(part)]


def spread(analysis: Analysis) -> str:
    """What stands before and after the ±, and what bold means."""
    model_t = analysis.protocol == "model-t"
    over = "subjects" if model_t else "trained models (one a fold and repeat)"
    bold = "Candidates in bold cannot be told from the best, over all pairs with Holm’s correction (exploratory)"
    bold = bold if model_t else "The best mean is bold"
    classes = "; metrics of classes are means over the foreground classes" if len(analysis.classes) > 1 else ""
    but = f" ({' and '.join(analysis.collapsed)} collapsed and may not be the best)" if analysis.collapsed else ""
    return f"Numbers are means ± standard deviations over {over}{classes}. {bold}{but}."


def split_words(analysis: Analysis) -> str:
    """How cases were split."""
    split, facts = analysis.results.experiment.split, analysis.results.facts
    n_folds, n_repeats, n_cases = facts["n_folds"], facts["n_repeats"], facts["n_cases"]
    folds = count_of(max(n_folds), "fold") if len(n_folds) == 1 else f"{min(n_folds)} to {max(n_folds)} folds"
    tested = f"{_range(facts['n_tested'])} of {n_cases} cases"
    if split.manifest:
        once = f"each case tested once{' in each repeat' if n_repeats > 1 else ''}"
        part = f"{tested} tested" if min(facts["n_tested"]) < n_cases else once
        how = f"manifest ‘{Path(split.manifest).name}’ with {folds}, {part}"
    elif split.policy == "leave-one-centre-out":
        how = f"leaving one centre out ({folds})"
    elif split.policy == "holdout":
        how = f"the data set’s own test part ({tested})"
    elif split.policy == "random":
        how = f"subjects drawn at random ({tested} tested in each repeat)"
    elif split.policy == "centres":
        how = f"centres that train, validate and are tested apart ({folds})"
    elif split.policy == "folds":
        how = f"{max(n_folds)}-fold cross-validation grouped by subject"
    else:
        how = f"‘{split.policy}’ ({folds})"
    repeats = f"{count_of(n_repeats, 'repeat')} planned" if not analysis.results.completeness.is_complete else ""
    return f"Split: {how}, {repeats or count_of(n_repeats, 'repeat')}."


def validation_words(analysis: Analysis) -> str:
    """How many of the subjects that are not tested validate."""
    shares = analysis.results.facts["validation_share"]
    return f"{_range([f'{share:.0%}' for share in (min(shares), max(shares))])} of the training subjects"


def _range(values: Sequence[object]) -> str:
    """``20`` or ``18 to 20``, of sorted values."""
    ends = dict.fromkeys(str(value) for value in (values[0], values[-1]))
    return " to ".join(ends)


def never_calibrated(analysis: Analysis) -> str:
    """Who may not be called best calibrated though it did not collapse."""
    names = [name for name in analysis.calibration.never_best if name not in analysis.collapsed]
    if not names:
        return ""
    said = f"{analysis.label(analysis.metric)} worse than all raters and fused labels, and beyond the best candidate’s interval"
    return f"Not called best calibrated: {', '.join(names)} ({said})."


def unfinished(analysis: Analysis) -> str:
    """Which candidates were still improving when their epochs were over: in the last one, in at least half of their units.

    A one-cycle schedule makes the last epochs the best ones, whatever their number, so its candidates are not looked at.
    """
    units, experiment = analysis.results.units, analysis.results.experiment
    if "best_epoch" not in units:
        return ""
    epochs, best = (pd.to_numeric(units[name], errors="coerce") for name in ("epochs", "best_epoch"))
    trained = (units["kind"] == "method") & (units["status"] == "done") & (epochs > 1)
    budgets = {c.name: {**experiment.budget, **dict(c.options.get("budget") or {})} for c in experiment.candidates}
    trained &= ~units["candidate"].isin([name for name, budget in budgets.items() if budget.get("schedule") == "one-cycle"])
    last = (best >= epochs - 1)[trained].groupby(units["candidate"][trained], sort=False).mean()
    names = [str(name) for name in last.index[last >= 0.5]]
    if not names:
        return ""
    were = f"{len(names)} of {count_of(len(last), 'trained candidate')} {'was' if len(names) == 1 else 'were'}"
    more = f"give budget.epochs more than {int(epochs[trained].max())}, since their order may still change"
    return f"{were} still improving in the last epoch ({', '.join(names)}): {more}."


def marks(analysis: Analysis, elsewhere: str = "on another metric (exploratory, Holm within that metric only)") -> str:
    """What the signs mean; ``elsewhere`` says where the exploratory one stands."""
    if len(analysis.comparison.terms.expected) < 2:
        return "One candidate only: nothing is tested."
    alpha = f"p ≤ {analysis.alpha:g}"
    if analysis.protocol != "model-t":
        return f"{EXPLORED}: {alpha}, uncorrected."
    if why := why_exploratory(analysis):
        return f"{why} {EXPLORED}: {alpha} after Holm within a column."
    return (
        f"{CONFIRMED}: differs from {analysis.baseline} on {analysis.label(analysis.metric)} (confirmatory, {alpha} after "
        f"Holm); {EXPLORED}: the same {elsewhere}."
    )


def why_exploratory(analysis: Analysis) -> str:
    """Why nothing is confirmatory, as a sentence; empty where the tests are those that were declared."""
    if analysis.baseline_replaced:
        replaced = f"The declared baseline {analysis.declared_baseline} has no results; {analysis.baseline} replaces it"
        return f"{replaced}, so nothing is confirmatory."
    if not analysis.results.completeness.is_complete:
        return "The results are incomplete, so nothing is confirmatory."
    if analysis.declaration.changed:
        return "The declaration was changed, so nothing is confirmatory."
    reasons = exploratory_reasons(analysis.comparison)
    return f"Nothing is confirmatory: {'; '.join(reasons)}." if reasons else ""


def counted(analysis: Analysis) -> str:
    """How many subjects, cases and repeats the comparison rests on, as a sentence."""
    found = analysis.comparison
    amounts = [(found.n_subjects, "subject"), (found.n_cases, "case"), (found.n_repeats, "repeat")]
    return f"Each candidate has n = {joined([count_of(n, word) for n, word in amounts])}."


def empty_words(analysis: Analysis) -> str:
    """What the primary metric does where a mask is empty; empty where it never matters."""
    policy = analysis.empty_policy(analysis.metric)
    return policy if "changes nothing" not in policy else ""


def references(analysis: Analysis, metrics: Sequence[str]) -> list[str]:
    """The primary metric and reference, and metrics that are measured against another one."""
    label = analysis.label(analysis.metric)
    found = [f"Primary metric: {label}; primary reference: {words_of(analysis.reference)}."]
    if analysis.reference == "raters":
        found.append("Against the single raters means: the metric against each rater of a case, then the mean.")
    for metric in metrics:
        other = analysis.reference_of(metric)
        if other not in (analysis.reference, "none"):
            found.append(f"{analysis.label(metric)} is against {words_of(other)}.")
    about = [m for m in metrics if (facts := analysis.results.metric(m)) and facts.of_raters]
    if any(analysis.reference_of(m) == "raters" for m in about):
        labels = " and ".join(map(analysis.label, about))
        found.append(
            f"{labels}: the truth is unknown, so each rater is compared with the majority of the other raters of the case."
        )
    other = analysis.calibration.reference
    if other and other != analysis.reference:
        found.append(f"ECE is against {words_of(other)}.")
    return found


def abbreviations(analysis: Analysis, metrics: Sequence[str]) -> list[str]:
    """What the heads of columns stand for that papers use for other things, too."""
    return [f"{SHORT[m]}: {analysis.label(m).lower()}." for m in ("avd", "rvd") if m in metrics]


def no_network(analysis: Analysis) -> str:
    """What the rows below the rule are."""
    table = analysis.table
    kinds = set(table["kind"])
    parts = []
    if "fusion" in kinds:
        parts.append("the labels that a fusion makes of the raters of a test case")
    if "rater" in kinds:
        parts.append("each rater against the reference, which is made without that rater where raters make it")
    return f"Below the rule, without any network: {' and '.join(parts)}." if parts else ""


def undefined(analysis: Analysis, metrics: Sequence[str]) -> str:
    """How many values were left out because they are not defined."""
    table = analysis.table[(analysis.table["kind"] == "method") & analysis.table["metric"].isin(metrics)]
    counts = table.groupby("metric", sort=False)["n_undefined"].sum()
    parts = [f"{int(n)} of {analysis.label(str(m))}" for m, n in counts.items() if n > 0]
    return f"Undefined values left out: {', '.join(parts)}." if parts else ""


def missing(analysis: Analysis) -> list[str]:
    """Which units are missing, damaged or failed, which are of other code, and which candidates were skipped."""
    mixed = mixed_words(analysis.results.units)
    return [*analysis.results.completeness.gaps(), *([mixed] if mixed else []), *skipped(analysis)]


def skipped(analysis: Analysis) -> list[str]:
    """Which candidates were skipped, with the reasons."""
    units = analysis.results.units
    pairs = units.loc[units["status"] == "skipped", ["candidate", "reason"]].drop_duplicates()
    said = [f"{name}: {str(reason).rstrip('.')}" for name, reason in pairs.itertuples(index=False)]
    return [f"Skipped: {'; '.join(said)}."] if said else []
