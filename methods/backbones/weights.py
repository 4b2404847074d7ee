"""First weights of a backbone from a file in place of random ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from ...errors import RaterbenchError
from .base import Backbone

CLASSIFIER = "fc."
"""How the names begin of what a residual network has after the last features, and a segmentation network has not."""
COUNTER = "num_batches_tracked"
"""How the names end of what batch normalisation counts, and does not use."""


def load_first_weights(backbone: Backbone, path: str) -> None:
    """Replace the weights of a backbone by those of a file in the format safetensors, which cannot hold code.

    Its names are those of the whole backbone, or of a part that it lists in ``pretrained_parts``, such as the encoder; what
    that part has, the file must have. The last layer may be absent, or be for other classes: it then stays as it was.

    Raises:
        RaterbenchError: the file cannot be read, or does not fit the backbone.
    """
    found, where = _read(path), f"budget.weights = {path!r}"
    state = max((part.state_dict() for part in backbone.pretrained_parts()), key=lambda own: len(own.keys() & found.keys()))
    last = {name for name in state if name.startswith(backbone.last_layer)}
    if not found.keys() & state.keys():
        raise RaterbenchError(
            f"{where}: no name in it, such as {min(found, default='none')!r}, is one of the backbone "
            f"{type(backbone).__name__}, such as {min(state)!r}: rename what it holds"
        )
    missing = [name for name in state if name not in found and name not in last and not name.endswith(COUNTER)]
    if missing:
        raise RaterbenchError(
            f"{where}: it lacks {len(missing)} of the weights that it should have, such as {missing[0]!r}: add them"
        )
    strange = [name for name in found if name not in state and not name.startswith(CLASSIFIER)]
    if strange:
        raise RaterbenchError(f"{where}: the backbone {type(backbone).__name__} has no {strange[0]!r}: take it out of the file")
    for name, tensor in found.items():
        if name not in state:
            continue
        if tensor.shape == state[name].shape:
            state[name].copy_(tensor)
        elif name not in last:
            raise RaterbenchError(
                f"{where}: {name!r} has the shape {tuple(tensor.shape)}, but the backbone {type(backbone).__name__} needs "
                f"{tuple(state[name].shape)}: give weights for as many channels, widths and axes"
            )


def weights_hash(path: str) -> str:
    """A hash of the file's bytes, for the keys of results.

    Raises:
        RaterbenchError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise RaterbenchError(f"budget.weights = {path!r} cannot be read: {error.strerror or error}") from error


def _read(path: str) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    weights_hash(path)  # Says what is wrong where the file is not there.
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise RaterbenchError(f"budget.weights = {path!r} is no file in the format safetensors: {error}") from error
