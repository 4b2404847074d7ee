"""Search the settings of another method on validation cases, with a fixed number of trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid, ParameterSampler

from ...datasets.base import Dataset, Floats, Labels
from ...errors import RaterbenchError, is_gpu_full, nearest, shown
from ...parameters import Range, check_keys, check_values, has_parameters, parameter_hints
from ...seeds import seed_sequence
from ...voxel_counts import Doubles, dice_from_counts, label_counts
from ..base import Method
from ..fit_report import FitReport, Trial
from ..fusion.majority import MajorityVote
from ..learning.budget import FIRST_WEIGHTS
from ..thresholds import THRESHOLDS, best_threshold, dice_by_threshold, hard_labels
from .fused_labels import FusedLabels
from .segmenter_holder import SegmenterHolder

SETTINGS = 3
"""The stream of random numbers that settings are drawn from; see ``learning.training`` for the others."""


class Tuned(SegmenterHolder):
    """Fits a method with several settings and keeps the one with the best validation score.

    Settings are drawn at random from ``space``. Each is fitted on the training part with the same seed, so trials start from
    the same weights and see the same batches. Its score compares the predictions of the validation cases with every single
    rater: the mean over classes, then raters, then cases, with the threshold that the harness would search for two classes.
    A trial that raises an error is recorded with its reason and has no score. Early stopping of the inner method uses the same
    validation cases, so scores are slightly too high; test cases are never seen.

    Args:
        segmenter: the method to tune, which may itself hold methods; None is ``FusedLabels()``. It is not called ``method``
            because in an experiment's TOML that key names the class.
        space: dotted parameter names of ``segmenter``, such as ``q`` or ``budget.learning_rate``, to the list of values to
            choose from, or to a range ``{"low": 1e-4, "high": 1e-1, "log": True}``; whole numbers where both ends are. None
            is that range for ``budget.learning_rate``.
        trials: how many settings to try; where ``space`` has only lists, not more than it has settings.
        metric: the score, ``dice`` or ``jaccard``, 1 where prediction and rater are both empty.

    After ``fit``: ``best_``, the fitted method with the best score, the first of equals, and its ``best_setting_``. The report
    is that of ``best_``, with every setting and score in ``trials`` and the report of each trial in ``stages``.

    >>> from raterbench.methods import GCE, Budget, Tuned
    >>> method = Tuned(segmenter=GCE(), space={"q": [0.1, 0.4, 0.7], "budget.epochs": {"low": 20, "high": 60}}, trials=5)
    >>> method.check_parameters()
    """

    def __init__(
        self,
        *,
        segmenter: Method | None = None,
        space: Mapping[str, Any] | None = None,
        trials: Annotated[int, Range(1, 10_000)] = 10,
        metric: Literal["dice", "jaccard"] = "dice",
    ) -> None:
        self.segmenter = segmenter
        self.space = space
        self.trials = trials
        self.metric = metric

    def check_parameters(self) -> None:
        """Check the parameters, those of the inner method, and every entry of the space.

        Raises:
            RaterbenchError: a parameter is wrong, ``space`` names no parameter of the method, or a choice is out of range.
        """
        super().check_parameters()
        for name, choices in self._space().items():
            where = f"Tuned: space: {shown(name)}"
            if isinstance(choices, Mapping):
                check_keys(choices, ("low", "high", "log"), where)
                low: Any = choices.get("low")
                high: Any = choices.get("high")
                ends = all(isinstance(end, int | float) and np.isfinite(end) for end in (low, high))
                if not ends or low >= high or (choices.get("log") and low <= 0):
                    raise RaterbenchError(
                        f"{where} = {shown(dict(choices))} must have numbers low < high, above 0 where log is true"
                    )
            elif not isinstance(choices, list | tuple) or not choices:
                raise RaterbenchError(f"{where} = {shown(choices)} must be a list of values, or a table with low and high")
            values = [low, high] if isinstance(choices, Mapping) else choices
            for value in values:
                with_parameters(self.inner(), {name: value})

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Try the settings one after the other; the same arguments give the same fitted method, bit for bit on the CPU.

        Raises:
            RaterbenchError: every trial failed; the reasons are named.
        """
        self.check_parameters()
        trials: list[Trial] = []
        stages: dict[str, FitReport] = {}
        best, best_score = None, -np.inf
        for number, setting in enumerate(self._settings(seed), start=1):
            recorded = {name: repr(v) if has_parameters(v) else v for name, v in setting.items()}
            try:
                method = with_parameters(self.inner(), setting).fit(train, validation, seed=seed, device=device)
                stages[f"trial {number}"] = method.fit_report()
                score = validation_score(method, validation, self.metric)
            except Exception as error:  # One bad setting must not end the search, whatever it raises.
                if is_gpu_full(error):  # That is no fault of the setting: it depends on what else the GPU does.
                    raise
                trials.append(Trial(recorded, np.nan, failed=f"{type(error).__name__}: {error}"))
                continue
            trials.append(Trial(recorded, score, failed="" if np.isfinite(score) else "it has no finite score"))
            if score > best_score:
                best, best_score, self.best_setting_ = method, score, setting
        if best is None:
            reasons = "; ".join(dict.fromkeys(trial.failed for trial in trials))
            raise RaterbenchError(f"all {len(trials)} trials failed: {reasons}")
        self.best_: Method = best
        failed = [f"trial {i} failed: {trial.failed}" for i, trial in enumerate(trials, start=1) if trial.failed]
        report = best.fit_report()
        self.report_ = replace(report, warnings=[*report.warnings, *failed], stages=stages, trials=trials)
        return self

    def fit_report(self) -> FitReport:
        return self.report_

    @property
    def fitted_method(self) -> Method:
        return self.best_

    def facts(self) -> Mapping[str, Any] | None:
        """The best setting, and the facts of the method that has it; None where a value is an object, and no plain value.

        A file of first weights is left out: it is not needed any more, and its path may be private.
        """
        inner = self.best_.facts()
        plain = not any(has_parameters(value) for value in self.best_setting_.values())
        setting = {name: value for name, value in self.best_setting_.items() if not name.endswith(FIRST_WEIGHTS)}
        return {"setting": setting, "method": inner} if plain and inner is not None else None

    def restore(
        self, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any], *, device: str | torch.device = "cpu"
    ) -> Self:
        self.check_parameters()
        self.best_setting_ = dict(facts["setting"])
        self.best_ = with_parameters(self.inner(), self.best_setting_).restore(weights, facts["method"], device=device)
        self.report_ = self.best_.fit_report()
        return self

    def n_networks(self, n_raters: int) -> int:
        return self.trials * super().n_networks(n_raters)

    def default_segmenter(self) -> Method:
        return FusedLabels()

    def _space(self) -> Mapping[str, Any]:
        return {"budget.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}} if self.space is None else self.space

    def _settings(self, seed: int) -> list[dict[str, Any]]:
        """Settings drawn without repetition where the space has only lists, else independently."""
        space = self._space()
        if not space:
            return [{}]
        drawn_from = {name: _distribution(c) if isinstance(c, Mapping) else list(c) for name, c in space.items()}
        finite = not any(isinstance(choices, Mapping) for choices in space.values())
        n = min(self.trials, len(ParameterGrid(drawn_from))) if finite else self.trials
        random = np.random.RandomState(np.random.MT19937(seed_sequence(seed, SETTINGS)))
        settings = []
        for setting in ParameterSampler(drawn_from, n, random_state=random):
            whole = {name for name in setting if isinstance(space[name], Mapping) and _is_whole(space[name])}
            plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in setting.items()}
            settings.append({k: round(v) if k in whole else v for k, v in plain.items()})
        return settings


