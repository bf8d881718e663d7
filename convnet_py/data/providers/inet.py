"""Providers of ImageNet from raw batches: inet-lr, inet-lr-cropped, inet-rs-lr-cropped (spec 5.2, 5.3)."""

from __future__ import annotations

import numpy as np

from convnet_py.data.batch_folder import Batch
from convnet_py.data.providers.augment import Placement, ten_views
from convnet_py.data.providers.base import ProviderSettings
from convnet_py.data.providers.cropped import ImageProvider
from convnet_py.errors import DataError, UsageError

#: Rows of the matrix wordpres.
WORDPRES_ROWS = 100


class InetCroppedProvider(ImageProvider):
    """``inet-lr-cropped``: crops, mirrored or not, that 32 cases share; ten views. Data, labels (1; 0 if missing)."""

    name = "inet-lr-cropped"
    uses = frozenset({"scalar-mean", "pca-noise", "color-noise", "crop-border"})
    crops = True
    num_views = 10

    def get_batch(self, number: int) -> list[np.ndarray]:
        batch = self.folder.batch(number)
        return [self.crop(batch.data), self.repeat(labels_or_zeros(batch))]


def labels_or_zeros(batch: Batch) -> np.ndarray:
    """Labels (1 x cases): missing ones are 0."""
    return np.zeros((1, batch.data.shape[1])) if batch.labels is None else batch.labels


class InetProvider(ImageProvider):
    """``inet-lr``: whole images as they are, their mean subtracted. Data, labels, wordpres (100 x cases)."""

    name = "inet-lr"

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        self.data_dims = [self.mean.size, 1, WORDPRES_ROWS]

    def placements(self, cases: int) -> list[Placement]:
        # Nothing is cropped nor mirrored, so nothing is drawn.
        return [(0, 0, False)] * -(-cases // self.chunk)

    def get_batch(self, number: int) -> list[np.ndarray]:
        batch = self.folder.batch(number)
        wordpres, cases = batch.rest.get("wordpres"), batch.data.shape[1]
        if not isinstance(wordpres, np.ndarray) or wordpres.shape != (WORDPRES_ROWS, cases):
            raise DataError(
                f"{self.folder.path}: batch {number} has no wordpres ({WORDPRES_ROWS} x cases), the third "
                "matrix of provider 'inet-lr'; inet-lr-cropped --crop-border=0 does without"
            )
        return [self.crop(batch.data), self.repeat(labels_or_zeros(batch)), np.ascontiguousarray(wordpres, np.float32)]


class InetFullProvider(InetCroppedProvider):
    """``inet-rs-lr-cropped``: whole images for an rscale layer to crop, scalar mean subtracted; ten views.

    In training only mirrored or not, 32 cases alike. A view is a crop as of inet-lr-cropped, in the middle of an
    image that is 0 elsewhere: so rscale, which takes the middle outside training, hands on the view.
    """

    name = "inet-rs-lr-cropped"
    crops = False
    always_scalar_mean = True

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        self.view_border = settings.crop_border
        if settings.multiview and self.size <= 2 * self.view_border:
            raise UsageError(
                f"--crop-border: got {self.view_border}, which leaves nothing of images of {self.size} x {self.size}"
            )

    def placements(self, cases: int) -> list[Placement]:
        return [(0, 0, int(self.rng.randint(2)) == 0) for _ in range(0, cases, self.chunk)]

    def views(self) -> list[Placement]:
        return ten_views(self.view_border)

    def crop_views(self, planes: np.ndarray) -> np.ndarray:
        if not self.settings.multiview:
            return super().crop_views(planes)
        cases, border = planes.shape[3], self.view_border
        middle = slice(border, self.size - border)
        images = planes.astype(np.float32) - self.mean[..., None]
        target = np.zeros((self.channels, self.size, self.size, 10 * cases), np.float32)
        for view, (top, left, mirror) in enumerate(self.views()):
            cut = images[:, top : top + self.size - 2 * border, left : left + self.size - 2 * border]
            target[:, middle, middle, view * cases : (view + 1) * cases] = cut[:, :, ::-1] if mirror else cut
        return target.reshape(-1, target.shape[3])
