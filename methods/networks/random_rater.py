"""Train on one rater at a time, drawn at random."""

from __future__ import annotations

import torch

from ..learning.network import NetworkMethod


class RandomRater(NetworkMethod):
    """Each time a slice is seen, one of its present raters is drawn uniformly and serves all its classes (Jensen et al. 2019).

    Validation uses all raters, so early stopping does not depend on the draw.
    """

    def select_targets(
        self, ratings: torch.Tensor, present: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One rater a slice: ratings [B, 1, K, *S], presence [B, 1, *S]."""
        judged = present.flatten(2).any(dim=2)
        draw = torch.rand(judged.shape, generator=generator).to(judged.device)
        chosen = draw.masked_fill(~judged, -1.0).argmax(dim=1)
        rows = torch.arange(len(chosen), device=chosen.device)
        return ratings[rows, chosen].unsqueeze(1), present[rows, chosen].unsqueeze(1)
