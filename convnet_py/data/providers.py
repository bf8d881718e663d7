"""Data providers by their historic names: they turn batch numbers into the matrices of a net (spec 5.2).

Matrices are float32, C-contiguous, rows x cases. Each provider owns its random generator, whose state
goes into checkpoints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convnet_py.data.batch_folder import BatchFolder
from convnet_py.errors import DataError, UsageError
from convnet_py.options import BatchRange


@dataclass(frozen=True)
class ProviderSettings:
    """What a provider is made from. ``test``: it serves test batches, so it neither augments nor draws noise."""

    path: Path | None
    batches: BatchRange | None
    test: bool
    rng: np.random.RandomState
    scalar_mean: float = 0.0
    dummy_cases: int | None = None
    dummy_classes: int | None = None


class DataProvider:
    """Base of all providers."""

    num_views = 1
    needs_path = True
    #: Names of the data options that it takes notice of.
    uses: frozenset[str] = frozenset()
    #: Rows of each matrix, set by the constructor.
    data_dims: list[int]
    num_classes: int | None = None
    batch_meta: dict[str, Any]

    def __init__(self, settings: ProviderSettings):
        self.settings = settings
        self.rng = settings.rng

    def get_data_dims(self, index: int) -> int:
        """Rows of matrix ``index``. Raises IndexError where the provider has no such matrix."""
        return self.data_dims[index]

    def get_batch(self, number: int) -> list[np.ndarray]:
        """The matrices of batch ``number``, augmented when training. Raises DataError."""
        raise NotImplementedError

    def get_state(self) -> tuple:
        """The state of the random generator, as ``RandomState.get_state``."""
        return self.rng.get_state()

    def set_state(self, state: tuple) -> None:
        """Take over a ``get_state``."""
        self.rng.set_state(state)


def check_batches(wanted: BatchRange | None, there: list[int], where: str, option: str) -> None:
    """Raise DataError naming the batches of the range that are not there."""
    missing = sorted(set(wanted or ()) - set(there))
    if missing:
        has = ", ".join(map(str, there)) or "none"
        raise DataError(f"{option} {wanted}: {where} has no batch {', '.join(map(str, missing[:5]))} (it has {has})")


class FolderProvider(DataProvider):
    """Plain values of a batch folder. ``default``: data; ``labeled``: data and labels (1 x cases).

    The ``memory`` kinds read each batch once and keep it as stored.
    """

    labeled = False
    in_memory = False

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        if settings.path is None:
            raise DataError("the data provider needs --data-path")
        self.folder = BatchFolder(settings.path)
        check_batches(
            settings.batches, self.folder.numbers(), str(settings.path),
            "--test-range" if settings.test else "--train-range",
        )  # fmt: skip
        self.batch_meta = self.folder.meta
        self.num_classes = len(self.batch_meta.get("label_names", [])) or None
        self.data_dims = [self.batch_meta["num_vis"]] + [1] * self.labeled
        self._kept: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Data and labels of a batch as stored."""
        if number in self._kept:
            return self._kept[number]
        batch = self.folder.batch(number)
        if batch[1] is None and self.labeled:
            raise DataError(f"{self.folder.path}: batch {number} has no labels, but the provider is a labelled one")
        if self.in_memory:
            self._kept[number] = batch
        return batch

    def get_batch(self, number: int) -> list[np.ndarray]:
        data, labels = self.read(number)
        matrices = [data.astype(np.float32, order="C")]
        if self.labeled:
            matrices.append(labels.astype(np.float32))
        return matrices


class MemoryProvider(FolderProvider):
    """As FolderProvider, with the whole set in memory."""

    in_memory = True


class LabeledProvider(FolderProvider):
    """Data and labels."""

    labeled = True


class LabeledMemoryProvider(LabeledProvider):
    """Data and labels, with the whole set in memory."""

    in_memory = True


