"""Where downloaded data lie."""

from __future__ import annotations

import os
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
