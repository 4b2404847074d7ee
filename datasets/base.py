"""What is segmented: a case, the raters' labels of it, and a lazy sequence of cases."""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import RaterbenchError, shown
from ..parameters import Range, check_arguments
from .contents import contents_hash

IGNORE = 255
"""Label of a voxel that the rater did not judge. It is no class, and it enters no fusion, loss or metric."""

Labels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
LARGEST_SIDE = 8192
Side = Annotated[int, Range(1, LARGEST_SIDE)]
"""Pixels along one side of a slice that a network sees."""
Spacing = Annotated[float, Range(0, 1000, without="low")]
"""The size of a voxel along one axis."""
PatchSide = Annotated[int, Range(32, 512, step=32)]
"""Voxels along one side of a patch of a volume."""
Mode = Literal["slices", "volumes", "auto"]
OF_SLICES = ("size", "pixel_size", "crop")
OF_VOLUMES = ("voxel_size", "patch", "foreground", "overlap")
"""The settings of ``Preparation`` that have a meaning for slices, and for volumes, alone."""
HIDDEN = ("truth", "diagnosis", "instances")
"""What a case may hold beyond image and ratings: a method sees of it what it needs, on training cases.

``rater_diagnoses`` are part of ``diagnosis``.
"""
Unit = Literal["mm", "pixel"]
"""What lengths are measured in: mm, or pixel where the files say nothing trustworthy about size."""


@dataclass(frozen=True)
class Geometry:
    """Where the voxels lie.

    ``spacing`` is in array order (z, y, x), as ``SimpleITK.GetArrayFromImage`` orders axes, and in ``unit``: mm, or pixel
    where the size of a pixel is not known. ``origin`` and ``direction`` stay in SimpleITK's own physical order (x, y, z): they
    are carried, never computed with.
    """

    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    unit: Unit = "mm"

    @classmethod
    def axis_aligned(cls, ndim: int, spacing: Sequence[float] | None = None) -> Geometry:
        """A geometry at the origin; ``spacing`` [ndim] in mm, array order. Without it the unit is the pixel."""
        return cls(
            spacing=tuple(float(s) for s in (spacing if spacing is not None else [1.0] * ndim)),
            origin=(0.0,) * ndim,
            direction=tuple(float(v) for v in np.eye(ndim).ravel()),
            unit="pixel" if spacing is None else "mm",
        )


def slicing_axis(shape: Sequence[int], axis: int = 0) -> int:
    """The axis along which a volume [*S] is cut into slices: ``axis``, unless it is another one alone that has one voxel.

    A volume of one slice then is that slice, wherever its thin axis lies.
    """
    thin = [place for place, n in enumerate(shape) if n == 1]
    return thin[0] if len(thin) == 1 else axis


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array, which cannot be written through what is returned."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class Truth:
    """What is really there, known where the data are simulated, or where labels better than any rater's exist.

    ``labels`` [*S] uint8 class indices, ``IGNORE`` where unknown; ``probability`` [K, *S] float32, each voxel's true share of
    every class, uniform where unknown. Both are read-only, as a case's arrays are.
    """

    labels: Labels
    probability: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", read_only(self.labels))
        object.__setattr__(self, "probability", read_only(self.probability))


@dataclass(frozen=True, eq=False)
class Instances:
    """Which object each voxel belongs to, in the eyes of one rater.

    ``numbers`` [*S] whole numbers: the object, 0 where there is none. ``classes`` [N + 1] uint8: the class index of each object
    by its number; that of 0 is 0, and so is that of distractors: objects of another kind, which are background in the labels.
    ``rater`` drew them, so that a method may see them in cases that this rater rated. Both arrays are read-only.
    """

    numbers: npt.NDArray[np.int32]
    classes: Labels
    rater: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", read_only(np.asarray(self.numbers, np.int32)))
        object.__setattr__(self, "classes", read_only(np.asarray(self.classes, np.uint8)))

    @property
    def labels(self) -> Labels:
        """The class indices [*S] uint8 that the objects give."""
        return np.asarray(self.classes[self.numbers])

    @cached_property
    def targets(self) -> npt.NDArray[np.intp]:
        """The numbers of the objects of a class that have a voxel, in ascending order."""
        return np.asarray(self._there[self.classes[self._there] > 0])

    @cached_property
    def distractors(self) -> npt.NDArray[np.intp]:
        """The numbers of the distractors that have a voxel, in ascending order."""
        return np.asarray(self._there[self.classes[self._there] == 0])

    @cached_property
    def _there(self) -> npt.NDArray[np.intp]:
        return np.flatnonzero(np.bincount(self.numbers.ravel(), minlength=1)[1:]) + 1


