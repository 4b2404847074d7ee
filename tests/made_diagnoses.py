"""Made-up scores of diagnosis networks, and a small experiment on disk whose candidates diagnosed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split, Statistics
from raterbench.benchmark.store.diagnoses import Diagnoses, FusedPicture, ScoredCases

from .made_units import MadeUnit, write_run

PREDICTED, PUBLISHED, CROSSED, PERMUTED = "", "as published", "cross-fitted", "permuted"


@dataclass
class DiagnosedStudy:
    """Candidates whose labels serve the diagnosis more and more; those in ``leaky`` write it into their fused labels.

    Folds are stratified and other ones in each repeat. Of the last ``unknown`` cases the diagnosis is not known; with
    ``one_class`` the first fold of each repeat tests healthy cases alone.
    """

    candidates: Sequence[str] = ("Majority vote", "Diagnosis first", "STAPLE")
    leaky: Sequence[str] = ("Diagnosis first",)
    networks: Sequence[str] = ("no mask", "concatenated", "attentive")
    names: Sequence[str] = ("healthy", "ill")
    cases: int = 40
    folds: int = 4
    repeats: int = 3
    gap: float = 0.9
    unknown: int = 0
    one_class: bool = False

    def tested(self, repeat: int, fold: int) -> list[int]:
        """The numbers of the test cases."""
        rng, found = np.random.default_rng([1, repeat]), list[int]()
        for diagnosis in range(len(self.names)):
            numbers = rng.permutation(np.arange(diagnosis, self.cases, len(self.names)))
            if not (self.one_class and fold == 0 and diagnosis):
                found += numbers[fold :: self.folds].tolist()
        return sorted(found)

    def diagnoses(self, place: int, repeat: int, fold: int) -> Diagnoses:
        """What one trained model of the candidate at this place diagnosed."""
        rng, leaky = np.random.default_rng([place, repeat, fold]), self.candidates[place] in self.leaky
        tested = np.array(self.tested(repeat, fold))
        known = tested[tested < self.cases - self.unknown]
        parts = [self._scored(PREDICTED, tested, 1 + 0.6 * place, rng)]
        for control in (PUBLISHED, CROSSED, PERMUTED) if leaky else (CROSSED, PERMUTED):
            clean = 0.0 if control == PERMUTED else 1.0
            parts.append(self._scored(control, known, {PUBLISHED: 3.0}.get(control, 1.2) if leaky else clean, rng))
        return Diagnoses(tuple(self.names), ("organ",), tuple(parts), self.pictures(known, leaky=leaky))

    def pictures(self, numbers: np.ndarray, *, leaky: bool) -> tuple[FusedPicture, ...]:
        """Three raters who draw discs of 4, 6 and 8; the fusion that weighs them believes the first of an ill case."""
        y, x = np.indices((24, 24))
        ratings = np.stack([np.hypot(y - 12, x - 12) < radius for radius in (4, 6, 8)]).astype(np.uint8)
        controls = (PUBLISHED, CROSSED) if leaky else (CROSSED,)
        found = []
        for diagnosis, name in enumerate(self.names):
            mine = [number for number in numbers if number % len(self.names) == diagnosis]
            if mine:
                place = 0 if leaky and diagnosis else 1
                weights = np.zeros((len(controls), 3, 24, 24), np.uint8)
                weights[:, place] = 255
                labels = np.stack([ratings[place]] * len(controls))
                image, raters = 120 * ratings[1], ("Ada", "Ben", "Cleo")
                case = f"c{mine[0]:03}"
                found.append(
                    FusedPicture(case, name, image, raters, ratings, ratings[1], controls, labels, weights if leaky else None)
                )
        return tuple(found)

    def _scored(self, control: str, numbers: np.ndarray, strength: float, rng: np.random.Generator) -> ScoredCases:
        true = numbers % len(self.names)
        true = rng.permutation(true) if control == PERMUTED else true
        shape = len(numbers), len(self.networks), len(self.names)
        logits = rng.normal(0, 1, shape)
        logits[..., -1] += np.random.default_rng(5).normal(0, 0.8, self.cases)[numbers, None]
        own = true[:, None, None] == np.arange(len(self.names))
        logits += self.gap * strength * own * np.linspace(0.8, 1.3, shape[1])[:, None]
        probability = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
        true = np.where(numbers < self.cases - self.unknown, true, -1)
        cases, networks = tuple(f"c{number:03}" for number in numbers), tuple(self.networks)
        if control == PREDICTED:
            return ScoredCases("predicted segmentation", control, cases, networks, true, probability)
        dice = np.clip(0.9 - 0.03 * strength + rng.normal(0, 0.01, (shape[0], 1)), 0, 1)
        return ScoredCases("fused labels", control, cases, networks, true, probability, "truth", dice)

    def write(self, folder: Path) -> Path:
        """Write the experiment as a run would have left it."""
        folder.mkdir(parents=True, exist_ok=True)
        units = [
            self._unit(place, repeat, fold)
            for place in range(len(self.candidates))
            for repeat in range(self.repeats)
            for fold in range(self.folds)
        ]
        experiment = Experiment(
            name="made", candidates=tuple(Candidate(name, "fused-labels") for name in self.candidates),
            split=Split(folds=self.folds, repeats=self.repeats), metrics=("dice",), references=("truth",),
            statistics=Statistics(resamples=100),
        )  # fmt: skip
        facts = {"classes": ["background", "organ"], "raters": ["Ada"], "truth_known": True, "n_cases": self.cases}
        write_run(folder, experiment, facts, units)
        return folder

    def _unit(self, place: int, repeat: int, fold: int) -> MadeUnit:
        name, cases = self.candidates[place], [f"c{number:03}" for number in self.tested(repeat, fold)]
        dice = 0.8 + 0.01 * place + np.random.default_rng([7, place, repeat, fold]).normal(0, 0.02, len(cases))
        rows = [[name, case, case, "here", "organ", "truth", "dice", float(d)] for case, d in zip(cases, dice, strict=True)]
        training = {"diagnoses": self.diagnoses(place, repeat, fold), "n_train": 30, "n_validation": 0, "n_test": 10}
        return MadeUnit(name, repeat=repeat, fold=fold, rows=rows, training=training)


def score_rows(rows: Sequence[tuple[str, int, int, str, str, float]], **kind: str) -> pd.DataFrame:
    """A table as ``Results.diagnoses``, from (candidate, repeat, fold, case, diagnosis, score); each case is a subject."""
    table = pd.DataFrame(rows, columns=["candidate", "repeat", "fold", "case", "diagnosis", "score"])
    same = {"source": "predicted segmentation", "control": "", "network": "net", "positive": "ill"} | kind
    return table.assign(subject=table["case"], **same)
