"""Maps of how much each rater counts, optimised for each image so that a frozen network diagnoses it rightly."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional

Parameterisation = Literal["pixel", "fourier", "transrob", "expg"]
"""How the maps are parameterised; ``DiagnosisFirst`` says what the words mean."""

SMALL = 0.01
"""Standard deviation of the first logits."""
ROTATION, SCALING, SHIFT = math.radians(10), 0.2, 20 / 256
"""The largest random rotation, change of scale and shift (as a share of the side) of ``transrob``, from the released code."""


@dataclass(frozen=True, eq=False)
class RatedSlices:
    """B slices with the ratings of R raters: what is fused.

    ``images`` [B, C, H, W] float32. ``ratings`` [B, R, K, H, W] float32, each sums to 1 over K where ``present`` [B, R, H, W]
    and is zero elsewhere. ``diagnoses`` [B] float32, 0 or 1.
    """

    images: torch.Tensor
    ratings: torch.Tensor
    present: torch.Tensor
    diagnoses: torch.Tensor

    @cached_property
    def average(self) -> torch.Tensor:
        """The mean rating [B, K, H, W] of those who judged; zeros where nobody did."""
        return self.ratings.sum(dim=1) / self.present.sum(dim=1, keepdim=True).clamp(min=1)

    @cached_property
    def contested(self) -> torch.Tensor:
        """The voxels [B, H, W] where those who judged differ: only there the weights change the fused mask."""
        apart = (self.ratings - self.average.unsqueeze(1)).abs() > 1e-6
        return (apart & self.present.unsqueeze(2)).any(dim=2).any(dim=1)


class MapSettings(NamedTuple):
    """What decides how maps are optimised; ``DiagnosisFirst`` says what each means."""

    parameterisation: Parameterisation
    steps: int
    learning_rate: float
    bounded: bool = False
    channels: int = 24
    layers: int = 4


class Optimised(NamedTuple):
    """``logits`` [B, R, H, W] of the raters, and the log-likelihood of the diagnosis before each step, [steps, B].

    ``contested`` [B]: slices in which raters differ somewhere. In the others nothing could be optimised.
    """

    logits: torch.Tensor
    log_likelihood: torch.Tensor
    contested: torch.Tensor


def fuse_ratings(ratings: torch.Tensor, present: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Ratings [B, R, K, *S] weighted by the softmax of the logits [B, R, *S] over those who are present: [B, K, *S]."""
    weights = softmax_over_raters(logits, present)
    return (weights.unsqueeze(2) * ratings).sum(dim=1)


