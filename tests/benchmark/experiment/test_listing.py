import pytest

from raterbench.arguments import KINDS
from raterbench.benchmark.experiment.listing import describe
from raterbench.datasets import RaterbenchError


@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_is_listed_says_what_it_is_for(kind):
    listed = describe(kind)
    assert listed == sorted(listed)
    assert all(purpose for _, purpose in listed)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("methods", {"fused-labels", "random-rater", "confusion-network", "tgce"}),
        ("fusions", {"majority-vote", "staple", "soft-average"}),
        ("case-fusions", {"diagnosis-first"}),
        ("diagnosis-networks", {"no-mask", "dl-cat", "ratio-svm"}),
        ("recipes", {"soft-cross-entropy", "conventional", "softseg"}),
        ("datasets", {"phantom", "mnist", "deepflash", "folder"}),
        ("metrics", {"dice", "hd95", "brier", "entropy"}),
        ("splits", {"folds", "holdout", "leave-one-centre-out", "random", "centres"}),
        ("experiments", {"quick", "smoke"}),
    ],
)
def test_what_comes_with_raterbench_is_listed(kind, names):
    assert names <= {name for name, _ in describe(kind)}


def test_plugins_are_listed_too(plugin):
    assert ("instant", "Learns nothing and says the same everywhere.") in describe("methods", (plugin(),))
    with pytest.raises(RaterbenchError, match="is not a file"):
        describe("methods", ("nowhere.py",))
