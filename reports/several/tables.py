"""The tables of several experiments: means, ranks, differences, separation, and what the experiments are."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from ..tables.captions import split_words
from ..tables.table import Cell, Table
from ..tables.wording import NO_VALUE, count_of, p_number, words_of, write_number
from .several import ENOUGH_DATASETS, Several
from .study import Study

OVER = "over data sets"
"""The rows of means over data sets in the table of differences."""
DIFFERENCES = [
    *(
        "candidate",
        "experiment",
        "difference",
        "low",
        "high",
        "level",
        "p",
        "p_holm",
        "df",
        "verdict",
        "n_subjects",
        "n_models",
    ),
    *("n_models", "n_datasets", "smallest_difference", "remark"),
]
"""Columns of the table of differences as plain numbers."""


def several_tables(several: Several) -> list[Table]:
    """Every table that the experiments have something for, the means first."""
    makers = (means, ranks, differences, separation, order, experiments, configurations)
    return [table for table in (make(several) for make in makers) if table is not None]


def means(several: Several) -> Table:
    """Candidates x experiments: the mean of each, bold where it cannot be told from the best."""
    rows, plain = [], []
    for name in several.shared:
        cells = [Cell(name)]
        for study in several.studies:
            mean, std = map(float, study.means.loc[name].to_numpy(dtype=float))
            text = study.number(mean) + (f" ± {study.number(std)}" if np.isfinite(std) else "")
            bold = _tested(study) and name in study.ties.group
            cells.append(Cell(text, bold, sort=mean))
            n = study.sizes[0]
            plain.append([name, study.name, study.analysis.label(several.metric), study.reference, mean, std, n, bold])
        rows.append(cells)
    caption = [
        f"Mean ± standard deviation over subjects of {several.label}, over the subjects and trainings that all candidates "
        f"share ({_counts(several, 0, 'subject')}). {_references(several)}",
        "Bold: cannot be told from the best on this data set (model t over all pairs, Holm’s correction over the pairs of the "
        f"data set, exploratory); where nothing can be tested, nothing is bold. {_policy(several)}",
    ]
    columns = ["candidate", "experiment", "metric", "reference", "mean", "std", "n_subjects", "tied_with_best"]
    head = ["Candidate", *(study.name for study in several.studies)]
    return Table(
        "several-means", f"{several.label} of each candidate on each data set", caption, head, rows,
        pd.DataFrame(plain, columns=columns),
    )  # fmt: skip


def ranks(several: Several) -> Table:
    """Candidates x experiments: the rank and its interval."""
    rows, plain = [], []
    for name in several.shared:
        cells, best = [Cell(name)], 0
        for study in several.studies:
            rank, low, high = map(float, study.ranks.loc[name].to_numpy(dtype=float))
            interval = "" if np.isnan(low) else f" ({low:g} to {high:g})"
            cells.append(Cell(f"{write_number(rank, 0 if rank == round(rank) else 1)}{interval}", sort=rank))
            best += _tested(study) and name in study.ties.group
            plain.append([name, study.name, rank, low, high])
        tested = sum(map(_tested, several.studies))
        rows.append([*cells, Cell(f"{best} of {tested}", sort=float(best))])
    caption = (
        f"Rank by the mean of {several.label} among the {len(several.shared)} candidates that all experiments have (1 is "
        f"best), with its {_confidence(several)} interval: it contains other subjects and other trainings on the same data "
        "set. Last column: on how many of the data sets that allow a test the candidate cannot be told from the best. Ranks "
        "are not averaged."
    )
    head = ["Candidate", *(study.name for study in several.studies), "Among the best"]
    columns = ["candidate", "experiment", "rank", "rank_low", "rank_high"]
    return Table(
        "several-ranks", "Ranks on each data set", caption, head, rows, pd.DataFrame(plain, columns=columns),
    )  # fmt: skip


def differences(several: Several) -> Table:
    """Differences to the baseline on each data set, and over data sets where there are enough."""
    rows: list[list[Cell]] = []
    plain: list[dict[str, object]] = []
    rules = set()
    for name in several.shared:
        if name == several.baseline:
            continue
        rules.add(len(rows))
        for study in several.studies:
            rows.append(_difference_cells(study, name))
            plain.append(_plain_difference(study, name))
        if name in several.over_datasets.index:
            mean, low, high, n = map(float, several.over_datasets.loc[name].to_numpy(dtype=float))
            number, level = several.studies[0].number, 1 - several.studies[0].analysis.alpha
            ends = f"{number(low, sign=True)} to {number(high, sign=True)}"
            size = Cell(number(mean, sign=True), sort=mean)
            rows.append([Cell(name), Cell(OVER), size, Cell(ends), *[Cell(NO_VALUE)] * 4])
            over = {"difference": mean, "low": low, "high": high, "level": level, "n_datasets": int(n)}
            plain.append({"candidate": name, "experiment": OVER, **over})
    caption = [
        f"Mean difference to {several.baseline} of {several.label} on each data set, over the n subjects and trained models of "
        "both. Two-sided model t over subjects and trained models; Holm’s correction of p and of the interval over the "
        f"{count_of(len(several.shared) - 1, 'comparison')} of each data set. Exploratory: the experiments declared their own "
        f"comparisons, which stand in their own reports. {_relevance(several)} {_policy(several)}".strip(),
        over_words(several),
    ]
    head = ["Candidate", "Data set", "Difference", "Interval", "p (Holm)", "Verdict", "n", "Models"]
    table = pd.DataFrame(plain, columns=DIFFERENCES).astype(dict.fromkeys(("n_subjects", "n_models", "n_datasets"), "Int64"))
    title = f"Differences to {several.baseline}"
    return Table("several-differences", title, caption, head, rows, table, frozenset(rules - {0}), frozenset({1, 5}))


def _difference_cells(study: Study, name: str) -> list[Cell]:
    verdict = study.verdicts[name]
    test = verdict.test
    ends = f"{study.number(verdict.low, sign=True)} to {study.number(verdict.high, sign=True)}"
    return [
        Cell(name),
        Cell(study.name),
        Cell(study.number(test.mean, sign=True), sort=test.mean),
        Cell(ends if np.isfinite(verdict.low) else NO_VALUE),
        Cell(p_number(verdict.p_holm), sort=verdict.p_holm),
        Cell(f"no test: {test.reason}" if test.reason else verdict.words),
        Cell(f"{test.n_subjects}", sort=float(test.n_subjects)),
        Cell(f"{test.n_models}", sort=float(test.n_models)),
    ]


def _plain_difference(study: Study, name: str) -> dict[str, object]:
    verdict = study.verdicts[name]
    test = verdict.test
    return {
        "candidate": name,
        "experiment": study.name,
        "difference": test.mean,
        "low": verdict.low,
        "high": verdict.high,
        "level": verdict.level,
        "p": test.p,
        "p_holm": verdict.p_holm,
        "df": test.df,
        "verdict": "" if test.reason else verdict.words,
        "n_subjects": test.n_subjects,
        "n_models": test.n_models,
        "smallest_difference": study.smallest_difference,
        "remark": test.reason or test.exploratory,
    }


def separation(several: Several) -> Table:
    """How well each data set can separate methods at all."""
    rows, plain = [], []
    for study in several.studies:
        found, (subjects, models, repeats) = study.separation, study.sizes
        share = NO_VALUE if found.reason else f"{found.apart} of {found.pairs}"
        ratio = "∞" if np.isinf(found.variance_ratio) else write_number(found.variance_ratio, 2)
        rows.append([
            Cell(study.name), *(Cell(str(n), sort=float(n)) for n in (subjects, models, repeats)),
            Cell(share, sort=found.share, note=found.reason),
            Cell(study.number(found.smallest_found), sort=found.smallest_found),
            Cell(study.number(found.gap), sort=found.gap), Cell(ratio, sort=found.variance_ratio),
        ])  # fmt: skip
        plain.append([study.name, subjects, models, repeats, found.apart, found.pairs, found.share, found.smallest_found,
                      found.gap, found.variance_ratio, found.reason])  # fmt: skip
    caption = (
        f"How well each data set, with its number of subjects and trainings, can separate these {len(several.shared)} "
        f"candidates on {several.label}. Told apart: pairs with p ≤ alpha (model t, Holm’s correction over the pairs of the "
        "data set, exploratory). Found with 80 % power: the smallest difference between two candidates that this design finds "
        "so often at the level of Holm’s first step, median over pairs. Best minus worst: of the candidates’ means; where it "
        "is below the difference that is found, the order says little. Variance ratio: of trained models to subjects, median "
        "over pairs; a large one asks for more repeats, a small one for more subjects."
    )
    head = [
        "Data set",
        "Subjects",
        "Models",
        "Repeats",
        "Told apart",
        "Found with 80 % power",
        "Best minus worst",
        "Variance ratio",
    ]
    columns = [
        *("experiment", "n_subjects", "n_models", "n_repeats", "n_apart", "n_pairs", "share_apart", "smallest_found"),
        *("best_minus_worst", "variance_ratio", "reason"),
    ]
    title = "What each data set can tell apart"
    return Table("several-separation", title, caption, head, rows, pd.DataFrame(plain, columns=columns))


def order(several: Several) -> Table | None:
    """How far the orders of candidates agree; None with fewer than three candidates."""
    found = several.agreement
    if found.empty:
        return None
    rows = [
        [Cell(str(one)), Cell(str(other)), Cell(write_number(tau, 2, sign=True), sort=tau)]
        for one, other, tau in found.to_numpy().tolist()
    ]
    caption = (
        f"Kendall’s tau-b between the orders of the {len(several.shared)} candidates by their means of {several.label}: +1 for "
        "the same order, −1 for the reverse, around 0 for orders that have nothing to do with each other. Described, not "
        "tested: each order itself is uncertain, as the intervals of ranks show."
    )
    return Table(
        "several-order", "Agreement of the orders", caption, ["Data set", "Other data set", "Kendall’s tau"], rows, found,
        words=frozenset({1}),
    )  # fmt: skip


def experiments(several: Several) -> Table:
    """What each experiment is."""
    rows, plain = [], []
    for study in several.studies:
        results, analysis = study.analysis.results, study.analysis
        facts, experiment = results.facts, results.experiment
        sizes = [facts["n_subjects"], facts["n_cases"], len(facts["raters"])]
        split = split_words(analysis).removeprefix("Split: ").rstrip(".")
        budget = ", ".join(f"{key} = {json.dumps(value)}" for key, value in sorted(experiment.to_json()["budget"].items()))
        words = [split, words_of(study.reference), analysis.declared_baseline, budget or "the default"]
        counts = [Cell(str(n), sort=float(n)) for n in sizes]
        rows.append([Cell(study.name), Cell(experiment.name), *counts, *map(Cell, words)])
        more = [analysis.label(analysis.metric), facts["title"], facts["fingerprint"], facts["split_hash"]]
        plain.append([study.name, experiment.name, experiment.dataset, *sizes, *words, *more])
    caption = (
        "The experiments as they were declared: the baseline is that of an experiment’s own report. Subjects, cases and raters "
        "are those of the whole data set. Nothing is tested here."
    )
    head = ["Data set", "Experiment", "Subjects", "Cases", "Raters", "Split", "Reference", "Baseline", "Budget"]
    columns = [
        *("name", "experiment", "dataset", "n_subjects", "n_cases", "n_raters", "split", "reference", "baseline", "budget"),
        *("primary_metric", "title", "fingerprint", "split_hash"),
    ]
    title = "Size, split, reference and budget of each experiment"
    table = pd.DataFrame(plain, columns=columns)
    return Table("several-experiments", title, caption, head, rows, table, words=frozenset({1, 5, 6, 7, 8}))


def configurations(several: Several) -> Table | None:
    """Candidates of one name that are configured differently; None if all are the same everywhere."""
    if not several.configurations:
        return None
    pairs = [(name, where, how) for name, found in several.configurations.items() for where, how in found.items()]
    rules = frozenset(place for place in range(1, len(pairs)) if pairs[place][0] != pairs[place - 1][0])
    caption = (
        "Candidates that are matched by their name, but are not the same method with the same options in every experiment. "
        "What differs between data sets can then come from the configuration."
    )
    return Table(
        "several-configurations", "Same name, other configuration", caption, ["Candidate", "Data set", "Configuration"],
        [[*map(Cell, pair)] for pair in pairs], pd.DataFrame(pairs, columns=["candidate", "experiment", "configuration"]),
        rules, frozenset({1, 2}),
    )  # fmt: skip


def over_words(several: Several) -> str:
    """What the rows over data sets are, or why there are none."""
    n = several.n_datasets
    if not several.over_datasets.empty:
        return (
            f"{OVER.capitalize()}: mean and {_confidence(several)} t interval over {n} data sets, each of which counts the "
            "same; not corrected for the number of candidates. It is about other data sets like these."
        )
    if n >= ENOUGH_DATASETS:
        return "There is no mean over data sets: their values have different units, or too few of them have the differences."
    few = f"There is no mean over data sets and no test: {count_of(n, 'data set')} cannot stand for others"
    return f"{few} ({ENOUGH_DATASETS} are needed), so each is described on its own."


def _tested(study: Study) -> bool:
    """Whether any two candidates can be tested."""
    return not study.separation.reason


def _counts(several: Several, place: int, word: str) -> str:
    return ", ".join(f"{study.name}: {count_of(study.sizes[place], word)}" for study in several.studies)


def _confidence(several: Several) -> str:
    return several.studies[0].analysis.confidence_words


def _references(several: Several) -> str:
    """What each data set measures against."""
    found = {study.name: words_of(study.reference) for study in several.studies}
    if len(set(found.values())) == 1:
        return f"Measured against {next(iter(found.values()))}."
    each = "; ".join(f"{name}: against {words}" for name, words in found.items())
    return f"References differ ({each}), so values are compared within a data set only."


def _relevance(several: Several) -> str:
    """Which differences were declared as relevant."""
    found = {study.name: study.smallest_difference for study in several.studies}
    if not any(found.values()):
        return "No smallest relevant difference was declared, so nothing can be called equivalent."
    if len(set(found.values())) == 1:
        return f"Smallest relevant difference: {next(iter(found.values())):g}."
    return f"Smallest relevant difference: {', '.join(f'{name} {value:g}' for name, value in found.items())} (0: not declared)."


def _policy(several: Several) -> str:
    """What the metric does on empty masks, and how many values are not defined."""
    policies = dict.fromkeys(study.analysis.empty_policy(several.metric) for study in several.studies)
    missing = [int((~np.isfinite(study.values.values)).sum()) for study in several.studies]
    lacking = f" {sum(missing)} values are missing or not defined, and left out." if any(missing) else ""
    return " ".join(filter(None, policies)) + lacking
