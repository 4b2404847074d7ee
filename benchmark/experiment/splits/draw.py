"""Draws subjects so that each centre gives its share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .base import Names, Positions, SplitCases


def centre_of_each_subject(subjects: Names, centres: Names) -> tuple[Names, Names]:
    """The subjects in order of name, and the centre of each: of several, the first by name."""
    pairs = sorted(set(zip(subjects.tolist(), centres.tolist(), strict=True)), reverse=True)
    centre = dict(pairs)
    ordered = sorted(centre)
    return np.array(ordered), np.array([centre[subject] for subject in ordered])


def draw_by_subject(places: Positions, cases: SplitCases, n: int, random: np.random.Generator) -> tuple[Positions, Positions]:
    """The cases at ``places`` in two: those left, and those of ``n`` subjects that are drawn, spread over the centres."""
    subjects, centres = centre_of_each_subject(cases.subjects[places], cases.centres[places])
    names, sizes = np.unique(centres, return_counts=True)
    seats = subjects_per_centre(sizes.tolist(), n)
    chosen = [random.permutation(subjects[centres == name])[:k] for name, k in zip(names, seats, strict=True)]
    drawn = np.isin(cases.subjects[places], np.concatenate(chosen))
    return places[~drawn], places[drawn]


def subjects_per_centre(sizes: Sequence[int], n: int) -> list[int]:
    """How many of ``n`` drawn subjects each centre gives; ``sizes`` are the centres' subjects, ``n`` is less than all.

    Each centre of two subjects or more gives one, the largest first, as far as ``n`` goes. The rest is shared in proportion
    to the sizes, by largest remainder, and a centre gives its last subject only when no other has one left to give.
    """
    seats = [0] * len(sizes)
    largest_first = sorted(range(len(sizes)), key=lambda centre: -sizes[centre])
    for centre in [centre for centre in largest_first if sizes[centre] >= 2][:n]:
        seats[centre] = 1
    fair = [n * size / sum(sizes) for size in sizes]
    while sum(seats) < n:
        giving = [c for c in largest_first if seats[c] < sizes[c] - 1] or [c for c in largest_first if seats[c] < sizes[c]]
        seats[max(giving, key=lambda centre: fair[centre] - seats[centre])] += 1
    return seats
