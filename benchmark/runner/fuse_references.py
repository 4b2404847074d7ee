"""Fused references: the raters of each case are fused once and stored, for all candidates, folds and repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..experiment.factory import build_references
from ..measuring.kept_references import ReferenceHead, reference_part
from ..measuring.references import StoredReference, fuse_reference
from ..store.archive import Archive, DamagedError, write_archive
from ..store.units import SCHEMA
from .tasks import ReferenceTask, prepare_process


def fuse_references(task: ReferenceTask) -> None:
    """Fuse the raters of each case of the task, and store the labels. Cases with too few raters are left out."""
    dataset = prepare_process(task.setting)
    fusion = build_references(task.setting.experiment).get(task.reference)
    parts: dict[str, object] = {}
    names = []
    for case in dataset.subset(task.cases, blind=True):
        if case.ratings:
            fused = fuse_reference(task.reference, case.ratings, case.geometry, dataset.n_classes, fusion)
            if fused is not None:
                parts[reference_part(case.id)] = fused
                names.append(case.id)
    write_archive(task.path, {"head": ReferenceHead(SCHEMA, task.key, task.reference, tuple(names)), **parts})


def is_stored(path: Path, key: str) -> bool:
    """Whether a file holds the references of this key, whole."""
    try:
        with Archive(path) as archive:
            archive.verify()
            head = archive.read("head", ReferenceHead)
            return head.schema == SCHEMA and head.key == key
    except (DamagedError, OSError):
        return False


class StoredReferences:
    """The fused references in some files, read case by case; what is not there or damaged is fused again by the reader."""

    def __init__(self, files: Mapping[str, Sequence[Path]]) -> None:
        self.places: dict[str, dict[str, Path]] = {}
        self.opened: dict[str, Archive] = {}
        for reference, paths in files.items():
            for path in paths:
                try:
                    with Archive(path) as archive:
                        head = archive.read("head", ReferenceHead)
                except (DamagedError, OSError):
                    continue
                if (head.schema, head.reference) == (SCHEMA, reference):
                    for case in head.cases:
                        self.places.setdefault(case, {})[reference] = path

    def of_case(self, case: str) -> dict[str, StoredReference]:
        """The references of a case by name."""
        found = {}
        for reference, path in self.places.get(case, {}).items():
            try:
                found[reference] = self._archive(reference, path).read(reference_part(case), StoredReference)
            except (DamagedError, OSError):
                continue
        return found

    def _archive(self, reference: str, path: Path) -> Archive:
        """The open archive: one of each reference stays open, since the next case is most often in the same file."""
        opened = self.opened.get(reference)
        if opened is None or opened.path != path:
            if opened is not None:
                self.opened.pop(reference).close()
            opened = self.opened[reference] = Archive(path)
        return opened
