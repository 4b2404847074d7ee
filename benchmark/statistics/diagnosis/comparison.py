"""How well the labels of each candidate serve the diagnosis: areas under the curve, and differences to the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..significance import corrected_resampled_t
from ..verdict.verdicts import Verdict, verdicts
from .area_test import area_test, difference_test
from .network_scores import KIND, NetworkScores, network_scores, shared_scores
from .score_calibration import calibration_errors, score_counts
from .these_models import bootstrap_interval, delong_p

CIRCULAR, PERMUTED = "as published", "permuted"
"""The control under which fused labels may hold the diagnosis itself, and the one that shows how much of it they hold."""
CHANCE = 0.5
"""The area under the curve of scores that know nothing."""
COLUMNS = [
    *("candidate", *KIND, "auc", "low", "high", "leak", "leak_low", "leak_high", "n_positive", "n_negative", "n_subjects"),
    *("n_models", "left_out", "difference", "difference_low", "difference_high", "level", "p", "p_holm", "verdict", "df"),
    *("p_corrected_t", "p_delong", "bootstrap_low", "bootstrap_high", "difference_bootstrap_low", "difference_bootstrap_high"),
    *("sensitivity", "brier", "calibration_error", "calibration_error_debiased", "circular", "exploratory"),
    *("why_no_interval", "why_no_p"),
]
"""Columns of :func:`diagnosis_table`, one row a candidate and kind of scores:

* ``auc``: the area under the curve within each trained model, pooled with the weights positives x negatives; ``low`` to
  ``high``: its interval by ``model t``; ``leak``: what it exceeds .5 by where the diagnoses were permuted, with its interval;
* ``n_positive``, ``n_negative``: cases in a repeat; ``n_subjects``, ``n_models``: what the area rests on; ``left_out``: trained
  models whose test cases are of one class (``repeat 0 fold 2``), separated by semicolons;
* ``difference``: candidate minus baseline, on the models and cases of both, with Holm's interval at ``level``, ``p`` of
  ``model t`` with its ``df``, ``p_holm`` over the candidates of the same kind of scores, and the ``verdict``;
  ``p_corrected_t`` of the corrected resampled t-test over the areas of trained models: for other training subjects;
* ``p_delong`` and the ``bootstrap`` intervals over subjects: for these trained models alone;
* ``sensitivity``: the share of positives found at a specificity of .9; ``brier``; calibration errors of the score;
* ``circular``: the labels may hold the diagnosis that they are judged by; ``exploratory``, ``why_no_interval``, ``why_no_p``:
  why a test is no confirmation, and why a number is missing.
"""
_DIFFERENCE = {
    **dict.fromkeys(("difference", "difference_low", "difference_high", "level", "p", "p_holm", "df"), np.nan),
    **dict.fromkeys(("p_corrected_t", "p_delong", "difference_bootstrap_low", "difference_bootstrap_high"), np.nan),
    **dict.fromkeys(("verdict", "why_no_p"), ""),
}


@dataclass(frozen=True)
class DiagnosisTerms:
    """What a comparison is made by: its baseline, alpha, test cases / training cases, and resamples of a bootstrap."""

    baseline: str
    alpha: float = 0.05
    test_to_train: float = np.nan
    resamples: int = 2000


def diagnosis_table(diagnoses: pd.DataFrame, candidates: Sequence[str], terms: DiagnosisTerms) -> pd.DataFrame:
    """All rows (``COLUMNS``) of the scores in ``Results.diagnoses``, ``candidates`` in their order within each kind.

    Each kind of scores is a family of its own, of comparisons with the baseline. Scores of permuted diagnoses are compared with
    chance and not with the baseline.
    """
    rows = []
    for kind, by_candidate in network_scores(diagnoses):
        head = dict(zip(KIND, kind, strict=True))
        names = [name for name in candidates if name in by_candidate]
        compared = _compared(by_candidate, names, terms) if head["control"] != PERMUTED else {}
        for name in names:
            row = {"candidate": name} | head | _described(by_candidate[name], terms) | compared.get(name, _DIFFERENCE)
            rows.append(row | {"circular": head["control"] == CIRCULAR})
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    for leak, column in (("leak", "auc"), ("leak_low", "low"), ("leak_high", "high")):
        table[leak] = (table[column].astype(float) - CHANCE).where(table["control"] == PERMUTED)
    return table


def _described(scores: NetworkScores, terms: DiagnosisTerms) -> dict[str, object]:
    """The columns of one candidate alone."""
    left_out = "; ".join(f"repeat {repeat} fold {fold}" for repeat, fold in scores.left_out)
    if not scores.folds:
        why = "the test cases of each trained model are of one class"
        return {"left_out": left_out, "n_models": 0, "why_no_interval": why, "exploratory": ""}
    test = area_test(scores)
    low, high = np.clip(test.interval(1 - terms.alpha), 0, 1)
    alike = np.ptp([fold.area for fold in scores.folds]) == 0 and np.isnan(low)
    why = "it is the same for all trained models, so nothing says what chance could do" if alike else test.reason
    drawn = bootstrap_interval([scores], confidence=1 - terms.alpha, resamples=terms.resamples)
    errors = calibration_errors(score_counts(scores))
    return {
        **{"auc": scores.area, "low": low, "high": high, "why_no_interval": why, "exploratory": test.exploratory},
        **{"n_positive": scores.per_repeat(positive=True), "n_negative": scores.per_repeat(positive=False)},
        **{"n_subjects": test.n_subjects, "n_models": len(scores.folds), "left_out": left_out},
        **dict(zip(("bootstrap_low", "bootstrap_high"), drawn, strict=True)),
        **{"sensitivity": scores.sensitivity(), "brier": scores.brier()},
        **dict(zip(("calibration_error", "calibration_error_debiased"), errors, strict=True)),
    }


def _compared(
    by_candidate: Mapping[str, NetworkScores], names: Sequence[str], terms: DiagnosisTerms
) -> dict[str, dict[str, object]]:
    """The columns of the comparison with the baseline, by candidate."""
    if (baseline := by_candidate.get(terms.baseline)) is None:
        return {name: _DIFFERENCE | {"why_no_p": f"{terms.baseline} has no such scores"} for name in names}
    others = [name for name in names if name != terms.baseline]
    tests = {name: difference_test(by_candidate[name], baseline) for name in others}
    judged = verdicts(tests, better="higher", alpha=terms.alpha)
    found = {name: _tested(by_candidate[name], baseline, judged[name], terms) for name in others}
    return {terms.baseline: _DIFFERENCE | {"verdict": "baseline"}, **found}


def _tested(scores: NetworkScores, baseline: NetworkScores, verdict: Verdict, terms: DiagnosisTerms) -> dict[str, object]:
    test, (ours, theirs) = verdict.test, shared_scores(scores, baseline)
    by_model = [one.area - other.area for one, other in zip(ours.folds, theirs.folds, strict=True)]
    drawn = bootstrap_interval([ours, theirs], confidence=1 - terms.alpha, resamples=terms.resamples)
    return {
        **{"difference": test.mean, "difference_low": verdict.low, "difference_high": verdict.high, "level": verdict.level},
        **{"p": test.p, "p_holm": verdict.p_holm, "verdict": verdict.words, "df": test.df, "why_no_p": test.reason},
        **{"p_corrected_t": corrected_resampled_t(by_model, terms.test_to_train), "p_delong": delong_p(scores, baseline)},
        **dict(zip(("difference_bootstrap_low", "difference_bootstrap_high"), drawn, strict=True)),
    }
