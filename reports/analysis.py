"""Everything that tables, figures and the page show, computed once from the stored results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial

import pandas as pd

from ..benchmark.statistics.caption import exploratory_reasons
from ..benchmark.statistics.collapse import collapsed_candidates, far_behind, overlap_means
from ..benchmark.statistics.comparison import Comparison, compare_results, split_ratio
from ..benchmark.statistics.descriptive import breakdowns, means_by_subject
from ..benchmark.statistics.diagnosis.comparison import DiagnosisTerms, diagnosis_table
from ..benchmark.statistics.long_rows import LongRows
from ..benchmark.statistics.metric_table import Protocol
from ..benchmark.statistics.pooled import PooledCalibration
from ..benchmark.statistics.ranking import COMPOSITE, CompositeScores, composite_scores
from ..benchmark.statistics.rater_errors import MeanInterval, compared_with, estimators, mean_interval, rater_errors
from ..benchmark.statistics.shared_units import shared_units
from ..benchmark.statistics.subjects import FOREGROUND
from ..benchmark.statistics.verdict.shared_cells import CaseValues
from ..benchmark.statistics.verdict.tie_groups import TieGroup, tie_group
from ..benchmark.statistics.verdict.verdicts import Better
from ..benchmark.store.declaration import DeclarationState, declaration_state
from ..benchmark.store.results import Results
from ..errors import RaterbenchError
from .figures import palette
from .page.part_maker import EXPECTED, PartMaker
from .panel import Panel
from .tables.origins import mixed_words
from .tables.wording import SHORT, decimals_for, write_number

COUNTED_OF = ("candidate", "kind", "subject", "reference", "region")
"""The columns of words by which calibration counts are chosen."""
SOFT = "soft average"


@dataclass(frozen=True, eq=False)
class Analysis:
    """Results and what follows from them; every part is computed when it is first asked for.

    ``part_maker`` makes the parts of a report: by default one that raises where a part breaks.

    Raises:
        RaterbenchError: no candidate has a finished unit; the reasons are given.
    """

    results: Results
    protocol: Protocol = "model-t"
    part_maker: PartMaker = field(default_factory=PartMaker)

    def __post_init__(self) -> None:
        if not self.candidates:
            completeness = self.results.completeness
            said = " ".join([*completeness.notices(), *completeness.skipped()])
            raise RaterbenchError(f"{self.results.folder}: no candidate has a finished unit. {said}")

    @cached_property
    def candidates(self) -> list[str]:
        """Candidates with results, in the experiment's order."""
        return self.results.candidates

    @cached_property
    def colours(self) -> dict[str, str]:
        return palette.colours([c.name for c in self.results.experiment.candidates])

    @cached_property
    def markers(self) -> dict[str, str]:
        return palette.markers([c.name for c in self.results.experiment.candidates])

    @property
    def declared_baseline(self) -> str:
        return self.results.experiment.baseline

    @property
    def baseline(self) -> str:
        """The declared baseline, or, if it has no results, the first candidate that has some: then nothing is confirmatory."""
        return self.declared_baseline if self.declared_baseline in self.candidates else self.candidates[0]

    @property
    def baseline_replaced(self) -> bool:
        """Whether the declared baseline has no results, and another candidate is used in its place."""
        return self.baseline != self.declared_baseline

    @property
    def confirmatory(self) -> bool:
        """Whether tests are those that were declared: all planned units, the declared baseline, and a design that confirms."""
        declared = self.results.completeness.is_complete and not self.baseline_replaced and self.protocol == "model-t"
        return declared and not self.declaration.changed and not exploratory_reasons(self.comparison)

    @cached_property
    def declaration(self) -> DeclarationState:
        """Whether what is reported was declared before the first unit."""
        return declaration_state(self.results)

    @cached_property
    def panel(self) -> Panel:
        """The primary metric against every single rater."""
        return Panel.of(self.results)

    @cached_property
    def notices(self) -> list[str]:
        """What must be read before any number: missing, damaged and failed units, foreign files, mixed code."""
        mixed = mixed_words(self.results.units)
        said = [mixed, self.declaration.words]
        return [*self.results.completeness.notices(), *(words for words in said if words)]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The long table without folds that not all compared candidates have."""
        return shared_units(self.results.units).only(self.results.rows)

    @property
    def alpha(self) -> float:
        return self.results.experiment.statistics.alpha

    @property
    def metric(self) -> str:
        """The primary metric."""
        return self.results.experiment.statistics.primary_metric

    @cached_property
    def primary_reference(self) -> str:
        """The declared reference, ``auto`` resolved; asked of the results once, because it reads every row."""
        return self.results.primary_reference

    @cached_property
    def reference(self) -> str:
        """The reference that the primary metric has: the primary one, or ``none`` for a metric that needs none."""
        return self.reference_of(self.metric)

    @cached_property
    def metrics(self) -> list[str]:
        """Metrics among the results, the primary one first, then in the experiment's order."""
        have = [str(m) for m in pd.unique(self._methods["metric"])]
        order = [self.metric, *(name for name, _ in self.results.experiment.metric_entries), *have]
        return [m for m in dict.fromkeys(order) if m in have]

    @cached_property
    def classes(self) -> list[str]:
        """Foreground classes, in the order of the data."""
        return [str(c) for c in pd.unique(self.rows["class"]) if c != "all"]

    @cached_property
    def _methods(self) -> pd.DataFrame:
        return self.rows[self.rows["kind"] == "method"]

    @cached_property
    def references(self) -> dict[str, list[str]]:
        """The references that each metric was measured against."""
        pairs = self._methods[["metric", "reference"]].drop_duplicates()
        return {str(m): [str(r) for r in part] for m, part in pairs.groupby("metric", sort=False)["reference"]}

    def reference_of(self, metric: str) -> str:
        """What a metric is shown against: the primary reference, ``none``, or the soft average where only soft labels fit."""
        have = self.references.get(metric, [])
        wanted = (self.primary_reference, "none", SOFT, *have)
        return next((r for r in wanted if r in have), self.primary_reference)

    @cached_property
    def long_rows(self) -> LongRows:
        """All rows of the results, grouped; a candidate is compared on what it shares with the others, cell by cell."""
        return LongRows(self.results.rows)

    def compare(self, metrics: Iterable[str], reference: str, class_: str = FOREGROUND) -> Comparison:
        """The comparison with this analysis' baseline and protocol."""
        results, wanted = self.results, list(metrics)
        return compare_results(
            self.long_rows, results.units, results.experiment.statistics, reference, self.baseline,
            wanted, class_=class_, protocol=self.protocol, better={m: self.better(m) for m in wanted},
            never_best=tuple(self.collapsed),
        )  # fmt: skip

    def case_values(self, metric: str, reference: str = "", class_: str = FOREGROUND) -> CaseValues:
        """The values of all candidates on one metric, cell by cell; by default against the reference it is shown against."""
        return self.long_rows.values(metric, reference or self.reference_of(metric), class_)[0]

    @cached_property
    def tie_group(self) -> TieGroup | None:
        """All pairs on the primary metric, and who cannot be told from the best; None where nobody can be best."""
        better = self.better(self.metric)
        allowed = [name for name in self.comparison.complete if name not in self.collapsed]
        if better not in ("higher", "lower") or not allowed:
            return None
        direction: Better = "lower" if better == "lower" else "higher"
        return tie_group(self.comparison.values.only(allowed), better=direction, alpha=self.alpha)

    @cached_property
    def comparison(self) -> Comparison:
        """The comparison on the primary metric; ``table`` below has all metrics."""
        return self.compare([self.metric], self.reference)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a metric and candidate, every metric against its reference (columns: ``statistics.comparison``)."""
        parts, asked = [self.comparison.table], dict[str, list[str]]()
        for metric in self.metrics:
            if metric != self.metric:
                reference = self.reference_of(metric)
                # A metric without a reference goes with the primary one: the comparison finds ``none`` by itself.
                asked.setdefault(self.reference if reference == "none" else reference, []).append(metric)
        for reference, metrics in asked.items():
            try:
                parts.append(self.compare(metrics, reference).table)
            except EXPECTED:  # One by one, to find which metric breaks and to keep the others.
                found = [self.part_maker.make("metric", m, partial(self.compare, [m], reference)) for m in metrics]
                parts += [comparison.table for comparison in found if comparison]
        table = pd.concat(parts, ignore_index=True)
        order = {metric: place for place, metric in enumerate(self.metrics)}
        table = table.sort_values("metric", key=lambda names: names.map(order), kind="stable", ignore_index=True)
        return self.without_confirmatory(table)

    def without_confirmatory(self, table: pd.DataFrame) -> pd.DataFrame:
        """``table``, its tests all exploratory where they are not those that were declared."""
        if not self.confirmatory:
            table.loc[table["family"] == "confirmatory", "family"] = "exploratory"
        return table

    def rows_for(self, metric: str, kind: str = "method") -> pd.DataFrame:
        """The rows of one metric and kind, indexed by candidate."""
        chosen = self.table[(self.table["metric"] == metric) & (self.table["kind"] == kind)]
        return chosen.set_index("candidate")

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Differences to the baseline on the primary metric, indexed by candidate."""
        table = self.rows_for(self.metric)
        return table[table["difference"].notna()]

    @cached_property
    def by_class(self) -> pd.DataFrame:
        """The primary metric for each class (columns: ``statistics.descriptive.breakdowns``)."""
        return breakdowns(self.rows, self.metric, self.reference, "class")

    @cached_property
    def by_centre(self) -> pd.DataFrame:
        """The primary metric for each centre, likewise."""
        return breakdowns(self.rows, self.metric, self.reference, "centre")

    @cached_property
    def ceiling_reference(self) -> str:
        """What the raters are measured against in the figure: the primary reference, else each other; empty if never."""
        rows = self.rows
        have = set(rows.loc[(rows["kind"] == "rater") & (rows["metric"] == self.metric), "reference"].unique())
        return next((r for r in (self.reference, "raters") if r in have), "")

    @cached_property
    def raters(self) -> pd.Series:
        """Each rater's mean over subjects on the primary metric; empty if raters were not measured."""
        if not self.ceiling_reference:
            return pd.Series(dtype=float)
        return means_by_subject(self.rows, self.metric, self.ceiling_reference, "rater").mean().dropna()

    @property
    def ceiling(self) -> tuple[float, float] | None:
        """The lowest and the highest of the raters' means."""
        return (float(self.raters.min()), float(self.raters.max())) if len(self.raters) else None

    @cached_property
    def calibration(self) -> PooledCalibration:
        """Calibration errors of all candidates, pooled over voxels."""
        counts, statistics = self.results.calibration, self.results.experiment.statistics
        # Some hundred thousand rows are chosen by their words again and again: as categories these are compared as numbers.
        counts = shared_units(self.results.units).only(counts.astype(dict.fromkeys(COUNTED_OF, "category")))
        never = (*self.collapsed, *far_behind(self.comparison.table, self.better(self.metric)))
        return PooledCalibration(counts, self.primary_reference, self.baseline, statistics, never)

    @cached_property
    def diagnoses(self) -> pd.DataFrame:
        """The scores of the diagnosis (``Results.diagnoses``) without folds that not all compared candidates have."""
        scores = self.results.diagnoses
        return shared_units(self.results.units).only(scores.assign(kind="method")) if len(scores) else scores

    @cached_property
    def diagnosis(self) -> pd.DataFrame:
        """How well labels serve the diagnosis (columns: ``statistics.diagnosis.comparison``); empty if nobody diagnosed."""
        settings, ratio = self.results.experiment.statistics, split_ratio(self.results.units)
        terms = DiagnosisTerms(self.baseline, self.alpha, ratio, settings.resamples)
        return diagnosis_table(self.diagnoses, self.candidates, terms)

    @cached_property
    def collapsed(self) -> dict[str, str]:
        """Candidates that are never called best, with what shows their collapse (``collapse.RULE``)."""
        references = {metric: self.reference_of(metric) for metric in self.metrics}
        return collapsed_candidates(overlap_means(self.rows, references, self.classes))

    # What candidates estimate of the raters --------------------------------------------------------------------------

    @cached_property
    def estimators(self) -> list[str]:
        """Who estimates raters: candidates in their order, then fusions."""
        return estimators(self.results.confusions, self.candidates)

    @cached_property
    def estimated_raters(self) -> list[str]:
        """The raters of whom something is estimated, in the order of the data set's raters."""
        have = [str(rater) for rater in self.results.confusions["rater"].unique()]
        order = [str(rater) for rater in self.results.facts["raters"]]
        return [r for r in order if r in have] + [r for r in have if r not in order]

    @cached_property
    def confusions_compared_with(self) -> str:
        """What estimates are compared with: ``truth``, ``others`` where the truth is unknown, or nothing (empty)."""
        return compared_with(self.results.confusions)

    @cached_property
    def rater_errors(self) -> pd.DataFrame:
        """``candidate repeat fold rater rmse`` of every estimate, and of the identity."""
        return rater_errors(self.results.confusions)

    @cached_property
    def composite(self) -> CompositeScores | None:
        """Composite scores against the primary reference; None where one of their metrics was not measured against it."""
        if any(self.primary_reference not in self.references.get(metric, []) for metric in COMPOSITE):
            return None
        return composite_scores(self.long_rows, self.primary_reference)

    @property
    def is_holdout(self) -> bool:
        """Whether all repeats have the data set's own training and test part."""
        return self.results.experiment.split.policy == "holdout"

    def mean_interval(self, values: pd.Series) -> MeanInterval:
        """Mean and interval of values, one a fold and repeat."""
        return mean_interval(values, self._overlap, self.alpha)

    @cached_property
    def _overlap(self) -> float:
        """Test cases / cases of the training part, by which training parts overlap; 0 where they are the same."""
        return 0.0 if self.is_holdout else split_ratio(self.results.units)

    # How values are written ------------------------------------------------------------------------------------------

    def label(self, metric: str) -> str:
        """The full name of a metric, with its unit."""
        known = self.results.metric(metric)
        return known.label if known else metric.capitalize()

    def head(self, metric: str) -> str:
        """The short name of a metric, with an arrow to what is better."""
        arrow = {"higher": " ↑", "lower": " ↓"}.get(self.better(metric), "")
        known = self.results.metric(metric)
        unit = known.unit if known else ""
        return (SHORT[metric] + (f" ({unit})" if unit else "") if metric in SHORT else self.label(metric)) + arrow

    def better(self, metric: str) -> str:
        """``higher``, ``lower``, ``zero`` or ``none``."""
        known = self.results.metric(metric)
        return known.better if known else "none"

    def empty_policy(self, metric: str) -> str:
        """One sentence on what a metric does where something is empty."""
        known = self.results.metric(metric)
        return known.empty if known else ""

    @cached_property
    def _decimals(self) -> dict[str, int]:
        means = self.table[self.table["kind"] == "method"].groupby("metric")["mean"]
        return {str(m): decimals_for(float(v.abs().median())) for m, v in means}

    def number(self, metric: str, value: float, *, sign: bool = False) -> str:
        """A value with as many decimals as the whole column has, or a dash."""
        return write_number(value, self._decimals.get(metric, 3), sign=sign)

    @property
    def confidence_words(self) -> str:
        return f"{100 * (1 - self.alpha):g} %"
