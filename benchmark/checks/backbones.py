"""The contracts of a backbone and of a recipe as checks that can be run on any class, the suite's own or a plug-in's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ...methods.backbones.base import Backbone, Features
from ...methods.learning.recipes import Recipe
from .parameters import parameters_are_stored
from .result import CheckResult, require, run_checks

WIDTHS = (4, 4, 4, 8, 8, 4)
SIDE = 64


def check_backbone(kind: type[Backbone]) -> list[CheckResult]:
    """Try a backbone on small images against the whole contract."""
    return run_checks(BACKBONE_CHECKS, kind)


def check_recipe(kind: type[Recipe]) -> list[CheckResult]:
    """Try a recipe with its default parameters against the whole contract."""
    results = run_checks({"parameters are only stored": parameters_are_stored}, kind)
    return results + run_checks(RECIPE_CHECKS, kind) if results[0].passed else results


def _built(kind: Any, n_channels: int = 1, n_classes: int = 3) -> Backbone:
    torch.manual_seed(0)
    backbone: Backbone = kind(n_channels, n_classes, WIDTHS, spatial_dims=2)
    return backbone


def _shapes(kind: type[Backbone]) -> None:
    for n_channels, n_classes in ((1, 2), (3, 4)):
        shape = (2, n_channels, SIDE, SIDE // 2)
        logits = _built(kind, n_channels, n_classes)(torch.zeros(shape))
        expected = (2, n_classes, SIDE, SIDE // 2)
        require(
            tuple(logits.shape) == expected,
            f"images {shape} of {n_classes} classes gave logits {tuple(logits.shape)}: give {expected}",
        )


def _features(kind: type[Backbone]) -> None:
    backbone, images = _built(kind), torch.rand(2, 1, SIDE, SIDE)
    found = backbone.features(images)
    require(isinstance(found, Features), f"features gave a {type(found).__name__}: return Features(decoder, bottleneck)")
    widths = (found.decoder.shape[1], found.bottleneck.shape[1])
    declared = (backbone.decoder_width, backbone.bottleneck_width)
    require(
        widths == declared,
        f"features have {widths} channels, and super().__init__ was given (decoder_width, bottleneck_width) = {declared}",
    )
    require(
        found.decoder.shape[2:] == images.shape[2:],
        f"the decoder's features have the size {tuple(found.decoder.shape[2:])}: give that of the images, {(SIDE, SIDE)}",
    )
    same = torch.allclose(backbone.eval().classify(backbone.features(images).decoder), backbone(images), atol=1e-6)
    require(same, "classify(features(images).decoder) is not what the network gives for the images: do not override forward")


def _learns(kind: type[Backbone]) -> None:
    backbone = _built(kind)
    backbone.train()(torch.rand(2, 1, SIDE, SIDE)).square().mean().backward()
    without = [name for name, parameter in backbone.named_parameters() if parameter.grad is None]
    require(not without, f"{', '.join(without[:3])} got no gradient from the logits: leave out parameters without use")


def _same_weights(kind: type[Backbone]) -> None:
    one, other = (_built(kind).state_dict() for _ in range(2))
    same = all(torch.equal(one[name], other[name]) for name in one)
    require(same, "built twice after torch.manual_seed(0) it had other weights: draw them from torch's global generator")


def _example(n_classes: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits [2, K, 8, 8], one-hot ratings of two raters, and who is present: the second rater judged nothing of image 1."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, n_classes, 8, 8, generator=generator, requires_grad=True)
    classes = torch.randint(n_classes, (2, 2, 8, 8), generator=generator)
    ratings = torch.nn.functional.one_hot(classes, n_classes).movedim(-1, 2).float()
    present = torch.ones(2, 2, 8, 8, dtype=torch.bool)
    present[1, 1] = False
    return logits, ratings * present.unsqueeze(2), present


def _probabilities(kind: type[Recipe]) -> None:
    logits, _, _ = _example()
    for scale in (0.0, 1.0, 1e4):
        found = kind().activate(logits.detach() * scale)
        fits = found.shape == logits.shape and bool(torch.isfinite(found).all() and (found >= 0).all())
        require(fits, f"activate must give finite probabilities of the shape {tuple(logits.shape)}, also for large logits")
        gap = float((found.sum(dim=1) - 1).abs().max())
        require(gap < 1e-4, f"probabilities must sum to 1 over the classes; here a sum is off by {gap:.3g}")


def _loss_is_scalar(kind: type[Recipe]) -> None:
    logits, ratings, present = _example()
    loss = kind().loss(logits, ratings, present)
    require(loss.shape == () and bool(torch.isfinite(loss)), f"loss must return one finite number; it gave {loss!r}")
    loss.backward()
    finite = logits.grad is not None and bool(torch.isfinite(logits.grad).all())
    require(finite, "the gradient of the loss is missing or not finite")


def _absent_raters(kind: type[Recipe]) -> None:
    logits, ratings, present = _example()
    changed = torch.where(present.unsqueeze(2), ratings, ratings.roll(1, dims=2) + 1.0 / ratings.shape[2])
    one, other = (float(kind().loss(logits, r, present).detach()) for r in (ratings, changed))
    require(
        abs(one - other) < 1e-6 * max(1.0, abs(one)),
        "labels where `present` is False changed the loss: multiply by present, or use losses.masked_mean",
    )


def _unjudged_voxels(kind: type[Recipe]) -> None:
    """What nobody judged may be padding, about which the network may say anything."""
    logits, ratings, present = _example()
    present[..., :2] = False
    ratings = ratings * present.unsqueeze(2)
    for scale in (1e3, -1e3):
        changed = logits.detach().clone()
        changed[..., :2] *= scale
        one, other = (float(kind().loss(outputs, ratings, present).detach()) for outputs in (logits, changed))
        require(
            abs(one - other) < 1e-5 * max(1.0, abs(one)),
            "logits of voxels that nobody judged, such as padding, changed the loss: leave out what is not `present`",
        )


BACKBONE_CHECKS: dict[str, Callable[[type[Backbone]], None]] = {
    "logits have the size of the images": _shapes,
    "features are as declared": _features,
    "every parameter is trained": _learns,
    "the same seed gives the same first weights": _same_weights,
}
RECIPE_CHECKS: dict[str, Callable[[type[Recipe]], None]] = {
    "activate gives probabilities": _probabilities,
    "the loss is one finite number": _loss_is_scalar,
    "a rater who rated nothing": _absent_raters,
    "voxels that nobody judged": _unjudged_voxels,
}
