"""Where float32 is needed although the network computes in bfloat16."""

from __future__ import annotations

import torch


def full_precision(tensor: torch.Tensor) -> torch.autocast:
    """A context in which products of float32 tensors on this tensor's device stay float32, whatever the network computes in.

    In bfloat16 the probability .998 of a vote would become 1, and its loss 0.
    """
    return torch.autocast(tensor.device.type, enabled=False)
