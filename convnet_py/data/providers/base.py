"""What all data providers have in common (spec 5.1, 5.2).

Matrices are float32, C-contiguous, rows x cases. Each provider owns its random generator, whose state
goes into checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convnet_py.data.batch_folder import BatchFolder
from convnet_py.errors import DataError
from convnet_py.options import BatchRange, usable_cores


def _no_warning(text: str) -> None:
    """Where nobody listens."""


@dataclass(frozen=True)
class ProviderSettings:
    """What a provider is made from. ``test``: it serves test batches, so it neither augments nor draws noise.

    ``multiview``: its test batches hold ``num_views`` blocks of the same images. ``warn`` hears of images that
    were left out.
    """

    path: Path | None
    batches: BatchRange | None
    test: bool
    rng: np.random.RandomState
    multiview: bool = False
    crop_border: int = 4
    color_noise: float = 0.0
    pca_noise: float = 0.0
    scalar_mean: float = 0.0
    dummy_cases: int | None = None
    dummy_classes: int | None = None
    threads: int = usable_cores()
    warn: Callable[[str], None] = _no_warning


class DataProvider:
    """Base of all providers."""

    #: Blocks of the same images that a test batch has when multiview is asked for.
    num_views = 1
    needs_path = True
    #: Names of the data options that it takes notice of.
    uses: frozenset[str] = frozenset()
    #: Rows of each matrix, set by the constructor.
    data_dims: list[int]
    num_classes: int | None = None
    batch_meta: dict[str, Any]

    def __init__(self, settings: ProviderSettings):
        self.settings = settings
        self.rng = settings.rng

    def get_data_dims(self, index: int) -> int:
        """Rows of matrix ``index``. Raises IndexError where the provider has no such matrix."""
        return self.data_dims[index]

    def get_num_classes(self) -> int | None:
        """The number of classes; None where the data does not tell."""
        return self.num_classes

    def get_batch(self, number: int) -> list[np.ndarray]:
        """The matrices of batch ``number``, augmented when training. Raises DataError."""
        raise NotImplementedError

    def get_plottable_data(self, data: np.ndarray) -> np.ndarray:
        """Images of a data matrix for a viewer: (cases, height, width, channels), 0 to 1. Raises DataError."""
        raise DataError("this data provider has no images to show")

    def get_state(self) -> tuple:
        """The state of the random generator, as ``RandomState.get_state``."""
        return self.rng.get_state()

    def set_state(self, state: tuple) -> None:
        """Take over a ``get_state``."""
        self.rng.set_state(state)


def check_batches(wanted: BatchRange | None, there: list[int], where: str, option: str) -> None:
    """Raise DataError naming the batches of the range that are not there."""
    missing = sorted(set(wanted or ()) - set(there))
    if missing:
        has = ", ".join(map(str, there)) or "none"
        raise DataError(f"{option} {wanted}: {where} has no batch {', '.join(map(str, missing[:5]))} (it has {has})")


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels (1 x cases) as a matrix classes x cases with a single 1 per case."""
    return np.ascontiguousarray(np.arange(classes, dtype=np.float32)[:, None] == labels, dtype=np.float32)


def scaled_images(data: np.ndarray, mean: np.ndarray, channels: int, size: int) -> np.ndarray:
    """Columns of ``data`` plus ``mean`` (pixels 0 to 255) as (cases, size, size, channels), 0 to 1."""
    images = (data + mean.reshape(-1, 1)).reshape(channels, size, size, -1)
    return np.clip(images.transpose(3, 1, 2, 0) / 255, 0, 1).astype(np.float32)


class FolderProvider(DataProvider):
    """Base of those that read a batch folder."""

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        if settings.path is None:
            raise DataError("the data provider needs --data-path")
        self.folder = BatchFolder(settings.path)
        option = "--test-range" if settings.test else "--train-range"
        check_batches(settings.batches, self.folder.numbers(), str(settings.path), option)
        self.batch_meta = self.folder.meta
        self.num_classes = len(self.batch_meta.get("label_names", [])) or None

    def require(self, key: str, name: str) -> Any:
        """A value of the metadata. Raises DataError where it is absent or empty."""
        value = self.batch_meta.get(key)
        if value is None or not len(value):
            raise DataError(f"{self.folder.meta_path}: no {key}, which provider '{name}' needs")
        return value
