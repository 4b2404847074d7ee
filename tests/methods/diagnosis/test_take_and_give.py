"""Take-and-Give: its loss, what the two networks share, what is exchanged, whom it may not look at, and that it learns."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.benchmark.checks.methods import check_method
from raterbench.datasets import IGNORE, Case, CaseList, Geometry, RaterbenchError
from raterbench.methods import METHODS, Budget, CaseFusion, Consensus, FusedLabels
from raterbench.methods.backbones.exchange import Exchange
from raterbench.methods.diagnosis.take_and_give import LEVEL, TakeAndGive, TakeAndGiveOutputs

FEATURES = (4, 4, 4, 8, 8, 4)
STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0}
BUDGET = Budget(epochs=2, batch_size=2, features=FEATURES, **STILL)
BLOCKS = ("B1", "B2", "B3", "B4")


def begun(n_cases=4, *, diagnoses=None, exchanging=True, **options):
    """A method at its first weights, but with something to exchange, and all training slices in one batch."""
    method = TakeAndGive(budget=BUDGET, **options)
    slices = method.prepare(told(n_cases, diagnoses), seed=0).whole()
    for exchange in (part for part in method.module_.modules() if isinstance(part, Exchange) and exchanging):
        torch.nn.init.normal_(exchange.last.weight, std=0.1)
    return method, slices


def told(n_cases, diagnoses=None, **options):
    """The example's cases with other diagnoses."""
    dataset = make_dataset(shapes=[(32, 32)] * n_cases, **options)
    if diagnoses is None:
        return dataset
    cases = [dataclasses.replace(case, diagnosis=d) for case, d in zip(dataset.cases, diagnoses, strict=True)]
    return CaseList("told", cases, dataset.classes, dataset.raters, diagnoses=dataset.diagnoses)


def gradients(method, loss):
    """The largest gradient of each part of the network, 0 where the loss does not reach it."""
    method.module_.zero_grad()
    loss.backward(retain_graph=True)
    module, unet = method.module_, method.module_.segmentation.unet
    parts = {
        "encoder": [unet.conv_0, unet.down_1, unet.down_2, unet.down_3, unet.down_4],
        "decoder": [unet.upcat_4, unet.upcat_3, unet.upcat_2, unet.upcat_1, unet.final_conv],
        "coarse": [module.coarse],
        "diagnosis": [module.diagnosis],
        "last": [module.last],
        **{f"{kind} {block}": [getattr(module, kind)[block]] for kind in ("give", "take") for block in module.blocks},
    }
    found = {}
    for name, modules in parts.items():
        grads = [p.grad.abs().max().item() for one in modules for p in one.parameters() if p.grad is not None]
        found[name] = max(grads, default=0.0)
    return found


@pytest.mark.parametrize("blocks", [(), ("B1", "B2", "B3"), ("B2", "B3", "B4")], ids=str)
@pytest.mark.parametrize("other", [{"clip": 0.1, "positive_weight": 2.0}], ids=str)
def test_it_keeps_the_contract_of_methods(blocks, other):
    results = check_method(TakeAndGive(blocks=blocks, **(other if blocks else {})))
    assert len(results) == 19
    assert not [f"{result.name}: {result.message}" for result in results if result.message]


def test_it_is_found_by_its_name_and_asks_for_diagnoses():
    assert METHODS.get("take-and-give") is TakeAndGive
    assert TakeAndGive().needs == {"diagnosis"} and TakeAndGive().n_networks(5) == 2


@pytest.mark.parametrize(
    ("diagnoses", "said"),
    [
        ((), "it needs the diagnosis, which this data set does not have"),
        (("a", "b", "c"), "two diagnoses apart, and there are 3"),
    ],
)
def test_it_is_skipped_unless_there_are_two_diagnoses(diagnoses, said):
    dataset = make_dataset(shapes=[(32, 32)] * 2)
    assert TakeAndGive().skip_reason(dataset) is None
    dataset.diagnoses = diagnoses
    assert said in TakeAndGive().skip_reason(dataset)


