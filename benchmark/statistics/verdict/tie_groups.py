"""Who cannot be told from the best, and between which ranks each candidate may lie; both exploratory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ..arithmetic import largest, round_to_scale, scaled
from ..significance import holm
from .model_t import why_no_test
from .shared_cells import CaseValues
from .verdicts import Better, holm_levels

PAIR_COLUMNS = ["one", "other", "difference", "low", "high", "p", "p_holm", "df", "apart", "reason"]


@dataclass(frozen=True, eq=False)
class TieGroup:
    """The best candidates by their means, and all that cannot be told from one of them.

    ``pairs`` has every pair (``PAIR_COLUMNS``): ``one`` minus ``other``, with Holm's interval and p over all pairs; ``apart``
    where they can be told apart.
    """

    best: Sequence[str]
    group: Sequence[str]
    pairs: pd.DataFrame


def tie_group(values: CaseValues, *, better: Better, alpha: float = 0.05) -> TieGroup:
    """Test all pairs, each over what the two share, with Holm's correction over the pairs.

    The best has the best mean over the subjects and trainings that all candidates share; without any, over its own. A pair
    without a test cannot be told apart.
    """
    rows = []
    for one, other in combinations(values.candidates, 2):
        found = values.difference(one, other)
        row: dict[str, object] = {"one": one, "other": other}
        if found is None:
            rows.append(row | {"difference": np.nan, "p": np.nan, "df": np.nan, "reason": "they share no value", "test": None})
        else:
            test = found.test
            rows.append(row | {"difference": test.mean, "p": test.p, "df": test.df, "reason": test.reason, "test": test})
    pairs = pd.DataFrame(rows, columns=[*PAIR_COLUMNS, "test"])
    p = pairs["p"].to_numpy(dtype=float)
    pairs["p_holm"] = holm(p)
    pairs["apart"] = pairs["p_holm"] <= alpha
    ends = [
        (np.nan, np.nan) if test is None else test.interval(level)
        for test, level in zip(pairs["test"], holm_levels(p, alpha), strict=True)
    ]
    pairs[["low", "high"]] = np.array(ends, dtype=float).reshape(-1, 2)
    pairs = pairs[PAIR_COLUMNS]
    means = _means(values)
    good = (means if better == "higher" else -means).dropna()
    best = [str(name) for name in good.index[good == good.max()]]
    apart = pairs[pairs["apart"]]
    told = {name: {*apart.loc[apart["other"] == name, "one"], *apart.loc[apart["one"] == name, "other"]} for name in best}
    group = [name for name in values.candidates if name in good.index and any(name not in told[b] for b in best)]
    return TieGroup(best, group, pairs)


def rank_intervals(
    values: CaseValues, *, better: Better, level: float = 0.95, draws: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """``rank``, ``rank_low``, ``rank_high`` of each candidate (index); 1 is best, NaN where the design tells nothing.

    All means are drawn together from Student's t distribution, whose covariance contains subjects and trained models and whose
    degrees of freedom are the fewest of any difference to the best, and ranked; the interval holds the middle ``level`` of a
    candidate's ranks. Uses what all candidates share.
    """
    names = list(values.candidates)
    nothing = pd.DataFrame(np.nan, index=names, columns=["rank", "rank_low", "rank_high"])
    shared = values.entries()
    if shared is None:
        return nothing
    small, _ = scaled(shared.values)
    means = shared.design.subject_means(small).mean(axis=0)
    sign = -1 if better == "higher" else 1
    found = nothing.assign(rank=pd.Series(round_to_scale(sign * means, largest(small)), names).rank())
    covariance = None if why_no_test(shared.design) else shared.design.covariance(small)
    if covariance is None:
        return found
    random = np.random.default_rng(seed)
    gaps = random.multivariate_normal(np.zeros(len(means)), covariance, size=draws, method="eigh", check_valid="ignore")
    best = int(np.argmin(sign * means))
    others = np.delete(small - small[:, [best]], best, axis=1)
    moments = shared.design.moments(others) if others.shape[1] else None
    df = float(np.nanmin(moments.df)) if moments is not None else np.inf
    if np.isfinite(df):
        gaps *= np.sqrt(df / random.chisquare(df, size=(draws, 1)))
    drawn = sign * means + gaps
    drawn = round_to_scale(drawn, largest(small))
    ranks = pd.DataFrame(drawn).rank(axis=1).to_numpy()
    ends = np.quantile(ranks, [(1 - level) / 2, (1 + level) / 2], axis=0, method="closest_observation")
    return found.assign(rank_low=np.floor(ends[0]), rank_high=np.ceil(ends[1]))


def _means(values: CaseValues) -> pd.Series:
    """Means over what all candidates share, rounded so that rounding error breaks no tie; else each over its own."""
    shared = values.entries()
    if shared is not None:
        return pd.Series(round_to_scale(shared.means, largest(shared.values)), list(values.candidates))
    own = {name: values.entries([name]) for name in values.candidates}
    return pd.Series({name: np.nan if entries is None else float(entries.means[0]) for name, entries in own.items()})
