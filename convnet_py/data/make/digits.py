"""Batches from scikit-learn's handwritten digits (spec 5.4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convnet_py.data.digits import TEST_BATCH, TRAIN_BATCHES, load_digits
from convnet_py.data.make.writer import new_folder, write_batch, write_meta


def make_digits(out: Path) -> None:
    """Training batches 1 to 5 and test batch 6, uint8, pixels 0 to 16. Raises DataError."""
    digits = load_digits()
    data = np.rint(digits.images * 16).astype(np.uint8).reshape(-1, 64).T
    with new_folder(out) as folder:
        for number in (*TRAIN_BATCHES, TEST_BATCH):
            cases = digits.batches[number]
            write_batch(folder, number, np.ascontiguousarray(data[:, cases]), digits.labels[cases])
        mean = data[:, digits.training].mean(axis=1, dtype=np.float64)
        write_meta(folder, mean, [str(digit) for digit in range(10)], "labeled-memory")