@pytest.mark.parametrize("blocks", [("B2", "B1"), ("B1", "B1")])
def test_blocks_are_named_once_and_in_order(blocks):
    with pytest.raises(RaterbenchError, match="name each block once, in ascending order"):
        TakeAndGive(blocks=blocks).check_parameters()
    with pytest.raises(RaterbenchError, match="'B1' or 'B2' or 'B3' or 'B4'"):
        TakeAndGive(blocks=("B5",)).check_parameters()


def test_the_diagnosis_network_has_a_learning_rate_of_its_own():
    method, _ = begun(blocks=BLOCKS, diagnosis_learning_rate=0.5)
    module = method.module_
    ours, theirs = method.parameter_groups(module)
    assert "lr" not in ours and theirs["lr"] == 0.5
    diagnosing = {id(p) for part in (module.diagnosis, module.last, module.give) for p in part.parameters()}
    assert {id(p) for p in theirs["params"]} == diagnosing
    assert len(ours["params"]) + len(theirs["params"]) == len(list(module.parameters()))
    assert not diagnosing & {id(p) for p in ours["params"]}


def test_the_loss_is_that_of_segmentation_coarse_mask_and_diagnosis():
    method, batch = begun(diagnoses=[0, 1, None, 0], diagnosis_weight=0.5, positive_weight=3.0)
    outputs = method.module_(batch.images)
    parts = []
    for logits in (outputs.logits, outputs.coarse):
        log_p = logits.detach().double().numpy()
        log_p = log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        parts.append(-(batch.ratings[:, 0].numpy() * log_p).sum() / batch.present.sum().item())
    p = 1 / (1 + np.exp(-outputs.diagnosis.detach().double().numpy()))
    diagnosis = -(np.log(1 - p[0]) + 3 * np.log(p[1]) + np.log(1 - p[3])) / 3  # nobody knows the third
    assert method.step_loss(method.module_.train(), batch).item() == pytest.approx(sum(parts) + 0.5 * diagnosis, abs=1e-5)
    # What chooses the epoch is comparable with a candidate that does not diagnose.
    assert method.step_loss(method.module_.eval(), batch).item() == pytest.approx(parts[0], abs=1e-5)


def test_cases_without_a_diagnosis_teach_segmentation_alone():
    method, batch = begun(diagnoses=[None] * 4)
    loss = method.step_loss(method.module_, batch)
    outputs = method.module_(batch.images)
    assert loss.item() == pytest.approx(method.loss(outputs, batch.ratings, batch.present).item())
    assert gradients(method, loss)["last"] == 0 < gradients(method, loss)["decoder"]


def test_without_blocks_the_diagnosis_changes_nothing_of_the_segmentation_network():
    """What the two have in common is the value of the coarse mask, through which no gradient passes."""
    method, batch = begun(blocks=())
    outputs = method.module_(batch.images)
    diagnosed = gradients(method, method.diagnosis_loss(outputs.diagnosis, method.diagnoses_[batch.cases]))
    segmented = gradients(method, method.loss(outputs, batch.ratings, batch.present))
    assert {name for name, size in diagnosed.items() if size > 0} == {"diagnosis", "last"}
    assert {name for name, size in segmented.items() if size > 0} == {"encoder", "decoder", "coarse"}


@pytest.mark.parametrize("blocks", [("B1",), ("B2", "B3"), BLOCKS], ids=str)
def test_with_blocks_each_loss_reaches_both_networks(blocks):
    """The diagnosis reaches the encoder through Give, the segmentation the diagnosis network through Take and Give."""
    method, batch = begun(blocks=blocks)
    outputs = method.module_(batch.images)
    diagnosed = gradients(method, method.diagnosis_loss(outputs.diagnosis, method.diagnoses_[batch.cases]))
    final = gradients(method, outputs.logits.square().mean())
    coarse = gradients(method, outputs.coarse.square().mean())
    gives, takes = ({f"{kind} {block}" for block in blocks} for kind in ("give", "take"))
    assert {name for name, size in diagnosed.items() if size > 0} == {"encoder", "diagnosis", "last"} | gives
    assert {name for name, size in final.items() if size > 0} == {"encoder", "decoder", "diagnosis"} | gives | takes
    assert {name for name, size in coarse.items() if size > 0} == {"encoder", "coarse"}


