import sys

import pytest

from raterbench.benchmark.experiment.local_modules import with_local_modules


@pytest.fixture
def write(tmp_path):
    def write(**texts):
        for name, text in texts.items():
            file = (tmp_path / name.replace("SLASH", "/")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return [file.relative_to(tmp_path).as_posix() for file in with_local_modules([tmp_path / "plugin.py"])]

    return write


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import helper", ["helper.py"]),
        ("import helper as h, other", ["helper.py", "other.py"]),
        ("from helper import number", ["helper.py"]),
        ("def late():\n    import helper", ["helper.py"]),
        ("try:\n    import helper\nexcept ImportError:\n    pass", ["helper.py"]),
        ("import importlib\nimportlib.import_module('helper')", ["helper.py"]),
        ("import parts.one", ["parts/main.py", "parts/one.py", "parts/two.py"]),
        ("from parts import one", ["parts/main.py", "parts/one.py", "parts/two.py"]),
        ("from parts.one import number", ["parts/main.py", "parts/one.py", "parts/two.py"]),
        ("import bare.one", ["bare/one.py"]),
        ("import numpy, os, torch.nn, raterbench.methods, sys, nowhere, json.decoder", []),
        ("from raterbench.methods import Method", []),
        ("import broken", ["broken.py"]),
        ("import circle", ["circle.py"]),
    ],
)
def test_imports_are_followed_to_files_of_ones_own(write, text, found):
    files = write(
        helper="number = 1",
        other="",
        broken="def (",
        circle="import plugin",
        partsSLASHmain="",
        partsSLASHone="from . import two",
        partsSLASHtwo="",
        bareSLASHone="",
        plugin="",
    )
    assert files == ["plugin.py"]
    seen = write(partsSLASH__init__="from .main import x", plugin=text)
    assert sorted({*seen} - {"plugin.py", "parts/__init__.py"}) == found
    assert ("parts/__init__.py" in seen) == ("parts" in text)


def test_modules_on_the_search_path_count_and_installed_ones_do_not(write, tmp_path, monkeypatch):
    for place in ("lib", "venv/site-packages"):
        (tmp_path / place).mkdir(parents=True)
        monkeypatch.syspath_prepend(str(tmp_path / place))
    (tmp_path / "lib/mine_for_tests.py").write_text("import installed_for_tests")
    (tmp_path / "venv/site-packages/installed_for_tests.py").write_text("")
    assert write(plugin="import mine_for_tests") == ["plugin.py", "lib/mine_for_tests.py"]


def test_nothing_is_run(write):
    write(plugin="import dangerous_for_tests", dangerous_for_tests="raise SystemExit")
    assert "dangerous_for_tests" not in sys.modules
