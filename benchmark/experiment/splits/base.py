"""The contract of a split policy: which cases are tested in each fold, and which are left to learn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ....parameters import Parameterised, check_stored
from ....registry import Registry

Names = npt.NDArray[np.str_]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SplitCases:
    """The cases of a data set as a split policy sees them, in the order of their names: no pixel, no label.

    Args:
        dataset: the name of the data set, for messages.
        subjects: [n] whose case each is; a subject must never be in two parts of a fold.
        centres: [n] where each case comes from.
        official_test: positions of the data set's own test part; empty if it has none.
    """

    dataset: str
    subjects: Names
    centres: Names
    official_test: Positions

    def __len__(self) -> int:
        return len(self.subjects)


class Parts(NamedTuple):
    """A fold as positions of cases: ``rest`` is for training and validation, ``test`` for testing.

    ``validation`` are those of ``rest`` that validate. With None they are drawn from ``rest`` by subject, in the share that the
    experiment says.
    """

    rest: Positions
    test: Positions
    validation: Positions | None = None


class SplitPolicy(Parameterised, ABC):
    """A way of choosing test parts, after scikit-learn's splitters.

    ``__init__`` only stores keyword parameters: they are the keys of ``[split]`` in an experiment, beside ``policy`` (the name
    of the class in kebab case), ``repeats``, ``validation`` and ``manifest``, which all policies share. The folds are always
    checked: a subject in two parts of a fold is an error, whatever the policy gives.
    """

    def check_parameters(self) -> None:
        """Check the parameters against their type hints.

        Raises:
            RaterbenchError: one is of another kind, or out of range.
        """
        check_stored(self, "split")

    def least_folds(self) -> int:
        """How many folds a repeat has at least, as far as that is known without the data."""
        return 1

    @abstractmethod
    def outer(self, cases: SplitCases, seeds: np.random.SeedSequence) -> Iterable[Parts | tuple[Positions, Positions]]:
        """The folds of one repeat: (rest, test), or ``Parts`` with validation cases of the policy's own.

        Args:
            cases: what may be split.
            seeds: where all randomness comes from; other repeats and experiment seeds have other ones.

        Raises:
            RaterbenchError: the data cannot be split in this way; say what else could be done.
        """


SPLITS: Registry[SplitPolicy] = Registry("split", SplitPolicy, __package__ or "")
"""Every split policy by name."""