def with_parameters(method: Method, parameters: Mapping[str, Any]) -> Method:
    """A clone of the method with some parameters changed, by dotted names such as ``budget.learning_rate``.

    A part that is None, such as a budget by default, is first built with its own defaults.

    Raises:
        RaterbenchError: there is no such parameter, or a value is of another kind or out of range.
    """
    changed: Method = clone(method)
    for name, value in parameters.items():
        owner: Any = changed
        *parts, last = name.split(".")
        for part in parts:
            _check_name(owner, part, name)
            if getattr(owner, part) is None:
                owner.set_params(**{part: _default(owner, part, name)})
            owner = getattr(owner, part)
        _check_name(owner, last, name)
        check_values({last: value}, _hints(owner), type(owner).__name__)
        owner.set_params(**{last: value})
    return changed


def validation_score(method: Method, validation: Dataset, metric: Literal["dice", "jaccard"] = "dice") -> float:
    """The mean over cases of the mean over raters of the mean over foreground classes; NaN if nobody judged a voxel.

    With two classes, at the threshold that fits the majority of the raters best (``thresholds.majority_threshold``).
    """
    vote, scores, majorities = MajorityVote(), [], []
    for case in validation:
        probability = method.predict_proba(case.unlabelled())
        against = [_dice(probability, rating) for rating in case.ratings.values()]
        judged = [dice / (2 - dice) if metric == "jaccard" else dice for dice in against if dice is not None]
        if judged:
            scores.append(np.mean(judged, axis=0))
        if validation.n_classes == 2 and len(case.ratings) > 1:
            majorities.append(_dice(probability, vote.fuse(case.ratings, 2, geometry=case.geometry).labels))
    if not scores:
        return np.nan
    mean = np.mean(scores, axis=0)
    if validation.n_classes > 2:
        return float(mean.mean())
    return float(mean[THRESHOLDS.index(best_threshold([dice for dice in majorities if dice is not None]).chosen)])


