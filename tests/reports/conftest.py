"""A made-up experiment on disk, with every part that a report can show, or without some of them."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from raterbench.benchmark.experiment.experiment import DEFAULT_REFERENCES, Candidate, Experiment, Split
from raterbench.benchmark.store.results import Results, read_results
from raterbench.benchmark.store.run_file import write_json
from raterbench.benchmark.store.units import (
    Calibration,
    Origin,
    Picture,
    Pictures,
    PredictedPicture,
    PredictedPictures,
    RaterErrors,
    ThresholdSearch,
    ValueCounts,
)
from raterbench.methods.fit_report import EpochPictures, FitReport
from raterbench.reports.analysis import Analysis

from ..made_units import MadeUnit, write_run

NAMES = ("Majority vote", "STAPLE", "Soft average", "Random rater", "Confusion matrices", "TGCE_ss 50% & more")
CONFUSION_NAMES = ("Confusion matrices", "TGCE_ss 50% & more")
OVERLAP = ("dice", "precision", "recall", "rvd", "avd", "false positive volume", "surface dice", "hd95")
FEW = ("dice", "recall", "false positive volume", "hd95")
"""Most studies have these alone: to read and compare a metric takes longer than most of what tests look at."""
PROBABILISTIC = ("brier", "brier foreground")
FUSED = ("majority-vote", "staple", "soft-average")
SMALL: dict[str, Any] = {
    "candidates": ("A", "B", "C"), "subjects": 6, "slices": 1, "folds": 2, "raters": ("Ada", "Ben"), "pictures": False,
    "confusions": False, "classes": ("lesion",), "against": ("raters", "soft average"),
}  # fmt: skip
"""A study of three candidates, for tests of what tables and sentences say."""
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


@dataclass
class Study:
    """What the made-up experiment is like."""

    candidates: Sequence[str] = NAMES
    classes: Sequence[str] = ("white matter", "grey matter")
    raters: Sequence[str] = ("Ada", "Ben", "Cleo", "Dan", "Eve")
    overlap: Sequence[str] = FEW
    against: Sequence[str] = ("raters", "majority", "staple", "soft average")
    subjects: int = 12
    slices: int = 2
    repeats: int = 1
    folds: int = 5
    truth: bool = True
    pictures: bool = True
    confusions: bool = True
    compared: bool = True
    identified: Sequence[str] = CONFUSION_NAMES
    believed: Sequence[str] = CONFUSION_NAMES
    calibration: bool = True
    volume: bool = False
    failed: Sequence[tuple[str, int, int]] = ()
    skipped: str = ""
    empty: bool = False
    saturated: bool = True
    soft: bool = True

    @property
    def references(self) -> list[str]:
        known = ["truth"] if self.truth else []
        return [*known, *self.against, f"rater:{self.raters[0]}"]

    @property
    def cases(self) -> list[tuple[str, str, str]]:
        return [
            (f"s{s:02d}-z{z}", f"s{s:02d}", f"centre {'ABC'[s % 3]}") for s in range(self.subjects) for z in range(self.slices)
        ]

    def rows(self, candidate: str, kind: str, skill: float, cases: Sequence[Any], rng: np.random.Generator) -> list[list[Any]]:
        rows = []
        alone = np.random.default_rng([len(candidate), len(cases)])
        for case, subject, centre in cases:
            hard = (int(subject[1:]) * 7919 % 13) / 13
            for reference in self.references:
                dice = np.clip(0.92 - 0.12 * hard + 0.02 * skill + rng.normal(0, 0.015), 0, 1)
                for k, name in enumerate(self.classes):
                    for metric in self.overlap:
                        rows.append([candidate, case, subject, centre, name, reference, metric, value(metric, dice - 0.05 * k)])
                if kind != "rater":
                    rows += [
                        [candidate, case, subject, centre, "all", reference, m, float((1 - dice) / 4)] for m in PROBABILISTIC
                    ]
                    if reference == "soft average":
                        error = float((1 - dice) / 5)
                        rows.append([candidate, case, subject, centre, "all", reference, "entropy error", error])
            # Nobody asked for the other raters as references: only the primary metric is there.
            for rater in self.raters[1:]:
                near = np.clip(0.9 - 0.12 * hard + 0.02 * skill + alone.normal(0, 0.015), 0, 1)
                reference = f"rater:{rater}"
                rows += [[candidate, case, subject, centre, c, reference, "dice", float(near)] for c in self.classes]
            entropy = max(0.0, 0.02 + 0.05 * hard + 0.01 * skill + rng.normal(0, 0.004))
            rows.append([candidate, case, subject, centre, "all", "none", "entropy", float(entropy)])
        return rows

    def rater_rows(self, candidate: str, error: float, cases: Sequence[Any], rng: np.random.Generator) -> list[list[Any]]:
        reference = "truth" if self.truth else "raters"
        head = [[candidate, case, subject, centre, "all", reference, "confusion rmse"] for case, subject, centre in cases]
        return [[*row, float(abs(error + rng.normal(0, 0.01)))] for row in head]


def value(metric: str, dice: float) -> float:
    """A plausible value of an overlap or distance metric of a segmentation with this Dice."""
    return float(
        {"hd95": 12 * (1 - dice), "avd": 1 - dice, "rvd": dice - 1, "false positive volume": 300 * (1 - dice)}.get(metric, dice)
    )


def counts(n_cases: int, references: int, sharp: float, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Calibration counts [cases, references, regions 2, bins 11, 3] of an overconfident network."""
    middle = np.append(np.linspace(0.05, 0.95, 10), 1.0)
    n = (rng.uniform(0.5, 1.5, (n_cases, references, 2, 11)) * np.geomspace(4, 900, 11)).astype(np.int64)
    n[..., :4] = 0
    accuracy = np.clip(middle - sharp * (middle - 0.3) * (1.05 - middle) * 3 + rng.normal(0, 0.01, n.shape), 0, 1)
    confidence = np.clip(middle + rng.normal(0, 0.004, n.shape), 0, 1)
    confidence[..., 10] = 1
    return np.stack([n, (n * accuracy).astype(np.int64), (n * confidence * 2**24).astype(np.int64)], axis=-1)


