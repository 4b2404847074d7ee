"""What methods that sample share: one rater at a time, a loss of judged voxels, samples that depend on case and seeds alone."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from raterbench.datasets import Case, CaseList, Geometry
from raterbench.methods import PHiSeg, Pionono, ProbabilisticUNet
from raterbench.methods.sampling.base import SampledOutputs

EVERY = (ProbabilisticUNet, PHiSeg, Pionono)
with_a_prior = pytest.mark.parametrize("cls", EVERY[:2])
every = pytest.mark.parametrize("cls", EVERY)


@pytest.fixture
def begun(tiny, discs):
    """Makes a method at its first weights and normalised as after training, and the slices of four discs in one batch."""

    def begin(cls, train=None, **options):
        method = cls(**{"draws": 4, "budget": tiny(), **options})
        slices = method.prepare(train or discs(4), seed=0)
        batch = slices.batch(torch.arange(len(slices)), method.device_)
        with torch.no_grad():
            for _ in range(30):  # A batch normalisation forgets a tenth of what it knew at each step.
                method.step_loss(method.module_.train(), batch)
        method.module_.eval()
        return method, batch

    return begin


def test_the_loss_is_the_summed_cross_entropy_and_the_divergence_and_nothing_else():
    """No penalty on weights, and no mean over voxels, which would let the divergence outweigh the segmentation."""
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(3, 2, 4, 6, 5)), random.integers(0, 4, (3, 2, 6, 5))
    present = random.random((3, 2, 6, 5)) < 0.7
    present[1, 1] = False
    ratings = np.moveaxis(np.eye(4)[labels], -1, 2)
    total, divergence = 0.0, np.array([1.0, 2.0, 6.0])
    for b, level, r, y, x in itertools.product(range(3), range(2), range(2), range(6), range(5)):
        if present[b, r, y, x]:
            voxel = logits[b, level, :, y, x]
            total += np.log(np.exp(voxel).sum()) - voxel[labels[b, r, y, x]]
    method = ProbabilisticUNet(beta=10.0)
    outputs = SampledOutputs(torch.tensor(logits), torch.tensor(divergence))
    found = method.loss(outputs, torch.tensor(ratings), torch.tensor(present)).item()
    assert found == pytest.approx(total / 5 + 10 * 3, rel=1e-6)


def test_one_rater_of_those_who_judged_is_drawn_for_each_slice():
    judged = torch.tensor([[True, False, True], [False, True, False], [False, False, False]]).repeat(200, 1)
    present = judged[..., None, None].expand(-1, -1, 2, 2).clone()
    present[0, 0, 0] = False
    ratings = torch.zeros(600, 3, 2, 2, 2)
    same, drawn = ProbabilisticUNet().select_targets(ratings, present, torch.Generator().manual_seed(0))
    assert same is ratings
    assert not (drawn & ~present).any()
    raters = drawn.flatten(2).any(dim=2)
    assert raters.sum(dim=1).tolist() == [1, 1, 0] * 200
    assert raters[1::3, 1].all()
    assert 80 < raters[::3, 0].sum() < 120  # of 200, three standard deviations around one half
    kept = drawn[raters] == present[raters]
    assert kept.all()


@every
def test_raters_who_are_absent_and_voxels_that_were_not_judged_have_no_effect(cls, begun):
    method, batch = begun(cls)
    present = batch.present.clone()
    present[0, 0] = False
    present[1, 1, 10:20, 10:14] = False
    before = method.step_loss(method.module_, batch._replace(present=present, ratings=batch.ratings * present.unsqueeze(2)))
    garbage = torch.where(present.unsqueeze(2), batch.ratings, 7.0)
    after = method.step_loss(method.module_, batch._replace(present=present, ratings=garbage))
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    whole = method.step_loss(method.module_, batch)
    assert abs(float((whole - before).detach())) > 1e-3


@every
def test_the_loss_is_the_mean_over_slices_and_raters(cls, begun, monkeypatch):
    """So the number of raters, and how many pairs go through the network at once, do not change its size."""
    method, batch = begun(cls)
    single = []
    for r in range(2):
        only = torch.zeros_like(batch.present)
        only[:, r] = batch.present[:, r]
        single.append(method.step_loss(method.module_, batch._replace(present=only)))
    monkeypatch.setattr("raterbench.methods.sampling.base.CHUNK", 3)
    torch.testing.assert_close(method.step_loss(method.module_, batch), torch.stack(single).mean())


def test_the_divergence_is_that_of_the_posterior_from_the_prior_of_the_image(begun):
    method, batch = begun(ProbabilisticUNet)
    votes, seen = batch.ratings[:, 0], batch.present[:, 0]
    nets, labels = method.module_, (votes - 0.5) * seen.unsqueeze(1)
    outputs = nets.reconstruct(nets.encode(batch.images), batch.images, labels, torch.zeros(4).long(), torch.zeros(4, 6))
    normal = [torch.distributions.Normal(*made) for made in (nets.posterior(batch.images, labels), nets.prior(batch.images))]
    torch.testing.assert_close(outputs.divergence, torch.distributions.kl_divergence(*normal).sum(dim=1))
    assert (outputs.divergence > 0).all()


@with_a_prior
def test_predictions_take_samples_from_the_prior(cls, begun, discs):
    """The posterior would see the labels: a published code took it at test time."""
    method, batch = begun(cls)
    case = discs(1)[0]
    before = method.predict(case.unlabelled(), samples=2)
    posterior = method.module_.posterior if cls is ProbabilisticUNet else method.module_.labels
    for parameter in posterior.parameters():
        parameter.data.fill_(torch.nan)
    after = method.predict(case, samples=2)
    np.testing.assert_array_equal(after.samples, before.samples)
    np.testing.assert_array_equal(after.probability, before.probability)
    assert method.step_loss(method.module_, batch).isnan(), "training does take it"


@every
def test_the_probability_is_the_mean_over_the_samples(cls, begun, discs):
    method, _ = begun(cls)
    prediction = method.predict(discs(1)[0].unlabelled(), samples=4)
    assert prediction.samples.shape == (4, 2, 16, 16) and prediction.samples.dtype == np.float32
    np.testing.assert_allclose(prediction.samples.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(prediction.samples.mean(axis=0), prediction.probability, atol=1e-6)
    assert prediction.samples.std(axis=0).max() > 1e-4


@every
def test_samples_depend_on_the_case_and_the_seeds_alone(cls, begun, discs):
    method, _ = begun(cls)
    one, two, _ = (case.unlabelled() for case in discs(3))
    first = method.predict(one, samples=3, seed=5)
    other = method.predict(two, samples=3, seed=5)
    more = method.predict(one, samples=40, seed=5)
    np.testing.assert_array_equal(more.probability, first.probability)
    np.testing.assert_allclose(more.samples[:3], first.samples, atol=1e-6)
    np.testing.assert_array_equal(method.predict(two, samples=3, seed=5).samples, other.samples)
    assert method.predict(one).samples is None
    renamed = dataclasses.replace(one, id="another name")
    again = {"name": method.predict(renamed, samples=3, seed=5), "seed": method.predict(one, samples=3, seed=6)}
    method.sampling_seed = 1
    again["sampling seed"] = method.predict(one, samples=3, seed=5)
    for what, prediction in again.items():
        assert np.abs(prediction.samples - first.samples).max() > 1e-4, what


@every
def test_a_sample_of_a_volume_has_the_same_noise_in_all_slices(cls, begun, monkeypatch):
    """So each slice of it is what it would be if it were a case of that name by itself."""
    random = np.random.default_rng(0)
    image = random.normal(size=(1, 3, 16, 16))
    image = ((image - image.mean(axis=(2, 3), keepdims=True)) / image.std(axis=(2, 3), keepdims=True)).astype(np.float32)
    labels = random.integers(0, 2, (3, 16, 16), dtype=np.uint8)
    volume = Case("it", "it", "", image, {"small": labels, "large": labels}, Geometry.axis_aligned(3))
    method, _ = begun(cls, CaseList("volumes", [volume], ("background", "disc"), ("small", "large")))
    monkeypatch.setattr("raterbench.methods.sampling.base.CHUNK", 6)  # two samples of three slices at once
    samples = method.predict(volume.unlabelled(), samples=3).samples
    for z in range(3):
        alone = Case("it", "it", "", image[:, z], {"small": labels[z], "large": labels[z]}, Geometry.axis_aligned(2))
        np.testing.assert_allclose(samples[:, :, z], method.predict(alone.unlabelled(), samples=3).samples, atol=1e-5)
    assert np.abs(samples[:, :, 1:] - samples[:, :, :-1]).max(axis=(1, 3, 4)).min() > 1e-4


@every
def test_training_draws_are_new_and_those_of_validation_the_same(cls, begun):
    method, batch = begun(cls)
    assert method.step_loss(method.module_, batch) == method.step_loss(method.module_, batch)
    method.module_.train()
    torch.manual_seed(0)
    assert method.step_loss(method.module_, batch) != method.step_loss(method.module_, batch)


@every
def test_samples_that_hardly_differ_are_an_alarm(cls, begun, discs):
    train = discs(2)
    method, _ = begun(cls)
    heads = method.module_.heads if cls is PHiSeg else [method.module_.head.latent]
    with torch.no_grad():
        for head in heads:
            head.weight.mul_(100)
        assert not method.alike_samples(train)
        for head in heads:
            head.weight.zero_()
        (alarm,) = method.alike_samples(train)
        assert "hardly differ: 0.0% of the variance" in alarm
        last = method.module_.heads if cls is PHiSeg else [method.module_.head.backbone.last]
        for layer in last:
            layer.weight.zero_()
            layer.bias.copy_(torch.tensor([-20.0, 20.0]))
        assert not method.alike_samples(train), "a network that is certain has nothing to vary"


def test_the_weight_of_the_divergence_rises_in_the_warm_up_and_in_training_alone(begun, tiny):
    method, batch = begun(ProbabilisticUNet, warmup=0.5, budget=tiny(epochs=8))
    module = method.module_
    divergence = []
    for epoch in range(6):
        method.start_epoch(module, epoch)
        losses = []
        for beta in (0.0, 1.0):
            method.beta = beta
            torch.manual_seed(0)
            losses.append(method.step_loss(module.train(), batch).item())
        divergence.append(losses[1] - losses[0])
    assert divergence[5] > 0.1
    assert divergence == pytest.approx([share * divergence[5] for share in (0, 0.25, 0.5, 0.75, 1, 1)], abs=1e-3)
    whole = method.step_loss(module.eval(), batch)
    method.start_epoch(module, 0)
    assert method.step_loss(module, batch) == whole
