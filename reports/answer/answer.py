"""The answer of a report: one sentence, the sentences behind it, what could overturn it, and what to read first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ...benchmark.statistics.ranking import best_of
from ..analysis import Analysis
from ..tables import captions
from ..tables.diagnosis import diagnosis_words
from ..tables.wording import name_of, words_of, write_number
from . import overturn
from .other_raters import order_sentence, stand_in_sentence
from .verdict_sentences import Verdicts, against_the_baseline, false_claim, headline, limits, needed
from .warnings import warnings_of


@dataclass(frozen=True)
class Answer:
    """``question`` and ``headline`` are one sentence each; ``sentences`` and ``warnings`` the most important first.

    ``background`` is what else is worth knowing beside the answer. ``overturn``: what could overturn the answer, by the name of
    the small picture that shows it.
    """

    question: str
    headline: str
    sentences: Sequence[str]
    background: Sequence[str]
    overturn: dict[str, str]
    warnings: Sequence[str]


def answer(analysis: Analysis) -> Answer:
    """The answer of an analysis, made from its numbers alone; a sentence that cannot be made is named as a broken part."""
    make, found = analysis.part_maker.make, verdicts_of(analysis)
    so_far = "" if analysis.results.completeness.is_complete else "Incomplete results. "

    def said(makers: Mapping[str, Callable[[], Sequence[str]]]) -> list[str]:
        made = [make("sentence", name, maker) or [] for name, maker in makers.items()]
        return [sentence for sentences in made for sentence in sentences if sentence]

    first = {
        "against the baseline": lambda: against_the_baseline(found),
        "a false claim": lambda: [false_claim(found)],
        "what is needed": lambda: [needed(found)],
        "limits": lambda: limits(found),
        "the diagnosis": lambda: [diagnosis_words(analysis)],
        "may networks stand in for a rater": lambda: [stand_in_sentence(analysis.panel)],
    }
    beside = {
        "the raters": lambda: [_ceiling(analysis, found)],
        "fused labels": lambda: [_fused(analysis)],
        "calibration": lambda: [_calibrated(analysis)],
    }
    changes = {
        "overturn-trainings": lambda: _trainings(analysis),
        "overturn-raters": lambda: order_sentence(analysis.panel),
        "overturn-reference": lambda: _reference(analysis),
    }
    made = {name: make("sentence", name, maker) or "" for name, maker in changes.items()}
    return Answer(
        f"Which candidate has the best {found.label} against {found.against}?",
        so_far + headline(found),
        said(first),
        said(beside),
        {name: sentence for name, sentence in made.items() if sentence},
        warnings_of(analysis),
    )


def verdicts_of(analysis: Analysis) -> Verdicts:
    """The comparison on the primary metric, with what its sentences need."""
    metric = analysis.metric

    def write(value: float, sign: bool) -> str:
        return analysis.number(metric, value, sign=sign)

    tied = analysis.tie_group if analysis.comparison.terms.by_model_t else None
    label, against = analysis.label(metric), words_of(analysis.reference)
    return Verdicts(analysis.comparison, tied, label, against, analysis.better(metric), write)


def _trainings(analysis: Analysis) -> str:
    better = analysis.better(analysis.metric)
    if better not in ("higher", "lower"):
        return ""
    rows = analysis.comparison.rows_for(analysis.metric)
    means = overturn.repeat_means(analysis.comparison.values.only(analysis.comparison.complete))
    return overturn.other_trainings(rows, means if better == "higher" else -means)


def _reference(analysis: Analysis) -> str:
    """Who has the best mean against each reference of the primary metric."""
    better, best = analysis.better(analysis.metric), {}
    for reference in analysis.references.get(analysis.metric, []):
        shared = analysis.case_values(analysis.metric, reference).entries()
        if shared is not None:
            means = pd.Series(shared.means, list(shared.candidates)).drop(list(analysis.collapsed), errors="ignore")
            best[reference] = [str(name) for name in means.index[best_of(means, better)]]
    return overturn.another_reference(best, analysis.reference)


def _ceiling(analysis: Analysis, found: Verdicts) -> str:
    band = analysis.ceiling
    means = found.rows.loc[found.rows["complete"].astype(bool), "mean"].dropna()
    if band is None or means.empty:
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
    better = analysis.better(analysis.metric)
    text = f"{who} against {against}."
    if not same or better not in ("higher", "lower"):
        return text
    value = float(means.max() if better == "higher" else means.min())
    gap = value - mean if better == "higher" else mean - value
    where = "better" if gap > 0 else "worse"
    beyond = value > band[1] if better == "higher" else value < band[0]
    than_all = " and better than each of them" if beyond and n > 1 else ""
    size = analysis.number(analysis.metric, abs(gap))
    return f"{text} The best mean of a candidate is {size} {where} than the raters’ mean{than_all}."


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
