"""What is segmented: cases, raters, loaders, simulated raters, geometry and preparation.

Names are imported when they are first asked for, so that the contracts cost no image library and no network.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from .base import IGNORE, Card, Case, CaseList, Dataset, Geometry, Preparation, Truth
from .errors import RaterbenchError, nearest
from .registry import Registry

if TYPE_CHECKING:
    from .bubil import BUBIL as BUBIL
    from .confused_shapes import ConfusedShapes as ConfusedShapes
    from .deepflash import DeepFlash as DeepFlash
    from .folder import Folder as Folder
    from .isbi2015 import ISBI2015 as ISBI2015
    from .mnist import MNIST as MNIST
    from .phantom import Phantom as Phantom
    from .rating_folder import RatingFolder as RatingFolder
    from .simulated_raters import SimulatedRater as SimulatedRater
    from .simulated_raters import pooled_confusion as pooled_confusion
    from .simulated_raters import true_confusion as true_confusion

_LAZY = {
    "BUBIL": "bubil",
    "ConfusedShapes": "confused_shapes",
    "DeepFlash": "deepflash",
    "Folder": "folder",
    "ISBI2015": "isbi2015",
    "MNIST": "mnist",
    "Phantom": "phantom",
    "RatingFolder": "rating_folder",
    "SimulatedRater": "simulated_raters",
    "pooled_confusion": "simulated_raters",
    "true_confusion": "simulated_raters",
}

__all__ = [
    "BUBIL",
    "DATASETS",
    "IGNORE",
    "ISBI2015",
    "MNIST",
    "Card",
    "Case",
    "CaseList",
    "ConfusedShapes",
    "Dataset",
    "DeepFlash",
    "Folder",
    "Geometry",
    "Phantom",
    "Preparation",
    "RaterbenchError",
    "RatingFolder",
    "SimulatedRater",
    "Truth",
    "load_dataset",
    "pooled_confusion",
    "true_confusion",
]

DATASETS: Registry[Dataset] = Registry("dataset", Dataset, __name__)
"""Every known data set by its name."""


def load_dataset(spec: str, data: str | None = None, **options: Any) -> Dataset:
    """The data set called ``spec``: a registered name, or ``folder:PATH`` for one's own; ``data`` is where downloads lie.

    Raises:
        RaterbenchError: there is no such data set or option, or its data are absent or wrong.
    """
    name, colon, path = spec.partition(":")
    if colon and name != "folder":
        raise RaterbenchError(f"{spec!r} is no data set: only folder:PATH takes a path{nearest(name, DATASETS.names())}")
    if colon:
        options["path"] = path
    kind = DATASETS.get(name)
    parameters = inspect.signature(kind).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for option in options:
            if option not in parameters:
                raise RaterbenchError(f"the data set {name!r} has no option {option!r}{nearest(option, parameters)}")
    return kind.from_options(data=data, **options)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
