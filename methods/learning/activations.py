"""Activations of the recipes: logits [B, K, *S] to probabilities [B, K, *S] that sum to 1 over K."""

from __future__ import annotations

import torch


def foreground_sigmoid_logits(logits: torch.Tensor) -> torch.Tensor:
    """Logits [B, 2, *S] whose softmax is the sigmoid of the foreground's logit: the background's is 0 and not learned."""
    return torch.cat([torch.zeros_like(logits[:, :1]), logits[:, 1:]], dim=1)


def normalised_relu(logits: torch.Tensor, *, each_slice: bool, inside: torch.Tensor | None = None) -> torch.Tensor:
    """ReLU over its maximum (Gros, Lemay and Cohen-Adad 2021), the maximum of all of B or of ``each_slice``.

    Two classes use the foreground's logit alone. More are divided by the sum over the classes. A voxel without any mass is
    background. Only voxels ``inside`` [B, *S] enter the maximum, all if it is None; those outside are background.
    """
    positive = logits.relu()
    if inside is not None:
        positive = positive.masked_fill(~inside.unsqueeze(1), 0)
    if logits.shape[1] == 2:
        foreground = _over_maximum(positive[:, 1:], each_slice=each_slice)
        return torch.cat([1 - foreground, foreground], dim=1)
    scaled = _over_maximum(positive, each_slice=each_slice)
    mass = scaled.sum(dim=1, keepdim=True)
    background = torch.zeros_like(scaled)
    background[:, 0] = 1
    return torch.where(mass > 0, scaled / mass.clamp(min=torch.finfo(mass.dtype).tiny), background)


def _over_maximum(positive: torch.Tensor, *, each_slice: bool) -> torch.Tensor:
    tiny = torch.finfo(positive.dtype).tiny
    if not each_slice:
        return positive / positive.max().clamp(min=tiny)
    peak = positive.flatten(1).amax(dim=1).clamp(min=tiny)
    return positive / peak.view(-1, *[1] * (positive.ndim - 1))
