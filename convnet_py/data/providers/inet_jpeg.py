"""Provider inet-lr-cropped-jpeg: ImageNet from batches of JPEGs (spec 5.2, 5.3)."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from convnet_py import _crops
from convnet_py.data.batch_folder import JpegBatch
from convnet_py.data.jpeg import NotDecodable, decode_jpeg, jpeg_size
from convnet_py.data.providers.augment import Placement
from convnet_py.data.providers.base import ProviderSettings
from convnet_py.data.providers.cropped import CHUNK, ImageProvider
from convnet_py.errors import DataError


class InetJpegProvider(ImageProvider):
    """Decoded JPEGs, cropped and noisy as those of inet-lr-cropped; ten views. Data, labels (1).

    Of an image with several labels one is drawn at each use, of all images in order, before anything else is drawn;
    missing labels are 0. Images that do not decode are left out and told; placements and noise are drawn for them,
    too, so chunks are of consecutive stored images. With ``no_crop`` in the metadata, images are pasted centred on a
    canvas of the scalar mean, which is then subtracted.
    """

    name = "inet-lr-cropped-jpeg"
    uses = frozenset({"scalar-mean", "pca-noise", "color-noise", "crop-border"})
    crops = True
    num_views = 10

    def __init__(self, settings: ProviderSettings):
        self._buffers = threading.local()
        super().__init__(settings)
        if self.channels != 3:
            raise DataError(f"{self.folder.meta_path}: num_vis is {self.batch_meta['num_vis']}, should be 3 x side^2")
        self.background = round(float(np.mean(self.batch_meta["data_mean"], dtype=np.float64)))

    @property
    def always_scalar_mean(self) -> bool:
        return bool(self.batch_meta.get("no_crop"))

    def get_batch(self, number: int) -> list[np.ndarray]:
        batch = self.folder.jpeg_batch(number)
        labels = self.label_matrix(batch)
        data, kept = self._images(number, batch)
        return [data, self.repeat(labels[:, kept])]

    def label_matrix(self, batch: JpegBatch) -> np.ndarray:
        """The labels of all images of a batch, whether they decode or not (rows x images)."""
        return np.array([[self._label(labels) for labels in batch.labels]])

    def _label(self, labels: Sequence[int]) -> int:
        if len(labels) > 1:
            return labels[self.rng.randint(len(labels))]
        return labels[0] if labels else 0

    def _images(self, number: int, batch: JpegBatch) -> tuple[np.ndarray, np.ndarray]:
        """The data matrix, and which of the images are in it."""
        cases = len(batch.jpegs)
        if not cases:
            raise DataError(f"{self.folder.path}: batch {number} has no cases")
        if self.settings.test:
            chunk_views = [self.shown_views()] * -(-cases // CHUNK)
            shifts = np.zeros((3, cases), np.float32)
        else:
            chunk_views = [[placement] for placement in self.placements(cases)]
            shifts = self.shifts(cases)
        views = len(chunk_views[0])
        target = self.new_matrix(views * cases)
        decoded = np.ones(cases, bool)

        def fill(chunk: int) -> None:
            first = chunk * CHUNK
            last = min(first + CHUNK, cases)
            images = self._decode(number, batch, range(first, last), decoded)
            shift = np.ascontiguousarray(shifts[:, first:last])
            for view, placement in enumerate(chunk_views[chunk]):
                self._crop_decoded(images, placement, target[..., view * cases + first : view * cases + last], shift)

        list(self.threads.map(fill, range(len(chunk_views))))
        matrix = target.reshape(-1, views * cases) if self.settings.test else self.add_pixel_noise(target)
        if not decoded.all():
            self._tell(number, batch, decoded)
            matrix = np.ascontiguousarray(matrix[:, np.tile(decoded, views)])
        return matrix, decoded

    def _crop_decoded(self, images: np.ndarray, placement: Placement, target: np.ndarray, shift: np.ndarray) -> None:
        _crops.crop_decoded(images, self.size, self.size, placement, target, self.mean, shift, self.scale)

    def _decode(self, number: int, batch: JpegBatch, cases: range, decoded: np.ndarray) -> np.ndarray:
        """Images of a chunk, one per row of this thread's buffer; ``decoded`` is cleared where there is none."""
        pixels = self.size**2 * 3
        if not hasattr(self._buffers, "images"):
            # Rows an odd number of cache lines apart: at powers of two they would crowd into a few lines of the cache.
            self._buffers.images = np.zeros((CHUNK, (pixels // 64 | 1) * 64 + 128), np.uint8)
        images = self._buffers.images
        for row, case in enumerate(cases):
            try:
                self._decode_one(number, batch, case, images[row, :pixels])
            except NotDecodable:
                decoded[case] = False
        return images

    def _decode_one(self, number: int, batch: JpegBatch, case: int, target: np.ndarray) -> None:
        jpeg = batch.jpegs[case]
        height, width = jpeg_size(jpeg)
        if (height, width) == (self.size, self.size):
            return decode_jpeg(jpeg, target)
        where = f"{self.folder.path}: batch {number}: {batch.names[case]} is {height} x {width} (height x width)"
        if not self.batch_meta.get("no_crop"):
            raise DataError(f"{where}, should be {self.size} x {self.size}, since batches.meta has no no_crop")
        if height > self.size or width > self.size:
            raise DataError(f"{where}, should be at most {self.size} x {self.size}")
        image = np.empty((height, width, 3), np.uint8)
        decode_jpeg(jpeg, image.reshape(-1))
        canvas = target.reshape(self.size, self.size, 3)
        canvas[...] = self.background
        top, left = (self.size - height) // 2, (self.size - width) // 2
        canvas[top : top + height, left : left + width] = image
        return None

    def _tell(self, number: int, batch: JpegBatch, decoded: np.ndarray) -> None:
        broken = [name for name, good in zip(batch.names, decoded, strict=True) if not good]
        if len(broken) == len(batch.names):
            raise DataError(f"{self.folder.path}: batch {number}: none of its {len(broken)} JPEGs decodes")
        more = ", ..." if len(broken) > 5 else ""
        self.settings.warn(
            f"{self.folder.path}: batch {number}: {len(broken)} of {len(batch.names)} JPEGs do not decode and are left "
            f"out: {', '.join(broken[:5])}{more}"
        )

    def sample(self, number: int, cases: int) -> np.ndarray:
        batch = self.folder.jpeg_batch(number)
        images, decoded = [], np.ones(len(batch.jpegs), bool)
        edge = slice(self.border, self.border + self.inner)
        for first in range(0, min(cases, len(batch.jpegs)), CHUNK):
            chunk = range(first, min(first + CHUNK, cases, len(batch.jpegs)))
            rows = self._decode(number, batch, chunk, decoded)[: len(chunk), : self.size**2 * 3]
            planes = rows.reshape(-1, self.size, self.size, 3)[decoded[chunk.start : chunk.stop], edge, edge]
            images.append(planes.transpose(3, 1, 2, 0).reshape(self.mean.size, -1).astype(np.float32))
        return np.concatenate(images, axis=1)
