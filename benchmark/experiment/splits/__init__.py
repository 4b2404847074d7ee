"""How cases are divided into training, validation and test parts: one way (a ``SplitPolicy``) a file.

To add a way, write a class in a file here or in a plug-in: ``base.SplitPolicy`` says what it has to do.
"""

from .base import SPLITS, Parts, SplitCases, SplitPolicy
from .make import PARTS, Fold, check_folds, folds_of, make_folds, without_test
from .manifest import manifest, manifest_hash, read_manifest
from .settings import Split

__all__ = [
    "PARTS",
    "SPLITS",
    "Fold",
    "Parts",
    "Split",
    "SplitCases",
    "SplitPolicy",
    "check_folds",
    "folds_of",
    "make_folds",
    "manifest",
    "manifest_hash",
    "read_manifest",
    "without_test",
]
