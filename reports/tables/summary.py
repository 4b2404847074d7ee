"""What the numbers say, in a few plain sentences, and what to beware of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...benchmark.statistics.collapse import RULE
from ..analysis import Analysis
from . import captions
from .rater_wording import same_alarm
from .wording import count_of, name_of, p_text, words_of, write_number


@dataclass(frozen=True)
class Summary:
    """``headline`` is one sentence; ``findings`` and ``warnings`` are sentences, the most important first."""

    headline: str
    findings: Sequence[str]
    warnings: Sequence[str]


def summarise(analysis: Analysis) -> Summary:
    """The summary of an analysis, made from its numbers alone."""
    table = analysis.rows_for(analysis.metric)
    best = [str(name) for name in table.index[table["best"].astype(bool)]]
    makers = {
        "against the baseline": lambda: _against_baseline(analysis, table),
        "the raters": lambda: _ceiling(analysis, table, best),
        "fused labels": lambda: _fused(analysis),
        "calibration": lambda: _calibrated(analysis),
    }
    findings = [analysis.part_maker.make("sentence", name, maker) for name, maker in makers.items()]
    so_far = "" if analysis.results.completeness.is_complete else "Incomplete results. "
    return Summary(so_far + _headline(analysis, table, best), [f for f in findings if f], _warnings(analysis))


def _headline(analysis: Analysis, table: pd.DataFrame, best: Sequence[str]) -> str:
    label, against = analysis.label(analysis.metric), words_of(analysis.reference)
    if not best:
        return f"No candidate can be called best on {label}."
    row = table.to_dict("index")[best[0]]
    value = analysis.number(analysis.metric, row["mean"]) + _interval(analysis, row["ci_low"], row["ci_high"])
    who = " and ".join(best) if len(best) < 3 else f"{', '.join(best[:-1])} and {best[-1]}"
    if len(table) == 1:
        return f"{who} reaches a mean {label} of {value} against {against}."
    verb = "has" if len(best) == 1 else "have"
    return f"{who} {verb} the best mean {label} against {against}: {value}. {_verdict(analysis, row, best)}"


def _interval(analysis: Analysis, low: float, high: float, *, sign: bool = False) -> str:
    if pd.isna(low):
        return ""
    ends = [analysis.number(analysis.metric, v, sign=sign) for v in (low, high)]
    return f" ({analysis.confidence_words} interval {ends[0]} to {ends[1]})"


def _verdict(analysis: Analysis, row: Mapping[Any, Any], best: Sequence[str]) -> str:
    if analysis.baseline_replaced and analysis.baseline in best:
        return "It replaces the baseline, which has no results."
    if analysis.baseline in best:
        return "It is the baseline itself." if len(best) == 1 else "The baseline is among them."
    if pd.isna(row["difference"]):
        return "It cannot be compared with the baseline."
    per_subject = analysis.protocol == "per-subject"
    p = p_text(float(row["p_holm" if per_subject else "p"])) + (" after Holm" if per_subject else ", uncorrected")
    difference = analysis.number(analysis.metric, row["difference"], sign=True)
    difference += _interval(analysis, row["difference_low"], row["difference_high"], sign=True)
    said = "which is significant" if bool(row["significant"]) else "which is not significant"
    return f"Its difference to the baseline {analysis.baseline} is {difference}, {said} ({p})."


def _against_baseline(analysis: Analysis, table: pd.DataFrame) -> str:
    tested = table[table["difference"].notna()]
    if len(tested) < 2:
        return ""
    sign = -1 if analysis.better(analysis.metric) == "lower" else 1
    significant = tested["significant"].astype(bool)
    groups = {
        "better": tested.index[significant & (sign * tested["difference"] > 0)],
        "worse": tested.index[significant & (sign * tested["difference"] < 0)],
        "not significantly different": tested.index[~significant],
    }
    if analysis.better(analysis.metric) not in ("higher", "lower"):
        groups = {"different": tested.index[significant], "not significantly different": tested.index[~significant]}
    parts = [f"{word}: {', '.join(map(str, names))}" for word, names in groups.items() if len(names)]
    return f"Against the baseline {analysis.baseline} – {'; '.join(parts)}."


def _ceiling(analysis: Analysis, table: pd.DataFrame, best: Sequence[str]) -> str:
    band = analysis.ceiling
    if band is None or not best:
        return ""
    low, high = (analysis.number(analysis.metric, v) for v in band)
    mean = float(analysis.raters.mean())
    same = analysis.ceiling_reference == analysis.reference
    against = "the same reference" if same and analysis.reference != "raters" else "each other"
    n = len(analysis.raters)
    who = (
        f"The {n} raters reach {low} to {high} (mean {analysis.number(analysis.metric, mean)})"
        if n > 1
        else f"The one rater reaches {low}"
    )
    value, better = float(table["mean"].to_dict()[best[0]]), analysis.better(analysis.metric)
    text = f"{who} against {against}."
    if not same or better not in ("higher", "lower"):
        return text
    gap = value - mean if better == "higher" else mean - value
    where = "better" if gap > 0 else "worse"
    beyond = value > band[1] if better == "higher" else value < band[0]
    than_all = " and better than each of them" if beyond and n > 1 else ""
    return f"{text} The best candidate is {analysis.number(analysis.metric, abs(gap))} {where} than the raters’ mean{than_all}."


def _fused(analysis: Analysis) -> str:
    fused = analysis.rows_for(analysis.metric, "fusion")["mean"].dropna()
    if fused.empty:
        return ""
    values = ", ".join(
        f"{name_of(str(c), 'fusion').removeprefix('Fused labels: ')} {analysis.number(analysis.metric, v)}"
        for c, v in fused.items()
    )
    return f"The fused labels of the test cases’ own raters, which no network can see, reach: {values}."


def _calibrated(analysis: Analysis) -> str:
    """Who is best calibrated, if anybody may be called so: not who has collapsed, and not by chance alone."""
    calibration = analysis.calibration
    if len(analysis.candidates) < 2 or not len(calibration.image("closed")):
        return ""
    among = " among the candidates that did not collapse" if analysis.collapsed else ""
    if behind := captions.never_calibrated(analysis):
        among = " among the candidates that are not far behind"
    best = calibration.lowest("closed")
    if not best:
        return f"No candidate can be called best calibrated{': all candidates collapsed' if analysis.collapsed else ''}."
    value = write_number(100 * calibration.ece_of(best[0], "closed"), 2)
    close = calibration.close_to(best[0], "closed")
    first = f"{' and '.join(best)}, with an expected calibration error of {value} %"
    if close or len(best) > 1:
        others = f"; its interval overlaps with that of {', '.join(close)}, so the difference may be chance" if close else ""
        text = f"Lowest calibration error{among}: {first}{others}"
    else:
        text = f"Best calibrated{among}: {first}"
    opened = calibration.lowest("open")
    if opened and opened != best:
        text += f"; without voxels of confidence exactly 1 it is {' and '.join(opened)}"
    return " ".join([f"{text}.", *([behind] if behind else [])])


def _warnings(analysis: Analysis) -> list[str]:
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
    if analysis.protocol != "per-subject":
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
    if comparison.few_repeats:
        found.append(
            f"Only {count_of(comparison.n_repeats, 'repeat')}: the variation between trainings is not averaged out, and "
            "the false-positive rate is higher than alpha. Run at least 3."
        )
    if comparison.n_subjects < captions.FEW_SUBJECTS:
        if comparison.n_subjects:
            n = count_of(comparison.n_subjects, "subject")
            found.append(f"Only {n}: means are rough, and small differences cannot be seen.")
        else:
            found.append("No subject has a value of every compared candidate, so nothing can be compared.")
    if comparison.few_subjects and len(comparison.terms.expected) > 1:
        which = "subjects that differ" if comparison.most_differ < comparison.n_subjects else "subjects"
        found.append(f"No comparison can reach significance with so few {which}, whatever the difference.")
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
