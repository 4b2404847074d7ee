"""Describes the raters of a data set: tables of their agreement, of each against the others, and of doubtful ratings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...datasets import DATASETS, load_dataset
from ...datasets.base import IGNORE, Case, Dataset
from ...datasets.label_files.rating_folder import RatingFolder
from ...datasets.layout.rater_layout import check_raters_meet
from ...errors import RaterbenchError
from ...methods.base import Fusion
from ...methods.fusion.engine.patterns import Float64s, find_patterns
from ...parameters import check_arguments, check_keys
from ...paths import path_kind
from ...registry import kebab
from ...voxel_counts import dice_from_counts, label_counts, ratio
from ..experiment.settings import read_setting
from . import agreement
from .agreement import OutlierResult, Tally
from .batch import over_cases

CHUNKS = 8
"""Chunks of cases for each process: few, because the data set is sent with each."""


@dataclass(frozen=True)
class Duplicate:
    """Two raters with identical masks in ``cases``, of ``common`` that both rated."""

    rater: str
    other: str
    cases: tuple[str, ...]
    common: int

    @property
    def everywhere(self) -> bool:
        """Whether the masks are identical in all common cases."""
        return len(self.cases) == self.common


@dataclass(frozen=True)
class FarOff:
    """An outlying rating, whose Dice is ``below`` the median of its case."""

    case: str
    rater: str
    below: float


@dataclass(frozen=True, eq=False)
class Description:
    """Tables, a row each: ``pairs`` (case, rater, other, class, dice, dice_empty_as_1, voxels, other_voxels), ``ratings`` (one
    rater in one case, by class, against the consensus of the others; ``volume_bias`` against the others themselves),
    ``cases``, ``suspects`` (case, rater, what, other).

    Dice is NaN where neither marked the class; ``dice_empty_as_1`` is 1 there. Voxels are counted where both judged.
    ``rater_apart`` [R] and ``case_apart`` [N] hold the outliers in the order of ``raters`` and ``cases``; ``below`` [N, R] is
    the distance of each rating's Dice below the median of its case. ``coefficients`` are kappa, alpha and both means of the
    Dice of pairs, ``intervals`` their 95 % intervals. ``questions`` are those of the data set. With ``anonymous_raters``
    nothing is known of a rater over cases.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    raters: tuple[str, ...]
    n_dataset: int
    consensus: str
    pairs: pd.DataFrame
    ratings: pd.DataFrame
    cases: pd.DataFrame
    suspects: pd.DataFrame
    rater_apart: OutlierResult
    case_apart: OutlierResult
    below: Float64s
    coefficients: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    anonymous_raters: bool = False
    questions: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[int, int]:
        """Number of comparisons of two raters in a case and class: those where neither marked the class, and all."""
        compared = self.pairs["dice_empty_as_1"].notna()
        return int((compared & self.pairs["dice"].isna()).sum()), int(compared.sum())

    @property
    def outlying_raters(self) -> list[str]:
        """Raters whose Dice against the others is an outlier."""
        return [rater for rater, out in zip(self.raters, self.rater_apart.outlying, strict=True) if out]

    @property
    def outlying_cases(self) -> list[str]:
        """Cases whose agreement is an outlier."""
        return [str(case) for case in self.cases["case"][self.case_apart.outlying]]

    def outlying_ratings(self) -> list[FarOff]:
        """Outlying ratings of raters who are no outliers as a whole, the worst first."""
        beyond = np.nan_to_num(self.below, nan=-np.inf) > self.rater_apart.limit
        beyond &= ~self.rater_apart.outlying
        names = self.cases["case"].astype(str).tolist()
        found = [FarOff(names[n], self.raters[r], float(self.below[n, r])) for n, r in np.argwhere(beyond)]
        return sorted(found, key=lambda rating: -rating.below)

    def duplicates(self) -> list[Duplicate]:
        """Pairs of raters with identical masks, the most frequent first."""
        same = self.suspects[self.suspects["what"] == "identical"]
        rated = {str(rater): set(part["case"]) for rater, part in self.ratings.groupby("rater")}
        found = []
        for (one, other), part in same.groupby(["rater", "other"], sort=False):
            common = len(rated[str(one)] & rated[str(other)])
            found.append(Duplicate(str(one), str(other), tuple(part["case"].astype(str)), common))
        return sorted(found, key=lambda pair: (-len(pair.cases), pair.rater, pair.other))


