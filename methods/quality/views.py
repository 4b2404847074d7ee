"""Cases as methods for annotations of two qualities learn from them: of some raters alone, with other labels, or pooled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from ...datasets.base import Case, Dataset, Labels
from ...errors import RaterbenchError
from ...seeds import seed_sequence
from ..fusion.majority import MajorityVote

HQ, LQ = ("hq",), ("lq",)
"""The careful and the cheap raters, by default those of the data sets with two qualities."""
POOLED = 4
"""The stream of random numbers that splits pooled cases; see ``learning.training`` for the others."""
HELD_OUT = 0.2
"""The share of pooled cases that validates (Vadineanu, 2025, section 3.2.2)."""
ONE_CASE = "there is one case alone: it is learned from and validates"


class Place(NamedTuple):
    """Where a case is: its data set, and its row there."""

    part: Dataset
    position: int

    @property
    def raters(self) -> tuple[str, ...]:
        """Who rated the case, from the index."""
        raters: tuple[str, ...] = self.part.index["raters"].iloc[self.position]
        return raters

    @property
    def case(self) -> str:
        """The name of the case."""
        return str(self.part.index["case"].iloc[self.position])

    @property
    def subject(self) -> str:
        """Whose case it is."""
        return str(self.part.index["subject"].iloc[self.position])


class CaseView(Dataset):
    """Cases from one or several parts of a data set, each as ``change`` gives it when it is read.

    ``raters`` says for each case who has rated it then. Everything else is as in the data set.
    """

    listed = False

    def __init__(self, places: Sequence[Place], raters: Sequence[tuple[str, ...]], change: Callable[[Case], Case]) -> None:
        self.places, self.change = list(places), change
        first = self.places[0].part
        self.name, self.classes, self.raters = first.name, first.classes, first.raters
        self.preparation, self.unit, self.anonymous_raters = first.preparation, first.unit, first.anonymous_raters
        self.diagnoses = first.diagnoses
        rows = [place.part.index.iloc[place.position] for place in self.places]
        self.index = first.index.iloc[:0].reindex(range(len(rows)))
        for column in ("case", "subject", "centre"):
            self.index[column] = [row[column] for row in rows]
        self.index["raters"] = list(raters)

    @property
    def whole(self) -> Dataset:
        return self.places[0].part.whole

    def load(self, position: int) -> Case:
        place = self.places[position]
        return self.change(place.part[place.position])


def places_rated_by(names: Collection[str], *parts: Dataset) -> list[Place]:
    """The cases of all parts that at least one of the raters rated, from the index alone."""
    places = (Place(part, position) for part in parts for position in range(len(part)))
    return [place for place in places if not set(names).isdisjoint(place.raters)]


def split_places(kinds: Sequence[Sequence[Place]], seed: int) -> tuple[list[Place], list[Place]]:
    """Pooled cases to learn from and to validate on, a fifth of each kind; a case alone does both.

    Of two cases or more of a kind at least one validates.
    """
    random = np.random.default_rng(seed_sequence(seed, POOLED))
    learned, held_out = list[Place](), list[Place]()
    for places in kinds:
        order = random.permutation(len(places))
        n = max(1, round(HELD_OUT * len(places))) if len(places) > 1 else 0
        held_out += [places[i] for i in sorted(order[:n].tolist())]
        learned += [places[i] for i in sorted(order[n:].tolist())]
    return learned, held_out or learned


def best_raters(there: Collection[str], hq: Sequence[str], lq: Sequence[str]) -> tuple[str, ...]:
    """Of those who are ``there`` the careful raters, or the cheap ones where none is.

    >>> best_raters(["lq", "hq"], ["hq"], ["lq"])
    ('hq',)
    """
    return tuple(rater for rater in hq if rater in there) or tuple(rater for rater in lq if rater in there)


def careful_labels(case: Case, hq: Sequence[str], n_classes: int) -> Labels:
    """What the careful raters say of a case [*S]: the one there is, or the majority of several."""
    ratings = {rater: case.ratings[rater] for rater in hq if rater in case.ratings}
    if len(ratings) == 1:
        return next(iter(ratings.values()))
    return MajorityVote().fuse(ratings, n_classes, geometry=case.geometry).labels


def check_two_qualities(hq: Sequence[str], lq: Sequence[str], where: str) -> None:
    """See that raters are named, and none as careful and as cheap.

    Raises:
        RaterbenchError: a list is empty, or names a rater of the other.
    """
    for key, names in (("hq", hq), ("lq", lq)):
        if not names:
            raise RaterbenchError(f"{where}: {key} names no rater: write {key} = [...]")
    both = sorted(set(hq) & set(lq))
    if both:
        raise RaterbenchError(f"{where}: {both[0]!r} is named in hq and in lq: a rater is careful or cheap, not both")


def missing_raters(dataset: Dataset, names: Sequence[str]) -> str | None:
    """In words that the data set lacks some of the raters; None if it has them."""
    missing = [repr(name) for name in names if name not in dataset.raters]
    if not missing:
        return None
    return f"it needs the raters {', '.join(missing)}, and the data set has {', '.join(map(repr, dataset.raters))}"
