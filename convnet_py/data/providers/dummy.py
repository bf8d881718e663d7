"""Providers of random data, for checks and timing: dummy-n, dummy-labeled-n, dummy-lr-n, dummy-ce-n (spec 5.2)."""

from __future__ import annotations

import numpy as np

from convnet_py.data.providers.base import DataProvider, ProviderSettings, one_hot


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
