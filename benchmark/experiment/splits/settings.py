"""The table ``[split]`` of an experiment."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from ....parameters import Range, as_hinted, check_arguments, check_keys, parameter_hints
from ....plugin_errors import calling
from ..settings import check_fields
from .base import SPLITS, SplitPolicy

SHARED_KEYS = ("policy", "repeats", "validation", "manifest")
"""What every policy has; all other keys are parameters of the policy."""


@dataclass(frozen=True, init=False)
class Split:
    """How cases are split. Subjects are never split; validation subjects come out of the training part.

    Args:
        policy: the name of a ``SplitPolicy``: ``folds``, ``holdout``, ``leave-one-centre-out``, ``random``, ``centres``, or one
            of a plug-in.
        repeats: how often all folds are made, each time with other random numbers.
        validation: the share of the subjects which are not tested that validates.
        manifest: a ``splits.json`` to use in place of everything else.
        parameters: those of the policy. They can also be given as keywords: ``Split(folds=3)``.
    """

    policy: str
    repeats: Annotated[int, Range(1, 10**9)]
    validation: Annotated[float, Range(0, 1, without="both")]
    manifest: str
    parameters: Mapping[str, Any]

    def __init__(
        self,
        policy: str = "folds",
        *,
        repeats: int = 1,
        validation: float = 0.2,
        manifest: str = "",
        parameters: Mapping[str, Any] | None = None,
        **own: Any,
    ) -> None:
        values = {"policy": policy, "repeats": repeats, "validation": validation, "manifest": manifest}
        for name, value in (values | {"parameters": {**(parameters or {}), **own}}).items():
            object.__setattr__(self, name, value)
        check_fields(self, "split")
        if self.policy in SPLITS.names():
            # Those by default too, so that equal splits are equal and results say what they were.
            object.__setattr__(self, "parameters", self.build().get_params(deep=False))

    def build(self) -> SplitPolicy:
        """The configured policy.

        Raises:
            RaterbenchError: there is no such policy, or it has no such parameter; the nearest known name is given.
        """
        cls = SPLITS.get(self.policy)
        own = [name for name, p in inspect.signature(cls).parameters.items() if p.kind is not p.VAR_KEYWORD]
        check_keys(self.parameters, [*own, *SHARED_KEYS], "split")
        check_arguments(cls, self.parameters, "split")
        hints = parameter_hints(cls)
        with calling(cls, f"split policy {self.policy!r}"):
            values = {key: tuple(value) if isinstance(value, list) else value for key, value in self.parameters.items()}
            policy = cls(**{key: as_hinted(hints.get(key), value) for key, value in values.items()})
            policy.check_parameters()
        return policy
