"""What must be read before the numbers are believed."""

from __future__ import annotations

import pandas as pd

from ...benchmark.statistics.collapse import RULE
from ..analysis import Analysis
from ..tables import captions
from ..tables.rater_wording import same_alarm
from ..tables.wording import count_of


def warnings_of(analysis: Analysis) -> list[str]:
    """What to read before the numbers are believed, the most important first."""
    comparison = analysis.comparison
    facts = analysis.results.facts
    found = [f"{question[:1].upper()}{question[1:]}." for question in facts["questions"]]
    if not analysis.results.completeness.is_complete:
        found.append("The results are incomplete, so nothing here is confirmatory.")
    if analysis.baseline_replaced:
        found.append(
            f"The declared baseline {analysis.declared_baseline} has no results. {analysis.baseline} replaces it, so nothing "
            "here is confirmatory."
        )
    if not comparison.terms.by_model_t:
        found.append(
            "Tested as published, over trained models without correction: these p-values are too small. Use them only to "
            "compare with papers."
        )
    if oracles := facts["oracles"]:
        found.append(f"{' and '.join(oracles)} learned from the truth: an upper bound for the others, not a competitor.")
    if facts["anonymous_raters"]:
        found.append(
            "The raters are anonymous: one name may be another person in each case. So no method learned them over cases, and "
            "the row of raters is the mean over those of each case."
        )
    if training := captions.unfinished(analysis):
        found.append(training)
    if comparison.few_repeats and comparison.n_repeats:
        found.append(
            f"Only {count_of(comparison.n_repeats, 'repeat')}: how much other trainings would change is known from "
            f"{count_of(comparison.n_models, 'trained model')} of each candidate. Run at least 3."
        )
    if comparison.n_subjects < captions.FEW_SUBJECTS:
        if comparison.n_subjects:
            n = count_of(comparison.n_subjects, "subject")
            found.append(f"Only {n}: means are rough, and small differences cannot be seen.")
        else:
            found.append("No subject has a value of every compared candidate, so nothing can be compared.")
    if analysis.collapsed:
        said = "; ".join(f"{name} ({why})" for name, why in analysis.collapsed.items())
        found.append(f"Collapsed, and so never called best on anything: {said}. {RULE}")
    found += [f"{part}." for part in analysis.part_maker.broken]
    found += [f"{warning[:1].upper()}{warning[1:]}" for warning in facts["warnings"]]
    return found + captions.skipped(analysis) + _unit_warnings(analysis.results.units)


def _unit_warnings(units: pd.DataFrame) -> list[str]:
    """What units warned of, each kind of warning once with who said it."""
    if "warnings" not in units:
        return []
    said = units[["candidate", "warnings"]].explode("warnings").dropna()
    found = []
    for _, part in said.groupby(same_alarm(said["warnings"]), sort=False):
        words, who = str(part["warnings"].iloc[0]).rstrip("."), ", ".join(dict.fromkeys(part["candidate"]))
        first = "; the numbers are the first unit’s" if part["warnings"].nunique() > 1 else ""
        found.append(f"{words[:1].upper()}{words[1:]} ({count_of(len(part), 'unit')} of {who}{first}).")
    return found
