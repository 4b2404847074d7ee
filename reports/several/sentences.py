"""What several experiments say together, in sentences that never say more than the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..tables.wording import count_of, words_of, write_number
from .several import Several
from .study import Study
from .tables import over_words

MOST_NAMED = 6
"""Candidates that a sentence names one by one."""


@dataclass(frozen=True)
class Summary:
    """``headline`` is one sentence; ``findings`` and ``warnings`` are sentences, the most important first."""

    headline: str
    findings: Sequence[str]
    warnings: Sequence[str]


def summarise(several: Several) -> Summary:
    """The first screen, made from the numbers alone."""
    tested = [study for study in several.studies if not study.separation.reason]
    findings = [_best_on(several, study) for study in several.studies]
    findings += [*_against_baseline(several, tested), *_separating(tested), *_orders(several), over_words(several)]
    return Summary(_headline(several, tested), findings, _warnings(several))


def listed(names: Sequence[str]) -> str:
    """``A``, ``A and B``, ``A, B and C``; of many, the first and how many more."""
    names = list(names)
    if len(names) > MOST_NAMED:
        names = [*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _headline(several: Several, tested: Sequence[Study]) -> str:
    start = f"{count_of(len(several.studies), 'experiment')} on {count_of(several.n_datasets, 'data set')}"
    start += f" share {count_of(len(several.shared), 'candidate')}, compared on {several.label}."
    if not tested:
        return f"{start} None of them allows a test between candidates."
    where = "each of them" if len(tested) == len(several.studies) else f"{len(tested)} of them, which allow a test"
    always = [name for name in several.shared if all(name in study.ties.group for study in tested)]
    if not always:
        return f"{start} No candidate is among the best on {where}."
    if len(always) == 1 and all(study.ties.group == always for study in tested):
        return f"{start} {always[0]} is told apart from every other candidate as the best, on {where}."
    if len(always) == len(several.shared) and all(len(study.ties.group) == len(always) for study in tested):
        return f"{start} On {where}, no candidate can be told from the best."
    verb = "is" if len(always) == 1 else "are"
    return f"{start} {listed(always)} {verb} among those that cannot be told from the best, on {where}."


def _best_on(several: Several, study: Study) -> str:
    """Who is ahead on one data set, and who cannot be told from there."""
    mean = study.means["mean"]
    if mean.isna().all():
        return f"{study.name}: the candidates share no value."
    best = str(mean.idxmax() if several.better == "higher" else mean.idxmin())
    size = f"{best} has the best mean, {study.number(float(mean[best]))}"
    group, n = study.ties.group, len(several.shared)
    if study.separation.reason:
        return f"{study.name}: {size}; no test is possible: {study.separation.reason}."
    if len(group) == 1:
        return f"{study.name}: {size}, and is told apart from all {n - 1} others."
    names = "" if len(group) == n else f": {listed(list(group))}"
    return f"{study.name}: {size}; {len(group)} of {n} candidates cannot be told from the best{names}."


def _against_baseline(several: Several, tested: Sequence[Study]) -> list[str]:
    """On how many data sets each candidate is better, worse or equivalent; those that are undecided everywhere together."""
    said, open_ = [], []
    for name in several.shared:
        if name == several.baseline or not tested:
            continue
        words: dict[str, list[str]] = {}
        for study in tested:
            words.setdefault(study.verdicts[name].words, []).append(study.name)
        if set(words) == {"undecided"}:
            open_.append(name)
            continue
        decided = [f"{verdict} on {listed(found)}" for verdict, found in words.items() if verdict != "undecided"]
        rest = [f"undecided on {listed(words['undecided'])}"] if "undecided" in words else []
        said.append(f"{name} against {several.baseline}: {'; '.join([*decided, *rest])}.")
    if open_:
        said.append(f"{listed(open_)} against {several.baseline}: undecided on every data set.")
    return said


def _separating(tested: Sequence[Study]) -> list[str]:
    """Which data set separates best and which separates nothing."""
    none = [study.name for study in tested if study.separation.apart == 0]
    said = []
    if none:
        said.append(f"On {listed(none)} no pair of candidates is told apart, so the order there says nothing by itself.")
    some = [study for study in tested if study.separation.apart]
    if len(tested) > 1 and some:
        most = max(some, key=lambda study: study.separation.share)
        found = most.separation
        size = f"a difference of {most.number(found.smallest_found)} is found with 80 % power"
        said.append(f"{most.name} separates the candidates best: {found.apart} of {found.pairs} pairs are told apart; {size}.")
    return said


def _orders(several: Several) -> list[str]:
    tau = several.agreement["tau"].dropna()
    if tau.empty:
        return []
    ends = [write_number(float(end), 2, sign=True) for end in (tau.min(), tau.max())]
    size = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
    pairs = "the two data sets" if len(several.studies) == 2 else "pairs of data sets"
    return [f"The orders of the candidates on {pairs} agree with Kendall’s tau {size} (described, not tested)."]


def notices(several: Several) -> list[str]:
    """What must be read before any number: missing, damaged and failed units of each experiment."""
    return [f"{study.name}: {notice}" for study in several.studies for notice in study.analysis.notices]


def _warnings(several: Several) -> list[str]:
    studies = several.studies
    said = []
    for name, found in several.configurations.items():
        differ = "; ".join(f"{where}: {how}" for where, how in found.items())
        said.append(f"{name} is not configured in the same way everywhere ({differ}).")
    if several.elsewhere:
        left = "; ".join(f"{name} (only in {listed(where)})" for name, where in several.elsewhere.items())
        said.append(f"Not compared, because not every experiment has results of them: {left}.")
    said += _differing_settings(several)
    if several.n_datasets < len(studies):
        said.append(f"{len(studies)} experiments are on {count_of(several.n_datasets, 'data set')}: the same data count once.")
    for study in studies:
        if not study.is_primary:
            said.append(f"{study.name} declared {study.analysis.label(study.analysis.metric)} as its primary metric.")
        if study.sizes[2] == 1:
            said.append(f"{study.name} has one repeat: what another training would change is known from its folds alone.")
        if collapsed := [name for name in several.shared if name in study.analysis.collapsed]:
            said.append(f"{study.name}: {listed(collapsed)} collapsed ({study.analysis.collapsed[collapsed[0]]}).")
    declared = studies[0].analysis.baseline
    if several.baseline != declared:
        said.append(
            f"Not every experiment has {declared}, the baseline of {studies[0].name}: {several.baseline} takes its place."
        )
    return said


def _differing_settings(several: Several) -> list[str]:
    """Where references, budgets or alphas differ between experiments."""
    said = []
    references = {study.name: words_of(study.reference) for study in several.studies}
    if len(set(references.values())) > 1:
        each = "; ".join(f"{name} against {words}" for name, words in references.items())
        said.append(f"The experiments measure against different references: {each}.")
    budgets = [study.analysis.results.experiment.to_json()["budget"] for study in several.studies]
    if any(budget != budgets[0] for budget in budgets):
        said.append("The experiments have different training budgets, which the table of experiments lists.")
    if len({study.analysis.alpha for study in several.studies}) > 1:
        each = ", ".join(f"{study.name} {study.analysis.alpha:g}" for study in several.studies)
        said.append(f"Each experiment is tested at its own alpha: {each}.")
    return said
