"""The composite score of the SoftSeg papers: z-scores of four metrics in one number, with ranks beside it."""

from __future__ import annotations

import numpy as np

from ...benchmark.statistics.ranking import COMPOSITE, best_of
from ..analysis import Analysis
from .table import Cell, Table
from .wording import NO_VALUE, joined, words_of, write_number


def composite(analysis: Analysis) -> Table | None:
    """Composite scores and ranks; None unless all four metrics were measured, of two candidates at least."""
    found = analysis.composite
    if found is None or found.scores.shape[1] < 2:
        return None
    means, stds = found.scores.mean(), found.scores.std(ddof=1)
    best = best_of(means[~means.index.isin(list(analysis.collapsed))], "higher")
    places = means.round(12).rank(ascending=False, method="min")
    plain = found.parts.assign(composite=means, std=stds, place=places, mean_rank=found.mean_ranks, n=len(found.scores))
    parts, numbers, rows = [str(metric) for metric in found.parts], plain.astype(float).to_dict("index"), []
    for name in analysis.candidates:
        if name not in numbers:
            rows.append([Cell(name), *(Cell(NO_VALUE) for _ in range(3 + len(parts)))])
            continue
        row = {str(key): float(value) for key, value in numbers[name].items()}
        score = write_number(row["composite"], 2, sign=True)
        score += f" ± {write_number(row['std'], 2)}" if np.isfinite(row["std"]) else ""
        rows.append([
            Cell(name),
            Cell(score, bool(best.get(name, False)), sort=row["composite"]),
            Cell(f"{row['place']:.0f}", sort=row["place"]),
            Cell(write_number(row["mean_rank"], 2), sort=row["mean_rank"]),
            *(Cell(write_number(row[m], 2, sign=True), sort=row[m]) for m in parts),
        ])  # fmt: skip
    head = ["Candidate", "Composite score ↑", "Place", "Mean rank ↓", *(f"z of {analysis.label(m)}" for m in parts)]
    title, tidy = "Composite score", plain.rename_axis("candidate").reset_index()
    return Table("composite", title, _caption(analysis), head, rows, tidy)


def _caption(analysis: Analysis) -> str:
    found = analysis.composite
    assert found is not None
    n = len(found.scores)
    left_out = f" {found.n_left_out} in which a candidate has no value of a metric are left out." if found.n_left_out else ""
    apart = f" {joined(list(found.apart))} lacks more than half of them and has no score." if found.apart else ""
    labels = joined([analysis.label(metric) for metric in COMPOSITE])
    return (
        f"Mean of the z-scores of {labels}, the last with its sign turned, against {words_of(analysis.primary_reference)}. A "
        "z-score is that of a value among the values of all candidates (standard deviation with n − 1). A value is that of a "
        f"subject and a trained model, n = {n} of each candidate.{left_out}{apart} Numbers are mean ± standard deviation over "
        "them; nothing is tested. The score depends on which candidates take part: one more, above all a bad one, changes all "
        "scores. The mean rank, over the same values and metrics (1 is best), depends on them less."
    )
