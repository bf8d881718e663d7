"""What the providers of images share: shapes, means, crops, views and noise of a batch (spec 5.2, 5.3)."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from convnet_py import _crops
from convnet_py.data.providers.augment import PixelNoise, Placement, color_shifts, random_placements, ten_views
from convnet_py.data.providers.base import FolderProvider, ProviderSettings, scaled_images
from convnet_py.errors import DataError, UsageError

#: Consecutive cases that share an offset and a mirror coin.
CHUNK = 32
#: Lines of a channel that a thread crops at a time.
_LINES = 32
_CACHE_LINE = 64


class ImageProvider(FolderProvider):
    """Base of providers of square images of one or three channels, minus their mean.

    ``inner``: the side of the images that they give, ``size`` less the border twice.
    """

    name: str
    uses = frozenset({"scalar-mean", "pca-noise"})
    #: Whether images are cropped; those that are not have no border.
    crops = False
    #: Cases that share a placement in training.
    chunk = CHUNK
    always_scalar_mean = False

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        num_vis = self.batch_meta["num_vis"]
        self.channels = 3 if math.isqrt(num_vis // 3) ** 2 * 3 == num_vis else 1
        self.size = math.isqrt(num_vis // self.channels)
        if self.size**2 * self.channels != num_vis:
            raise DataError(
                f"{self.folder.meta_path}: num_vis is {num_vis}, provider '{self.name}' takes square images of one or "
                "three channels"
            )
        self.border = settings.crop_border if self.crops else 0
        self.inner = self.size - 2 * self.border
        if self.inner < 1:
            raise UsageError(
                f"--crop-border: got {self.border}, which leaves nothing of images of {self.size} x {self.size}"
            )
        self.scalar_mean = bool(settings.scalar_mean) or self.always_scalar_mean
        self.mean = self._mean()
        self.data_dims = [self.mean.size, 1]
        self.threads = ThreadPoolExecutor(settings.threads, "augment")
        self._noise: PixelNoise | None = None

    def _mean(self) -> np.ndarray:
        """What is subtracted from a crop (channels, inner, inner)."""
        self.require("data_mean", self.name)
        mean = self.batch_meta["data_mean"].reshape(self.channels, self.size, self.size)
        if self.scalar_mean:
            mean = np.full_like(mean, mean.mean(dtype=np.float64))
        edge = slice(self.border, self.border + self.inner)
        return np.ascontiguousarray(mean[:, edge, edge])

    def views(self) -> list[Placement]:
        """The views of a multiview test."""
        return ten_views(self.border)

    def placements(self, cases: int) -> list[Placement]:
        """Where each chunk of a training batch is cropped, drawn anew."""
        return random_placements(self.rng, cases, self.chunk, 2 * self.border)

    def shown_views(self) -> list[Placement]:
        """The views of a test batch: all of them, or the centre."""
        return self.views() if self.settings.multiview else [(self.border, self.border, False)]

    def shifts(self, cases: int) -> np.ndarray:
        """Colour noise (channels x cases), 0 where there is none."""
        strength = self.settings.color_noise
        if self.settings.test or not strength or "color-noise" not in self.uses:
            return np.zeros((self.channels, cases), np.float32)
        roots, vectors = self._color_pca()
        return np.float32(strength) * color_shifts(self.rng, (roots, vectors), cases)

    def _color_pca(self) -> tuple[np.ndarray, np.ndarray]:
        wrong = DataError(
            f"{self.folder.meta_path}: --color-noise needs a color_pca of 3 eigenvalue roots and 3 x 3 eigenvectors"
        )
        try:
            roots, vectors = self.batch_meta.get("color_pca", ())
            roots, vectors = np.asarray(roots, np.float64).ravel(), np.asarray(vectors, np.float64)
        except (ValueError, TypeError):
            raise wrong from None
        if self.channels != 3 or roots.shape != (3,) or vectors.shape != (3, 3):
            raise wrong
        return roots, vectors

    @property
    def scale(self) -> float:
        """What noisy images are multiplied by: they are divided by 1 + c, for each kind of noise."""
        settings = self.settings
        if settings.test:
            return 1.0
        color = settings.color_noise if "color-noise" in self.uses else 0.0
        return 1 / ((1 + color) * (1 + settings.pca_noise))

    def crop(self, images: np.ndarray) -> np.ndarray:
        """Images (num_vis x cases) as the data matrix of the batch: augmented in training, in views in a test."""
        cases = images.shape[1]
        planes = np.ascontiguousarray(images if images.dtype == np.uint8 else images.astype(np.float32))
        planes = planes.reshape(self.channels, self.size, self.size, cases)
        if self.settings.test:
            return self.crop_views(planes)
        placements = self.placements(cases)
        target = self.new_matrix(cases)
        self._crop(planes, placements, self.chunk, target, self.shifts(cases))
        return self.add_pixel_noise(target)

    def new_matrix(self, cases: int) -> np.ndarray:
        """Room for images (channels, inner, inner, cases), aligned to lines of the cache: crops are written past it."""
        size = self.channels * self.inner**2 * cases * 4
        room = np.empty(size + _CACHE_LINE, np.uint8)
        start = -room.ctypes.data % _CACHE_LINE
        matrix = room[start : start + size].view(np.float32)
        return matrix.reshape(self.channels, self.inner, self.inner, cases)

    def crop_views(self, planes: np.ndarray) -> np.ndarray:
        """The data matrix of a test batch from images (channels, size, size, cases): one block per view."""
        cases = planes.shape[3]
        views = self.shown_views()
        target = self.new_matrix(cases * len(views))
        shifts = np.zeros((self.channels, cases), np.float32)
        for view, placement in enumerate(views):
            self._crop(planes, [placement], cases, target[..., view * cases : (view + 1) * cases], shifts)
        return target.reshape(-1, target.shape[3])

    def _crop(
        self, planes: np.ndarray, placements: list[Placement], chunk: int, target: np.ndarray, shifts: np.ndarray
    ) -> None:
        rows = planes.shape[1] - target.shape[1]

        def crop_lines(part: tuple[int, int]) -> None:
            c, first = part
            one, lines = slice(c, c + 1), slice(first, first + _LINES)
            source = slice(first, min(first + _LINES, target.shape[1]) + rows)
            _crops.crop(
                planes[one, source], placements, chunk, target[one, lines],
                self.mean[one, lines], shifts[one], self.scale,
            )  # fmt: skip

        parts = [(c, first) for c in range(self.channels) for first in range(0, target.shape[1], _LINES)]
        list(self.threads.map(crop_lines, parts))

    def add_pixel_noise(self, target: np.ndarray) -> np.ndarray:
        """Add --pca-noise to a training batch (channels, inner, inner, cases) and return it as a matrix."""
        strength = self.settings.pca_noise
        matrix = target.reshape(-1, target.shape[3])
        if strength:
            if self._noise is None:
                # Always of the same batch, so that a resumed run has the same components.
                self._noise = PixelNoise(self.sample(self.settings.batches.first, PixelNoise.sample_cases))
            noise = self._noise.draw(self.rng, matrix.shape[1])
            noise *= np.float32(strength * self.scale)
            matrix += noise
        return matrix

    def sample(self, number: int, cases: int) -> np.ndarray:
        """The first images of a batch, cropped at the centre (float32, values x images)."""
        planes = self.folder.batch(number).data[:, :cases].reshape(self.channels, self.size, self.size, -1)
        edge = slice(self.border, self.border + self.inner)
        return planes[:, edge, edge].reshape(self.mean.size, -1).astype(np.float32)

    def repeat(self, labels: np.ndarray) -> np.ndarray:
        """A matrix of labels once for each view of a test batch, as float32."""
        views = len(self.shown_views()) if self.settings.test else 1
        return np.ascontiguousarray(np.tile(labels.astype(np.float32), (1, views)))

    def get_plottable_data(self, data: np.ndarray) -> np.ndarray:
        return scaled_images(data, self.mean, self.channels, self.inner)
