"""The weights of a fitted method as a safetensors file, with what a prediction needs beside them in its header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ...errors import RaterbenchError
from ...paths import path_kind, unreachable
from ...whole_files import replacing
from .seen_images import SeenImages

if TYPE_CHECKING:
    import torch

    from ...methods.base import Method

HEADER = "raterbench"
"""Under this name the header of the file has the JSON of ``WeightsAbout``."""


@dataclass(frozen=True)
class WeightsAbout:
    """What stands in the header of a file of weights.

    Args:
        facts: ``Method.facts``; None for a method that cannot be restored.
        seen: the images that it learned from; None where nobody noted them.
        key: of the training unit; empty for a model that is none.
        seed: of the fold, which methods that sample draw with.
        sources: hashes of the method's classes outside the package, and of what these import.
    """

    facts: dict[str, Any] | None = None
    seen: SeenImages | None = None
    key: str = ""
    seed: int = 0
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class KeptWeights:
    """The content of a file of weights."""

    weights: Mapping[str, torch.Tensor]
    about: WeightsAbout


def write_weights(path: Path, method: Method, about: WeightsAbout) -> None:
    """Write the weights of a fitted method; ``facts`` are added to ``about``. A method without weights has an empty file.

    Raises:
        RaterbenchError: the file cannot be written, or the method has something that cannot be kept.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    facts = method.facts()
    header = replace(about, facts=None if facts is None else dict(facts))
    weights = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in method.weights().items()}
    with replacing(path) as place:
        try:
            save_file(weights, place, metadata={HEADER: msgspec.json.encode(header).decode()})
        except SafetensorError as error:  # As it names a full disk.
            raise RaterbenchError(f"{path} cannot be written: {error}") from error


def read_weights(path: Path) -> KeptWeights:
    """The weights in a file and what its header says.

    Raises:
        RaterbenchError: the file is not there, damaged, or its header says nothing of a method.
    """
    from safetensors import SafetensorError, safe_open

    if path_kind(path) != "file":
        raise RaterbenchError(f"{path} is not there: the weights were not kept, or were taken away")
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(HEADER)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except SafetensorError as error:
        raise RaterbenchError(f"{path} is damaged ({error}): get it again, or train again") from error
    except OSError as error:
        raise unreachable(path, error) from error
    if header is None:
        raise RaterbenchError(
            f"{path} holds weights alone, as an earlier version of raterbench kept them: take it away and run the experiment "
            "again, or train one model on all cases (raterbench train)"
        )
    try:
        return KeptWeights(weights, msgspec.json.decode(header, type=WeightsAbout))
    except msgspec.DecodeError as error:
        raise RaterbenchError(f"{path} has a header of another version ({error}): train again") from error
