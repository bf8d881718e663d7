"""Batches from any folder of images by class, folder/class/image (spec 5.4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from convnet_py.data.make.conversion import ImageSet, Settings, convert
from convnet_py.data.make.images import Source
from convnet_py.errors import DataError


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, in order, but for hidden files. Raises DataError."""
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from None


def class_names(folder: Path) -> list[str]:
    """The classes of a folder: its subfolders by name. Raises DataError if there is none."""
    names = [entry.name for entry in _entries(folder) if entry.is_dir()]
    if not names:
        raise DataError(f"{folder}: has no subfolders; images should be in one folder per class")
    return names


def images_by_class(folder: Path, classes: list[str]) -> list[Source]:
    """All files in the folders of the classes. Raises DataError for a folder that is no class, or if there are none."""
    found = []
    for name in class_names(folder):
        if name not in classes:
            raise DataError(f"{folder / name}: not a class of the training images ({', '.join(classes[:5])}, ...)")
        for file in _entries(folder / name):
            if file.is_file():
                found.append(Source(f"{name}/{file.name}", classes.index(name), file, 0, file.stat().st_size))
    if not found:
        raise DataError(f"{folder}: its class folders hold no files")
    return found


def make_folder(
    source: Path, test: Path | None, test_percent: int, out: Path, settings: Settings, warn: Callable[[str], None]
) -> None:
    """Batches in ``out`` of the images of ``source``; test batches of those of ``test``, or of some of ``source``.

    ``test_percent``: how many of each hundred images of ``source``, drawn at random, go into the test batches.
    """
    classes = class_names(source)
    train = images_by_class(source, classes)
    if test is not None:
        tested = images_by_class(test, classes)
    else:
        order = np.random.RandomState(settings.seed).permutation(len(train))
        drawn = set(order[: len(train) * test_percent // 100].tolist())
        tested = [image for index, image in enumerate(train) if index in drawn]
        train = [image for index, image in enumerate(train) if index not in drawn]
    convert(ImageSet(train, tested, classes), out, settings, warn)
