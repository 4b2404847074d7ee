import os
from pathlib import Path

import pytest

from raterbench.datasets import Phantom


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """The default phantom, drawn once."""
    return Phantom()


@pytest.fixture(scope="session")
def real_data() -> str:
    """The folder of downloaded data; tests that need it are skipped where there is none."""
    folder = os.environ.get("RATERBENCH_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("RATERBENCH_DATA names no folder with downloaded data")
    return folder
