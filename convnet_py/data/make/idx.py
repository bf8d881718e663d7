"""Batches from IDX files: MNIST, Fashion-MNIST and their kin (spec 5.4)."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convnet_py.data.make.writer import new_folder, write_plain_batches
from convnet_py.data.safe_pickle import Refused, read_unpacked
from convnet_py.errors import DataError

_UNSIGNED_BYTES = 8
#: What names of files contain: images and labels of the training and of the test set.
_PARTS = {"train-images": "*train-images*", "train-labels": "*train-labels*",
          "test-images": "*t*-images*", "test-labels": "*t*-labels*"}  # fmt: skip


def read_idx(path: Path, axes: int) -> np.ndarray:
    """The unsigned bytes of an IDX file, plain or gzipped, with as many ``axes``. Raises DataError."""
    try:
        content = read_unpacked(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Refused as refusal:
        raise DataError(f"{path}: refused, because the file holds {refusal}") from None
    except (EOFError, zlib.error):
        raise DataError(f"{path}: a damaged or truncated gzip file") from None
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(f"{path}: not an IDX file")
    kind, there = content[2], content[3]
    if kind != _UNSIGNED_BYTES or there != axes:
        hint = "; are images and labels swapped?" if kind == _UNSIGNED_BYTES and there in (1, 3) else ""
        raise DataError(f"{path}: an IDX file of type {kind} with {there} axes, should be of type 8 with {axes}{hint}")
    header = 4 + 4 * axes
    if len(content) < header:
        raise DataError(f"{path}: truncated: its header ends early")
    shape = struct.unpack(f">{axes}I", content[4:header])
    if math.prod(shape) != len(content) - header:
        declared = " x ".join(map(str, shape))
        raise DataError(f"{path}: declares {declared} bytes, holds {len(content) - header}; is it truncated?")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _find(source: Path, part: str, pattern: str) -> Path:
    if not source.is_dir():
        raise DataError(f"{source}: {'not a folder' if source.exists() else 'no such folder'} (of the four IDX files)")
    found = sorted(path for path in source.glob(pattern) if part.startswith("train") or "train" not in path.name)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataError(f"{source}: should have one file {pattern} of the {part.replace('-', ' ')}, has {names}")
    return found[0]


def _set(source: Path, part: str, pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (pixels x cases) and labels of the training or the test set."""
    images_path, labels_path = (_find(source, kind, _PARTS[kind]) for kind in (f"{part}-images", f"{part}-labels"))
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise DataError(f"{labels_path}: has {len(labels)} labels for {len(images)} images in {images_path.name}")
    if not len(images) or images.shape[1] != images.shape[2]:
        raise DataError(f"{images_path}: has {' x '.join(map(str, images.shape))} pixels, should be square images")
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad)))
    return padded.reshape(len(images), -1).T, labels


def make_idx(source: Path, out: Path, *, pad: int, names: Sequence[str] | None, batch_size: int) -> None:
    """Batches in ``out`` from a folder with the four files. Raises DataError.

    ``pad``: black pixels that are added on each side, so that cifar-cropped can shift images about. ``names``: of the
    classes; their numbers otherwise.
    """
    train, test = _set(source, "train", pad), _set(source, "test", pad)
    classes = int(max(train[1].max(), test[1].max())) + 1
    if names is not None and len(names) < classes:
        raise DataError(f"--names: got {len(names)} names, the labels of {source} need {classes}")
    if train[0].shape[0] != test[0].shape[0]:
        raise DataError(f"{source}: training images have {train[0].shape[0]} pixels, test images {test[0].shape[0]}")
    with new_folder(out) as folder:
        provider = "cifar-cropped" if pad else "labeled-memory"
        write_plain_batches(folder, train, test, batch_size, names or [str(c) for c in range(classes)], provider)
