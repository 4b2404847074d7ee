"""The embedded data set: simulated spinal cords whose truth, partial volumes and raters are all known."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from ..errors import RaterbenchError
from ..parameters import Range, Seed, check_arguments
from .base import Card, Case, Dataset, Geometry, Truth, check_case, index_table
from .simulation import spinal_cord
from .simulation.raters import Confusion, SimulatedRater, pooled_confusion
from .simulation.spinal_cord import Anatomy, Scanner
from .simulation.spinal_cord_raters import ARMS, RATERS, Arm

FEWEST_RATERS = 2
"""Every case is rated by at least this many."""


@dataclass(frozen=True)
class Centre:
    """A place with one scanner; ``field`` is the height and width of its images, in multiples of the option ``size``."""

    name: str
    field: tuple[float, float]
    scanner: Scanner


CENTRES = (
    Centre(
        "north", (1.0, 1.0), Scanner((0.30, 0.30), 0.35, 0.95, 0.48, 0.62, noise=0.06, texture=0.030, shading=0.08, blur=0.12)
    ),
    Centre(
        "south",
        (0.875, 0.9375),
        Scanner((0.36, 0.36), 0.45, 1.00, 0.55, 0.66, noise=0.07, texture=0.035, shading=0.15, blur=0.20),
    ),
    Centre(
        "west", (1.0, 0.875), Scanner((0.30, 0.36), 0.25, 0.85, 0.42, 0.54, noise=0.08, texture=0.040, shading=0.12, blur=0.15)
    ),
)
"""The three centres: fine and clean, coarse and shaded, anisotropic and noisy. Pixels are those of an image of 64 pixels."""

FINEST = Centre(
    "east", (2.0, 2.0), Scanner((0.15, 0.15), 0.35, 0.95, 0.48, 0.62, noise=0.06, texture=0.030, shading=0.08, blur=0.06)
)
"""The optional fourth centre: *north* with pixels and blur of half the size, so that the two differ in resolution alone."""

DIAGNOSES = ("healthy", "atrophy")
MOST_ATROPHY = 0.9
"""No patient loses a larger share of the grey matter, however wide the spread."""


class Phantom(Dataset):
    """Axial slices of simulated spinal cords: background, white and grey matter.

    A case is one slice; the slices of a subject share their person's anatomy, and ``subject`` keeps them together.
    The same options always give the same bits, and a case depends on ``seed``, its subject and its slice only; who is a patient
    also depends on the number of subjects and centres. With other ``patients`` or ``raters`` all random numbers stay the same:
    a patient is the same person in health with less grey matter, and ratings are paired over the choices of ``raters``.

    Args:
        subjects: Number of persons, dealt to the centres in turn.
        slices: Number of slices of each person.
        size: Height and width in pixels of the largest image of three centres; the anatomy stays the same, the pixels shrink
            or grow.
        missing: Share of the ratings that are absent, the same for each rater.
        seed: Of everything that is random.
        centres: 3 or 4. The fourth, *east*, images the same anatomy with half the pixel size of the finest of the three, so
            with ``2 * size`` pixels along each side.
        patients: Share of the subjects who are patients, with the diagnosis *atrophy*: exactly this share, rounded to a whole
            subject, and spread evenly over the centres. With 0 there are no diagnoses.
        atrophy: Share of the area of the grey matter that a patient lost: the mean over patients.
        atrophy_sd: Its standard deviation over patients; shares below 0 or above 0.9 become these.
        raters: How *steady* rates, the only rater without a bias. ``"independent"``: as by default, with errors that do not
            depend on the diagnosis, like all others; ``"sees more"``: with a fifth of the jitter; ``"knows"``: with the same
            errors, but the rater knows the diagnosis and draws the grey matter of patients 0.04 mm too far in.

    Raises:
        RaterbenchError: an option is out of its range, there are patients but only one kind of subject, or a rater knows a
            diagnosis where there are no patients.
    """

    name = "phantom"
    classes = ("background", "white matter", "grey matter")
    raters = tuple(rater.name for rater in RATERS)
    n_axes = 2
    card: ClassVar[Card] = Card(
        title="Simulated spinal cords with five simulated raters",
        citation="raterbench (drawn by the software itself)",
        licence="Apache-2.0",
        source="embedded",
    )

    def __init__(
        self,
        *,
        subjects: Annotated[int, Range(1, 1000)] = 15,
        slices: Annotated[int, Range(1, 100)] = 4,
        size: Annotated[int, Range(16, 2048)] = 64,
        missing: Annotated[float, Range(0, 0.5)] = 0.2,
        seed: Seed = 0,
        centres: Literal[3, 4] = 3,
        patients: Annotated[float, Range(0, 1, without="high")] = 0.0,
        atrophy: Annotated[float, Range(0, 0.5)] = 0.12,
        atrophy_sd: Annotated[float, Range(0, 0.2)] = 0.04,
        raters: Arm = "independent",
    ) -> None:
        sizes = {"subjects": subjects, "slices": slices, "size": size, "missing": missing, "seed": seed, "centres": centres}
        disease = {"patients": patients, "atrophy": atrophy, "atrophy_sd": atrophy_sd, "raters": raters}
        check_arguments(Phantom, sizes | disease, "phantom")
        self.subjects, self.slices, self.size, self.missing, self.seed = subjects, slices, size, missing, seed
        self.centres = CENTRES if centres == 3 else (*CENTRES, FINEST)
        self.patients, self.atrophy, self.atrophy_sd, self.arm = float(patients), float(atrophy), float(atrophy_sd), raters
        if raters == "knows" and not patients:
            raise RaterbenchError(
                "phantom: raters = 'knows' needs a diagnosis to know, but patients is 0: set patients, for example to 0.5"
            )
        self.diagnoses = DIAGNOSES if patients else ()
        self._is_patient = self._drawn_patients()
        self._cases: dict[int, Case] = {}
        absent = self._absent()
        self.index = index_table(
            (
                f"{self._subject(i)}_slice-{i % slices + 1}",
                self._subject(i),
                self._centre(i).name,
                tuple(name for name, away in zip(self.raters, absent[i], strict=True) if not away),
            )
            for i in range(subjects * slices)
        )

    @property
    def rater_parameters(self) -> Mapping[str, SimulatedRater]:
        """What each rater does, by name: the values that a method may try to recover."""
        return {rater.name: rater for rater in ARMS[self.arm]}

    def rater_confusions(self) -> dict[str, Confusion]:
        """Each rater's true confusion [K, K] over all cases; that of one case is ``true_confusion(case)``."""
        return pooled_confusion(self)

    def load(self, position: int) -> Case:
        if position not in self._cases:
            self._cases[position] = self._drawn(position)
        return self._cases[position]

    def fingerprint(self) -> str:
        # The index knows none of these, and all change what a case holds.
        text = f"{super().fingerprint()}|{self.size}|{self.seed}"
        if self.patients:
            text += f"|{self.patients}|{self.atrophy}|{self.atrophy_sd}"
        if self.arm != "independent":
            text += f"|{self.arm}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __getstate__(self) -> dict[str, object]:
        # Another process draws its cases anew: that is quicker than sending them.
        return {**self.__dict__, "_cases": {}}

    def _drawn(self, position: int) -> Case:
        centre, row = self._centre(position), self.index.iloc[position]
        shape = (round(self.size * centre.field[0]), round(self.size * centre.field[1]))
        spacing = (centre.scanner.pixel[0] * 64 / self.size, centre.scanner.pixel[1] * 64 / self.size)
        person, slice_ = divmod(position, self.slices)
        anatomy = self._anatomy(person, slice_)
        diagnosis = int(self._is_patient[person]) if self.diagnoses else None
        distances = spinal_cord.outlines(*spinal_cord.grid(shape, spacing), anatomy)
        partial = spinal_cord.partial_volumes(shape, spacing, anatomy)
        # A rater has their own random numbers in each case, whether or not others rated it.
        ratings = {
            rater.name: rater.for_diagnosis(diagnosis).rate(distances, spacing, self._random(person, 3 + i, slice_))
            for i, rater in enumerate(ARMS[self.arm])
            if rater.name in row["raters"]
        }
        case = Case(
            id=row["case"],
            subject=row["subject"],
            centre=row["centre"],
            image=spinal_cord.image(partial, distances, centre.scanner, spacing, self._random(person, 2, slice_)),
            ratings=ratings,
            geometry=Geometry.axis_aligned(2, spacing),
            truth=Truth(labels=partial.argmax(axis=0).astype(np.uint8), probability=partial),
            diagnosis=diagnosis,
        )
        return check_case(case, self.n_classes, self.diagnoses)

    def _anatomy(self, person: int, slice_: int) -> Anatomy:
        level = (slice_ + 0.5) / self.slices
        anatomy = Anatomy.draw(self._random(person, 0), self._random(person, 1, slice_), level)
        if not self._is_patient[person]:
            return anatomy
        # Numbers of their own, the same in all slices: the anatomy is that of the same person in health.
        atrophy = self._random(person, 3 + len(RATERS)).normal(self.atrophy, self.atrophy_sd)
        return dataclasses.replace(anatomy, atrophy=float(np.clip(atrophy, 0, MOST_ATROPHY)))

    def _subject(self, position: int) -> str:
        return f"sub-{position // self.slices + 1:02d}"

    def _centre(self, position: int) -> Centre:
        return self.centres[position // self.slices % len(self.centres)]

    def _random(self, *coordinates: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *coordinates])

    def _drawn_patients(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Who is a patient [subjects]: drawn within each centre, whose numbers differ from their share by less than one."""
        random, chosen = np.random.default_rng([self.seed, 2**31 + 1]), np.zeros(self.subjects, bool)
        so_far = 0
        for first in range(len(self.centres)):
            subjects = np.arange(first, self.subjects, len(self.centres))
            before, so_far = so_far, so_far + len(subjects)
            # Rounded sums, not rounded parts: over all centres the number is that of the whole.
            count = math.floor(self.patients * so_far + 0.5) - math.floor(self.patients * before + 0.5)
            chosen[random.permutation(subjects)[:count]] = True
        if self.patients and (chosen.all() or not chosen.any()):
            raise RaterbenchError(
                f"phantom: patients = {self.patients} makes {chosen.sum()} of {self.subjects} subjects patients, but both "
                "patients and healthy subjects are needed: change patients, or take more subjects"
            )
        return chosen

    def _absent(self) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """Who is absent from which case [cases, raters]: for each rater the same number of cases, drawn at random."""
        random, cases = np.random.default_rng([self.seed, 2**31]), self.subjects * self.slices
        absent = np.zeros((cases, len(RATERS)), bool)
        for rater in range(len(RATERS)):
            absent[random.permutation(cases)[: round(self.missing * cases)], rater] = True
        for case in np.flatnonzero((~absent).sum(axis=1) < FEWEST_RATERS):
            back = random.permutation(np.flatnonzero(absent[case]))
            absent[case, back[: FEWEST_RATERS - int((~absent[case]).sum())]] = False
        return absent
