"""Contract checks of the loss and the targets of a network method, at its first weights.

The example has five classes and seven raters, so the length of an axis of a weight tells whether it stands for either.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from ...datasets.case_list import CaseList
from ...methods.base import CaseFusion
from ...methods.learning.batches.slices import Batch, Slices
from ...methods.learning.network import NetworkMethod
from .examples import make_dataset, renumber, reorder
from .result import NotApplicableError, require
from .weights import alike, narrowed, outside, relabelled

N_CLASSES, N_RATERS = 5, 7
SHAPES = [(32, 32)] * 3
EXTRA = 8
"""Columns that nobody judged."""


@dataclass
class Start:
    """A method at its first weights, and all slices of the example in one batch."""

    method: NetworkMethod
    slices: Slices

    def batch(self) -> Batch:
        """All slices."""
        return self.slices.batch(torch.arange(len(self.slices)), self.method.device_)

    def loss(self) -> torch.Tensor:
        """The method's loss of the batch."""
        return self.method.step_loss(self.method.module_, self.batch())


def start(method: NetworkMethod, dataset: CaseList) -> Start:
    """A clone of the method, prepared for the data set but not trained."""
    fresh: NetworkMethod = clone(method)
    slices = fresh.prepare(dataset, seed=0)
    fresh.module_.eval()
    return Start(fresh, slices)


def example(method: NetworkMethod, **options: Any) -> CaseList:
    """Three cases of five classes, or of two where the method takes no more."""
    reason: str | None = None
    for n_classes in (N_CLASSES, 2):
        dataset = make_dataset(shapes=SHAPES, n_classes=n_classes, **{"n_raters": N_RATERS, **options})
        reason = method.skip_reason(dataset)
        if reason is None:
            return dataset
    raise NotApplicableError(f"skip_reason says: {reason}")


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return math.isclose(one.item(), other.item(), rel_tol=1e-4, abs_tol=1e-5)


def _change(one: torch.Tensor, other: torch.Tensor) -> str:
    return f"({one.item():.6g} -> {other.item():.6g})"


def _finite(method: NetworkMethod) -> None:
    begun = start(method, example(method))
    batch = begun.batch()
    ratings, present = begun.method.select_targets(batch.ratings, batch.present, torch.Generator().manual_seed(0))
    loss = begun.method.step_loss(begun.method.module_, batch._replace(ratings=ratings, present=present))
    given = f"shape {list(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
    require(isinstance(loss, torch.Tensor) and loss.ndim == 0, f"loss must return a scalar tensor; it gave {given}")
    _descends(begun, loss, "a batch")
    sizes = [p.grad.abs().max() for p in begun.method.module_.parameters() if p.grad is not None]
    require(any(float(size) > 0 for size in sizes), "the loss has no gradient: no weight of the network can learn from it")


def _descends(begun: Start, loss: torch.Tensor, what: str) -> None:
    require(bool(loss.isfinite()), f"the loss of {what} is {loss.item()}: guard logarithms and divisions")
    require(loss.requires_grad, f"the loss of {what} has no gradient: compute it from outputs with torch, without detach")
    loss.backward()
    grads = [p.grad for p in begun.method.module_.parameters() if p.grad is not None]
    require(
        all(bool(grad.isfinite().all()) for grad in grads),
        f"the gradient of the loss of {what} is not finite: guard logarithms, roots and divisions",
    )


def _rater_order(method: NetworkMethod) -> None:
    dataset = example(method)
    turned = reorder(dataset, (*dataset.raters[1:], dataset.raters[0]))
    one, other = start(method, dataset), start(method, turned)
    for case, again in zip(dataset, turned, strict=True):
        there, here = (dict(begun.method.targets(c)) for begun, c in ((one, case), (other, again)))
        same = there.keys() == here.keys() and all(np.allclose(there[name], here[name], atol=1e-5) for name in there)
        require(same, "targets changed when the raters came in another order: look them up by name and treat them alike")
    if not _same(one.loss(), other.loss()):
        # Heads that start at random differ from rater to rater; with their mean in each, only the loss can tell raters apart.
        for begun in (one, other):
            alike(begun.method.module_, N_RATERS)
    before, after = one.loss(), other.loss()
    require(
        _same(before, after),
        f"the loss changed when the raters came in another order {_change(before, after)}: "
        "treat raters alike, for example with a mean over those who are present",
    )


