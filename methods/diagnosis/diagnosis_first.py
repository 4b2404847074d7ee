"""Fuse the raters so that a network diagnoses the case rightly from their consensus."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Self

import numpy as np
import torch
from torch import nn

from ...datasets.base import IGNORE, Case, Dataset, Floats
from ...errors import RaterbenchError
from ...parameters import Range
from ...seeds import derived_seed, seed_sequence
from ..base import CaseFusion, Consensus, Need
from ..fusion.engine.cases import judged_probability
from ..fusion.engine.ties import Ties, best_classes, break_ties
from ..fusion.majority import MajorityVote
from ..learning.batches.slices import PreparedSlices, stack
from ..learning.preparation import prepare_case, restore_maps
from ..learning.volumes.choice import preparation_of_slices
from .base import DIAGNOSES_SLICES, DiagnosisBudget, DiagnosisNetwork, diagnosis_skip_reason
from .dl_cat import DLCat
from .expertness import MapSettings, Optimised, Parameterisation, RatedSlices, optimise_logits, softmax_over_raters
from .slices import UNKNOWN, MaskedSlices, masked_slices

BATCH = 32
"""Slices that are optimised side by side; the result of each is what it would be alone."""
FOLDS_DRAWN, NETWORKS, MAPS = 0, 1, 2
"""Streams of random numbers."""
Row = tuple[int, int]
"""A slice: the position of its case, and its number in the case."""


class DiagnosisFusion(CaseFusion):
    """Base of fusions that use the diagnosis of the case they fuse: what they give knows the diagnosis.

    A subclass has the parameter ``cross_fitted``: whether the network that helps to fuse a case has not seen it.
    """

    cross_fitted: bool
    fused_with: ClassVar[type[DiagnosisNetwork]]
    """The kind of network that helps to fuse. Labels of a cross-fitted fusion are judged by networks of other kinds alone."""

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"diagnosis"})

    def skip_reason(self, dataset: Dataset) -> str | None:
        """Why it cannot run: there are not two diagnoses."""
        return diagnosis_skip_reason(dataset)


class DiagnosisFirst(DiagnosisFusion):
    """Weighs the raters at each voxel so that a frozen network diagnoses the case rightly (DF-GT; Wu et al., 2022, 3.2.1).

    A network (``dl-cat``) learns to diagnose from image and majority vote. It is then frozen, and the weights of the raters of
    each image are optimised by themselves: Adam descends the cross-entropy of the true diagnosis, given the image and the
    weighted mean of the ratings. Weights are a softmax over the raters who judged the voxel.

    So the consensus depends on the diagnosis of its case, and a network may read it back. ``cross_fitted`` is the least that
    can be done: the network that helps to fuse a case has seen neither it nor another case of its subject. Subjects that
    ``fit`` did not see get one of the networks, chosen by their names. With one subject nothing is cross-fitted. A case whose
    diagnosis is unknown gets equal weights.
    Volumes are fused slice by slice.

    Args:
        parameterisation: of the logits of the weights. ``pixel``: one number for each rater and voxel. ``fourier``: the
            spectrum of each rater's map. ``transrob``: as ``pixel``, but image and mask are shifted, scaled and rotated at
            random in each step. ``expg``: a tiny network for each image, from coordinates to the logits of all raters, so
            that maps are smooth (the paper's own).
        steps: of the optimisation of an image.
        learning_rate: Adam's. The paper's 1e-4 would move a number of ``pixel`` by .0125 in all.
        bounded: pass the logits through a sigmoid before the softmax, as the released code does: the weights of n raters are
            then between 1 / (1 + (n - 1) e) and e / (e + n - 1), never far from equal.
        cross_fitted: as above. Without it one network learns from all cases and fuses them all, as published.
        folds: for cross-fitting: of each network one part is fused by it, one chooses its epoch, the others teach it.
        channels, layers: of the tiny network of ``expg``; the paper has four layers, the released code eight.
        ties: the class that wins among equal probabilities.
        diagnosis_budget: how the networks are trained; None is ``DiagnosisBudget()``.

    After ``fit``: ``networks_``, ``fold_of_`` (the number of the network that has not seen a subject, by subject).
    ``weight_maps`` gives the weights themselves.

    >>> from raterbench.methods.diagnosis.diagnosis_first import DiagnosisFirst
    >>> DiagnosisFirst(parameterisation="pixel").check_parameters()
    """

    fused_with = DLCat

    def __init__(
        self,
        *,
        parameterisation: Parameterisation = "expg",
        steps: Annotated[int, Range(1, 100_000)] = 120,
        learning_rate: Annotated[float, Range(0, 100, without="low")] = 5e-3,
        bounded: bool = False,
        cross_fitted: bool = True,
        folds: Annotated[int, Range(2, 100)] = 5,
        channels: Annotated[int, Range(1, 1024)] = 24,
        layers: Annotated[int, Range(2, 16)] = 4,
        ties: Ties = "lowest",
        diagnosis_budget: DiagnosisBudget | None = None,
    ) -> None:
        self.parameterisation: Parameterisation = parameterisation
        self.steps = steps
        self.learning_rate = learning_rate
        self.bounded = bounded
        self.cross_fitted = cross_fitted
        self.folds = folds
        self.channels = channels
        self.layers = layers
        self.ties = ties
        self.diagnosis_budget = diagnosis_budget

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.diagnosis_budget is not None:
            self.diagnosis_budget.check_parameters()

    def fit(self, cases: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Train the networks that diagnose from image and majority vote.

        Raises:
            RaterbenchError: the diagnosis of no case is known.
        """
        self.check_parameters()
        self.seed_, self.device_ = seed, torch.device(device)
        self.preparation_ = preparation_of_slices(cases, DIAGNOSES_SLICES)
        majority = MajorityVote()
        pairs = ((case, judged_probability(majority.fuse(case.ratings, cases.n_classes), case)) for case in cases)
        slices = masked_slices(pairs, cases.n_classes, self.preparation_)
        self.padded_ = (slices.images.shape[-2], slices.images.shape[-1])
        one = cases.index["subject"].nunique() == 1
        if one and self.cross_fitted:
            warnings.warn("diagnosis-first: all training cases are of one subject: nothing could be cross-fitted", stacklevel=2)
        if one or not self.cross_fitted:
            self.fold_of_ = dict.fromkeys(cases.index["subject"], 0)
            self.networks_ = [self._trained(slices, slices, 0)]
            return self
        self.fold_of_ = self._dealt(cases, slices)
        folds = torch.tensor([self.fold_of_[subject] for subject in cases.index["subject"]])[slices.cases]
        self.networks_ = []
        for fold in range(n := int(folds.max()) + 1):
            chooses = (fold + 1) % n if n > 2 else fold + 2  # Of two parts none is left to choose the epoch.
            learned = slices.rows((folds != fold) & (folds != chooses))
            held_out = slices.rows(folds == chooses)
            self.networks_.append(self._trained(learned, held_out, fold))
        return self

    def fuse_cases(self, cases: Dataset) -> list[Consensus]:
        """The consensus of each case.

        ``weights`` are the means over the voxels where raters differ, ``log_likelihood`` that of the diagnosis before each
        step, and ``weight_maps`` the weights themselves, as ``weight_maps()`` gives them.

        Raises:
            RaterbenchError: a case has no rating.
        """
        fused = []
        for case, (maps, log_likelihood) in zip(cases, self._maps(cases), strict=True):
            fused.append(_consensus(case, maps, cases.n_classes, self.ties, tuple(log_likelihood)))
        return fused

    def weight_maps(self, cases: Dataset) -> list[Mapping[str, Floats]]:
        """The weight of each rater at each voxel [*S] float32, by name, for each case.

        Weights sum to 1 over the raters of the case. Where raters agree they change nothing: those of ``pixel`` and
        ``transrob`` have stayed where they started there, and those of the others follow from elsewhere.

        Raises:
            RaterbenchError: a case has no rating.
        """
        return [maps for maps, _ in self._maps(cases)]

    def _trained(self, learned: MaskedSlices, held_out: MaskedSlices, fold: int) -> DLCat:
        network = self.fused_with()
        assert isinstance(network, DLCat)
        seed = derived_seed(self.seed_, NETWORKS, fold)
        network.fit(learned, held_out, seed=seed, budget=self.diagnosis_budget, device=self.device_)
        for text in network.report_.warnings:
            warnings.warn(f"diagnosis-first: {text}", stacklevel=3)
        return network

    def _dealt(self, cases: Dataset, slices: MaskedSlices) -> dict[str, int]:
        """A fold for each subject, drawn so that each fold has its share of each diagnosis."""
        subjects = cases.index["subject"].tolist()
        diagnosis_of = dict(zip(slices.cases.tolist(), slices.diagnoses.tolist(), strict=True))
        first = {subject: diagnosis_of.get(position, UNKNOWN) for position, subject in reversed(list(enumerate(subjects)))}
        names = sorted(first)
        order = np.random.default_rng(seed_sequence(self.seed_, FOLDS_DRAWN)).permutation(len(names))
        drawn = sorted((names[i] for i in order), key=first.__getitem__)
        return {subject: place % min(self.folds, len(names)) for place, subject in enumerate(drawn)}

    def _maps(self, cases: Dataset) -> list[tuple[Mapping[str, Floats], list[float]]]:
        """The weight maps of each case in its own geometry, and the mean log-likelihood of its slices before each step.

        Of slices in which raters differ; nothing is optimised in a case without one.
        """
        known, parts, raters = list(cases), list[PreparedSlices](), sorted(cases.raters)
        for case in known:
            if not case.ratings:
                raise RaterbenchError(f"case {case.id!r} has no rater at all: add a rating or take the case out")
            prepared = prepare_case(case, case.ratings, raters, cases.n_classes, self.preparation_)
            parts.append(stack([prepared], self.padded_))
        logits = [torch.zeros(part.present.shape) for part in parts]
        log_likelihood: list[list[torch.Tensor]] = [[] for _ in parts]
        frozen = [network.frozen_network() for network in self.networks_]
        for number, rows in self._batches(known, parts):
            done = self._optimised(frozen[number], known, parts, rows)
            for place, (position, slice_) in enumerate(rows):
                logits[position][slice_] = done.logits[place].cpu()
                if done.contested[place]:
                    log_likelihood[position].append(done.log_likelihood[:, place].cpu())
        found = []
        for case, maps, values in zip(known, logits, log_likelihood, strict=True):
            mean = torch.stack(values).mean(dim=0).tolist() if values else []
            found.append((self._restored(case, maps, raters), mean))
        return found

    def _batches(self, cases: Sequence[Case], parts: Sequence[PreparedSlices]) -> Iterator[tuple[int, list[Row]]]:
        """Slices of one shape that have the same network, with its number; without those of an unknown diagnosis."""
        groups: dict[tuple[int, torch.Size], list[Row]] = {}
        for position, (case, part) in enumerate(zip(cases, parts, strict=True)):
            if case.diagnosis is not None:
                number = self.fold_of_.get(case.subject, _number_of(case.subject) % len(self.networks_))
                group = groups.setdefault((number, part.images.shape[1:]), [])
                group += [(position, slice_) for slice_ in range(len(part))]
        for (number, _), rows in groups.items():
            for start in range(0, len(rows), BATCH):
                yield number, rows[start : start + BATCH]

    def _optimised(
        self, network: nn.Module, cases: Sequence[Case], parts: Sequence[PreparedSlices], rows: Sequence[Row]
    ) -> Optimised:
        slices = RatedSlices(
            images=torch.stack([parts[position].images[slice_] for position, slice_ in rows]).to(self.device_),
            ratings=torch.stack([parts[position].ratings[slice_] for position, slice_ in rows]).to(self.device_).float(),
            present=torch.stack([parts[position].present[slice_] for position, slice_ in rows]).to(self.device_),
            diagnoses=torch.tensor([float(cases[position].diagnosis == 1) for position, _ in rows], device=self.device_),
        )
        seeds = [derived_seed(self.seed_, MAPS, _number_of(cases[position].id), slice_) for position, slice_ in rows]
        return optimise_logits(
            network,
            slices,
            [torch.Generator().manual_seed(seed) for seed in seeds],
            MapSettings(
                self.parameterisation, self.steps, self.learning_rate, self.bounded, channels=self.channels, layers=self.layers
            ),
        )

    def _restored(self, case: Case, logits: torch.Tensor, raters: Sequence[str]) -> Mapping[str, Floats]:
        """Weights [*S] by rater from the logits [n, R, H, W] of the case's slices."""
        there = torch.tensor([rater in case.ratings for rater in raters]).view(1, -1, 1, 1).expand(logits.shape)
        maps = restore_maps(softmax_over_raters(logits, there), case, self.preparation_)
        return {rater: maps[r] for r, rater in enumerate(raters) if rater in case.ratings}


def _number_of(name: str) -> int:
    """The same number of 32 bits for a name in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])


def _consensus(
    case: Case, maps: Mapping[str, Floats], n_classes: int, ties: Ties, log_likelihood: tuple[float, ...]
) -> Consensus:
    """The weighted mean of a case's ratings, in which a rater has no weight at voxels that the rater did not judge."""
    raters = tuple(sorted(case.ratings))
    labels = np.stack([case.ratings[rater] for rater in raters]).reshape(len(raters), -1)
    judged = labels != IGNORE
    weights = np.stack([maps[rater] for rater in raters]).reshape(len(raters), -1).astype(np.float64) * judged
    total = weights.sum(axis=0)
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1), judged / judged.sum(axis=0).clip(min=1))
    share = np.stack([(weights * (labels == k)).sum(axis=0) for k in range(n_classes)])
    nobody = ~judged.any(axis=0)
    share = np.where(nobody, 1 / n_classes, share)
    decided = np.where(nobody, np.uint8(IGNORE), break_ties(share, ties))
    differ = np.where(judged, labels, 0).max(axis=0) > labels.min(axis=0)  # IGNORE is above every class.
    looked_at = differ if differ.any() else ~nobody
    return Consensus(
        probability=share.astype(np.float32).reshape(n_classes, *case.shape),
        labels=decided.reshape(case.shape),
        raters=raters,
        log_likelihood=log_likelihood,
        iterations=len(log_likelihood),
        status="ok" if differ.any() else "degenerate",
        weights=weights[:, looked_at].mean(axis=1) if looked_at.any() else np.full(len(raters), 1 / len(raters)),
        tied=int(((best_classes(share).sum(axis=0) > 1) & ~nobody).sum()),
        weight_maps=maps,
    )
