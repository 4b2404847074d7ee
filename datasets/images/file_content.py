"""Whether a path is a file that can be read, and whether its content is what its ending says."""

from __future__ import annotations

import stat
from pathlib import Path

from ...errors import RaterbenchError
from .formats import WITH_GEOMETRY, WITHOUT_GEOMETRY, format_of

_STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    **{b"P%d" % k: "PNM" for k in range(1, 7)},
    b"NRRD": "NRRD",
}
"""The first bytes of the formats that have such."""

_STRANGERS = {
    b"version https://git-lfs": "the pointer of Git LFS to a file that was not fetched: run `git lfs pull`",
    b"/annex/objects/": "the pointer of git-annex to a file that was not fetched: run `git annex get`",
    b"PK\x03\x04": "a ZIP archive: unpack it",
    b"GIF8": "a GIF image: save it as PNG",
    b"\x0a\x05\x01": "a PCX image: save it as PNG",
    b"<": "a text such as a web page: download the file again",
    b"\x89HDF": "an HDF5 file: save it as NIfTI, MHA or NRRD",
}
"""The first bytes of what is often found under the name of an image, and what it is."""


def check_file(file: Path) -> str:
    """The format by which an image file will be read, by its ending; its first bytes do not contradict that.

    Nothing but a regular file is opened: a pipe or device might never end.

    Raises:
        RaterbenchError: there is no such file, it is none that can be read, is empty, or holds another format.
    """
    check_regular(file)
    name = format_of(file)
    if name is None:
        known = ", ".join(WITHOUT_GEOMETRY + WITH_GEOMETRY)
        raise RaterbenchError(f"{file} is no image that can be read; known endings: {known}")
    start = first_bytes(file, 64)
    if not start:
        raise RaterbenchError(f"{file} cannot be read: it is empty (0 bytes); copy or save it again")
    if name in _STARTS.values() and any(start.startswith(sign) for sign, meant in _STARTS.items() if meant == name):
        return name
    what = next((what for sign, what in _STRANGERS.items() if start.startswith(sign)), None)
    found = next((meant for sign, meant in _STARTS.items() if start.startswith(sign)), None)
    if found is not None and found != name and not (found == "BMP" and name == "MetaImage"):
        what = f"a {found} by its content: give it the right ending"
    if what is None and name in _STARTS.values():
        what = f"no {name}: its first bytes are {start[:8]!r}; it is damaged, or its ending is wrong"
    if what is not None:
        raise RaterbenchError(f"{file} cannot be read: it is {what}")
    return name


def check_regular(file: Path) -> None:
    """See that a path is a regular file, or a link to one.

    Raises:
        RaterbenchError: there is nothing, or a folder, pipe, socket or device, or a link that leads nowhere.
    """
    try:
        mode = file.stat().st_mode
    except FileNotFoundError as error:
        if file.is_symlink():
            # As of data that git-annex or DVC manage and that were not fetched.
            raise RaterbenchError(
                f"{file} cannot be read: it is a link to {file.readlink()}, which is not there; was it fetched?"
            ) from error
        raise RaterbenchError(f"{file} is not there") from error
    except (OSError, ValueError) as error:
        raise RaterbenchError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise RaterbenchError(f"{file} is {kinds.get(stat.S_IFMT(mode), 'a device')}, no file: give an image file")


def first_bytes(file: Path, count: int) -> bytes:
    """Up to ``count`` bytes from the start of a file.

    Raises:
        RaterbenchError: the file cannot be opened or read.
    """
    try:
        with file.open("rb") as stream:
            return stream.read(count)
    except OSError as error:
        raise RaterbenchError(f"{file} cannot be read: {error.strerror}") from error


def companion(file: Path, name: str) -> Path:
    """The file of pixels that a header names: one beside it, or in a folder below.

    Raises:
        RaterbenchError: the name is a list or a pattern of files, leads elsewhere, or nothing is there that can be read.
    """
    if name.split()[:1] == ["LIST"] or "%" in name:
        raise RaterbenchError(f"{file} spreads its pixels over several files ({name}): save it as one file (.mha, .nrrd)")
    if not name or Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name or "\0" in name:
        # A header that comes from elsewhere must not make any file of this machine a mask.
        raise RaterbenchError(f"{file} has its pixels in {name!r}: only a file beside the header is read; save it as one file")
    found = file.parent / name
    check_regular(found)
    return found
