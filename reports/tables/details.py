"""The tables behind the comparison: differences, references, classes, centres, calibration, units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from ..analysis import Analysis
from . import captions
from .composite import composite
from .diagnosis import diagnosis, score_calibration
from .origins import origins_table
from .panel_tables import interchangeability_table, raters_left_out
from .rater_tables import alarms, rater_classes, raters
from .repairs import repairs
from .table import Cell, Table
from .tables import comparison_table, described_cell, mark_of, value_cell
from .thresholds import thresholds
from .wording import NO_VALUE, count_of, joined, name_of, nice_number, p_number, words_of, write_number

TableMaker = Callable[[Analysis], "Table | None"]
APART = ("by-reference", "by-class", "by-centre", "thresholds", "rater-classes")
"""Tables of which nothing else needs what they compute, so that another process may make them."""


def table_makers() -> dict[str, TableMaker]:
    """What makes each table, the comparison first; None where the results have nothing for it."""
    return {
        "comparison": comparison_table,
        "differences": differences,
        "differences-exploratory": exploratory,
        "composite": composite,
        "by-reference": by_reference,
        "by-class": by_class,
        "by-centre": by_centre,
        "thresholds": thresholds,
        "calibration": calibration,
        "diagnosis": diagnosis,
        "diagnosis-calibration": score_calibration,
        "interchangeability": interchangeability_table,
        "raters-left-out": raters_left_out,
        "raters": raters,
        "rater-classes": rater_classes,
        "repairs": repairs,
        "alarms": alarms,
        "units": units,
        "origins": lambda analysis: origins_table(analysis.results.units),
    }


def all_tables(analysis: Analysis, apart: Mapping[str, Callable[[], Table | None]] | None = None) -> list[Table]:
    """Every table that the results have something for; ``apart`` gives some that are made elsewhere, by name."""
    makers = {name: partial(maker, analysis) for name, maker in table_makers().items()} | dict(apart or {})
    # Those from elsewhere last: they may not be finished yet.
    made = {name: analysis.part_maker.make("table", name, makers[name]) for name in sorted(makers, key=lambda n: n in APART)}
    return [table for name in makers if (table := made[name]) is not None]


def differences(analysis: Analysis) -> Table | None:
    """Differences to the baseline on the primary metric; None with one candidate."""
    table = analysis.rows_for(analysis.metric).reset_index()
    table = table[table["candidate"] != analysis.baseline]
    if table.empty:
        return None
    family = "confirmatory" if analysis.confirmatory else "exploratory"
    about = f"{analysis.label(analysis.metric)} against {words_of(analysis.reference)}"
    policy = captions.empty_words(analysis)
    caption = f"These comparisons are {family}: {about}. {captions.counted(analysis)} {_how(analysis)} {policy}".rstrip()
    return _differences(analysis, "differences", f"Differences to {analysis.baseline}", caption, table)


def exploratory(analysis: Analysis) -> Table | None:
    """Differences to the baseline on all other metrics."""
    table = analysis.table[(analysis.table["kind"] == "method") & (analysis.table["metric"] != analysis.metric)]
    table = table[(table["candidate"] != analysis.baseline) & table["difference"].notna()]
    if table.empty:
        return None
    title = f"Differences to {analysis.baseline} on the other metrics"
    caption = f"These comparisons are exploratory. {captions.counted(analysis)} {_how(analysis)}"
    return _differences(analysis, "differences-exploratory", title, caption, table)


def _how(analysis: Analysis) -> str:
    if analysis.protocol != "model-t":
        return (
            "Numbers are means over trained models of candidate minus baseline, with p of the papers’ test, which is "
            "uncorrected and too small."
        )
    n = analysis.comparison.n_comparisons
    return (
        "Differences are candidate minus baseline, over the subjects (n) and the trained models of both. The interval is "
        f"Holm’s over {count_of(n, 'comparison')}, and excludes 0 exactly when Holm’s p is at most {analysis.alpha:g}. The "
        "test is model t, whose standard error contains subjects and trained models, with df degrees of freedom. False claim: "
        "the probability that who is ahead is not better (one-sided p, read with a flat prior). Variance ratio: trained models "
        "/ subjects. Found: the difference that this design finds with 80 % power; Needed: subjects or repeats to find the "
        "observed one. Beside them two exploratory tests that answer other questions: Wilcoxon’s signed-rank test (these "
        "trained models, other subjects) and the corrected resampled t-test (other training subjects; Nadeau and Bengio, 2003)."
    )


def _differences(analysis: Analysis, name: str, title: str, caption: str, table: pd.DataFrame) -> Table:
    head = ["Candidate", "Metric", "n", "Models", "Difference", "Interval", "p", "p (Holm)", "df", "Verdict", "False claim"]
    head += ["Variance ratio", "Found", "Needed", "p (Wilcoxon)", "p (corrected t)"]
    rows, rules, last = [], set(), ""
    for number, (_, row) in enumerate(table.iterrows()):
        metric = str(row["metric"])
        if number and metric != last:
            rules.add(number)
        last = metric
        difference, low, high = (analysis.number(metric, row[k], sign=True) for k in ("difference", "low", "high"))
        rows.append([
            Cell(str(row["candidate"])),
            Cell(analysis.head(metric)),
            *(Cell(write_number(row[k], 0), sort=float(row[k])) for k in ("n_pairs", "n_trainings")),
            Cell(difference, mark=mark_of(row), sort=float(row["difference"]), note=row["why_no_p"]),
            Cell(NO_VALUE if NO_VALUE in (low, high) else f"{low} to {high}"),
            *(Cell(p_number(row[k]), sort=float(row[k]), note=row["why_no_p"]) for k in ("p", "p_holm")),
            Cell(write_number(row["df"], 1), sort=float(row["df"])),
            Cell(str(row["verdict"])),
            Cell(p_number(row["p_false_claim"]), sort=float(row["p_false_claim"])),
            Cell(write_number(row["variance_ratio"], 2), sort=float(row["variance_ratio"])),
            Cell(analysis.number(metric, row["smallest_found"]), sort=float(row["smallest_found"])),
            Cell(_needed(row)),
            Cell(p_number(row["p_wilcoxon"]), sort=float(row["p_wilcoxon"])),
            Cell(p_number(row["p_corrected_t"]), sort=float(row["p_corrected_t"]), note=row["why_no_corrected_t"]),
        ])  # fmt: skip
    return Table(name, title, caption, head, rows, table, frozenset(rules), words=frozenset({9, 13}))


def _needed(row: pd.Series) -> str:
    """Subjects or repeats that would find the observed difference; a dash where nothing is missing or no number would do."""
    words = {"subjects_needed": "subjects", "repeats_needed": "repeats"}
    found = [f"{row[key]:,.0f} {word}" for key, word in words.items() if pd.notna(row[key])]
    return " or ".join(found) if found and row["verdict"] == "undecided" else NO_VALUE


def by_reference(analysis: Analysis) -> Table | None:
    """The primary metric against every reference that it was measured against; None with only one."""
    have = analysis.references.get(analysis.metric, [])
    order = [analysis.reference, *(r for r in have if r != analysis.reference)]
    if len(order) < 2:
        return None
    tables = {r: analysis.compare([analysis.metric], r).table for r in order}
    for reference, table in tables.items():
        table.loc[(table["family"] == "confirmatory") & (reference != analysis.reference), "family"] = "exploratory"
    tables = {r: analysis.without_confirmatory(t) for r, t in tables.items()}
    keys = list(dict.fromkeys((k, c) for t in tables.values() for k, c in zip(t["kind"], t["candidate"], strict=True)))
    cells = {
        (r, row["kind"], row["candidate"]): value_cell(analysis, analysis.metric, row)
        for r, t in tables.items()
        for _, row in t.iterrows()
    }
    rows = [[Cell(name_of(c, k)), *(cells.get((r, k, c), Cell(NO_VALUE)) for r in order)] for k, c in keys]
    caption = (
        f"{analysis.label(analysis.metric)}, mean ± standard deviation, against each reference; the first is the primary one. "
        f"{captions.counted(analysis)} Against each reference, candidates are tested by model t against {analysis.baseline}, "
        f"with Holm’s correction over {count_of(analysis.comparison.n_comparisons, 'comparison')}. "
        f"{captions.empty_words(analysis)} "
        "Who wins can depend on the reference: a fusion favours the candidates that learned from it. A rater is left out of "
        f"the references that raters make. {captions.marks(analysis, 'against another reference (exploratory)')}"
    )
    head = ["Candidate", *(_capital(words_of(r)) for r in order)]
    plain = pd.concat(tables.values(), ignore_index=True)
    return Table("by-reference", f"{analysis.label(analysis.metric)} by reference", caption, head, rows, plain, _rules(keys))


def _capital(text: str) -> str:
    text = text.removeprefix("the ")
    return text[:1].upper() + text[1:]


def _rules(keys: Sequence[tuple[str, str]]) -> frozenset[int]:
    return frozenset(i for i in range(1, len(keys)) if keys[i][0] != keys[i - 1][0])


def by_class(analysis: Analysis) -> Table | None:
    """The primary metric of each foreground class; None with one class."""
    return _breakdown(analysis, analysis.by_class, "class", analysis.classes) if len(analysis.classes) > 1 else None


def by_centre(analysis: Analysis) -> Table | None:
    """The primary metric in each centre; None with one centre."""
    table = analysis.by_centre
    groups = list(dict.fromkeys(table["group"]))
    return _breakdown(analysis, table, "centre", groups) if len(groups) > 1 else None


def _breakdown(analysis: Analysis, table: pd.DataFrame, by: str, groups: Sequence[str]) -> Table | None:
    if table.empty:
        return None
    keys = list(dict.fromkeys(zip(table["kind"], table["candidate"], strict=True)))
    cells = {(r["kind"], r["candidate"], r["group"]): described_cell(analysis, r) for _, r in table.iterrows()}
    rows = [[Cell(name_of(c, k)), *(cells.get((k, c, g), Cell(NO_VALUE)) for g in groups)] for k, c in keys]
    of_method = table[table["kind"] == "method"]
    counts = of_method.groupby("group")["n"].max()
    head = ["Candidate", *(f"{g} (n = {counts.get(g, 0)})" for g in groups)]
    label = analysis.label(analysis.metric)
    caption = (
        f"{label} against {words_of(analysis.reference)} for each {by}, mean ± standard deviation over its n subjects. "
        f"The values are described and not tested, because parts of the subjects are too few. {captions.empty_words(analysis)}"
    ).rstrip()
    return Table(f"by-{by}", f"{label} by {by}", caption, head, rows, table, _rules(keys))


def calibration(analysis: Analysis) -> Table | None:
    """Pooled calibration errors with both treatments of confidence 1, for each region."""
    table = analysis.calibration.table
    if table.empty:
        return None
    of_models = analysis.calibration.by_model
    against = list(dict.fromkeys(of_models["reference"]))
    for reference in against:
        names = {name: f"{name} by model, {reference}" for name in ("n_models", "ece", "std")}
        mine = of_models[of_models["reference"] == reference].drop(columns="reference").rename(columns=names)
        table = table.merge(mine.assign(kind="method"), "left", ["kind", "candidate", "region", "last_bin"])
    places = [(reference, last_bin) for reference in against for last_bin in ("open", "closed")]
    rows, keys = [], []
    for (kind, region, candidate), part in table.groupby(["kind", "region", "candidate"], sort=False):
        cells = [Cell(name_of(str(candidate), str(kind))), Cell(str(region))]
        for last_bin in ("open", "closed"):
            for _, row in part[part["last_bin"] == last_bin].iterrows():
                interval = f"{write_number(100 * row['ece_low'], 2)} to {write_number(100 * row['ece_high'], 2)}"
                cells += [
                    Cell(write_number(100 * row["ece"], 2), sort=float(row["ece"])),
                    Cell(NO_VALUE if NO_VALUE in interval else interval),
                    Cell(write_number(100 * row["ece_debiased"], 2), sort=float(row["ece_debiased"])),
                    Cell(write_number(100 * row["mce"], 1), sort=float(row["mce"])),
                    Cell(f"{nice_number(row['n_voxels'])} ({100 * row['counted']:.0f} %)", sort=float(row["n_voxels"])),
                ]
        for reference, last_bin in places:
            row = part[part["last_bin"] == last_bin].iloc[0]
            mean, std = (float(row[f"{name} by model, {reference}"]) for name in ("ece", "std"))
            spread = f" ± {write_number(100 * std, 2)}" if np.isfinite(std) else ""
            cells.append(Cell(write_number(100 * mean, 2) + spread, sort=mean))
        rows.append(cells)
        keys.append((kind, region))
    parts = ("ECE {} (%)", "Interval", "Debiased {} (%)", "MCE {} (%)", "Voxels {}")
    head = ["Candidate", "Region", *(p.format(b) for b in ("open", "closed") for p in parts)]
    head += [f"By model, {_capital(words_of(reference))}, {last_bin} (%)" for reference, last_bin in places]
    caption = (
        f"Calibration against {words_of(analysis.calibration.reference)}, all voxels of all test cases of "
        f"{count_of(analysis.comparison.n_subjects, 'subject')} pooled, in ten bins of equal width, with "
        f"{analysis.confidence_words} bootstrap intervals over subjects; nothing is tested. Open leaves out voxels with a "
        "confidence of exactly 1 (as the reference code of published values does), closed counts them; compare only values of "
        "the same kind. ECE is the mean and MCE the largest gap between confidence and accuracy, MCE without thin bins (fewer "
        "than 100 voxels or 3 subjects). Gaps that arise by chance make ECE larger than 0 even where confidence is right, so "
        "the interval of this plug-in estimate cannot cover 0. Debiased: the squared gap of each bin less its variance over "
        "subjects, cut at 0. Foreground: near what any rater marked. By model: the ECE of each trained model (one a fold and "
        "repeat) over the voxels of its own test cases, against "
        f"{joined([words_of(reference) for reference in against])}, mean ± standard deviation over trained models, as the "
        "SoftSeg papers have it against STAPLE; it tends to be larger, because errors of models in different directions do not "
        "cancel out."
    )
    rules = frozenset(i for i in range(1, len(keys)) if keys[i] != keys[i - 1])
    return Table("calibration", "Calibration", caption, head, rows, table, rules)


def units(analysis: Analysis) -> Table | None:
    """What the units of each candidate took, and how they ended."""
    table = analysis.results.units
    order = [c.name for c in analysis.results.experiment.candidates]
    rows = []
    for candidate, part in sorted(table.groupby("candidate"), key=lambda entry: _place(str(entry[0]), order)):
        counts = part["status"].value_counts()
        status = ", ".join(f"{counts[s]} {s}" for s in ("done", "failed", "missing", "damaged", "skipped") if s in counts)
        done = part[part["status"] == "done"]
        name = "Raters and fused labels" if candidate == "labels" else str(candidate)
        numbers = [
            ("seconds", "mean", 1),
            ("epochs", "mean", 1),
            ("best_epoch", "mean", 1),
            ("threshold", "mean", 2),
            ("peak_memory_mb", "max", 0),
        ]
        cells = [Cell(_number(done, column, how, decimals)) for column, how, decimals in numbers]
        rows.append([Cell(name), Cell(status), *cells])
    head = ["Candidate", "Units", "Seconds", "Epochs", "Best epoch", "Threshold", "Peak memory (MB)"]
    caption = "Numbers are means over finished units of one thread each; the peak memory is the largest seen. " + " ".join(
        captions.missing(analysis)
    )
    plain = table.drop(columns=["curve"], errors="ignore")
    return Table("units", "Units", caption.strip(), head, rows, plain)


def _place(candidate: str, order: Sequence[str]) -> int:
    return order.index(candidate) if candidate in order else len(order)


def _number(units: pd.DataFrame, column: str, how: str, decimals: int) -> str:
    if column not in units:
        return NO_VALUE
    values = pd.to_numeric(units[column], errors="coerce").dropna()
    return write_number(float(values.agg(how)), decimals) if len(values) else NO_VALUE