def values(n_cases: int, n_classes: int, softness: int) -> npt.NDArray[np.int64]:
    """Counts of predicted probabilities [cases, classes, 22]: exact zeros, few in the middle, and many near 1."""
    middle = np.linspace(-1, 1, 20)
    between = 2.0 ** (4 + softness - 8 * (1 - middle**2)) * 100
    one = np.concatenate([[20_000], between, [0 if softness % 2 else 500]]).astype(np.int64)
    return np.broadcast_to(one, (n_cases, n_classes, 22)).copy()


def search(softness: float, rng: np.random.Generator) -> ThresholdSearch:
    """A search whose Dice falls from its best threshold, the more the softer predictions are."""
    thresholds = tuple(round(0.05 * step, 2) for step in range(1, 20))
    best, level = rng.uniform(0.3, 0.6), rng.normal(0.85, 0.01)
    dice = tuple(float(level - 4 * softness * (t - best) ** 2) for t in thresholds)
    return ThresholdSearch(thresholds, dice, 4, thresholds[int(np.argmax(dice))])


def by_epoch(study: Study, number: int) -> EpochPictures | None:
    """Predictions of a disc that becomes surer; every third training stopped early."""
    if not study.soft:
        return None
    epochs = (0, 1, 4, 13, 28) if number % 3 == 2 else (0, 1, 4, 13, 39, 28)
    disc_ = disc((40, 48), 12)
    maps = [(disc_ * 20 * (k + 1) + 60 // (k + 1)).astype(np.uint8) for k in range(len(epochs) - 1)]
    return EpochPictures(100 * disc_, epochs, np.stack([*maps, 250 * disc_]))


def disc(shape: Sequence[int], radius: float, shift: float = 0.0) -> npt.NDArray[np.uint8]:
    """Labels of a ball of class 1 with a core of the last class."""
    grid = np.indices(shape, dtype=float)
    centre = [(s - 1) / 2 for s in shape]
    distance = np.sqrt(sum((g - c - shift) ** 2 for g, c in zip(grid, centre, strict=True)))
    return (distance < radius).astype(np.uint8)


def labels(study: Study, radius: float, shift: float = 0.0) -> npt.NDArray[np.uint8]:
    shape = (9, 40, 48) if study.volume else (40, 48)
    found = disc(shape, radius, shift)
    if len(study.classes) > 1:
        found[disc(shape, radius / 2, shift) > 0] = 2
    return found


def pictures(study: Study, shown: Sequence[str]) -> Pictures:
    """The kept cases as the store holds them."""
    rng = np.random.default_rng(5)
    found = []
    for n, case in enumerate(shown):
        truth = labels(study, 12 + 2 * n)
        image = np.clip(70 + 50 * truth + rng.normal(0, 12, truth.shape), 0, 255).astype(np.uint8)
        ratings = np.stack([labels(study, 10 + 2 * n + i, shift=i - 2) for i in range(len(study.raters))])
        why = "lowest rater agreement (Dice 0.52)"
        found.append(Picture(case, why, image, tuple(study.raters), ratings, truth if study.truth else None))
    return Pictures(tuple(found))


def confusions(study: Study, rng: np.random.Generator) -> RaterErrors:
    """Each rater's confusion, as estimated and as it was."""
    k = len(study.classes) + 1
    estimate, truth = [], []
    for r in range(len(study.raters)):
        true = np.full((k, k), 0.04 * (r + 1) / (k - 1))
        np.fill_diagonal(true, 1 - 0.04 * (r + 1))
        guess = np.clip(true + rng.normal(0, 0.02, (k, k)), 0.001, 1)
        estimate.append(guess / guess.sum(axis=0))
        truth.append(true if study.compared else np.full((k, k), np.nan))
    reference = "none" if not study.compared else "truth" if study.truth else "others"
    references = (reference,) * len(study.raters)
    return RaterErrors(tuple(study.raters), references, np.stack(estimate), np.stack(truth))


def unit(study: Study, number: int, repeat: int, fold: int) -> MadeUnit:
    """One finished unit of a candidate."""
    name = study.candidates[number]
    rng = np.random.default_rng([number, repeat, fold])
    test = tested(study, fold)
    curve = [(e, float(0.2 + np.exp(-e / 8)), float(0.26 + 0.05 * fold / 5 + np.exp(-e / 8))) for e in range(40)]
    warnings = ["rater Eve is absent from the training part"] if fold == 3 and number % 2 == 0 else []
    training: dict[str, Any] = {
        "report": FitReport(curve=curve, best_epoch=28, warnings=warnings, alarms=warnings, by_epoch=by_epoch(study, number)),
        "threshold": search(0.02 + 0.03 * number, rng) if study.soft else ThresholdSearch((0.5,), (0.8,), 4, 0.5),
        "n_train": 16,
        "n_validation": 4,
        "n_test": len(test),
        "assignment": np.packbits([[r != study.raters[-1] for r in study.raters]] * 16),
    }
    parts: dict[str, object] = {}
    if study.calibration:
        references = [r for r in study.references if not r.startswith("rater:")]
        found = counts(len(test), len(references), 0.1 + 0.08 * number, rng)
        if not study.saturated:
            found[..., 10, :] = 0
        for i, reference in enumerate(references):
            parts[f"calibration/{reference}"] = Calibration(reference, ("image", "foreground"), found[:, i])
    if study.soft:
        parts["values"] = ValueCounts(tuple(study.classes), values(len(test), len(study.classes), number))
    if study.confusions and name in study.identified:
        parts["raters"] = confusions(study, rng)
    if study.pictures and repeat == 0:
        parts["predicted/0"] = PredictedPictures(tuple(predicted(study, c[0], number) for c in test[:1]))
    rows = study.rows(name, "method", skill=0.4 * number, cases=test, rng=rng)
    if study.confusions and name in study.identified:
        rows += study.rater_rows(name, 0.04 + 0.01 * number, test, rng)
    if study.empty:
        rows = [[*row[:-1], None if row[6] == "hd95" else row[-1]] for row in rows]
    return MadeUnit(name, "method", repeat, fold, rows=rows, parts=parts, training=training, origin=origin(31.5 + fold))


def origin(seconds: float) -> Origin:
    return Origin(seconds, 512.0, {"python": "3.11.4", "torch": "2.13.0"}, "x86_64, Linux", code="abc")


def label_units(study: Study, fold: int) -> list[MadeUnit]:
    """The rows that need no network on one fold, and its kept case."""
    rng = np.random.default_rng([99, fold])
    test = tested(study, fold)
    rows = [row for r, name in enumerate(study.raters) for row in study.rows(name, "rater", 1.5 - r / 2, test, rng)]
    shown: dict[str, object] = {}
    if study.pictures and fold < 4:
        shown["pictures/0"] = pictures(study, [c[0] for c in test[:1]])
    units = [MadeUnit("raters", "raters", 0, fold, rows=rows, parts=shown, origin=origin(2.0))]
    for i, name in enumerate(FUSED):
        rows = study.rows(name, "fusion", 2.5 + i / 5, test, rng)
        parts: dict[str, object] = {}
        if study.confusions and name == "staple":
            rows += study.rater_rows(name, 0.05, test, rng)
            parts["raters"] = confusions(study, rng)
        units.append(MadeUnit(name, "fusion", 0, fold, rows=rows, parts=parts, origin=origin(2.0)))
    return units


def predicted(study: Study, case: str, number: int) -> PredictedPicture:
    """A stored prediction, and for some candidates maps of all raters but the last: low around the outline."""
    hard = labels(study, 11 + number, shift=number / 2)
    probability = np.stack([(hard == k) * np.uint8(255) for k in range(len(study.classes) + 1)]).astype(np.uint8)
    if study.candidates[number] not in study.believed:
        return PredictedPicture(case, probability)
    names, maps = tuple(study.raters[:-1]), []
    for i in range(len(names)):
        edge = (labels(study, 15, shift=i - 2) > 0) ^ (labels(study, 9 + number / 2, shift=i - 2) > 0)
        maps.append(np.where(edge, 150 - 20 * i, 250 - 5 * number).clip(0, 255).astype(np.uint8))
    return PredictedPicture(case, probability, names, np.stack(maps))


def tested(study: Study, fold: int) -> list[tuple[str, str, str]]:
    """The test cases of a fold."""
    subjects = sorted({c[1] for c in study.cases})
    return [c for c in study.cases if subjects.index(c[1]) % study.folds == fold]


def write_study(folder: Path, study: Study) -> Path:
    """Write the whole experiment as a run would have left it."""
    experiment = Experiment(
        name="quick",
        description="Six ways to learn from raters who disagree.",
        candidates=tuple(Candidate(n, "majority-vote") for n in study.candidates),
        split=Split(folds=study.folds, repeats=study.repeats),
        references=(*DEFAULT_REFERENCES, f"rater:{study.raters[0]}"),
    )
    units = [made for fold in range(study.folds) for made in label_units(study, fold)]
    for number, name in enumerate(study.candidates):
        for repeat in range(study.repeats):
            for fold in range(study.folds):
                if name == study.skipped:
                    units.append(MadeUnit(name, "method", repeat, fold, "skipped", "needs the truth"))
                elif (name, repeat, fold) in study.failed:
                    units.append(MadeUnit(name, "method", repeat, fold, "failed", "the loss became NaN"))
                else:
                    units.append(unit(study, number, repeat, fold))
    facts = {
        "dataset": "phantom",
        "title": "A made-up data set",
        "citation": "Doe J. et al. (2024). A made-up data set. <Journal> 1(2).",
        "licence": "CC-BY-4.0",
        "source": "https://example.org/data",
        "n_cases": len(study.cases),
        "n_subjects": study.subjects,
        "n_centres": 3,
        "classes": ["background", *study.classes],
        "raters": list(study.raters),
        "ratings_per_case": 4.2,
        "truth_known": study.truth,
        "case_shape": [40, 48],
        "fingerprint": "f" * 16,
        "split_hash": "0123456789abcdef",
        "pictures": {},
    }
    train = [f"t{i}" for i in range(16)]
    folds = [{"repeat": r, "fold": f, "train": train} for r in range(study.repeats) for f in range(study.folds)]
    write_json(folder / "splits.json", {"folds": folds})
    write_run(folder, experiment, facts, units)
    return folder


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole study: six candidates, five folds, twelve subjects, every metric."""
    return write_study(tmp_path_factory.mktemp("quick"), Study(overlap=OVERLAP))


@pytest.fixture(scope="session")
def results(study_folder: Path) -> Results:
    return read_results(study_folder)


@pytest.fixture(scope="session")
def analysis(results: Results) -> Analysis:
    """The analysis of the whole study: what it has computed for one test is there for the next."""
    return Analysis(results)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The small study, whose folder no test may change."""
    return read_results(write_study(tmp_path_factory.mktemp("small") / "study", Study(**SMALL)))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Writes a study with other settings and gives its folder."""
    return lambda **settings: write_study(tmp_path / "study", Study(**settings))


def small_png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser without a window; tests that need it are skipped where none is installed."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def axe_finds(tab: Any, scheme: str, alike: str) -> list[tuple[Any, ...]]:
    """What axe-core finds on an open page in a colour scheme, every part unfolded.

    ``alike`` selects what need not be looked at, because others are like it: looking at every cell takes long.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    tab.emulate_media(color_scheme=scheme)
    tab.reload()
    tab.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    tab.evaluate(f"document.querySelectorAll('{alike}').forEach(part => part.remove())")
    # Only colours depend on the scheme.
    options = {"runOnly": ["color-contrast"]} if scheme == "dark" else None
    found = axe.Axe().run(tab, options=options).response["violations"]
    return [(v["id"], v["help"], [(n["html"][:300], n["failureSummary"]) for n in v["nodes"][:4]]) for v in found]
