"""Weights of a network that belong to raters or classes, found by the size of their axes.

A head may keep raters and classes on one axis; raters then come first, as in ``view(B, R, K, ...)``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import nn


@torch.no_grad()
def alike(module: nn.Module, n_raters: int) -> None:
    """Give each rater's head the mean weights of all heads, in place."""
    families: dict[tuple[str, torch.Size], list[torch.Tensor]] = defaultdict(list)
    for name, tensor in module.state_dict(keep_vars=True).items():
        for axis, size in enumerate(tensor.shape):
            if size % n_raters == 0:
                each = tensor.unflatten(axis, (n_raters, size // n_raters))
                tensor.copy_(each.mean(axis, keepdim=True).expand_as(each).flatten(axis, axis + 1))
        for number in re.finditer(r"\d+", name):
            families[f"{name[: number.start()]}#{name[number.end() :]}", tensor.shape].append(tensor)
    for family in families.values():
        if len(family) == n_raters:
            mean = torch.stack(family).float().mean(dim=0)
            for tensor in family:
                tensor.copy_(mean)


@torch.no_grad()
def relabelled(module: nn.Module, order: Sequence[int], n_raters: int) -> None:
    """Let class k of the network be what class ``order[k]`` was, in place."""
    n = len(order)
    forms = {size: form for form in ((n,), (n, n), (n_raters, n), (n_raters, n, n)) for size in [torch.Size(form).numel()]}
    for tensor in module.state_dict(keep_vars=True).values():
        for axis, size in enumerate(tensor.shape):
            if n > 2 and size in forms:
                parts = tensor.unflatten(axis, forms[size])
                for offset, part in enumerate(forms[size]):
                    if part == n:
                        parts = parts.index_select(axis + offset, torch.tensor(order))
                tensor.copy_(parts.flatten(axis, axis + len(forms[size]) - 1))


@torch.no_grad()
def narrowed(wide: nn.Module, narrow: nn.Module) -> None:
    """Copy the weights of ``wide`` to ``narrow``, a network of the same kind for the first of its raters."""
    source = wide.state_dict()
    for name, tensor in narrow.state_dict(keep_vars=True).items():
        if name in source:
            tensor.copy_(source[name][_corner(tensor)])


def outside(wide: nn.Module, narrow: nn.Module) -> float:
    """The largest gradient among the weights that ``wide`` has and ``narrow`` has not."""
    shared = dict(narrow.named_parameters())
    largest = 0.0
    for name, parameter in wide.named_parameters():
        if parameter.grad is not None:
            gradient = parameter.grad.abs().clone()
            if name in shared:
                gradient[_corner(shared[name])] = 0
            largest = max(largest, float(gradient.max()))
    return largest


def _corner(tensor: torch.Tensor) -> tuple[slice, ...]:
    return tuple(slice(0, n) for n in tensor.shape)