@dataclass(frozen=True, eq=False)
class Case:
    """One image and what each rater said about it, in its native geometry.

    ``image`` [C, *S] float32. ``ratings`` maps a rater's name to labels [*S] uint8, class indices or ``IGNORE``;
    a rater who did not rate the case is an absent key. ``subject`` is never split across train and test. ``instances``
    are given where they are known, whoever rated the case: ``blind`` hides them. The arrays are read-only, since all who get
    the case share them: to change one, copy it.

    ``diagnosis`` is an index into ``Dataset.diagnoses``, None where it is not known. ``rater_diagnoses`` maps a rater's name to
    what this rater diagnosed, an index of the same kind; a rater who gave none is an absent key.
    """

    id: str
    subject: str
    centre: str
    image: Floats
    ratings: Mapping[str, Labels]
    geometry: Geometry
    truth: Truth | None = None
    diagnosis: int | None = None
    instances: Instances | None = None
    rater_diagnoses: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", read_only(self.image))
        object.__setattr__(self, "ratings", {rater: read_only(labels) for rater, labels in self.ratings.items()})

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape *S."""
        return self.image.shape[1:]

    def blind(self, needs: Collection[str] = ()) -> Case:
        """The case as a method may learn from it: without truth, diagnosis and instances, except what it ``needs``.

        Instances are part of a rating: who needs them sees them only where their rater rated the case.
        """
        truth, diagnosis, instances = (getattr(self, name) if name in needs else None for name in HIDDEN)
        if instances is not None and instances.rater not in self.ratings:
            instances = None
        own = self.rater_diagnoses if "diagnosis" in needs else {}
        return dataclasses.replace(self, truth=truth, diagnosis=diagnosis, instances=instances, rater_diagnoses=own)

    def unlabelled(self) -> Case:
        """The case as a method may predict it: the image and where it lies, nothing else."""
        return dataclasses.replace(self, ratings={}, truth=None, diagnosis=None, instances=None, rater_diagnoses={})


@dataclass(frozen=True)
class Card:
    """Where a data set comes from and on what terms; ``checksums`` maps a file's name to ``md5:...`` or ``sha256:...``."""

    title: str
    citation: str
    licence: str
    source: str
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Preparation:
    """How a network sees the cases of a data set; what it predicts is always restored to native geometry.

    ``slice_axis`` names the axis along which volumes are learned slice by slice: ``"z"``, ``"y"`` or ``"x"`` (the array's
    first, second, third axis); 2-D images ignore it, and so do volumes of one slice (``slicing_axis``). ``multiple`` is what
    both sides of a padded slice are divisible by: 32, or a multiple of it, since the backbone halves a slice four times and
    needs two pixels there.

    At most one of two settings resamples slices before padding; without them they keep their native grid. ``size`` (height,
    width) gives every slice that many pixels, whatever it shows. ``pixel_size``, in the unit of the geometry, gives the pixels
    of every case this height and width, so that cases of different resolution look alike; the number of pixels follows from
    the spacing of each axis and is rounded. ``image_order`` is the order of the splines that resample images, 1 (linear) or 2;
    labels are always resampled linearly, which keeps them between 0 and 1.

    ``crop`` (height, width) cuts slices to at most so many pixels around the middle of the image, after resampling and in
    training and prediction alike: this bounds memory and time. What lies outside is neither learned nor found: predictions are
    whole, and background there, so that it counts as missed. Smaller slices are padded to it, so that the network gets all
    slices of all cases in one shape: set it where ``pixel_size`` gives several, since training pads all slices to the largest.

    ``mode`` says how volumes are learned: slice by slice, or as ``volumes`` of which a network sees patches in 3-D. ``auto``
    decides by the cases (``learning.volumes.choice``): slices where the largest spacing is more than three times the smallest
    (Isensee et al. 2021), and volumes else. A setting of slices alone (``slice_axis`` other than z, ``size``, ``pixel_size``,
    ``crop``) decides it, too, and so does one of volumes alone. 2-D images are slices in any case. What follows is for volumes,
    which take no other setting but ``multiple`` and ``image_order``. ``voxel_size`` (z, y, x), in the unit of the geometry, is
    what volumes are resampled to; without it they keep their grid. ``patch`` (z, y, x) is the size of the patches in voxels, at
    most that of the largest volume. ``foreground`` is the share of the patches of training that have a voxel in which a rater
    marked foreground; the others lie anywhere. No prediction uses a label: windows of the size of a patch cover the volume,
    each overlaps the next by ``overlap``, and what they give is averaged with Gaussian weights.

    Raises:
        RaterbenchError: a setting is out of its range, or two exclude each other.
    """

    slice_axis: Literal["z", "y", "x"] = "z"
    size: tuple[Side, Side] | None = None
    multiple: Annotated[int, Range(32, 1024, step=32)] = 32
    image_order: Literal[1, 2] = 1
    pixel_size: Annotated[float, Range(0, 1000, without="low")] | None = None
    crop: tuple[Side, Side] | None = None
    mode: Mode = "auto"
    voxel_size: tuple[Spacing, Spacing, Spacing] | None = None
    patch: tuple[PatchSide, PatchSide, PatchSide] = (64, 64, 64)
    foreground: Annotated[float, Range(0, 1)] = 0.5
    overlap: Annotated[float, Range(0, 0.9)] = 0.5

    def __post_init__(self) -> None:
        checked = ("pixel_size", "crop", "mode", "voxel_size", "patch", "foreground", "overlap")
        check_arguments(Preparation, {name: getattr(self, name) for name in checked}, "preparation")
        object.__setattr__(self, "patch", tuple(self.patch))
        if self.voxel_size is not None:
            object.__setattr__(self, "voxel_size", tuple(map(float, self.voxel_size)))
        if self.pixel_size is not None:  # 1 and 1.0 are one setting, and one key of results.
            object.__setattr__(self, "pixel_size", float(self.pixel_size))
        if self.size is not None and self.pixel_size is not None:
            raise RaterbenchError(
                f"preparation: size = {shown(self.size)} and pixel_size = {shown(self.pixel_size)} exclude each other, as both "
                "say how slices are resampled: leave one of them out"
            )
        if self.mode == "auto" and (flat := self.given(OF_SLICES)) and (solid := self.given(OF_VOLUMES)):
            raise RaterbenchError(
                f"preparation: {flat[0]} = {shown(getattr(self, flat[0]))} is for slices, and {solid[0]} = "
                f'{shown(getattr(self, solid[0]))} for volumes: leave one of them out, or set mode = "slices"'
            )
        if self.mode == "volumes":
            for name in OF_SLICES:
                if (value := getattr(self, name)) is not None:
                    raise RaterbenchError(
                        f'preparation: {name} = {shown(value)} is for slices, and mode = "volumes": leave it out, or give '
                        "voxel_size and patch"
                    )
            if any(side % self.multiple for side in self.patch):
                raise RaterbenchError(
                    f"preparation: patch = {shown(self.patch)} must have sides divisible by multiple = {self.multiple}"
                )

    def given(self, names: Sequence[str]) -> list[str]:
        """Those of the settings that are not at their default."""
        default = {field.name: field.default for field in dataclasses.fields(self)}
        return [name for name in names if getattr(self, name) != default[name]]


