"""Small batch folders of images on disk, plain and JPEG, and slow oracles of what providers make of them (spec 5)."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convnet_py.data.providers import ProviderSettings, make_provider
from convnet_py.options import BatchRange


def save(path: Path, value: Any) -> None:
    path.write_bytes(pickle.dumps(value, 2))


def meta(num_vis: int, seed: int = 5, **more: Any) -> dict[str, Any]:
    rng = np.random.RandomState(seed)
    vectors = np.linalg.qr(rng.randn(3, 3))[0]
    return {
        "num_vis": num_vis,
        "data_mean": rng.rand(num_vis, 1) * 255,
        "label_names": list("abcde"),
        "color_pca": (np.array([30.0, 10.0, 3.0]), vectors),
        **more,
    }


def plain_folder(path: Path, channels: int, size: int, cases: int, dtype: type = np.uint8, **more: Any) -> dict:
    """A folder of one batch; returns its images (channels, size, size, cases) and labels with the metadata."""
    path.mkdir(exist_ok=True)
    rng = np.random.RandomState(cases)
    data = rng.randint(0, 256, (channels * size**2, cases)).astype(dtype)
    labels = rng.randint(0, 5, cases).tolist()
    described = meta(channels * size**2, **more)
    save(path / "batches.meta", described)
    save(path / "data_batch_1", {"data": data, "labels": labels, "wordpres": rng.rand(100, cases)})
    return {"images": data.reshape(channels, size, size, cases), "labels": labels, "meta": described}


def jpeg(height: int, width: int, seed: int) -> bytes:
    """A JPEG of smooth noise."""
    rng = np.random.RandomState(seed)
    small = rng.randint(0, 256, (4, 4, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def decode(encoded: bytes) -> np.ndarray:
    """Pillow's pixels (channels, height, width); its library rounds as the provider's does."""
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"), float).transpose(2, 0, 1)


def provider(name: str, path: Path, test: bool, seed: int = 0, **more: Any):
    more.setdefault("threads", 2)
    return make_provider(name, ProviderSettings(path, BatchRange(1, 1), test, np.random.RandomState(seed), **more))


def crop_one(image: np.ndarray, top: int, left: int, inner: int, mirror: bool) -> np.ndarray:
    """A crop of an image (channels, rows, columns), pixel by pixel."""
    channels = image.shape[0]
    out = np.zeros((channels, inner, inner))
    for c in range(channels):
        for y in range(inner):
            for x in range(inner):
                out[c, y, x] = image[c, top + y, left + (inner - 1 - x if mirror else x)]
    return out


def expected_training(
    images: list[np.ndarray], mean: np.ndarray, border: int, chunk: int, rng: np.random.RandomState,
    color: float = 0, pca: tuple | None = None, mirror_only: bool = False,
) -> np.ndarray:  # fmt: skip
    """Crops of a training batch (values x cases): offsets y, x and a coin (0: mirror) per chunk, then colour noise."""
    inner = images[0].shape[1] - 2 * border
    columns = []
    for case, image in enumerate(images):
        if case % chunk == 0:
            top, left = (0, 0) if mirror_only else (rng.randint(0, 2 * border + 1), rng.randint(0, 2 * border + 1))
            coin = rng.randint(0, 2)
        columns.append(crop_one(image, top, left, inner, coin == 0) - mean)
    if color:
        roots, vectors = pca
        for case in range(len(columns)):
            noise = vectors @ (rng.randn(3) * roots)
            columns[case] = (columns[case] + color * noise[:, None, None]) / (1 + color)
    return np.stack([column.ravel() for column in columns], axis=1)


def centre(mean: np.ndarray, channels: int, size: int, border: int, scalar: bool) -> np.ndarray:
    """What is subtracted: the middle of the mean image, or its mean."""
    image = np.asarray(mean, np.float64).reshape(channels, size, size)
    inner = size - 2 * border
    if scalar:
        return np.full((channels, inner, inner), image.mean())
    return image[:, border : border + inner, border : border + inner]
