"""What a method that holds a segmenter takes over from it."""

import pytest

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import RaterbenchError
from raterbench.methods import METHODS, Budget, FusedLabels, Method
from raterbench.methods.networks.segmenter_holder import SegmenterHolder

QUALITIES = {"hq": ("rater 0",), "lq": ("rater 1",)}
OPTIONS = {
    "upgrade": QUALITIES,
    "annotation-budget": QUALITIES,
    "chosen-raters": {"raters": ("rater 0",)},
    "tuned": {"trials": 2},
}
HOLDERS = [name for name in METHODS.names() if issubclass(METHODS.get(name), SegmenterHolder)]


class Inner(Method):
    """It trains five networks, needs instances, and never runs."""

    listed = False
    needs, needs_rater_identity = frozenset({"instances"}), True

    def __init__(self, *, broken: bool = False):
        self.broken = broken

    def check_parameters(self):
        if self.broken:
            raise RaterbenchError("the inner method is broken")

    def skip_reason(self, dataset):
        return "the inner method never runs"

    def n_networks(self, n_raters):
        return 5 * n_raters

    def fit(self, train, validation, *, seed, device="cpu"):
        return self

    def predict_proba(self, case):
        raise NotImplementedError


def held(name, **options):
    return METHODS.get(name)(**OPTIONS.get(name, {}), **options)


def test_all_methods_that_hold_one_are_holders_and_the_base_is_no_method_by_name():
    assert HOLDERS == ["annotation-budget", "chosen-raters", "diagnosed", "own-preparation", "tuned", "upgrade"]
    assert "segmenter-holder" not in METHODS.names()


@pytest.mark.parametrize("name", HOLDERS)
def test_what_is_the_segmenters_is_asked_of_it(name):
    method = held(name, segmenter=Inner())
    assert method.needs >= {"instances"}
    assert method.needs_rater_identity == (name != "diagnosed"), "what diagnosed asks for is its fusion's; parts are asked, too"
    assert method.skip_reason(make_dataset(shapes=[(8, 8)] * 2)) == "the inner method never runs"
    networks = {"tuned": 2 * 20, "upgrade": 1 + 20, "chosen-raters": 5}.get(name, 20)
    assert method.n_networks(4) == networks
    with pytest.raises(RaterbenchError, match="the inner method is broken"):
        held(name, segmenter=Inner(broken=True)).check_parameters()


@pytest.mark.parametrize("name", HOLDERS)
def test_without_a_segmenter_fused_labels_are_learned_with_the_shared_budget(name):
    own = {} if name == "tuned" else {"budget": Budget(epochs=7)}
    inner = held(name, **own).inner()
    assert type(inner) is FusedLabels and inner.budget is own.get("budget")
