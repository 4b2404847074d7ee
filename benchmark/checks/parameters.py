"""scikit-learn's habit that everything else leans on: ``__init__`` stores its parameters and does nothing else."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.base import clone

from .result import require


def parameters_are_stored(estimator: Any) -> None:
    """Defaults everywhere, each parameter stored as it came under its own name, nothing else set, and ``clone`` works."""
    cls = estimator if isinstance(estimator, type) else type(estimator)
    named = {name: p for name, p in inspect.signature(cls).parameters.items() if p.kind is not p.VAR_KEYWORD}
    if isinstance(estimator, type):
        needed = [name for name, p in named.items() if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
        require(not needed, f"it cannot be built without {', '.join(needed)}: give every parameter of __init__ a default")
    names = [name for name, p in named.items() if p.kind is not p.VAR_POSITIONAL]
    _stored(cls, {name: object() for name in names})
    _stored(cls, dict.fromkeys(names))  # finds ``self.budget = budget or Budget()``
    original = cls() if isinstance(estimator, type) else estimator
    same = str(clone(original).get_params()) == str(original.get_params())
    require(same, "a clone has other parameters than the original: store the objects that __init__ is given, not copies")


def _stored(cls: type, marks: dict[str, object]) -> None:
    """Build it with objects that can be stored and nothing else."""
    try:
        built: Any = cls(**marks)
    except Exception as error:  # whatever it is, __init__ did more than store
        trouble = f"{type(error).__name__}: {error}"
    else:
        trouble = ""
    require(not trouble, f"__init__ does more than store its parameters ({trouble}): check and compute in fit")
    changed = [name for name, mark in marks.items() if getattr(built, name, None) is not mark]
    require(not changed, f"__init__ does not store {', '.join(changed)} unchanged under its own name: compute in fit")
    inherited = {name for base in cls.__mro__[1:-1] for name in inspect.signature(base).parameters}
    more = sorted(vars(built).keys() - marks.keys() - inherited)
    require(not more, f"__init__ sets {', '.join(more)}, no parameter of its own: set it in fit, under a name that ends in _")
