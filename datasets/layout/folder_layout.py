"""Which file of a folder is whose: the image, ratings, truth and ignored regions of each case, by the names of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import RaterbenchError, nearest
from ...names import look_alikes
from ...paths import folder_entries, nearby_layout, path_kind
from ..images import WITH_GEOMETRY, suffix_of
from .file_patterns import FilePattern, fits_glob

DEFAULT_PATTERNS = {
    "images": "images/{case}",
    "ratings": "ratings/{rater}/{case}",
    "truth": "truth/{case}",
    "ignored": "ignored/{case}",
}
LAYOUT = "images/<case>.png and ratings/<rater>/<case>.png (or .tif, .nii.gz, .mha, .nrrd ...)"
COMPANIONS = (".raw", ".zraw")
"""Files that hold the pixels of an ``.mhd`` header beside them."""


@dataclass(frozen=True)
class RatedFiles:
    """The files of one case: each rater's, and its image, truth and ignored region where there are any.

    ``spacing`` is what ``dataset.toml`` says of it, in mm and array order, for files that say nothing themselves.
    """

    case: str
    ratings: Mapping[str, Path]
    image: Path | None = None
    truth: Path | None = None
    ignored: Path | None = None
    spacing: tuple[float, ...] | None = None

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [*self.ratings.values(), *(file for file in (self.image, self.truth, self.ignored) if file)]

    @property
    def in_mm(self) -> bool:
        """Whether the size of its voxels is known."""
        return self.spacing is not None or any(suffix_of(file) in WITH_GEOMETRY for file in self.files)


@dataclass(frozen=True)
class FolderLayout:
    """How the files of a folder are called: a pattern for each kind that is called otherwise than usual.

    ``raters`` are the only names of raters, if given; ``skip`` are names or paths of files that are passed over.

    Raises:
        RaterbenchError: a pattern is none, or lacks a field.
    """

    patterns: Mapping[str, str]
    raters: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind, pattern in self.compiled.items():
            needed = {"case", "rater"} if kind == "ratings" else {"case"}
            if pattern.fields != needed:
                words = " and ".join(f"{{{field}}}" for field in sorted(needed))
                raise RaterbenchError(f"{kind} = {pattern.text!r} must have {words}, as {DEFAULT_PATTERNS[kind]!r} has")

    @cached_property
    def compiled(self) -> dict[str, FilePattern]:
        """The pattern of each kind of file."""
        patterns = {**DEFAULT_PATTERNS, **self.patterns}
        return {kind: FilePattern(text, self.raters if kind == "ratings" else ()) for kind, text in patterns.items()}

    @property
    def words(self) -> str:
        """The layout as a message shows it."""
        if not self.patterns:
            return LAYOUT
        return ", ".join(f"{kind} = {self.compiled[kind].text!r}" for kind in ("images", "ratings"))


def find_rated_files(
    root: Path, layout: FolderLayout, *, images_needed: bool, spacing: tuple[float, ...] | None = None
) -> list[RatedFiles]:
    """The files of each case, sorted: of all that anybody rated, and of all that have an image if images are needed.

    Raises:
        RaterbenchError: a file or folder is missing, unreadable or has no place in the layout, or two files are the same.
    """
    search = _Search(root, layout)
    images = search.by_case("images", needed=images_needed)
    ratings = search.ratings(images)
    _check_raters(layout, ratings)
    cases = sorted({*(images if images_needed else ()), *(case for files in ratings.values() for case in files)})
    truth, ignored = (search.by_case(kind, known_cases=cases) for kind in ("truth", "ignored"))
    for words, files in (("truth", truth), ("ignored region", ignored)):
        for case in files:
            if case not in cases:
                raise RaterbenchError(f"{files[case]} is the {words} of no case{nearest(case, cases)}")
    rows = ((case, {rater: files[case] for rater, files in ratings.items() if case in files}) for case in cases)
    return [RatedFiles(c, rated, images.get(c), truth.get(c), ignored.get(c), spacing) for c, rated in rows]


def _check_raters(layout: FolderLayout, ratings: Mapping[str, Mapping[str, Path]]) -> None:
    for name in layout.raters:
        if name not in ratings:
            raise RaterbenchError(f"raters in dataset.toml names {name!r}, of whom there is no file{nearest(name, ratings)}")
    for one, other in look_alikes(ratings):
        if not set(ratings[one]) & set(ratings[other]):
            files = [next(iter(ratings[rater].values())) for rater in (one, other)]
            raise RaterbenchError(
                f"the raters {one!r} ({files[0]}) and {other!r} ({files[1]}) look alike and share no case, as one person "
                "written in two ways would: write one rater in one way, or give two raters names that differ by more"
            )


@dataclass(frozen=True)
class _Search:
    root: Path
    layout: FolderLayout

    def by_case(self, kind: str, *, needed: bool = False, known_cases: Sequence[str] = ()) -> dict[str, Path]:
        """The files of a kind by case, sorted; empty if there are none and none are needed."""
        found: dict[str, Path] = {}
        for file, fields in self._find(kind, needed or kind in self.layout.patterns, known_cases):
            case = fields["case"]
            if case in found:
                raise RaterbenchError(f"{found[case]} and {file} are both called {case!r}: keep one of them")
            found[case] = file
        return dict(sorted(found.items()))

    def ratings(self, known_cases: Mapping[str, Path]) -> dict[str, dict[str, Path]]:
        """The files of each rater by case, both sorted."""
        found: dict[str, dict[str, Path]] = {}
        for file, fields in self._find("ratings", True, tuple(known_cases)):
            mine, case = found.setdefault(fields["rater"], {}), fields["case"]
            if case in mine:
                raise RaterbenchError(
                    f"{mine[case]} and {file} are both called {case!r} and of rater {fields['rater']!r}: keep one of them"
                )
            mine[case] = file
        return {rater: dict(sorted(files.items())) for rater, files in sorted(found.items())}

    def _find(self, kind: str, needed: bool, known_cases: Sequence[str]) -> list[tuple[Path, dict[str, str]]]:
        """Every file that fits the pattern of a kind, with its fields.

        Raises:
            RaterbenchError: something is missing or empty, or fits no pattern at all.
        """
        pattern = self.layout.compiled[kind]
        folders = [self.root]
        for part in pattern.parts[:-1]:
            folders = [inner for folder in folders for inner in self._inner(kind, folder, part, needed)]
        found, example = [], None
        for folder in folders:
            here = 0
            for file in self._entries(folder):
                fields = pattern.match(self._names(file), known_cases)
                if fields is not None:
                    found.append((self._file(file), fields))
                    here += 1
                elif self._fits_another(kind, file):
                    here += 1
                else:
                    example = file
                    self._refuse(kind, file)
            if not here and folder != self.root:
                raise RaterbenchError(f"{folder} is empty: the layout is {self.layout.words}")
        if not found and needed:
            like = f", such as {example}" if example else ""
            raise RaterbenchError(f"no file of {self.root}{like} fits {kind} = {pattern.text!r}{_with_folder(kind, pattern)}")
        return found

    def _inner(self, kind: str, folder: Path, part: str, needed: bool) -> list[Path]:
        """The folders within ``folder`` that the pattern goes through at ``part``."""
        if not set(part) & set("{*?"):
            inner = folder / part
            there = path_kind(inner)
            if there == "nothing":
                if needed and folder == self.root:
                    hint = _with_folder(kind, self.layout.compiled[kind])
                    near = "" if hint else nearby_layout(folder)
                    raise RaterbenchError(f"{inner} is missing: the layout is {self.layout.words}{hint}{near}")
                return []
            if there == "file":
                raise RaterbenchError(f"{inner} is a file, where the layout has a folder: the layout is {self.layout.words}")
            return [inner]
        pattern, found = self.layout.compiled[kind], []
        for entry in self._entries(folder):
            if path_kind(entry) == "folder":
                if folder == self.root and self._belongs_to_another(kind, entry.name):
                    continue
                if pattern.leads_into(self._names(entry)):
                    found.append(entry)
                elif folder != self.root and not self._fits_another(kind, entry):
                    raise RaterbenchError(
                        f"{entry} fits no pattern: rename it, or name it under skip in [layout] of dataset.toml"
                    )
            elif folder != self.root and not self._fits_another(kind, entry):
                owner = "rater" if "{rater}" in part else "case"
                flat = f', or say how files are called: [layout] ratings = "{folder.name}/{{case}}_{{rater}}" in dataset.toml'
                raise RaterbenchError(
                    f"{entry} belongs into the folder of its {owner}: the layout is {self.layout.words}"
                    + (flat if kind == "ratings" and kind not in self.layout.patterns else "")
                )
        if not found and folder != self.root:
            raise RaterbenchError(f"{folder} is empty: the layout is {self.layout.words}")
        return found

    def _entries(self, folder: Path) -> list[Path]:
        return [
            entry
            for entry in folder_entries(folder)
            if entry.suffix.lower() not in COMPANIONS
            and not any(fits_glob(pattern, self._names(entry)) for pattern in self.layout.skip)
        ]

    def _names(self, path: Path) -> tuple[str, ...]:
        return path.relative_to(self.root).parts

    def _fits_another(self, kind: str, path: Path) -> bool:
        names = self._names(path)
        others = [pattern for name, pattern in self.layout.compiled.items() if name != kind]
        return any(pattern.leads_into(names) or pattern.match(names) is not None for pattern in others)

    def _belongs_to_another(self, kind: str, name: str) -> bool:
        others = (pattern for other, pattern in self.layout.compiled.items() if other != kind)
        return any(len(pattern.parts) > 1 and pattern.parts[0] == name for pattern in others)

    def _refuse(self, kind: str, file: Path) -> None:
        """Say what is wrong with a file that fits no pattern; in the root only images are looked at."""
        if suffix_of(file) is None or path_kind(file) == "folder":
            if file.parent != self.root:
                raise RaterbenchError(
                    f"{file} is no image file that can be read: take it out of the folder, or convert it, "
                    f"or name it under skip in [layout] of dataset.toml{_with_folder(kind, self.layout.compiled[kind])}"
                )
        elif self.layout.compiled[kind].fields and kind in self.layout.patterns:
            raise RaterbenchError(
                f"{file} does not fit {kind} = {self.layout.compiled[kind].text!r}: rename it, or name it under skip in "
                f"[layout] of dataset.toml{_with_folder(kind, self.layout.compiled[kind])}"
            )

    def _file(self, file: Path) -> Path:
        if path_kind(file) != "file":
            raise RaterbenchError(f"{file} is a folder, where the layout has a file: the layout is {self.layout.words}")
        return file


def _with_folder(kind: str, pattern: FilePattern) -> str:
    """A mend for patterns that were written from the usual folder instead of from the folder of data."""
    usual = DEFAULT_PATTERNS[kind].partition("/")[0]
    if pattern.parts[0].lower() == usual:
        return ""
    return f"; patterns start at the folder of data: is {usual + '/' + pattern.text!r} meant?"
