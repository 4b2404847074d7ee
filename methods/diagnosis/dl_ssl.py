"""A teacher and a student, of which the teacher needs no diagnosis."""

from __future__ import annotations

import copy
from typing import Annotated

import numpy as np
import torch
from torch import nn

from ...parameters import Range
from ...seeds import seed_sequence
from .base import DiagnosisBudget
from .dl_cat import DLCat
from .slices import UNKNOWN, MaskedSlices
from .training import cross_entropy

UNDIAGNOSED = 7
"""The stream of random numbers that chooses the cases without a diagnosis; see ``learning.training`` for the others."""
NOISE = 0.1
"""Standard deviation of what is added to the student's image, in units of the image's own."""


class DLSSL(DLCat):
    """``dl-cat`` trained as a mean teacher that also learns from cases without a diagnosis (DL-SSL; Wu et al., 2020).

    The student learns the diagnoses that are known, and to say of every case, with noise added to its image, what the teacher
    says. The teacher is the running mean of the student's weights (Tarvainen and Valpola, 2017), chooses the epoch and
    predicts. The diagnosis of a share of the training cases is dropped, since data sets rarely have cases without one.

    Args:
        dropped: the share of training cases whose diagnosis is not looked at.
        consistency: weight of the squared difference between the probabilities of student and teacher.
        memory: how much of the teacher's weights stays in each step, at most.

    >>> from raterbench.methods.diagnosis.dl_ssl import DLSSL
    >>> DLSSL(dropped=0.25).check_parameters()
    """

    name = "dl-ssl"

    def __init__(
        self,
        *,
        dropped: Annotated[float, Range(0, 1, without="high")] = 0.5,
        consistency: Annotated[float, Range(0, 1e6)] = 1.0,
        memory: Annotated[float, Range(0, 1, without="high")] = 0.97,
    ) -> None:
        self.dropped = dropped
        self.consistency = consistency
        self.memory = memory

    def build(self, n_channels: int, n_classes: int, budget: DiagnosisBudget) -> nn.Module:
        return MeanTeacher(super().build(n_channels, n_classes, budget))

    def learned_slices(self, train: MaskedSlices, *, seed: int) -> MaskedSlices:
        """All slices; of each diagnosis a share ``dropped`` of the cases without it, at least one with it."""
        random, dropped = np.random.default_rng(seed_sequence(seed, UNDIAGNOSED)), list[int]()
        for diagnosis in (0, 1):
            cases = train.cases[train.diagnoses == diagnosis].unique().tolist()
            n_dropped = max(0, min(int(self.dropped * len(cases)), len(cases) - 1))
            dropped += random.permutation(cases)[:n_dropped].tolist()
        hidden = torch.isin(train.cases, torch.tensor(dropped, dtype=train.cases.dtype))
        return train.diagnosed_as(train.diagnoses.masked_fill(hidden, UNKNOWN))

    def loss(self, module: nn.Module, batch: MaskedSlices, weight: torch.Tensor) -> torch.Tensor:
        assert isinstance(module, MeanTeacher)
        generator = torch.Generator().manual_seed(int(module.noise) + int(module.steps))
        noise = torch.randn(batch.images.shape, generator=generator).to(batch.images.device)
        student = module.student(batch.images + NOISE * noise, batch.masks)
        with torch.no_grad():
            teacher = module.teacher(batch.images, batch.masks)
        apart = (torch.sigmoid(student) - torch.sigmoid(teacher)).square().mean()
        return cross_entropy(student, batch.diagnoses, weight) + self.consistency * apart

    def after_step(self, module: nn.Module) -> None:
        assert isinstance(module, MeanTeacher)
        module.follow(self.memory)


class MeanTeacher(nn.Module):
    """A network, the student, and the running mean of its weights, the teacher, whose logits [B] count."""

    steps: torch.Tensor
    noise: torch.Tensor
    """Decides the noise of all steps."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student, self.teacher = student, copy.deepcopy(student).requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("noise", torch.randint(2**31, ()))  # From the seed, as the weights.

    def forward(self, images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.teacher(images, masks)
        return logits

    @torch.no_grad()
    def follow(self, memory: float) -> None:
        """Move the teacher towards the student; at first faster, so that the first weights are soon forgotten."""
        self.steps += 1
        kept = min(memory, 1 - 1 / (int(self.steps) + 1))
        for mean, now in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(now, 1 - kept)
