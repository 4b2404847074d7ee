"""Seeds for parts of an experiment that do not overlap with those of a neighbouring seed, repeat or fold."""

from __future__ import annotations

import numpy as np


def seed_sequence(seed: int, *place: int) -> np.random.SeedSequence:
    """A source of random numbers for one place, such as (repeat, fold), of whatever is drawn from ``seed``.

    Seeds that are added up overlap: seed 0 in repeat 1 would draw what seed 1 draws in repeat 0. The sequences of different
    seeds, and of different places, even of different length, are independent.
    """
    return np.random.SeedSequence(seed, spawn_key=place)


def derived_seed(seed: int, *place: int) -> int:
    """The same as one number of 64 bits, for generators that take no sequence, such as torch's."""
    return int(seed_sequence(seed, *place).generate_state(1, np.uint64)[0])