def _class_relabelling(method: NetworkMethod) -> None:
    if isinstance(method.get_params(deep=False).get("fusion"), CaseFusion):
        raise NotApplicableError("its fusion may learn with a network, whose first weights know the number of a class")
    plain = example(method)
    order = [0, *range(2, plain.n_classes), 1]
    one, other = start(method, plain), start(method, renumber(plain, order))
    targets = one.batch().ratings[:, :, order]
    sentence = "targets changed when the foreground classes got other numbers, although nothing is tied: treat them alike"
    require(bool(torch.allclose(targets, other.batch().ratings, atol=1e-5)), sentence)
    relabelled(other.method.module_, order, N_RATERS)
    before, after = one.loss(), other.loss()
    require(
        _same(before, after),
        f"the loss changed when the foreground classes got other numbers {_change(before, after)}: treat them alike",
    )


def _missing_rater(method: NetworkMethod) -> None:
    n_raters = N_RATERS - 1
    wide = start(method, example(method, n_raters=n_raters, absent=["ghost"]))
    narrow = start(method, example(method, n_raters=n_raters))
    narrowed(wide.method.module_, narrow.method.module_)
    before, after = narrow.loss(), wide.loss()
    require(
        _same(before, after),
        f"a rater who rated nothing changed the loss {_change(before, after)}: "
        "divide by present.sum(), not by the number of raters",
    )
    after.backward()
    steepest = outside(wide.method.module_, narrow.method.module_)
    sentence = f"a rater who rated nothing has a gradient (up to {steepest:.3g}): multiply all terms of that rater by present"
    require(steepest == 0, sentence)


def _unjudged_voxels(method: NetworkMethod) -> None:
    begun = start(method, example(method))
    images, ratings, present, _ = begun.batch()
    outputs = begun.method.module_(images)
    size = images.shape[-2:]
    before = begun.method.loss(outputs, ratings, present)
    blank = (_widened(t, torch.zeros_like(t[..., :EXTRA])) for t in (ratings, present))
    wide_ratings, wide_present = blank
    for part in (slice(None, EXTRA), slice(-EXTRA, None)):

        def repeat(t: torch.Tensor, part: slice = part) -> torch.Tensor:
            return _widened(t, t[..., part]) if t.shape[-2:] == size else t

        after = begun.method.loss(_each(outputs, repeat), wide_ratings, wide_present)
        require(
            _same(before, after),
            f"voxels that nobody judged, such as padding, changed the loss {_change(before, after)}: "
            "multiply by present, and divide by present.sum() instead of taking the mean",
        )


def _widened(t: torch.Tensor, more: torch.Tensor) -> torch.Tensor:
    return torch.cat([t, more], dim=-1)


def _each(outputs: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The outputs with every tensor changed: a tensor, or tuples and dictionaries of them."""
    if isinstance(outputs, torch.Tensor):
        return change(outputs)
    if isinstance(outputs, dict):
        return {key: _each(value, change) for key, value in outputs.items()}
    if isinstance(outputs, tuple):
        parts = [_each(value, change) for value in outputs]
        return type(outputs)(*parts) if hasattr(outputs, "_fields") else tuple(parts)
    return outputs


def _empty_masks(method: NetworkMethod) -> None:
    empty = start(method, example(method, change=np.zeros_like))
    _descends(empty, empty.loss(), "a batch without foreground")
    nobody = start(method, example(method))
    batch = nobody.batch()
    blank = batch._replace(ratings=torch.zeros_like(batch.ratings), present=torch.zeros_like(batch.present))
    loss = nobody.method.step_loss(nobody.method.module_, blank)
    sentence = f"the loss of a batch that nobody judged is {loss.item()}: divide by present.sum().clamp(min=1)"
    require(bool(loss.isfinite()), sentence)


LOSS_CHECKS: dict[str, Callable[[NetworkMethod], None]] = {
    "the loss can be descended": _finite,
    "rater order": _rater_order,
    "class relabelling": _class_relabelling,
    "missing rater": _missing_rater,
    "unjudged voxels": _unjudged_voxels,
    "empty masks": _empty_masks,
}