class CifarProvider(LabeledMemoryProvider):
    """CIFAR: 32 x 32 x 3, mean image subtracted. Data (3072), labels (1), one-hot labels (classes)."""

    uses = frozenset({"scalar-mean"})

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        meta_path = self.folder.meta_path
        if self.batch_meta["num_vis"] != 3072:
            raise DataError(f"{meta_path}: num_vis is {self.batch_meta['num_vis']}, provider 'cifar' takes 3072")
        for key in ("data_mean", "label_names"):
            if not len(self.batch_meta.get(key, ())):
                raise DataError(f"{meta_path}: no {key}, which provider 'cifar' needs")
        self.data_dims = [3072, 1, self.num_classes]
        mean = self.batch_meta["data_mean"]
        self.mean = np.full_like(mean, mean.mean()) if settings.scalar_mean else mean

    def get_batch(self, number: int) -> list[np.ndarray]:
        data, labels = super().get_batch(number)
        data -= self.mean
        return [data, labels, one_hot(labels, self.num_classes)]


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels (1 x cases) as a matrix classes x cases with a single 1 per case."""
    return np.ascontiguousarray(np.arange(classes, dtype=np.float32)[:, None] == labels, dtype=np.float32)


class DigitsProvider(DataProvider):
    """scikit-learn's 1,797 handwritten digits, 8 x 8, one channel (the extra ``demo``). Data (64), labels (1).

    Every fifth image (index % 5 == 4) is in test batch 6; the other 1,438 are training batches 1 to 5.
    Pixels are scaled to 0..1 and the mean image of the training set is subtracted. In training, the cases
    of a batch are in a new order each time.
    """

    needs_path = False
    train_batches = BatchRange(1, 5)
    test_batch = 6

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        images, labels = self._load()
        option = "--test-range" if settings.test else "--train-range"
        check_batches(settings.batches, [*self.train_batches, self.test_batch], "provider 'digits'", option)
        is_test = np.arange(len(images)) % 5 == 4
        training = np.flatnonzero(~is_test)
        self._images, self._labels = images, labels
        self._cases = dict(zip(self.train_batches, np.array_split(training, len(self.train_batches)), strict=True))
        self._cases[self.test_batch] = np.flatnonzero(is_test)
        self._mean = images[training].mean(axis=0)
        self.data_dims = [64, 1]
        self.num_classes = 10
        self.batch_meta = {
            "num_vis": 64,
            "data_mean": self._mean.reshape(64, 1),
            "label_names": [str(digit) for digit in range(10)],
        }

    @staticmethod
    def _load() -> tuple[np.ndarray, np.ndarray]:
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            raise DataError("provider 'digits' needs scikit-learn: install the extra 'demo'") from None
        digits = load_digits()
        return (digits.images / 16).astype(np.float32), digits.target

    def get_batch(self, number: int) -> list[np.ndarray]:
        cases = self._cases[number]
        if not self.settings.test:
            cases = self.rng.permutation(cases)
        data = np.ascontiguousarray((self._images[cases] - self._mean).reshape(len(cases), 64).T)
        return [data, self._labels[cases].astype(np.float32).reshape(1, -1)]


class DummyProvider(DataProvider):
    """Uniform [0, 1) data of n dimensions, for checks and timing: ``dummy-n``. Any batch number is there."""

    needs_path = False
    uses = frozenset({"dummy-cases", "dummy-classes"})
    default_cases = 512
    default_classes = 10

    def __init__(self, settings: ProviderSettings, dimensions: int):
        super().__init__(settings)
        self.cases = settings.dummy_cases or self.default_cases
        self.classes = settings.dummy_classes or self.default_classes
        self.num_classes = self.classes
        self.data_dims = [dimensions, *self.label_dims()]
        self.batch_meta = {
            "num_vis": dimensions,
            "data_mean": np.zeros((dimensions, 1), np.float32),
            "label_names": [str(label) for label in range(self.classes)],
        }

    def label_dims(self) -> list[int]:
        """Rows of the matrices after the data."""
        return []

    def label_matrices(self) -> list[np.ndarray]:
        """The matrices after the data."""
        return []

    def get_batch(self, number: int) -> list[np.ndarray]:
        return [self.uniform(self.data_dims[0]), *self.label_matrices()]

    def uniform(self, rows: int) -> np.ndarray:
        """A matrix rows x cases of uniform numbers."""
        return self.rng.random_sample((rows, self.cases)).astype(np.float32)

    def labels(self) -> np.ndarray:
        """Labels (1 x cases), uniform over the classes."""
        return self.rng.randint(0, self.classes, size=(1, self.cases)).astype(np.float32)


class DummyLabeledProvider(DummyProvider):
    """``dummy-labeled-n``: data and labels."""

    def label_dims(self) -> list[int]:
        return [1]

    def label_matrices(self) -> list[np.ndarray]:
        return [self.labels()]


class DummyLogregProvider(DummyLabeledProvider):
    """``dummy-lr-n``: data, labels, gates (1 x cases, uniform), the labels as one-hot targets (classes x cases).

    With 10 classes its metadata holds a tree of 17 nodes. 2012 has no targets here; with them one provider
    serves a net with every cost (layer_defs/gradcheck).
    """

    def __init__(self, settings: ProviderSettings, dimensions: int):
        super().__init__(settings, dimensions)
        if self.classes == 10:
            children = {10: [0, 1, 2], 11: [3, 4, 5], 12: [6, 7], 13: [8, 9], 14: [10, 11], 15: [12, 13], 16: [14, 15]}
            self.batch_meta["tree"] = {node: children.get(node, []) for node in range(17)}
            self.batch_meta["all_wnids"] = {"gproot": 16}

    def label_dims(self) -> list[int]:
        return [1, 1, self.classes]

    def label_matrices(self) -> list[np.ndarray]:
        labels = self.labels()
        return [labels, self.uniform(1), one_hot(labels, self.classes)]


class DummyCrossEntropyProvider(DummyProvider):
    """``dummy-ce-n``: data and one-hot labels (classes x cases); 16 classes and 16 cases unless told otherwise."""

    default_cases = 16
    default_classes = 16

    def label_dims(self) -> list[int]:
        return [self.classes]

    def label_matrices(self) -> list[np.ndarray]:
        return [one_hot(self.labels(), self.classes)]


PROVIDERS: dict[str, type[DataProvider]] = {
    "default": FolderProvider,
    "memory": MemoryProvider,
    "labeled": LabeledProvider,
    "labeled-memory": LabeledMemoryProvider,
    "cifar": CifarProvider,
    "digits": DigitsProvider,
}

DUMMY_PROVIDERS: dict[str, type[DummyProvider]] = {
    "dummy": DummyProvider,
    "dummy-labeled": DummyLabeledProvider,
    "dummy-lr": DummyLogregProvider,
    "dummy-ce": DummyCrossEntropyProvider,
}


def _find(name: str) -> tuple[type[DataProvider], tuple[int, ...]]:
    """The class of a provider and the extra arguments in its name. Raises UsageError."""
    if name in PROVIDERS:
        return PROVIDERS[name], ()
    kind, _, dimensions = name.rpartition("-")
    if kind in DUMMY_PROVIDERS and re.fullmatch(r"[1-9][0-9]*", dimensions):
        return DUMMY_PROVIDERS[kind], (int(dimensions),)
    known = ", ".join([*PROVIDERS, *(f"{dummy}-N" for dummy in DUMMY_PROVIDERS)])
    raise UsageError(f"--data-provider: got '{name}', takes one of {known}")


def needs_path(name: str) -> bool:
    """Whether the provider reads a folder. Raises UsageError for an unknown name."""
    return _find(name)[0].needs_path


def own_provider(path: Path) -> str:
    """The provider that a data folder names for itself (``dp_type``). Raises DataError."""
    folder = BatchFolder(path)
    name = folder.meta.get("dp_type")
    if not isinstance(name, str):
        raise DataError(f"{folder.meta_path}: names no provider (dp_type); give one by --data-provider")
    return name


def make_provider(name: str, settings: ProviderSettings) -> DataProvider:
    """The provider ``name``. Raises UsageError for an unknown name, DataError for data it cannot use."""
    cls, extra = _find(name)
    return cls(settings, *extra)