def test_both_networks_compute_with_what_is_exchanged():
    """A change of what Give or Take adds at one block changes the outputs that lie behind it."""
    method, batch = begun(blocks=BLOCKS)
    module = method.module_.eval()
    with torch.no_grad():
        before = module(batch.images)
        for block in BLOCKS:
            for kind, changes_diagnosis in (("take", False), ("give", True)):
                bias = getattr(module, kind)[block].last.bias
                bias[0] += 5.0
                after = module(batch.images)
                bias[0] -= 5.0
                assert not torch.allclose(after.logits, before.logits, atol=1e-4), (kind, block)
                assert torch.allclose(after.diagnosis, before.diagnosis, atol=1e-4) != changes_diagnosis, (kind, block)
                assert torch.allclose(after.coarse, before.coarse, atol=1e-4)


@pytest.mark.parametrize("blocks", [(), ("B1", "B2", "B3"), BLOCKS], ids=str)
def test_all_choices_of_blocks_start_as_the_u_net_that_others_train(blocks):
    """Same first weights, targets and outputs as of the plain candidate with the same seed."""
    alone = FusedLabels(budget=BUDGET)
    slices = alone.prepare(told(4), seed=0).whole()
    method, batch = begun(blocks=blocks, exchanging=False)
    mine, theirs = method.module_.segmentation.state_dict(), alone.module_.state_dict()
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert torch.equal(batch.ratings, slices.ratings)
    torch.testing.assert_close(method.module_(batch.images).logits, alone.module_(batch.images))


def test_patches_of_an_exchange_are_at_most_64():
    method = TakeAndGive(blocks=BLOCKS, budget=BUDGET)
    method.prepare(make_dataset(shapes=[(64, 60)] * 2), seed=0)
    assert {block: method.module_.give[block].patch for block in BLOCKS} == {"B1": 4, "B2": 2, "B3": 1, "B4": 1}
    assert [LEVEL[block] for block in BLOCKS] == [1, 2, 3, 4]


def test_probabilities_are_corrected_for_the_weight_of_the_positives():
    """A network that has learned nothing but the weights says how frequent the diagnosis is."""
    method, batch = begun(5, diagnoses=[0, 0, 0, 0, 1])
    assert method.positive_weight_ == 4.0
    for parameter in method.module_.last.parameters():
        torch.nn.init.zeros_(parameter)
    loss = method.diagnosis_loss(method.module_(batch.images).diagnosis, method.diagnoses_[batch.cases])
    # With the weight both diagnoses count alike, so the loss is flat where the logit is 0.
    assert gradients(method, loss)["last"] > 0 and method.module_.last.bias.grad.item() == pytest.approx(0, abs=1e-7)
    found = method.predict(told(5)[0].unlabelled()).diagnosis["take-and-give"]
    assert found.dtype == np.float64 and found.tolist() == pytest.approx([0.8, 0.2])


@pytest.mark.parametrize("size", [(32, 32), (3, 30, 40)], ids=["image", "volume"])
def test_the_diagnosis_of_a_case_is_the_mean_probability_of_its_slices(size):
    train = make_dataset(shapes=[size] * 4, n_classes=3)
    method = TakeAndGive(budget=BUDGET, positive_weight=2.0).fit(train, train, seed=0)
    prediction = method.predict(train[1].unlabelled())
    slices = method.padded_image(train[1])
    assert len(slices) == (1 if len(size) == 2 else 3)
    each = [method.module_.eval()(one.unsqueeze(0)).diagnosis.item() for one in slices]
    expected = np.mean([1 / (1 + np.exp(-(logit - np.log(2)))) for logit in each])
    assert prediction.diagnosis["take-and-give"].tolist() == pytest.approx([1 - expected, expected], abs=1e-6)
    assert prediction.probability.shape == (3, *size)