@dataclass(frozen=True, eq=False)
class _Found:
    tally: Tally
    case: dict[str, Any]
    pairs: list[dict[str, Any]]
    ratings: list[dict[str, Any]]
    suspects: list[dict[str, Any]]


def find_data(spec: str, data: str | None = None, settings: Sequence[str] = ()) -> Dataset:
    """Load a folder of ratings by its path (or ``folder:PATH``), or a known data set with options as ``key=value``.

    Raises:
        RaterbenchError: there is no such folder or data set, or its data are absent or wrong.
    """
    name, colon, path = spec.partition(":")
    folder = Path(os.path.expanduser(path if colon and name == "folder" else spec))  # noqa: PTH111 - it never raises
    known = spec in DATASETS.names() and not (folder / "ratings").is_dir()
    if (colon and name == "folder") or (not known and path_kind(folder) == "folder") or "/" in spec:
        options = dict(read_setting(text, "threshold=128") for text in settings)
        check_keys(options, ("threshold", "darker"), f"options of {folder}")
        check_arguments(RatingFolder, options, f"options of {folder}")
        return RatingFolder(folder, **options)
    options = dict(read_setting(text, "raters=crowd") for text in settings)
    if "data" in options:
        raise RaterbenchError("the folder of downloaded data is no option of a data set: give it with --data")
    return load_dataset(spec, data, **options)


