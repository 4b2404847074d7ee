import os
from collections.abc import Callable
from pathlib import Path

import pytest

from raterbench.datasets import Dataset, Phantom


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """The default phantom, drawn once."""
    return Phantom()


@pytest.fixture
def files_seen() -> Callable[[Dataset, Path], set[str]]:
    """Gives the files below a folder whose last byte changes the fingerprint of a data set, their size staying the same."""

    def seen(data: Dataset, folder: Path) -> set[str]:
        first, found = data.fingerprint(), set()
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            content = file.read_bytes()
            with file.open("r+b") as stream:
                stream.seek(-1, os.SEEK_END)
                stream.write(bytes([content[-1] ^ 1]))
            if data.fingerprint() != first:
                found.add(file.relative_to(folder).as_posix())
            file.write_bytes(content)
        assert data.fingerprint() == first
        return found

    return seen


@pytest.fixture(scope="session")
def real_data() -> str:
    """The folder of downloaded data; tests that need it are skipped where there is none."""
    folder = os.environ.get("RATERBENCH_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("RATERBENCH_DATA names no folder with downloaded data")
    return folder
