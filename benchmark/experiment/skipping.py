"""Why a candidate is skipped on a data set: what its method, or one within it, needs and the data do not have.

The reason is shown by the plan (``runner/progress.py``) and in captions (``reports/tables/captions.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...datasets.base import Dataset
from ...errors import RaterbenchError
from ...methods.base import CaseFusion, Fusion, Method, Need
from ...parameters import has_parameters

ANONYMOUS = "the raters of this data set are anonymous, so one name may be another person in each case"


def estimators_within(value: Any) -> Iterator[Any]:
    """An estimator and every estimator among its parameters, to any depth, also in lists and tables."""
    for one in _next_estimators(value):
        yield one
        yield from estimators_within(one.get_params(deep=False))


def _next_estimators(value: Any) -> Iterator[Any]:
    """The estimator itself, or those in a list or table, without those within them."""
    if has_parameters(value):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _next_estimators(one)


def needs_of(method: Method) -> frozenset[Need]:
    """What a method, or any method or fusion within it, must see of training cases beyond images and ratings."""
    return frozenset(need for one in estimators_within(method) if isinstance(one, Method | CaseFusion) for need in one.needs)


def skip_reason(method: Method, dataset: Dataset) -> str | None:
    """Why a method cannot run on a data set, or None: what is not known there, then its own reason and those within it."""
    for need in sorted(needs_of(method)):
        # A diagnosis may be unknown of some cases, of the first, too.
        known = bool(dataset.diagnoses) if need == "diagnosis" else getattr(dataset[0], need, None) is not None
        if not known:
            return f"it needs the {need}, which this data set does not have"
    within = [one for one in estimators_within(method) if isinstance(one, Method | Fusion)]
    if dataset.anonymous_raters and any(one.needs_rater_identity for one in within):
        return f"it learns each rater over many cases, but {ANONYMOUS}"
    return _own_reason(method, dataset)


def _own_reason(value: Any, dataset: Dataset) -> str | None:
    """The first reason of a method among the estimators; one within ``own-preparation`` sees the data so prepared."""
    from ...methods.networks.own_preparation import OwnPreparation  # Only here, because it needs torch.

    for one in _next_estimators(value):
        if isinstance(one, Method) and (reason := one.skip_reason(dataset)) is not None:
            return reason
        seen = one.prepared(dataset) if isinstance(one, OwnPreparation) else dataset
        if (reason := _own_reason(one.get_params(deep=False), seen)) is not None:
            return reason
    return None


def check_identity(fusions: Mapping[str, Fusion], dataset: Dataset) -> None:
    """See that no fusion learns a rater over cases in which that rater is not known to be one person.

    Raises:
        RaterbenchError: one does; it is named.
    """
    for name, fusion in fusions.items():
        if fusion.needs_rater_identity and dataset.anonymous_raters:
            raise RaterbenchError(f"{name} learns each rater over many cases, but {ANONYMOUS}: fuse each case by itself")