def describe_data(dataset: Dataset, fusion: Fusion, *, cases: int | None = None, jobs: int = 1) -> Description:
    """Describe all cases, or ``cases`` of them spread evenly; ``fusion`` makes the consensus of the other raters.

    Raises:
        RaterbenchError: a file is wrong, or no case has two raters.
    """
    if cases is not None and cases < 1:
        raise RaterbenchError(f"cases = {cases}: at least one case is needed")
    rated = dict(zip(dataset.index["case"], dataset.index["raters"], strict=True))
    check_raters_meet(rated, dataset.name, dataset.files if isinstance(dataset, RatingFolder) else ())
    n = len(dataset) if cases is None else min(cases, len(dataset))
    positions = np.unique(np.linspace(0, len(dataset) - 1, n).round().astype(int))
    if not any(len(dataset.index["raters"].iloc[p]) > 1 for p in positions):
        raise RaterbenchError(f"no case of {dataset.name} has two raters: there is nothing to compare")
    size = 1 if jobs == 1 else max(1, len(positions) // (CHUNKS * jobs))
    chunks = [positions[start : start + size].tolist() for start in range(0, len(positions), size)]
    work = partial(_look, dataset=dataset, fusion=fusion)
    found = [one for chunk in over_cases(chunks, work, "looking at cases", jobs) for one in chunk]
    index = dataset.index.iloc[positions]
    return _collect(dataset, kebab(type(fusion).__name__), found, index["subject"].astype(str).tolist())


def _collect(dataset: Dataset, consensus: str, found: list[_Found], subjects: list[str]) -> Description:
    tables = {
        name: pd.DataFrame([row for one in found for row in getattr(one, name)], columns=columns)
        for name, columns in (
            ("pairs", ["case", "rater", "other", "class", "dice", "dice_empty_as_1", "voxels", "other_voxels"]),
            ("ratings", list(found[0].ratings[0]) if found[0].ratings else None),
            ("suspects", ["case", "rater", "what", "other"]),
        )
    }
    cases = pd.DataFrame([one.case for one in found])
    rated = {rater for who in dataset.index["raters"] for rater in who}
    raters = tuple(rater for rater in dataset.raters if rater in rated)
    held = tables["ratings"].assign(dice=_dice_to_judge_by(tables["ratings"]))
    dice = held.pivot_table(index="case", columns="rater", values="dice", aggfunc="mean", observed=True)
    rater_apart, below = agreement.low_raters(dice.reindex(index=cases["case"], columns=list(raters)).to_numpy(np.float64))
    total = sum((one.tally for one in found[1:]), found[0].tally)
    by_subject: dict[str, Tally] = {}
    for subject, one in zip(subjects, found, strict=True):
        by_subject[subject] = by_subject[subject] + one.tally if subject in by_subject else one.tally
    by_subject_dice = cases[["dice", "dice_empty_as_1"]].groupby(pd.Index(subjects), sort=False).mean()
    means = {name: by_subject_dice[name].to_numpy(np.float64) for name in ("dice", "dice_empty_as_1")}
    return Description(
        dataset.name, dataset.card.title if dataset.card.citation else dataset.name, dataset.classes, raters, len(dataset),
        consensus, **tables, cases=cases, rater_apart=rater_apart,
        case_apart=agreement.low_cases(cases["dice"].to_numpy(np.float64)), below=below,
        coefficients={
            "kappa": agreement.fleiss_kappa(total),
            "alpha": agreement.krippendorff_alpha(total),
            **{name: float(by_subject_dice[name].mean()) for name in means},
        },
        intervals=agreement.intervals(list(by_subject.values()), means),
        anonymous_raters=dataset.anonymous_raters,
        questions=dataset.questions,
    )  # fmt: skip


def _dice_to_judge_by(ratings: pd.DataFrame) -> pd.Series:
    """Each rating's Dice against the consensus of the others, from which outlying raters are found.

    If some rater marked the class, raters who marked nothing in agreement with the consensus have 1; otherwise a rater who
    alone marked something would be compared with nobody. A class that nobody marked in a case stays NaN.
    """
    marked = ratings.groupby(["case", "class"])["voxels"].transform("max") > 0
    nothing = (ratings["voxels"] == 0) & (ratings["consensus_voxels"] == 0)
    return ratings["dice"].mask(marked & nothing, 1.0)


def _look(positions: list[int], dataset: Dataset, fusion: Fusion) -> list[_Found]:
    return [_look_at(dataset[position], dataset.classes, fusion) for position in positions]


def _look_at(case: Case, classes: Sequence[str], fusion: Fusion) -> _Found:
    patterns = find_patterns(case.ratings, len(classes))
    tally = agreement.tally_patterns(patterns)
    counts = agreement.pair_counts(patterns)
    dice, filled = agreement.pair_dice(counts), agreement.pair_dice(counts, empty=1.0)
    raters, n = patterns.raters, len(patterns.raters)
    pairs = [
        {"case": case.id, "rater": raters[r], "other": raters[s], "class": name}
        | {"dice": dice[k, r, s], "dice_empty_as_1": filled[k, r, s]}
        | {"voxels": int(counts.size[k, r, s]), "other_voxels": int(counts.size[k, s, r])}
        for r in range(n)
        for s in range(r + 1, n)
        for k, name in enumerate(classes[1:])
    ]
    contested = float(patterns.counts[patterns.mean.max(axis=0) < 1].sum() / max(1, patterns.counts[patterns.judges > 0].sum()))
    facts = {"case": case.id, "subject": case.subject, "centre": case.centre, "raters": n}
    for name, table in (("dice", dice), ("dice_empty_as_1", filled)):
        upper = table[:, *np.triu_indices(n, 1)]
        facts[name] = float(np.nanmean(upper)) if np.isfinite(upper).any() else np.nan
    facts["contested"] = contested
    facts |= {"kappa": agreement.fleiss_kappa(tally), "alpha": agreement.krippendorff_alpha(tally)}
    suspects = [{"case": case.id, "rater": s.rater, "what": s.what, "other": s.other} for s in agreement.suspects(patterns)]
    ratings = [row for rater in raters for row in _against_others(case, rater, classes, fusion)]
    for row, bias in zip(ratings, agreement.volume_bias(counts).T.ravel().tolist(), strict=True):
        row["volume_bias"] = bias
    return _Found(tally, facts, pairs, ratings, suspects)


def _against_others(case: Case, rater: str, classes: Sequence[str], fusion: Fusion) -> list[dict[str, Any]]:
    """Rows that compare a rater in one case with the consensus of the others, one for each foreground class.

    NaN if there is no other rater; Dice is NaN, too, if neither the rater nor the consensus has the class.
    """
    mine = case.ratings[rater]
    others = {name: labels for name, labels in case.ratings.items() if name != rater}
    counts = np.full((len(classes), len(classes)), np.nan)
    if others:
        fused = fusion.fuse(others, len(classes), geometry=case.geometry).labels
        found = label_counts(mine, fused, len(classes))
        counts = found.astype(np.float64) if found.any() else counts
    judged = float((mine != IGNORE).mean())
    both, said, meant = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    rest = counts.sum() - meant
    measures = {
        "voxels": said,
        "consensus_voxels": meant,
        "sensitivity": ratio(both, meant),
        "specificity": ratio(rest - (said - both), rest),
        "dice": dice_from_counts(both, said, meant, empty=np.nan),
    }
    return [
        {"case": case.id, "rater": rater, "class": classes[k], "judged": judged, **{m: v[k] for m, v in measures.items()}}
        for k in range(1, len(classes))
    ]
