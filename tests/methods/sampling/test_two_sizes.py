"""What is learned of two raters who draw a small and a large disc: samples of both sizes, with the right mean."""

import numpy as np
import pytest

from raterbench.methods import Pionono, ProbabilisticUNet


@pytest.fixture(scope="module")
def learned(discs, tiny):
    """Trains a method on 32 discs; then, of six others, each sample's share of the ring, and its probability."""

    def learn(cls, steps):
        shape = {"epochs": steps // 10, "least_steps": 10, "batch_size": 4, "features": (4, 4, 8, 8, 8, 8)}
        method = cls(budget=tiny(**shape, learning_rate=5e-3)).fit(discs(32, seed=1), discs(4, seed=2), seed=0)
        shares, mean = [], []
        for case in discs(6, seed=3):
            ring = case.ratings["large"] > case.ratings["small"]
            prediction = method.predict(case.unlabelled(), samples=16)
            shares.append((prediction.samples[:, 1, ring] >= 0.5).mean(axis=1))
            mean.append(prediction.probability[1, ring].mean())
        assert not [alarm for alarm in method.fit_report().alarms if "hardly differ" in alarm]
        return method, np.array(shares), float(np.mean(mean))

    return learn


def test_pionono_gives_each_rater_the_raters_own_size(learned, discs):
    method, shares, mean = learned(Pionono, 150)
    assert mean == pytest.approx(0.5, abs=0.12)
    for case, found in zip(discs(6, seed=3), shares, strict=True):
        _, raters = method.drawn(case.id, (32, 32), 16)
        small, large = (found[raters.numpy() == method.raters_.index(name)] for name in ("small", "large"))
        assert np.median(small) < 0.2 and np.median(large) > 0.8


def test_the_probabilistic_u_net_draws_both_sizes(learned):
    _, shares, mean = learned(ProbabilisticUNet, 300)
    assert mean == pytest.approx(0.5, abs=0.15)
    assert (shares < 0.2).mean() > 0.05 and (shares > 0.8).mean() > 0.05
