"""The confirmatory test of a mean difference between two candidates: its standard error contains subjects and trainings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from ..arithmetic import Floats, largest, round_to_scale, scaled
from .design import Design, Kind

FEW_MODELS = 3
"""A hold-out design with fewer repeats than this gives no p."""
ENOUGH_MODELS = 5
"""A hold-out design with fewer repeats than this is exploratory."""
ROUNDING = 1e-12
"""A standard error below this share of the largest difference is rounding error."""


@dataclass(frozen=True)
class ModelT:
    """Mean difference over subjects, its standard error, degrees of freedom and two-sided p.

    ``subject_std``, ``model_std`` and ``rest_std`` are the standard deviations of the three parts of a difference: how subjects
    differ, the luck of a trained pair of models, and what is left (subject x model). ``within_std`` is subjects and rest
    together. NaN where the design cannot tell them apart.

    ``reason`` says in words why there is no test (p is NaN); ``exploratory`` why the test is exploratory. Empty otherwise.
    """

    mean: float
    standard_error: float
    df: float
    p: float
    n_subjects: int
    n_models: int
    n_entries: int
    kind: Kind
    subject_std: float = np.nan
    model_std: float = np.nan
    rest_std: float = np.nan
    within_std: float = np.nan
    reason: str = ""
    exploratory: str = ""

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided t interval of the mean; (NaN, NaN) without a standard error, the mean twice where it is 0."""
        if self.standard_error == 0:
            return self.mean, self.mean
        half = float(special.stdtrit(self.df, 0.5 + level / 2)) * self.standard_error
        return self.mean - half, self.mean + half

    @property
    def p_false_claim(self) -> float:
        """The probability that who is ahead is not really better: the one-sided p, read with a flat prior."""
        return self.p / 2

    @property
    def variance_ratio(self) -> float:
        """Variance of trained models / variance of subjects (with the rest, where they cannot be told apart).

        Infinite where subjects do not differ, NaN where nothing varies or the design tells nothing.
        """
        subjects = self.within_std if np.isnan(self.subject_std) else self.subject_std
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return float(np.square(np.float64(self.model_std) / subjects))


def model_t(difference: npt.ArrayLike, subject: npt.ArrayLike, model: npt.ArrayLike) -> ModelT:
    """Test whether the mean over subjects of some differences is 0; all arguments [N].

    An entry is the difference of two candidates on a subject, from one pair of trained models; ``model`` numbers the pairs, so
    it stands for (repeat, fold). The mean is over subjects of the mean over their entries. Its variance contains subjects,
    trained models and the rest: by the method of moments in crossed designs, and between the independent pieces of nested ones.
    Degrees of freedom are Satterthwaite's (1946). Time is linear in N for a fixed number of repeats.

    Entries that are not finite are left out. Rounding error is no variation: values are rounded to 12 digits of the largest.

    Raises:
        RaterbenchError: a subject has two entries of one model.
    """
    values = np.asarray(difference, dtype=float)
    known = np.isfinite(values)
    values, labels = values[known], [np.asarray(label)[known] for label in (subject, model)]
    if not values.size:
        return ModelT(np.nan, np.nan, np.nan, np.nan, 0, 0, 0, "nested", reason="there is no value of both candidates")
    return model_t_in(Design.of(*labels), values)


def model_t_in(design: Design, values: Floats) -> ModelT:
    """The test of finite differences [N] in a design that is known already."""
    small, power = scaled(round_to_scale(values, largest(values)))
    mean = float(design.subject_means(small[:, None]).mean()) if np.ptp(small) else float(small[0])
    size = (len(design.per_subject), len(design.per_model), len(values))
    untested = ModelT(float(np.ldexp(mean, power)), np.nan, np.nan, np.nan, *size, design.kind)
    if reason := why_no_test(design):
        return replace(untested, reason=reason)
    if not small.any():
        return replace(untested, standard_error=0.0, p=1.0, exploratory=_why_exploratory(design))
    if np.ptp(small) == 0:
        return replace(untested, reason="no variation: all differences are equal, so nothing says what chance could do")
    moments = design.moments(small[:, None])
    if moments is None:
        return replace(untested, reason="too few subjects have several trained models to tell subjects and models apart")
    error, df = float(np.sqrt(moments.variance[0])), float(moments.df[0])
    if error < ROUNDING:
        return replace(untested, reason="the independent parts of the data do not differ, so nothing says what chance could do")
    with np.errstate(over="ignore", under="ignore"):
        error_, subject, model, rest, within = (float(np.ldexp(v, power)) for v in (error, *np.sqrt(moments[3:])[:, 0]))
    return replace(
        untested,
        standard_error=error_,
        df=df,
        p=float(moments.p[0]),
        subject_std=subject,
        model_std=model,
        rest_std=rest,
        within_std=within,
        exploratory=_why_exploratory(design),
    )


def why_no_test(design: Design) -> str:
    """Why this design allows no test, whatever the values; empty if it does."""
    n, models = len(design.per_subject), len(design.per_model)
    if models < 2:
        return "one trained model: what another training would change cannot be known"
    if n < 2:
        return "one subject: what another subject would change cannot be known"
    if design.kind == "hold-out" and models < FEW_MODELS:
        return f"a hold-out with {models} repeats, where a test needs at least {FEW_MODELS}"
    return ""


def _why_exploratory(design: Design) -> str:
    models = len(design.per_model)
    if design.kind == "hold-out" and models < ENOUGH_MODELS:
        return f"a hold-out with {models} repeats, where {ENOUGH_MODELS} are needed"
    return "one repeat" if design.per_subject.max() == 1 else ""
