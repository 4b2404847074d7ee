"""Activations of the recipes: logits [B, K, *S] to probabilities [B, K, *S] that sum to 1 over K."""

from __future__ import annotations

import torch


def foreground_sigmoid_logits(logits: torch.Tensor) -> torch.Tensor:
    """Logits [B, 2, *S] whose softmax is the sigmoid of the foreground's logit: the background's is 0 and not learned."""
    return torch.cat([torch.zeros_like(logits[:, :1]), logits[:, 1:]], dim=1)


def normalised_relu(
    logits: torch.Tensor, *, each_slice: bool, inside: torch.Tensor | None = None, over_sum: bool = False
) -> torch.Tensor:
    """ReLU over its maximum (Gros, Lemay and Cohen-Adad 2021), the maximum of all of B or of ``each_slice``.

    Each foreground class is divided by its own maximum, and the background is the rest; where foreground classes sum to more
    than 1 they are divided by their sum. A class without a positive logit is nowhere. ``over_sum``: the later version of the
    published code (ivadomed), for more than two classes: the ReLU of all classes, the background included, over their sum. It
    cancels the maximum, and a class may then fade away in training until no logit of it is positive.

    Only voxels ``inside`` [B, *S] enter the maximum, all if it is None; those outside are background.
    """
    positive = logits.relu()
    if inside is not None:
        positive = positive.masked_fill(~inside.unsqueeze(1), 0)
    tiny = torch.finfo(positive.dtype).tiny
    if over_sum and logits.shape[1] > 2:
        mass = positive.sum(dim=1, keepdim=True)
        background = torch.zeros_like(positive)
        background[:, 0] = 1
        return torch.where(mass > 0, positive / mass.clamp(min=tiny), background)
    axes = [axis for axis in range(positive.ndim) if axis != 1 and not (each_slice and axis == 0)]
    foreground = positive[:, 1:] / positive[:, 1:].amax(dim=axes, keepdim=True).clamp(min=tiny)
    total = foreground.sum(dim=1, keepdim=True)
    foreground = foreground / total.clamp(min=1)
    return torch.cat([1 - foreground.sum(dim=1, keepdim=True).clamp(max=1), foreground], dim=1)
