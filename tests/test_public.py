"""What people import, what it costs, and what is in the wheel."""

import shutil
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

import raterbench

ROOT = Path(raterbench.__file__).parent
FACES = ("raterbench", "raterbench.datasets", "raterbench.methods", "raterbench.benchmark", "raterbench.reports")


def run(script):
    return subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("face", FACES)
def test_every_public_name_is_there_and_is_what_it_says(face):
    module = __import__(face, fromlist=["*"])
    assert module.__all__
    for name in module.__all__:
        found = getattr(module, name)
        if isinstance(found, type):
            assert found.__name__ == name
            assert found.__doc__
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = module.nothing


def test_the_public_face_lists_its_names():
    assert set(raterbench.__all__) <= set(dir(raterbench))


def test_what_the_documentation_imports():
    from raterbench.benchmark import Experiment, read_experiment, read_results, run
    from raterbench.methods import Budget, NetworkMethod
    from raterbench.reports import write_report

    assert raterbench.Budget is Budget
    assert raterbench.NetworkMethod is NetworkMethod
    assert raterbench.Experiment is Experiment
    assert (raterbench.run, raterbench.read_experiment, raterbench.read_results) == (run, read_experiment, read_results)
    assert raterbench.write_report is write_report


@pytest.mark.parametrize("face", FACES)
def test_imports_cost_no_network(face):
    heavy = ("torch", "monai", "SimpleITK", "matplotlib")
    script = f"import sys, {face}; print(*({set(heavy)!r} & set(sys.modules)))"
    assert run(script).stdout.strip() == ""


def test_importing_the_package_imports_nothing_else():
    script = "import sys; before = set(sys.modules); import raterbench; print(*sorted(set(sys.modules) - before))"
    loaded = {name for name in run(script).stdout.split() if name.startswith("raterbench.")}
    assert loaded == set()


def test_the_module_is_a_command():
    done = subprocess.run([sys.executable, "-m", "raterbench", "--help"], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    for command in ("run", "report", "list", "check"):
        assert f"\n    {command} " in done.stdout


def test_a_wheel_holds_the_code_the_experiments_and_the_templates(tmp_path):
    source = tmp_path / "raterbench-source"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "results", "build", "dist", "*.egg-info", "tests")
    shutil.copytree(ROOT, source, ignore=unwanted)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    done = subprocess.run([*build, str(source)], check=False, capture_output=True, text=True)
    if "No module named" in done.stderr:
        pytest.skip("the build tools are not installed")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    folders = ("datasets", "methods", "benchmark", "reports")
    code = {f"raterbench/{p.relative_to(source).as_posix()}" for folder in folders for p in (source / folder).rglob("*.py*")}
    assert code <= held
    experiments = (files("raterbench.benchmark") / "experiments").iterdir()
    assert {f"raterbench/benchmark/experiments/{p.name}" for p in experiments} <= held
    templates = (files("raterbench.reports.page") / "templates").iterdir()
    assert {f"raterbench/reports/page/templates/{p.name}" for p in templates} <= held
    assert {"raterbench/__init__.py", "raterbench/__init__.pyi", "raterbench/__main__.py", "raterbench/py.typed"} <= held
    assert not [name for name in held if "tests" in name.split("/")]
