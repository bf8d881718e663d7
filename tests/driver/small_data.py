"""Small batches on disk for the driver's tests (spec 5.1)."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np


def write_pickle(path: Path, value: object, protocol: int = 2) -> None:
    path.write_bytes(pickle.dumps(value, protocol))


def make_batch(number: int, cases: int = 40) -> dict:
    rng = np.random.RandomState(number)
    labels = rng.randint(0, 4, cases)
    data = rng.randint(0, 100, (12, cases)).astype(np.uint8)
    data[labels, np.arange(cases)] += 100
    return {"data": data, "labels": labels.tolist()}
