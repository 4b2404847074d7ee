"""The table of the diagnosis: how well networks tell the diagnosed from the others by each candidate's labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...benchmark.statistics.descriptive import means_by_subject
from ...benchmark.statistics.diagnosis.comparison import CIRCULAR, PERMUTED
from ...benchmark.statistics.diagnosis.network_scores import KIND, network_scores
from ...benchmark.statistics.diagnosis.score_calibration import bin_table, score_counts
from ...benchmark.statistics.shared_units import shared_units
from ...methods.fit_report import OWN_LABELS
from ..analysis import Analysis
from .table import EXPLORED, Cell, Table
from .wording import NO_VALUE, joined, p_number, words_of, write_number

DECIMALS = 3
PREDICTED = "predicted segmentation"
LABELS = {
    "": "predicted",
    CIRCULAR: f"fused, {CIRCULAR} (circular)",
    "cross-fitted": "fused, cross-fitted",
    PERMUTED: f"fused, {PERMUTED}",
}
"""What the labels of a row are, by its control."""
HELD = {
    CIRCULAR: (
        "As published: the network that guides a fusion has seen the training cases that it fuses, and networks of the same "
        "kind read the labels. Such rows are circular: they say how well the diagnosis can be read back out of labels that it "
        "was written into, and nothing about images without a diagnosis."
    ),
    "cross-fitted": (
        "Cross-fitted: no network has seen the case that it helps to fuse, and networks of another architecture and seed read "
        "the labels; what the fusion wrote of the diagnosis itself is still in them."
    ),
    PERMUTED: (
        "Permuted: after the fusion has learned, subjects exchange their diagnoses at random. The fusion is told these, "
        "networks learn them, and they count as true. There is nothing to find in the images, so what the AUC exceeds .5 by is "
        "leak: so much of any diagnosis is written into the labels. It is shown, and not subtracted from other rows."
    ),
}
"""What each control means."""


def diagnosis(analysis: Analysis) -> Table | None:
    """Areas under the curve with their differences to the baseline; None where nothing was diagnosed."""
    table = analysis.diagnosis
    if table.empty:
        return None
    table = _in_order(table)
    table = _with_label_quality(analysis, table)
    several = table["positive"].nunique() > 1
    rules = _rules(table["control"].tolist())
    rows = [_row(analysis, row, several=several) for _, row in table.iterrows()]
    head = ["Candidate", "Labels", "Network", *(["Diagnosis"] if several else []), "AUC ↑", "Interval", "Difference"]
    head += ["Holm’s interval", "p (Holm)", "Leak", "Sensitivity ↑", "Brier ↓", "Dice ↑", "n"]
    words = frozenset({1, 2, 3} if several else {1, 2})
    title = "Diagnosis by the labels of each candidate"
    return Table("diagnosis", title, _caption(analysis, table), head, rows, table, rules, words)


def _rules(controls: Sequence[str]) -> frozenset[int]:
    """A rule before each row of another control than the row above."""
    return frozenset(number for number in range(1, len(controls)) if controls[number] != controls[number - 1])


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """By control, network and diagnosis, each with the candidates in their order."""
    order = {control: place for place, control in enumerate(LABELS)}
    places = table["control"].map(order).to_numpy(int), *(pd.factorize(table[name])[0] for name in ("network", "positive"))
    return table.iloc[np.lexsort(places[::-1])].reset_index(drop=True)


def _row(analysis: Analysis, row: pd.Series, *, several: bool) -> list[Cell]:
    def shown(name: str, *, sign: bool = False, note: str = "") -> Cell:
        return Cell(write_number(row[name], DECIMALS, sign=sign), sort=float(row[name]), note=note)

    def interval(low: str, high: str, *, sign: bool = False, note: str = "") -> Cell:
        ends = [write_number(row[name], DECIMALS, sign=sign) for name in (low, high)]
        return Cell(NO_VALUE if NO_VALUE in ends else f"{ends[0]} to {ends[1]}", note=note)

    n = f"{row['n_positive']:.4g} + {row['n_negative']:.4g} × {row['n_models']:.0f}" if row["n_models"] else NO_VALUE
    difference = shown("difference", sign=True)
    if row["p_holm"] <= analysis.alpha:
        difference = Cell(difference.text, mark=EXPLORED, sort=difference.sort)
    if row["candidate"] == analysis.baseline and row["control"] != PERMUTED:
        difference = Cell("baseline")
    return [
        Cell(str(row["candidate"])),
        Cell(LABELS[row["control"]]),
        Cell(str(row["network"])),
        *([Cell(str(row["positive"]))] if several else []),
        shown("auc"),
        interval("low", "high", note=row["why_no_interval"]),
        difference,
        interval("difference_low", "difference_high", sign=True),
        Cell(p_number(row["p_holm"]), sort=float(row["p_holm"]), note=row["why_no_p"]),
        shown("leak", sign=True),
        shown("sensitivity"),
        shown("brier"),
        shown("dice"),
        Cell(n, sort=float(row["n_positive"])),
    ]


def _with_label_quality(analysis: Analysis, table: pd.DataFrame) -> pd.DataFrame:
    """With ``dice``, the mean of the labels over subjects, and ``dice_reference``; NaN where it was not measured."""
    have = analysis.references.get("dice", [])
    against = next((name for name in ("truth", "raters") if name in have), "")
    predicted = means_by_subject(analysis.rows, "dice", against).mean() if against else pd.Series(dtype=float)
    labels = analysis.results.diagnosed_labels
    labels = shared_units(analysis.results.units).only(labels.assign(kind="method")) if len(labels) else labels
    by_subject = labels.groupby(["candidate", "control", "reference", "subject"], sort=False)["dice"].mean()
    fused = by_subject.groupby(["candidate", "control", "reference"], sort=False).mean().reset_index()
    known = {(row["candidate"], row["control"]): (row["dice"], row["reference"]) for row in fused.to_dict("records")}
    found = [
        (float(predicted.get(name, np.nan)), against) if control == "" else known.get((name, control), (np.nan, ""))
        for name, control in zip(table["candidate"], table["control"], strict=True)
    ]
    return table.assign(dice=[dice for dice, _ in found], dice_reference=[reference for _, reference in found])


def _caption(analysis: Analysis, table: pd.DataFrame) -> Sequence[str]:
    """What was diagnosed by whom, what each control means, and what the numbers are."""
    controls = [control for control in LABELS if control in set(table["control"])]
    about = [f"How well do networks tell {_question(analysis, table)} by the image and a candidate’s labels?"]
    if "" in controls:
        about.append("Predicted: the segmentation of a test image, made without its raters and its diagnosis.")
        if table["network"].str.endswith(OWN_LABELS).any():
            about.append(
                "Networks that read it learned from the majority vote of the training images, which favours segmentations in "
                "the style of the majority; those with “own labels” learned from the labels that the segmenter learned from."
            )
    if controls != [""]:
        about.append(
            "Fused: the labels that a candidate’s fusion makes of the raters of a test case. A fusion that is given the "
            "diagnosis can write it into them."
        )
        about += [HELD[control] for control in controls if control]
    against = [words_of(reference) for reference in dict.fromkeys(table["dice_reference"]) if reference]
    numbers = (
        "AUC: the area under the curve, the probability that a case with the diagnosis has a higher score than one without (.5 "
        "is chance), within each trained model, then the mean over these with the weights positives × negatives. Intervals "
        f"({analysis.confidence_words}) and p are of model t, whose standard error contains subjects and trained models. "
        f"Difference: to {analysis.baseline} with the same labels and network; Holm’s correction is over the candidates of "
        f"these. All of it is exploratory; {EXPLORED}: p ≤ {analysis.alpha:g} after Holm. Sensitivity: the share of cases with "
        "the diagnosis that are found with the lowest threshold of each trained model that calls at most one in ten of the "
        "others positive (none, where there are fewer than ten); who ties with the first too many is not found. Brier: the "
        f"mean squared error of the score. {f'Dice of the labels: against {joined(against)}. ' if against else ''}n: cases "
        "with + without the diagnosis in a repeat × trained models. The CSV has DeLong’s test and bootstrap intervals over "
        "subjects, which do not see the luck of training, and the corrected resampled t-test."
    )
    return [" ".join(about), numbers, *_left_out(table)]


def _question(analysis: Analysis, table: pd.DataFrame) -> str:
    positives = list(dict.fromkeys(map(str, table["positive"])))
    if len(positives) > 1:
        return f"each of {joined(positives)} from all others (one against the rest)"
    scores = analysis.diagnoses
    others = [str(name) for name in pd.unique(scores["diagnosis"]) if name not in ("", positives[0])]
    return f"{positives[0]} from {joined(others) or 'others'}"


def _left_out(table: pd.DataFrame) -> list[str]:
    """Trained models whose test cases are of one class, each with who is concerned."""
    found: dict[str, list[str]] = {}
    for _, row in table[table["left_out"] != ""].iterrows():
        names = found.setdefault(str(row["left_out"]), [])
        if row["candidate"] not in names:
            names.append(str(row["candidate"]))
    said = [f"{models} ({', '.join(names)})" for models, names in found.items()]
    return [f"Left out, because the test cases are all with or all without the diagnosis: {'; '.join(said)}."] if said else []


def score_calibration(analysis: Analysis) -> Table | None:
    """Whether the scores are probabilities, with the counts of their bins; None where nothing was diagnosed."""
    table = analysis.diagnosis
    table = table[table["n_models"] > 0]
    if table.empty:
        return None
    counts = {
        (candidate, *kind): score_counts(scores)
        for kind, by_candidate in network_scores(analysis.diagnoses)
        for candidate, scores in by_candidate.items()
        if scores.folds
    }
    rows, plain, controls = [], [], []
    several = table["positive"].nunique() > 1
    for _, row in _in_order(table).iterrows():
        bins = bin_table(counts[row["candidate"], *row[KIND]])
        same = row[["candidate", *KIND, "brier", "calibration_error", "calibration_error_debiased"]].to_dict()
        plain += [same | entry for entry in bins.to_dict("records")]
        controls.append(row["control"])
        n = int(bins["n"].sum())
        mean, share = float(bins["score_sum"].sum()) / n, float(bins["positives"].sum()) / n
        rows.append([
            Cell(str(row["candidate"])), Cell(LABELS[row["control"]]), Cell(str(row["network"])),
            *([Cell(str(row["positive"]))] if several else []),
            Cell(f"{n}", sort=float(n)),
            *(Cell(write_number(value, DECIMALS), sort=float(value)) for value in (
                row["brier"], row["calibration_error"], row["calibration_error_debiased"], mean, share
            )),
        ])  # fmt: skip
    head = ["Candidate", "Labels", "Network", *(["Diagnosis"] if several else []), "Scores", "Brier ↓", "Calibration error ↓"]
    head += ["Debiased", "Mean score", "Share with the diagnosis"]
    caption = (
        "Are the scores probabilities? All scores of all trained models together, in ten bins of equal width from 0 to 1. "
        "Calibration error: the mean over scores of the gap between a bin’s mean score and its share of cases with the "
        "diagnosis; debiased: the squared gap of each bin less its variance over subjects, cut at 0. Where the mean score is "
        "above the share with the diagnosis, the network says too often that a case has it, as one that was trained with "
        "weighted classes does. Nothing is tested. The CSV has the counts of each bin."
    )
    rules, words = _rules(controls), frozenset({1, 2, 3} if several else {1, 2})
    title = "Calibration of the diagnoses"
    return Table("diagnosis-calibration", title, caption, head, rows, pd.DataFrame(plain), rules, words)


def diagnosis_words(analysis: Analysis) -> str:
    """One sentence for those who do not open the report; empty where nothing was diagnosed."""
    table = analysis.diagnosis
    if table.empty:
        return ""
    table = _in_order(table[~table["circular"].astype(bool)])
    plain = table[table["control"] != PERMUTED]
    if plain.empty:
        return ""
    first = plain.iloc[0]
    mine = plain[(plain[KIND] == first[KIND]).all(axis=1)]
    values = ", ".join(
        f"{name} {write_number(auc, DECIMALS)}" for name, auc in zip(mine["candidate"], mine["auc"], strict=True)
    )
    more = plain["network"].nunique() - 1
    said = f"AUC of the diagnosis by {first['network']}, {LABELS[first['control']]} labels: {values}"
    said += f" ({more} more network{'s' if more > 1 else ''} in the report)" if more else ""
    leaks = table.dropna(subset="leak")
    if len(leaks):
        worst = leaks.iloc[int(leaks["leak"].argmax())]
        said += (
            f"; largest leak {write_number(worst['leak'], DECIMALS, sign=True)} ({worst['candidate']} by {worst['network']})"
        )
    return f"{said}."
