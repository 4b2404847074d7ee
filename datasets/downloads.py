"""Where downloaded data lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import RaterbenchError

VARIABLE = "RATERBENCH_DATA"


def data_folder(data: str | Path | None) -> Path | None:
    """The folder that a user named for downloaded data, or the one in the variable ``RATERBENCH_DATA``, or None.

    Raises:
        RaterbenchError: it is no folder.
    """
    named = data if data is not None else os.environ.get(VARIABLE) or None
    if named is None:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise RaterbenchError(f"the data folder {str(named)!r} (--data or {VARIABLE}) is no folder")
    return folder


def find_download(
    data: str | Path | None, places: Sequence[str], belongs: Callable[[Path], object], *, absent: str, get: str
) -> Path:
    """The first of ``places`` within the folder of downloaded data that holds the files of a data set.

    Args:
        data: the folder that a user named; None reads the variable ``RATERBENCH_DATA``.
        places: where the files may lie in it, the recommended place first; ``*`` stands for any characters.
        belongs: whether a folder holds them.
        absent: what is said where they are nowhere, such as ``the scans of isbi2015 are not there``.
        get: how to get them, and where to put them.

    Raises:
        RaterbenchError: they are in none of the places.
    """
    folder = data_folder(data)
    if folder is not None:
        for place in places:
            for found in sorted(folder.glob(place)) if "*" in place else (folder / place,):
                if belongs(found):
                    return found
    looked = "no data folder is named" if folder is None else f"not under {folder}"
    raise RaterbenchError(f"{absent} ({looked}): {get}, and name <data> with --data or {VARIABLE}")
