"""The packages of the wheel: the repository root is ``raterbench``, and every folder with an ``__init__.py`` belongs to it."""

from setuptools import find_packages, setup

FOLDERS = ["datasets*", "methods*", "benchmark*", "reports*"]

setup(packages=["raterbench", *(f"raterbench.{name}" for name in find_packages(include=FOLDERS))])
