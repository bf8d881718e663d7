"""Providers of plain values: default, memory, labeled, labeled-memory, flatmem (spec 5.2)."""

from __future__ import annotations

import numpy as np

from convnet_py.data.batch_folder import Batch
from convnet_py.data.providers.base import FolderProvider, ProviderSettings, one_hot
from convnet_py.errors import DataError


class PlainProvider(FolderProvider):
    """Plain values of a batch folder. ``default``: data; ``labeled``: data and labels (1 x cases).

    The ``memory`` kinds read each batch once and keep it as stored.
    """

    labeled = False
    in_memory = False

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        self.data_dims = [self.batch_meta["num_vis"]] + [1] * self.labeled
        self._kept: dict[int, Batch] = {}

    def read(self, number: int) -> Batch:
        """A batch as stored."""
        if number in self._kept:
            return self._kept[number]
        batch = self.folder.batch(number)
        if batch.labels is None and self.labeled:
            raise DataError(f"{self.folder.path}: batch {number} has no labels, but the provider is a labelled one")
        if self.in_memory:
            self._kept[number] = batch
        return batch

    def get_batch(self, number: int) -> list[np.ndarray]:
        batch = self.read(number)
        matrices = [batch.data.astype(np.float32, order="C")]
        if self.labeled:
            matrices.append(batch.labels.astype(np.float32))
        return matrices


class MemoryProvider(PlainProvider):
    """As PlainProvider, with the whole set in memory."""

    in_memory = True


class LabeledProvider(PlainProvider):
    """Data and labels."""

    labeled = True


class LabeledMemoryProvider(LabeledProvider):
    """Data and labels, with the whole set in memory."""

    in_memory = True


class FlatMemoryProvider(LabeledMemoryProvider):
    """``flatmem``: any vectors, and one-hot labels (classes x cases)."""

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        self.require("label_names", "flatmem")
        self.data_dims = [self.batch_meta["num_vis"], self.num_classes]

    def get_batch(self, number: int) -> list[np.ndarray]:
        data, labels = super().get_batch(number)
        return [data, one_hot(labels, self.num_classes)]