def softmax_over_raters(logits: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Weights [B, R, *S] that sum to 1 over the raters who are present; zeros where nobody is."""
    shifted = logits.masked_fill(~present, -math.inf)
    return torch.where(present.any(dim=1, keepdim=True), shifted, 0.0).softmax(dim=1) * present


def optimise_logits(
    network: nn.Module, slices: RatedSlices, generators: Sequence[torch.Generator], settings: MapSettings
) -> Optimised:
    """Descend the cross-entropy of the diagnosis of each slice, given its image and fused mask, by Adam (Wu et al., 2022).

    The sum over the slices is descended, and Adam treats each number by itself, so that every slice gets the maps that it
    would get alone. It is equation 3; equation 4 prints a plus before the gradient, which would ascend.

    Args:
        network: from images [B, C, H, W] and masks [B, K, H, W] to logits [B]; frozen.
        slices: what is fused.
        generators: one a slice, for everything that is random.
        settings: what decides how.
    """
    voxels, moved = _Contested(slices), settings.parameterisation == "transrob"
    maps = MAPS[settings.parameterisation](slices.present, voxels.places, generators, settings)
    moves = _random_moves(generators, settings.steps).to(slices.images.device) if moved else None
    optimiser = torch.optim.Adam(maps.parameters, lr=settings.learning_rate)
    found = []
    for step in range(settings.steps if voxels.any else 0):
        logits = torch.sigmoid(maps.at_places()) if settings.bounded else maps.at_places()
        images, masks = slices.images, voxels.fused(logits)
        if moves is not None:
            images, masks = _moved(images, masks, moves[:, step])
        loss = functional.binary_cross_entropy_with_logits(network(images, masks), slices.diagnoses, reduction="none")
        gradients = torch.autograd.grad(loss.sum(), maps.parameters)
        for parameter, gradient in zip(maps.parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        found.append(-loss.detach())
    with torch.no_grad():
        everywhere = torch.sigmoid(maps.everywhere()) if settings.bounded else maps.everywhere()
    log_likelihood = torch.stack(found) if found else torch.zeros(0, len(slices.images))
    return Optimised(everywhere, log_likelihood, slices.contested.flatten(1).any(dim=1))


class _Contested:
    """The contested voxels of each slice, so that nothing is computed where the weights change nothing.

    ``places`` [B, P] are their flat indices, filled up with H * W, which is no voxel.
    """

    def __init__(self, slices: RatedSlices) -> None:
        flat = slices.contested.flatten(1)
        n_voxels, counts = flat.shape[1], flat.sum(dim=1)
        most = int(counts.max())
        order = flat.int().argsort(dim=1, descending=True, stable=True)[:, :most]
        there = torch.arange(most, device=flat.device) < counts.unsqueeze(1)
        self.any = most > 0
        self.places = torch.where(there, order, n_voxels)
        self.shape = slices.average.shape
        self.average = functional.pad(slices.average.flatten(2), (0, 1))
        at = self.places.clamp(max=n_voxels - 1).unsqueeze(1)
        self.present = slices.present.flatten(2).gather(2, at.expand(-1, slices.present.shape[1], -1)) | ~there.unsqueeze(1)
        n_raters, n_classes = slices.ratings.shape[1:3]
        self.ratings = slices.ratings.flatten(3).gather(3, at.unsqueeze(1).expand(-1, n_raters, n_classes, -1))

    def fused(self, logits: torch.Tensor) -> torch.Tensor:
        """The fused mask [B, K, H, W] from the logits [B, R, P] of the contested voxels."""
        fused = fuse_ratings(self.ratings, self.present, logits)
        places = self.places.unsqueeze(1).expand_as(fused)
        return self.average.scatter(2, places, fused)[..., :-1].reshape(self.shape)


class _Maps(ABC):
    """Logits of raters with their ``parameters``; each slice has its own, drawn from its own generator."""

    parameters: list[torch.Tensor]

    def __init__(
        self, present: torch.Tensor, places: torch.Tensor, generators: Sequence[torch.Generator], settings: MapSettings
    ) -> None:
        self.shape, self.places, self.settings = present.shape, places, settings
        self.there = present.flatten(2).any(dim=2).cpu()
        self.parameters = [parameter.to(places.device).requires_grad_() for parameter in self.start(generators)]

    @abstractmethod
    def start(self, generators: Sequence[torch.Generator]) -> list[torch.Tensor]:
        """The first parameters, each [B, ...]."""

    def drawn(self, generators: Sequence[torch.Generator], *shape: int) -> torch.Tensor:
        """First numbers [B, R, *shape]; raters who did not judge a slice change nothing of what the others get."""
        numbers = torch.zeros(*self.shape[:2], *shape)
        for slice_, there, generator in zip(numbers, self.there, generators, strict=True):
            slice_[there] = SMALL * torch.randn(int(there.sum()), *shape, generator=generator)
        return numbers

    @abstractmethod
    def at_places(self) -> torch.Tensor:
        """The logits [B, R, P] at the contested voxels."""

    @abstractmethod
    def everywhere(self) -> torch.Tensor:
        """The logits [B, R, H, W]."""


class _Pixels(_Maps):
    """A number for each rater and voxel."""

    def start(self, generators: Sequence[torch.Generator]) -> list[torch.Tensor]:
        self.first = functional.pad(self.drawn(generators, *self.shape[2:]).flatten(2), (0, 1)).to(self.places.device)
        return [self.first.gather(2, self._index())]

    def at_places(self) -> torch.Tensor:
        return self.parameters[0]

    def everywhere(self) -> torch.Tensor:
        return self.first.scatter(2, self._index(), self.parameters[0])[..., :-1].reshape(self.shape)

    def _index(self) -> torch.Tensor:
        return self.places.unsqueeze(1).expand(-1, self.shape[1], -1)


class _Spectrum(_Maps):
    """The Fourier transform of the map of each rater, its frequencies weighted so that all look alike to the optimiser."""

    def start(self, generators: Sequence[torch.Generator]) -> list[torch.Tensor]:
        height, width = self.shape[2:]
        frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width))
        self.scale = (1 / frequency.clamp(min=1 / max(height, width))).to(self.places.device)
        return [self.drawn(generators, *frequency.shape, 2)]

    def at_places(self) -> torch.Tensor:
        flat = functional.pad(self.everywhere().flatten(2), (0, 1))
        return flat.gather(2, self.places.unsqueeze(1).expand(-1, self.shape[1], -1))

    def everywhere(self) -> torch.Tensor:
        spectrum = torch.view_as_complex(self.parameters[0]) * self.scale
        maps: torch.Tensor = torch.fft.irfft2(spectrum, s=tuple(self.shape[2:]), norm="ortho")
        return maps / 4


class _Generator(_Maps):
    """ExpG: a tiny network for each slice from the coordinates of a voxel to the logits of all raters."""

    def start(self, generators: Sequence[torch.Generator]) -> list[torch.Tensor]:
        _, n_raters, height, width = self.shape
        sides = (torch.linspace(-math.sqrt(3), math.sqrt(3), side) for side in (height, width))
        self.coordinates = torch.stack(torch.meshgrid(*sides, indexing="ij"), dim=-1).flatten(0, 1).to(self.places.device)
        channels = self.settings.channels
        widths = [2, *[2 * channels] * (self.settings.layers - 1)]  # The activation doubles the channels.
        hidden = [
            torch.stack([torch.randn(n, channels, generator=generator) / math.sqrt(n) for generator in generators])
            for n in widths[:-1]
        ]
        last = torch.zeros(len(generators), widths[-1], n_raters)
        biases = [torch.zeros(len(generators), 1, channels) for _ in hidden]
        return [*hidden, *biases, last, torch.zeros(len(generators), 1, n_raters)]

    def at_places(self) -> torch.Tensor:
        known = self.places.clamp(max=len(self.coordinates) - 1)
        return self._logits(self.coordinates[known])

    def everywhere(self) -> torch.Tensor:
        return self._logits(self.coordinates.expand(self.shape[0], -1, -1)).reshape(self.shape)

    def _logits(self, features: torch.Tensor) -> torch.Tensor:
        """From coordinates [B, P, 2] to [B, R, P]."""
        *inner, last, last_bias = self.parameters
        n, channels = len(inner) // 2, self.settings.channels
        logits = torch.baddbmm(inner[n], features, inner[0])
        # The doubled channels are never put side by side, which would take as long as everything else.
        for weight, bias in zip([*inner[1:n], last], [*inner[n + 1 :], last_bias], strict=True):
            bent, (first, second) = torch.atan(logits), weight.split(channels, dim=1)
            logits = torch.baddbmm(torch.baddbmm(bias, bent, first / 0.67), bent.square(), second / 0.6)
        return logits.transpose(1, 2)


MAPS: Mapping[Parameterisation, type[_Maps]] = {
    "pixel": _Pixels, "fourier": _Spectrum, "transrob": _Pixels, "expg": _Generator,
}  # fmt: skip
"""What each parameterisation is made of."""


def _random_moves(generators: Sequence[torch.Generator], steps: int) -> torch.Tensor:
    """Affine maps [B, steps, 2, 3]: rotation, scale and shift, drawn evenly."""
    draw = torch.stack([torch.rand(steps, 4, generator=generator) for generator in generators]) * 2 - 1
    angle, scale = ROTATION * draw[..., 0], 1 + SCALING * draw[..., 1]
    cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
    shift = 2 * SHIFT * draw[..., 2:]
    rows = [torch.stack([cosine, -sine, shift[..., 0]], dim=-1), torch.stack([sine, cosine, shift[..., 1]], dim=-1)]
    return torch.stack(rows, dim=-2)


def _moved(images: torch.Tensor, masks: torch.Tensor, moves: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and masks after the same affine maps [B, 2, 3]; on oblong slices a rotation also shears a little."""
    both = torch.cat([images, masks], dim=1)
    grid = functional.affine_grid(moves, list(both.shape), align_corners=False)
    both = functional.grid_sample(both, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return both[:, : images.shape[1]], both[:, images.shape[1] :]