class Dataset(ABC, Sequence[Case]):
    """A lazy sequence of cases. Reading a case touches the disk; everything else is known from the index.

    A subclass sets ``name``, ``classes`` (names, the background first), ``raters``, ``card`` and ``index``,
    and implements ``load``. ``index`` has one row per case and the columns ``case``, ``subject``, ``centre`` (strings)
    and ``raters`` (a tuple of the names of those who rated it); it is made without reading a pixel.
    """

    name: str
    classes: tuple[str, ...]
    raters: tuple[str, ...]
    index: pd.DataFrame  # type: ignore[assignment]  # The table shadows Sequence.index, which cases cannot have.
    card: ClassVar[Card]
    preparation: Preparation = Preparation()
    unit: Unit = "mm"
    """What the lengths of all its cases are measured in (``Geometry.unit``)."""
    n_axes: int | None = None
    """How many axes its images have, where that is known of all of them without reading one."""
    anonymous_raters: bool = False
    """Whether the name of a rater is a place in each case and no person: nothing can be learned of raters over cases."""
    class_values: tuple[int, ...] = ()
    """The value of each class in its label files, which predictions get, too; empty where these are 0 to K - 1."""
    diagnoses: tuple[str, ...] = ()
    """What a case may be diagnosed as (``Case.diagnosis`` is an index), the healthy one first; empty where none is known.

    The index may have a column ``diagnosis`` with the name of each case's, empty where it is not known; ``blind`` hides it.
    """
    official_test: tuple[int, ...] = ()
    """Positions of the test part that the publishers of the data set fixed; empty where there is none."""
    reader: Callable[[int], Case] | None = None
    """What is asked for a case in place of ``load``: a cache."""

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> Dataset:
        """Build the data set that a user named; ``data`` is the folder that holds downloaded data, or None."""
        del data
        return cls(**options)

    @property
    def questions(self) -> tuple[str, ...]:
        """Sentences about what may be wrong with its ratings, found without a method; may read every rating."""
        return ()

    @abstractmethod
    def load(self, position: int) -> Case:
        """Read the case in row ``position`` of the index."""

    def grid_at(self, position: int) -> tuple[tuple[int, ...], Geometry]:
        """Shape [*S] and geometry of the case in row ``position``; a subclass may know them without reading a voxel."""
        case = self[position]
        return case.shape, case.geometry

    @property
    def whole(self) -> Dataset:
        """The data set that this one is a part of; itself, if it is none."""
        return self

    def source_files(self) -> Mapping[str, Path]:
        """All files that its cases are read from, by a name that does not depend on where the data set lies.

        None for a data set that is drawn, or held in memory.
        """
        return {}

    def fingerprint(self) -> str:
        """A short hash of what the data set holds, of its index and the contents of its files: part of a result's key.

        Raises:
            RaterbenchError: a file is not there, or cannot be read.
        """
        files = self.source_files()
        text = f"{self.name}|{self.classes}|{self.raters}|{self.index.to_csv(index=False)}"
        if files:
            text += f"|{contents_hash(files)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def n_classes(self) -> int:
        """Number of classes K, the background included."""
        return len(self.classes)

    def diagnosis_at(self, position: int) -> int | None:
        """The diagnosis of the case in row ``position`` as the index has it; None where it is not known."""
        name = self.index["diagnosis"].iloc[position] if "diagnosis" in self.index else ""
        return self.diagnoses.index(name) if name else None

    def __len__(self) -> int:
        return len(self.index)

    @overload
    def __getitem__(self, position: int) -> Case: ...

    @overload
    def __getitem__(self, position: slice) -> Dataset: ...

    def __getitem__(self, position: int | slice) -> Case | Dataset:
        if isinstance(position, slice):
            return self.subset(range(*position.indices(len(self))))
        if not -len(self) <= position < len(self):
            raise IndexError(position)
        return self.case_at(position % len(self))

    def case_at(self, position: int) -> Case:
        """The case in row ``position`` of the index, from ``reader`` if there is one, else from ``load``."""
        return self.load(position) if self.reader is None else self.reader(position)

    def subset(self, positions: Iterable[int], *, blind: bool = False, needs: Collection[str] = ()) -> Dataset:
        """The cases at ``positions``; ``blind`` hides what a method does not ``need`` (``Case.blind``) as each is read."""
        return Subset(self, positions, blind=blind, needs=needs)


