"""Where a number comes from: the package's own source, the libraries, the machine, and the memory that it took."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from ..store.units import Origin

LIBRARIES = ("torch", "monai", "numpy", "scipy", "scikit-learn", "simpleitk", "pillow")
"""Libraries that compute numbers, or decode the images that they are computed from."""
WITH = ", with "
"""Stands before the name of a GPU, which only a process that uses it knows."""

DECIDING = (
    *("errors.py", "names.py", "parameters.py", "paths.py", "plugin_errors.py"),
    *("registry.py", "seeds.py", "steps.py", "text_files.py", "voxel_counts.py", "whole_files.py"),
    "datasets/**/*.py",
    "methods/**/*.py",
    "benchmark/experiment/factory.py",
    "benchmark/experiment/references.py",
    "benchmark/measuring/*.py",
    "benchmark/metrics/*.py",
    "benchmark/runner/measure.py",
    "benchmark/runner/fuse_references.py",
    "benchmark/runner/tasks.py",
    "benchmark/runner/train.py",
    "benchmark/store/assignment.py",
    "benchmark/store/predictions.py",
)
"""The files of the package that a unit's numbers depend on. Reports and the command line may change without harm; so may
the splits, since the names of the cases of each part are in a unit's key."""


@cache
def code_version() -> str:
    """A short hash of the package's source, as far as it decides about results."""
    package, digest = Path(__file__).parents[2], hashlib.sha256()
    for file in sorted({file for pattern in DECIDING for file in package.glob(pattern)}):
        digest.update(f"{file.relative_to(package).as_posix()}\0{file.read_text(encoding='utf-8')}\0".encode())
    return digest.hexdigest()[:12]


def origin(seconds: float, *, printed: str = "", trace: str = "") -> Origin:
    """Where a number comes from that was computed now, with the peak memory since ``reset_peak_memory``."""
    return Origin(
        seconds=seconds,
        peak_memory_mb=_peak_memory_mb() or 0.0,
        versions=dict(versions()),
        hardware=hardware() + _gpu(),
        code=code_version(),
        printed=printed,
        traceback=trace,
        peak_gpu_memory_mb=_peak_gpu_memory_mb(),
    )


@cache
def hardware() -> str:
    """Processor, the vector instructions for which PyTorch computes, and system: ``x86_64 (AVX2), Linux``.

    Sums of float32 numbers depend on how many are added at a time.
    """
    import torch  # A cluster's worker, which starts the processes that compute, is without it.

    return f"{platform.machine()} ({torch.backends.cpu.get_cpu_capability()}), {platform.system()}"


def _gpu() -> str:
    """The name of the GPU that this process has used."""
    import torch

    return f"{WITH}{torch.cuda.get_device_name()}" if torch.cuda.is_initialized() else ""


@cache
def versions() -> Mapping[str, str]:
    """The versions of Python and of the libraries that compute."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def differences(stored: Origin) -> list[str]:
    """How what a unit says of its origin differs from the present: ``torch 2.12.0, now 2.13.0``.

    Compared are the package's code, Python, the libraries and the hardware without a GPU, in this order. Only what the unit
    says is compared: a skipped one says nothing.
    """
    now = versions()
    compared = {
        "code": (stored.code, code_version()),
        **{name: (stored.versions.get(name, ""), now[name]) for name in now},
        "hardware": (stored.hardware.partition(WITH)[0], hardware()),
    }
    return [f"{name} {before}, now {present}" for name, (before, present) in compared.items() if before not in ("", present)]


def reset_peak_memory() -> None:
    """Let the peak start anew where the system can (Linux): it would include what the template process had used."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak_gpu_memory_mb() -> float:
    """The most memory of a GPU that this process has had, in MiB."""
    import torch

    return round(torch.cuda.max_memory_reserved() / 2**20, 1) if torch.cuda.is_initialized() else 0.0


def _peak_memory_mb() -> float | None:
    """The most memory that this process has used, in MiB; None where the platform does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return round(next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10, 1)
    except (OSError, StopIteration):
        try:
            import resource
        except ImportError:  # Windows
            return None
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        return round(most, 1)
