"""scikit-learn's handwritten digits, divided into batches (house plan)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convnet_py.errors import DataError
from convnet_py.options import BatchRange

TRAIN_BATCHES = BatchRange(1, 5)
TEST_BATCH = 6


@dataclass(frozen=True)
class Digits:
    """``images``: float32 (cases, 8, 8), 0 to 1. ``batches``: the cases of each batch; ``training``: of 1 to 5."""

    images: np.ndarray
    labels: np.ndarray
    training: np.ndarray
    batches: dict[int, np.ndarray]


def load_digits() -> Digits:
    """The 1,797 digits; every fifth (index % 5 == 4) is in test batch 6. Raises DataError without scikit-learn."""
    try:
        from sklearn import datasets
    except ImportError:
        raise DataError("provider 'digits' needs scikit-learn: install the extra 'demo'") from None
    digits = datasets.load_digits()
    is_test = np.arange(len(digits.images)) % 5 == 4
    training = np.flatnonzero(~is_test)
    batches = dict(zip(TRAIN_BATCHES, np.array_split(training, len(TRAIN_BATCHES)), strict=True))
    batches[TEST_BATCH] = np.flatnonzero(is_test)
    return Digits((digits.images / 16).astype(np.float32), digits.target, training, batches)