class Subset(Dataset):
    """Some cases of another data set, in a given order, with all its classes and raters."""

    listed = False

    def __init__(self, parent: Dataset, positions: Iterable[int], *, blind: bool = False, needs: Collection[str] = ()) -> None:
        self.parent, self.positions, self.is_blind, self.needs = parent, list(positions), blind, frozenset(needs)
        self.name, self.classes, self.raters = parent.name, parent.classes, parent.raters
        self.preparation, self.unit, self.anonymous_raters = parent.preparation, parent.unit, parent.anonymous_raters
        self.class_values, self.diagnoses = parent.class_values, parent.diagnoses
        test = set(parent.official_test)
        self.official_test = tuple(i for i, position in enumerate(self.positions) if position in test)
        self.index = parent.index.iloc[self.positions].reset_index(drop=True)
        if blind and "diagnosis" not in self.needs:
            self.index = self.index.drop(columns="diagnosis", errors="ignore")

    @property
    def questions(self) -> tuple[str, ...]:
        return self.parent.questions

    @property
    def whole(self) -> Dataset:
        return self.parent.whole

    def source_files(self) -> Mapping[str, Path]:
        return self.parent.source_files()

    def load(self, position: int) -> Case:
        case = self.parent.case_at(self.positions[position])
        return case.blind(self.needs) if self.is_blind else case


