"""Made-up images of two nested discs, where the mask, the image or the shape alone tells the diagnosis."""

import numpy as np
import pytest
import torch

from raterbench.datasets import Case, CaseList, Geometry
from raterbench.methods import DiagnosisBudget
from raterbench.methods.diagnosis.slices import masked_slices

SIZE = 32
CLASSES, DIAGNOSES = ("background", "outer", "inner"), ("healthy", "ill")


@pytest.fixture(scope="session")
def discs():
    """Makes cases of ``disc_case``, every other one ill; ``told_by`` "mask", "doubtful mask" or "image"."""

    def make(n_cases, told_by="mask", *, first=0, slices=0):
        cases = [disc_case(first + i, told_by, slices) for i in range(n_cases)]
        return CaseList("discs", cases, CLASSES, diagnoses=DIAGNOSES)

    return make


def disc_case(number, told_by, slices=0):
    """Three raters draw an outer and an inner disc; in the ill the inner one is smaller, or brighter in the image.

    Of a doubtful mask they disagree about the inner one, whatever the diagnosis.
    """
    random = np.random.default_rng(number)
    y, x = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(y - random.uniform(13, 19), x - random.uniform(13, 19))
    ill, radius = number % 2, random.uniform(9, 12)
    inner = radius * (0.65 if told_by == "image" or not ill else 0.45)
    doubt = 0.25 if told_by == "doubtful mask" else 0.0
    image = (distance < radius) + random.normal(0, 0.2, distance.shape)
    if told_by == "image":
        image += (0.8 if ill else -0.8) * (distance < inner)
    ratings = {}
    for rater in ("a", "b", "c"):
        there, apart = distance * random.uniform(0.93, 1.07), random.uniform(1 - doubt, 1 + doubt)
        ratings[rater] = ((there < radius).astype(np.uint8) + (there < inner * apart)).astype(np.uint8)
    if slices:
        image, ratings = np.stack([image] * slices), {rater: np.stack([labels] * slices) for rater, labels in ratings.items()}
    return Case(
        f"case {number}",
        f"subject {number}",
        "",
        image[None].astype(np.float32),
        ratings,
        Geometry.axis_aligned(image.ndim),
        diagnosis=ill,
    )


@pytest.fixture(scope="session")
def disc_slices(discs):
    """Makes the slices of such cases, with the labels of the first rater as the mask."""

    def make(n_cases, told_by="mask", *, first=0):
        cases = discs(n_cases, told_by, first=first)
        pairs = [(case, (case.ratings["a"] == np.arange(3)[:, None, None]).astype(np.float32)) for case in cases]
        return masked_slices(pairs, 3, cases.preparation)

    return make


@pytest.fixture(scope="session")
def bars():
    """Makes cases whose image shows nothing: upright bars in the ill, level ones in the healthy, which a blank rater misses."""

    def make(n_cases):
        return CaseList("bars", [bar_case(i) for i in range(n_cases)], ("background", "bar"), diagnoses=DIAGNOSES)

    return make


def bar_case(number):
    random = np.random.default_rng(number)
    y, x = np.mgrid[:SIZE, :SIZE]
    top, left = random.uniform(12, 20, 2)
    long, short = random.uniform(8, 11), random.uniform(2, 3.5)
    ratings = {"blank": np.zeros((SIZE, SIZE), np.uint8)}
    for rater in ("one", "two"):
        half = np.array([long, short]) * random.uniform(0.9, 1.1, 2)
        tall, wide = half if number % 2 else half[::-1]
        ratings[rater] = ((abs(y - top) < tall) & (abs(x - left) < wide)).astype(np.uint8)
    image = random.normal(size=(1, SIZE, SIZE)).astype(np.float32)
    geometry = Geometry.axis_aligned(2)
    return Case(f"case {number}", f"subject {number}", "", image, ratings, geometry, diagnosis=number % 2)


@pytest.fixture(scope="session")
def quickly():
    """Trainings that take a second or less."""
    return DiagnosisBudget(epochs=24, batch_size=8, learning_rate=0.02, features=(4, 8, 16, 16))


@pytest.fixture(autouse=True)
def one_thread():
    """Every unit of an experiment computes with one thread and deterministic algorithms."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)
