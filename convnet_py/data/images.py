"""Images of batches as pictures for the eye (spec 5.4)."""

from __future__ import annotations

import math

import numpy as np

from convnet_py.data.batch_folder import BatchFolder, JpegBatch
from convnet_py.data.jpeg import NotDecodable, decode_jpeg, jpeg_size
from convnet_py.errors import DataError


def image_shape(num_vis: int) -> tuple[int, int] | None:
    """Channels (3 or 1) and side of square images of ``num_vis`` values; None where there are no such."""
    for channels in (3, 1):
        side = math.isqrt(num_vis // channels)
        if channels * side * side == num_vis:
            return channels, side
    return None


def as_picture(column: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Values of one case as uint8 (side, side, 3). Bytes stay as they are; what is beyond them is scaled."""
    channels, side = shape
    pixels = column.reshape(channels, side, side).transpose(1, 2, 0).astype(np.float64)
    low, high = pixels.min(), pixels.max()
    if low < 0 or high > 255 or high <= 32:
        pixels = (pixels - low) * (255 / (high - low or 1))
    return np.repeat(np.rint(pixels).astype(np.uint8), 3 // channels, axis=2)


def decoded(batch: JpegBatch, index: int, limit: int = 2**24) -> np.ndarray:
    """An image of a JPEG batch, uint8 (height, width, 3). Raises NotDecodable, also beyond ``limit`` pixels."""
    height, width = jpeg_size(batch.jpegs[index])
    if height * width > limit:
        raise NotDecodable(f"{width} x {height} pixels, more than {limit}")
    image = np.empty((height, width, 3), np.uint8)
    decode_jpeg(batch.jpegs[index], image.reshape(-1))
    return image


def sample_images(folder: BatchFolder, number: int, count: int) -> list[tuple[np.ndarray, list[int]]]:
    """Evenly spaced images of a batch with their labels. Raises DataError where the batch holds no images."""
    if folder.is_jpeg(number):
        batch = folder.jpeg_batch(number)
        samples = []
        for index in np.linspace(0, len(batch.jpegs) - 1, min(count, len(batch.jpegs))).astype(int):
            try:
                samples.append((decoded(batch, index), batch.labels[index]))
            except NotDecodable:
                continue
        return samples
    shape = image_shape(folder.meta["num_vis"])
    if shape is None:
        raise DataError(f"{folder.meta_path}: num_vis is {folder.meta['num_vis']}, no square images of 1 or 3 channels")
    plain = folder.batch(number)
    cases = np.linspace(0, plain.data.shape[1] - 1, min(count, plain.data.shape[1])).astype(int)
    labels = [[] if plain.labels is None else [int(plain.labels[0, case])] for case in cases]
    return [(as_picture(plain.data[:, case], shape), label) for case, label in zip(cases, labels, strict=True)]