def test_images_of_several_channels():
    cases = [dataclasses.replace(case, image=np.concatenate([case.image, -case.image])) for case in told(4)]
    train = CaseList("two channels", cases, ("background", "class 1"), diagnoses=("healthy", "ill"))
    prediction = TakeAndGive(budget=BUDGET).fit(train, train, seed=0).predict(train[0].unlabelled())
    assert prediction.probability.shape == (2, 32, 32) and prediction.diagnosis["take-and-give"].sum() == pytest.approx(1)


def test_what_is_hidden_of_test_cases_changes_no_weight_and_no_prediction():
    known, other = told(6), told(6, [0, 1, 0, 1, 1, None])  # the last two are test cases
    methods = []
    for dataset in (known, other):
        parts = (dataset.subset(part, blind=True, needs={"diagnosis"}) for part in ((0, 1), (2, 3)))
        methods.append(TakeAndGive(budget=BUDGET).fit(*parts, seed=0))
    one, two = (method.weights() for method in methods)
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    for position in (4, 5):
        told_it, blind = methods[0].predict(known[position]), methods[1].predict(other[position].unlabelled())
        assert np.array_equal(told_it.probability, blind.probability)
        assert np.array_equal(told_it.diagnosis["take-and-give"], blind.diagnosis["take-and-give"])


def test_the_diagnoses_of_training_and_of_validation_cases_are_not_mixed_up():
    dataset = told(6, [1, 0, 0, None, 1, 1])
    method = TakeAndGive(budget=BUDGET)
    train = method.prepare(dataset.subset([0, 1, 2]), seed=0)
    validation = method.slices(dataset.subset([3, 4, 5]))
    assert method.diagnoses_[train.cases].tolist() == [1, 0, 0]
    assert method.diagnoses_[validation.cases].tolist() == [-1, 1, 1]
    assert method.positive_weight_ == 2.0


def test_what_training_does_not_know_is_said():
    some = TakeAndGive(budget=BUDGET).fit(told(4, [0, 1, None, None]), told(4), seed=0)
    assert "2 of 4 training cases have no diagnosis: they teach segmentation alone" in some.fit_report().warnings
    for diagnoses in ([None] * 4, [1] * 4):
        none = TakeAndGive(budget=BUDGET).fit(told(4, diagnoses), told(4), seed=0)
        assert "the training cases do not have both diagnoses: no case is diagnosed" in none.fit_report().warnings
        assert none.predict(told(1)[0].unlabelled()).diagnosis is None
    unlearned = TakeAndGive(diagnosis_weight=0.0, budget=BUDGET).fit(told(4), told(4), seed=0)
    assert unlearned.predict(told(1)[0].unlabelled()).diagnosis is None
    other = TakeAndGive(budget=Budget(backbone="shallow", epochs=1, features=FEATURES)).fit(told(4), told(4), seed=0)
    assert "the segmentation network is a U-Net: the budget's backbone is not used" in other.fit_report().warnings


class FirstRater(CaseFusion):
    """Believes the first rater of each ill case, and nobody that a healthy case has an object."""

    listed = False

    @property
    def needs(self):
        return frozenset({"diagnosis", "truth"})

    def fit(self, cases, *, seed, device="cpu"):
        self.seen_ = [case.id for case in cases]
        return self

    def fuse_cases(self, cases):
        found = []
        for case in cases:
            rater = next(iter(case.ratings))
            labels = np.where(case.ratings[rater] == IGNORE, 0, case.ratings[rater]) * case.diagnosis
            hard = np.stack([labels == 0, labels == 1]).astype(np.float32)
            found.append(Consensus(hard, labels.astype(np.uint8), tuple(case.ratings)))
        return found


def test_it_learns_from_a_fusion_that_sees_the_diagnosis():
    dataset = told(6)
    method = TakeAndGive(fusion=FirstRater(), budget=BUDGET)
    assert method.needs == {"diagnosis", "truth"}
    slices = method.prepare(dataset.subset([0, 1, 2]), seed=0)
    held_out = method.slices(dataset.subset([3, 4]))
    assert method.fusion_.seen_ == ["case 0", "case 1", "case 2"]
    marked = [marks.sum().item() for part in (slices, held_out) for marks in part.whole().ratings[:, 0, 1]]
    assert [amount > 0 for amount in marked] == [False, True, False, True, False]


