"""The prediction of a whole volume from windows that overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.inferers.utils import sliding_window_inference

WINDOWS = 4
"""Windows that go through the network at once."""


def in_windows(predict: Callable[[torch.Tensor], Any], image: torch.Tensor, sides: Sequence[int], overlap: float) -> Any:
    """What ``predict`` gives for a volume [1, C, *S]: the mean over windows of ``sides``, with Gaussian weights.

    ``predict`` takes windows [B, C, *sides] to a tensor [B, ..., *sides], or a tuple of such tensors. Its spatial axes may have
    length 1, where a window has one value for all voxels: that is then one of every voxel.

    The windows and their weights are MONAI's (``sliding_window_inference``).
    """
    axes, forms, joined = len(sides), list[torch.Size](), list[Any]()

    def flat(windows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs = predict(windows)
        parts = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
        forms[:] = [part.shape[1:-axes] for part in parts]
        joined[:] = [None if isinstance(outputs, torch.Tensor) else type(outputs)]
        return tuple(
            part.float().expand(*part.shape[:-axes], *windows.shape[-axes:]).reshape(len(part), -1, *windows.shape[-axes:])
            for part in parts
        )

    found: Any = sliding_window_inference(image, list(sides), WINDOWS, flat, overlap=overlap, mode="gaussian")
    blended = [found] if isinstance(found, torch.Tensor) else list(found)
    maps = [part.reshape(len(part), *form, *part.shape[-axes:]) for part, form in zip(blended, forms, strict=True)]
    kind = joined[0]
    if kind is None:
        return maps[0]
    return kind(*maps) if hasattr(kind, "_fields") else tuple(maps)
