"""Providers cifar and cifar-cropped: small images kept in memory (spec 5.2)."""

from __future__ import annotations

import numpy as np

from convnet_py.data.batch_folder import Batch
from convnet_py.data.providers.augment import Placement, nine_views
from convnet_py.data.providers.base import ProviderSettings, one_hot
from convnet_py.data.providers.cropped import ImageProvider
from convnet_py.errors import DataError


class CifarProvider(ImageProvider):
    """CIFAR: 32 x 32 x 3, mean image subtracted. Data (3072), labels (1), one-hot labels (classes)."""

    name = "cifar"

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        self.require("label_names", self.name)
        self.check_shape()
        self.data_dims = [self.mean.size, 1, self.num_classes]
        self._kept: dict[int, Batch] = {}

    def check_shape(self) -> None:
        """Raise DataError for images that it does not take."""
        if self.batch_meta["num_vis"] != 3072:
            raise DataError(
                f"{self.folder.meta_path}: num_vis is {self.batch_meta['num_vis']}, provider 'cifar' takes 3072"
            )

    def placements(self, cases: int) -> list[Placement]:
        # Nothing is cropped nor mirrored, so nothing is drawn.
        return [(0, 0, False)] * -(-cases // self.chunk)

    def get_batch(self, number: int) -> list[np.ndarray]:
        if number not in self._kept:
            self._kept[number] = self.folder.batch(number)
        batch = self._kept[number]
        if batch.labels is None:
            raise DataError(f"{self.folder.path}: batch {number} has no labels, but the provider is a labelled one")
        labels = self.repeat(batch.labels)
        return [self.crop(batch.data), labels, one_hot(labels, self.num_classes)]


class CifarCroppedProvider(CifarProvider):
    """As cifar, of crops at random with a mirror per case; tests take the centre, or nine views.

    It takes square images of any size, of one channel or three.
    """

    name = "cifar-cropped"
    uses = frozenset({"scalar-mean", "pca-noise", "crop-border"})
    crops = True
    chunk = 1
    num_views = 9

    def check_shape(self) -> None:
        """Any square images will do."""

    def views(self) -> list[Placement]:
        return nine_views(self.border)

    placements = ImageProvider.placements