def check_case(case: Case, n_classes: int, diagnoses: Sequence[str] | None = None) -> Case:
    """The case itself, if it keeps the contract; without ``diagnoses`` its diagnoses are not checked.

    Raises:
        RaterbenchError: a rating or the instances have another size than the image or labels outside the classes, the image
            is not finite, or a diagnosis is none of ``diagnoses``.
    """
    wrong = case.image[~np.isfinite(case.image)]
    if wrong.size:
        raise RaterbenchError(f"the image of case {case.id!r} has {wrong.size} values that are no numbers, such as {wrong[0]}")
    for rater, labels in case.ratings.items():
        if labels.shape != case.shape:
            raise RaterbenchError(
                f"case {case.id!r}: the rating of {rater!r} has the size {labels.shape}, but the image has {case.shape}"
            )
        outside = np.unique(labels[(labels != IGNORE) & ~((labels >= 0) & (labels < n_classes))])
        if outside.size:
            raise RaterbenchError(
                f"case {case.id!r}: the rating of {rater!r} has the labels {outside[:5].tolist()}, "
                f"but the classes are 0 to {n_classes - 1} (and {IGNORE} for what was not judged)"
            )
    if case.instances is not None:
        _check_instances(case, case.instances, n_classes)
    if diagnoses is not None:
        _check_diagnoses(case, diagnoses)
    return case


def _check_diagnoses(case: Case, diagnoses: Sequence[str]) -> None:
    given: dict[str, Any] = {f" by {rater!r}": value for rater, value in case.rater_diagnoses.items()}
    if case.diagnosis is not None:
        given[""] = case.diagnosis
    for whose, value in given.items():
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not 0 <= value < len(diagnoses):
            known = f"0 to {len(diagnoses) - 1} ({', '.join(diagnoses)})" if diagnoses else "none, as the data set names none"
            raise RaterbenchError(
                f"case {case.id!r} has the diagnosis {value!r}{whose}, but its data set's diagnoses are {known}"
            )


def _check_instances(case: Case, instances: Instances, n_classes: int) -> None:
    numbers, classes = instances.numbers, instances.classes
    if numbers.shape != case.shape:
        raise RaterbenchError(f"case {case.id!r}: the instances have the size {numbers.shape}, but the image has {case.shape}")
    if numbers.min(initial=0) < 0 or numbers.max(initial=0) >= len(classes):
        raise RaterbenchError(
            f"case {case.id!r}: the instances have numbers from {numbers.min()} to {numbers.max()}, but classes are given for "
            f"0 to {len(classes) - 1}: number the objects from 1, and give each a class (0 for a distractor)"
        )
    if classes[0] != 0 or classes.max() >= n_classes:
        raise RaterbenchError(
            f"case {case.id!r}: the instances have the classes {np.unique(classes)[:5].tolist()}, but those of objects are 0 "
            f"(a distractor) to {n_classes - 1}, and that of number 0 is 0"
        )


def index_table(rows: Iterable[tuple[str, str, str, tuple[str, ...]]]) -> pd.DataFrame:
    """The index of a data set from (case, subject, centre, raters) rows.

    Raises:
        RaterbenchError: a case is listed twice, or nobody rated it.
    """
    table = pd.DataFrame(list(rows), columns=["case", "subject", "centre", "raters"])
    twice = table["case"][table["case"].duplicated()]
    if len(twice):
        raise RaterbenchError(f"case {twice.iloc[0]!r} is listed twice: give every case its own name")
    for case, raters in zip(table["case"], table["raters"], strict=True):
        if not raters:
            raise RaterbenchError(f"case {case!r} has no rater at all: add a rating or take the case out")
    return table
