"""MNIST digits as a segmentation task: the ink is the object, and five simulated raters draw it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pooch

from ..errors import RaterbenchError, nearest
from ..parameters import Range, Seed, check_arguments
from .base import Card, Case, Dataset, Geometry, Truth, index_table
from .downloads import data_folder
from .simulation.raters import MORPHOLOGICAL_RATERS

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"

THRESHOLD = 127
"""Ink is what is brighter than this, and nothing else is known to be true."""

Diagnosis = Literal["digit", "5 or more"]
DIAGNOSES: Mapping[Diagnosis, tuple[str, ...]] = {
    "digit": tuple(str(digit) for digit in range(10)),
    "5 or more": ("below 5", "5 or more"),
}

PARTS = {"train": ("train", 60000), "test": ("t10k", 10000)}


class MNIST(Dataset):
    """Handwritten digits [28, 28] with the raters *good*, *over*, *under*, *wrong* and *blank*.

    The four official files are read from ``<data>/mnist`` (or ``<data>`` itself) or else downloaded once, and their
    checksums are compared. ``official_test`` holds the positions of the official test part.

    Args:
        train: Number of digits of the official training part, from its beginning.
        test: Number of digits of the official test part, from its beginning.
        regime: ``"all"``: every rater rates each digit; ``"one"``: one rater each, drawn at random with ``seed``.
        seed: Of the fractures of *wrong* (one stream a digit), and of who rates what in the regime ``"one"``.
        raters: Names of the raters to keep; None keeps all five.
        diagnosis: ``digit``: a case's diagnosis is its digit; ``5 or more``: whether the digit is 5 or more.
        data: Folder of downloaded data; None reads the variable ``RATERBENCH_DATA``.

    Raises:
        RaterbenchError: an option is out of its range, or a file is neither there nor to be had, or damaged.
    """

    name = "mnist"
    classes = ("background", "digit")
    raters = tuple(rater.name for rater in MORPHOLOGICAL_RATERS)
    unit = "pixel"
    n_axes = 2
    card: ClassVar[Card] = Card(
        title="MNIST handwritten digits with five simulated raters",
        citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document recognition. "
        "Proceedings of the IEEE 86(11):2278-2324, 1998",
        licence="CC BY-SA 3.0 (as usually given)",
        source=MIRROR,
        checksums={
            "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
        },
    )

    def __init__(
        self,
        *,
        train: Annotated[int, Range(0, PARTS["train"][1])] = 10000,
        test: Annotated[int, Range(0, PARTS["test"][1])] = 2000,
        regime: Literal["all", "one"] = "all",
        seed: Seed = 0,
        raters: Sequence[str] | None = None,
        diagnosis: Diagnosis = "digit",
        data: str | Path | None = None,
    ) -> None:
        wanted = {"train": train, "test": test}
        given = {**wanted, "regime": regime, "seed": seed, "raters": raters, "diagnosis": diagnosis}
        check_arguments(MNIST, given, "mnist")
        if train + test == 0:
            raise RaterbenchError("mnist: train and test are both 0: there is no digit to read")
        if raters is not None and not raters:
            raise RaterbenchError(f"mnist: raters is empty: name one of {', '.join(type(self).raters)} at least")
        for rater in raters or ():
            if rater not in type(self).raters:
                raise RaterbenchError(f"mnist: there is no rater {rater!r}{nearest(rater, type(self).raters)}")
        self.train, self.test, self.regime, self.seed = train, test, regime, seed
        self.diagnoses = DIAGNOSES[diagnosis]
        self.raters = tuple(rater for rater in type(self).raters if raters is None or rater in raters)
        folder = data_folder(data)
        names = {part: [f"{PARTS[part][0]}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")] for part in wanted}
        self._files = {name: self._file(folder, name) for part in wanted for name in names[part]}
        pixels, digits = ([_read_idx(self._files[names[p][i]], n) for p, n in wanted.items()] for i in (0, 1))
        self._pixels, self._digits = np.concatenate(pixels), np.concatenate(digits)
        self._names = [f"{part}-{i:05d}" for part, count in wanted.items() for i in range(count)]
        # A digit keeps its random numbers whatever part of MNIST is used: its place in the official files is its seed.
        self._places = [i + (part == "test") * PARTS["train"][1] for part, count in wanted.items() for i in range(count)]
        chosen = np.random.default_rng([seed, 0]).integers(len(self.raters), size=sum(count for _, count in PARTS.values()))
        self._raters = [self.raters if regime == "all" else (self.raters[chosen[place]],) for place in self._places]
        self.official_test = tuple(range(train, train + test))
        self.index = index_table(zip(self._names, self._names, ["mnist"] * len(self._names), self._raters, strict=True))
        self.index["digit"] = self._digits

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> MNIST:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        return self._files

    def fingerprint(self) -> str:
        # The fractures depend on the seed, of which the index knows nothing, and of what the diagnosis is neither.
        other = "" if self.diagnoses == DIAGNOSES["digit"] else f"|{self.diagnoses}"
        return hashlib.sha256(f"{super().fingerprint()}|{self.seed}{other}".encode()).hexdigest()[:16]

    def load(self, position: int) -> Case:
        pixels, name = self._pixels[position], self._names[position]
        ink = pixels > THRESHOLD
        ratings = {
            rater.name: rater.rate(pixels, np.random.default_rng([self.seed, 1, self._places[position]]))
            for rater in MORPHOLOGICAL_RATERS
            if rater.name in self._raters[position]
        }
        return Case(
            id=name,
            subject=name,
            centre="mnist",
            image=(pixels / np.float32(255)).astype(np.float32)[None],
            ratings=ratings,
            geometry=Geometry.axis_aligned(2),
            truth=Truth(labels=ink.astype(np.uint8), probability=np.stack([~ink, ink]).astype(np.float32)),
            diagnosis=int(self._digits[position] >= 5) if len(self.diagnoses) == 2 else int(self._digits[position]),
        )

    @classmethod
    def _file(cls, folder: Path | None, name: str) -> Path:
        """Where the official file ``name`` lies, downloaded if need be, with the right checksum."""
        checksum = cls.card.checksums[name]
        for place in (folder / "mnist" / name, folder / name) if folder else ():
            if place.is_file():
                if pooch.file_hash(str(place), alg="md5") != checksum.removeprefix("md5:"):
                    raise RaterbenchError(
                        f"{place} is damaged: its checksum is not {checksum}; take it away to download it again"
                    )
                return place
        try:
            return Path(pooch.retrieve(MIRROR + name, checksum, fname=name, path=pooch.os_cache("raterbench") / "mnist"))
        except (OSError, ValueError) as error:
            raise RaterbenchError(
                f"{name} cannot be downloaded from {MIRROR} ({type(error).__name__}): put the four official files "
                "into <data>/mnist and name <data> with --data or RATERBENCH_DATA"
            ) from error


def _read_idx(file: Path, count: int) -> npt.NDArray[np.uint8]:
    """The first ``count`` items of a gzipped IDX file of bytes, read no further than needed.

    Raises:
        RaterbenchError: it is no such file, or is shorter than it says.
    """
    with gzip.open(file) as stream:
        head = stream.read(4)
        if len(head) < 4 or head[:3] != b"\0\0\x08":
            raise RaterbenchError(f"{file} is no IDX file of bytes")
        items, *shape = np.frombuffer(stream.read(4 * head[3]), ">i4").tolist()
        content = np.frombuffer(stream.read(count * int(np.prod(shape))), np.uint8)
    if count > items or content.size != count * int(np.prod(shape)):
        raise RaterbenchError(f"{file} holds fewer than {count} digits")
    return content.reshape(count, *shape)
