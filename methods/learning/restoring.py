"""What a fitted network method keeps beside its network, so that it can predict again without its training cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch
from torch import nn

from ...datasets.base import Preparation
from ...errors import RaterbenchError, shown

FITTED = "fitted/"
"""How the names of arrays that are no weights of the network begin; no name within a network has a slash."""
ARRAY = "array"
"""Stands in place of an array among plain values, with the library that it is of."""


@dataclass(frozen=True)
class NetworkFacts:
    """What a network is built with, and how cases are prepared for it.

    Args:
        n_channels: of the images.
        n_classes: K, the background included.
        raters: of the data set.
        target_names: what the network learned from, in the order of R.
        padded: the sides of the slices, or of the patches of volumes, in training.
        preparation: from a case to slices.
        fitted: the plain values of the attributes that ``predicts_with`` names; for an array which library it is of.
    """

    n_channels: int
    n_classes: int
    raters: tuple[str, ...]
    target_names: tuple[str, ...]
    padded: tuple[int, ...]
    preparation: Preparation
    fitted: dict[str, Any]


def fitted_names(method: Any) -> list[str]:
    """The attributes that ``predicts_with`` names, in the class of the method and in all that it inherits from."""
    return list(dict.fromkeys(name for cls in reversed(type(method).__mro__) for name in cls.__dict__.get("predicts_with", ())))


def fitted_arrays(method: Any) -> dict[str, torch.Tensor]:
    """The arrays among the fitted attributes, by the names that they have among the weights."""
    found = {name: _fitted(method, name) for name in fitted_names(method)}
    return {FITTED + name: torch.as_tensor(value) for name, value in found.items() if _is_array(value)}


def fitted_values(method: Any) -> dict[str, Any]:
    """The fitted attributes as plain values; for an array which library it is of.

    Raises:
        RaterbenchError: one of them is of a kind that cannot be kept.
    """
    found = {}
    for name in fitted_names(method):
        value = _fitted(method, name)
        if _is_array(value):
            value = {ARRAY: "torch" if isinstance(value, torch.Tensor) else "numpy"}
        elif not _is_plain(value):
            raise RaterbenchError(
                f"{type(method).__name__}.{name} = {shown(value)} cannot be kept with a model: predicts_with may name numbers, "
                "texts, tuples of them, arrays and tensors"
            )
        found[name] = value
    return found


def set_fitted(method: Any, values: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
    """Set the fitted attributes to what ``fitted_values`` and ``fitted_arrays`` gave; tensors go to the method's device.

    Raises:
        RaterbenchError: one is missing.
    """
    for name in fitted_names(method):
        if name not in values or (isinstance(values[name], Mapping) and FITTED + name not in weights):
            raise RaterbenchError(f"the model has no {name!r}, which {type(method).__name__} predicts with: train it again")
        value = values[name]
        if isinstance(value, Mapping):
            tensor = weights[FITTED + name]
            value = tensor.to(method.device_) if value[ARRAY] == "torch" else tensor.cpu().numpy()
        setattr(method, name, _with_tuples(value))


def read_facts(facts: Mapping[str, Any], owner: str) -> NetworkFacts:
    """The facts of a network method from plain values; ``owner`` is its class, for messages.

    Raises:
        RaterbenchError: they are those of something else.
    """
    try:
        return msgspec.convert(dict(facts), NetworkFacts)
    except msgspec.ValidationError as error:
        raise RaterbenchError(f"what the model says of its network does not fit {owner}: {error}; train it again") from error


def load_weights(module: nn.Module, weights: Mapping[str, torch.Tensor], owner: str) -> None:
    """Give a network its weights.

    Raises:
        RaterbenchError: they are those of another network.
    """
    own = {name: tensor for name, tensor in weights.items() if not name.startswith(FITTED)}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise RaterbenchError(f"the weights do not fit the network of {owner}: {shown(reason, 300)}; train it again") from error


def _fitted(method: Any, name: str) -> Any:
    try:
        value = getattr(method, name)
    except AttributeError as error:
        raise RaterbenchError(f"{type(method).__name__}: predicts_with names {name!r}, which fit does not set") from error
    return value.item() if isinstance(value, np.generic) else value


def _is_array(value: Any) -> bool:
    return isinstance(value, torch.Tensor | np.ndarray)


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(one) for one in value)
    return value is None or isinstance(value, bool | int | float | str)


def _with_tuples(value: Any) -> Any:
    """Lists as tuples: JSON knows lists alone."""
    return tuple(_with_tuples(one) for one in value) if isinstance(value, list | tuple) else value