def test_gradients_are_clipped_before_each_step(monkeypatch):
    seen = []

    class Watching(TakeAndGive):
        listed = False

        def before_step(self, module):
            super().before_step(module)
            seen.append(max(p.grad.abs().max().item() for p in module.parameters() if p.grad is not None))

    for clip in (None, 1e-3):
        seen.clear()
        Watching(clip=clip, budget=BUDGET).fit(told(4), told(2), seed=0)
        assert len(seen) == 4  # two epochs of two batches
        assert (max(seen) < 1.001e-3) == (clip is not None)


def test_scores_are_probabilities_and_never_rounded():
    """Published code computes the area under the curve from rounded scores, and puts thresholds on logits."""
    method, _ = begun()
    logits = torch.linspace(-1, 1, 6)
    assert len({round(float(logit.sigmoid())) for logit in logits}) == 2
    scores = []
    for logit in logits:
        outputs = TakeAndGiveOutputs(torch.full((1, 2, 32, 32), 3.0) * torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1), None, logit)
        method.module_.forward = lambda images, o=outputs: o._replace(
            coarse=o.logits, diagnosis=o.diagnosis.expand(len(images))
        )
        prediction = method.predict(told(1)[0].unlabelled())
        # Logits of 3 and -3, both beyond any threshold between 0 and 1, are the probability .9975.
        assert prediction.probability[1] == pytest.approx(np.full((32, 32), 1 / (1 + np.exp(-6))), abs=1e-5)
        scores.append(prediction.diagnosis["take-and-give"][1])
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits.double().numpy())), atol=1e-6)
    truth = [0, 0, 1, 0, 1, 1]
    assert roc_auc_score(truth, scores) == pytest.approx(8 / 9) and roc_auc_score(truth, np.round(scores)) == pytest.approx(
        2 / 3
    )


def discs(n_cases, seed):
    """Noisy discs; those of the ill are smaller."""
    random, (y, x), cases = np.random.default_rng(seed), np.mgrid[:32, :32], []
    for i in range(n_cases):
        ill = i % 2
        distance = np.hypot(*(axis - middle for axis, middle in zip((y, x), random.uniform(12, 20, 2), strict=True)))
        radius = random.normal(6 if ill else 9, 0.7)
        ratings = {rater: (distance < radius + random.normal(0, 0.3)).astype(np.uint8) for rater in ("ann", "bob", "eve")}
        image = ((distance < radius) + 0.3 * random.normal(size=distance.shape))[None].astype(np.float32)
        name = f"disc {seed} {i}"
        cases.append(Case(name, name, "", image, ratings, Geometry.axis_aligned(2), diagnosis=ill))
    return CaseList("discs", cases, ("background", "disc"), diagnoses=("healthy", "small"))


@pytest.mark.parametrize("blocks", [(), ("B1", "B2", "B3")], ids=str)
def test_it_learns_to_segment_and_to_diagnose(blocks):
    budget = Budget(epochs=12, batch_size=4, learning_rate=1e-2, schedule="one-cycle", features=(4, 4, 8, 8, 16, 4), **STILL)
    method = TakeAndGive(blocks=blocks, budget=budget).fit(discs(40, 0), discs(16, 1), seed=0)
    test = discs(24, 2)
    predictions = [method.predict(case.unlabelled()) for case in test]
    areas = [
        [p.probability[1] >= 0.5, np.mean(list(case.ratings.values()), axis=0) > 0.5]
        for p, case in zip(predictions, test, strict=True)
    ]
    dice = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in areas]
    auc = roc_auc_score([case.diagnosis for case in test], [p.diagnosis["take-and-give"][1] for p in predictions])
    assert np.mean(dice) > 0.9 and auc > 0.85