def _dice(probability: Floats, rating: Labels) -> Doubles | None:
    """Dice at each of ``THRESHOLDS`` for two classes, else of each foreground class; None if no voxel was judged."""
    if len(probability) == 2:
        return dice_by_threshold(probability, rating)
    counts = label_counts(hard_labels(probability), rating, len(probability))
    both, predicted, referred = counts.diagonal()[1:], counts.sum(axis=1)[1:], counts.sum(axis=0)[1:]
    return dice_from_counts(both, predicted, referred) if counts.any() else None


def _hints(owner: Any) -> Mapping[str, Any]:
    kind: Any = type(owner)
    return parameter_hints(kind)


def _check_name(owner: Any, part: str, name: str) -> None:
    known = owner.get_params(deep=False) if has_parameters(owner) else {}
    if part not in known:
        kind = type(owner).__name__
        raise RaterbenchError(f"space: {shown(name)}: {kind} has no parameter {part!r}{nearest(part, known)}")


def _default(owner: Any, part: str, name: str) -> Any:
    """A part that is None, built by the class that its type hint names."""
    hint = _hints(owner).get(part)
    for kind in get_args(hint):
        if isinstance(kind, type) and hasattr(kind, "get_params") and not getattr(kind, "__abstractmethods__", None):
            return kind()
    raise RaterbenchError(f"space: {shown(name)}: {part} of {type(owner).__name__} is None: set it in the method first")


def _is_whole(bounds: Mapping[str, Any]) -> bool:
    return isinstance(bounds["low"], int) and isinstance(bounds["high"], int)


def _distribution(bounds: Mapping[str, Any]) -> Any:
    """What numbers between ``low`` and ``high`` are drawn from, uniformly or, with ``log``, uniformly in the logarithm."""
    low, high = bounds["low"], bounds["high"]
    if bounds.get("log"):
        return stats.loguniform(low, high)
    return stats.randint(low, high + 1) if _is_whole(bounds) else stats.uniform(low, high - low)
