"""Writing batch folders: whole or not at all, as pickles that the 2012 program reads as well (spec 5.1)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convnet_py.checkpoint.folder import interrupts_wait, partial
from convnet_py.checkpoint.python2 import Python2Pickler
from convnet_py.errors import ConvnetError, DataError


def check_free(out: Path) -> None:
    """Raise DataError if there is something at ``out`` already, so that nothing is ever overwritten."""
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise DataError(f"{out}: exists already; give a new folder, nothing is overwritten")


@contextlib.contextmanager
def write_errors(where: Path) -> Iterator[None]:
    """What goes wrong while writing becomes a DataError of one line."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename or where}: cannot be written: {error.strerror or error}") from None


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out`` that becomes ``out`` when the block ends well, and is removed otherwise."""
    with write_errors(out):
        check_free(out)
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        with partial(out.absolute()) as folder:
            folder.mkdir()
            yield folder


def write_pickle(path: Path, value: Any) -> None:
    """Write a value in one step: the file is whole, or it is not there. Raises OSError, DataError."""
    try:
        with interrupts_wait(), partial(path) as beside, beside.open("wb") as file:
            Python2Pickler(file).dump(value)
    except DataError:
        raise
    except ConvnetError as error:
        raise DataError(f"{path}: {error}") from None


def write_batch(folder: Path, number: int, data: np.ndarray, labels: Sequence[int]) -> None:
    """A batch of plain values: data (num_vis x cases), labels one per case."""
    write_pickle(folder / f"data_batch_{number}", {"data": data, "labels": [int(label) for label in labels]})


def write_meta(folder: Path, mean: np.ndarray, label_names: Sequence[str], provider: str, **more: Any) -> None:
    """The folder's batches.meta. ``mean``: num_vis values."""
    meta = {
        "num_vis": int(mean.size),
        "data_mean": mean.reshape(-1, 1).astype(np.float32),
        "label_names": list(label_names),
        "dp_type": provider,
        **more,
    }
    write_pickle(folder / "batches.meta", meta)


def write_plain_batches(
    folder: Path,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    batch_size: int,
    label_names: Sequence[str],
    provider: str,
) -> None:
    """A whole folder from training and test data (num_vis x cases) and labels (cases).

    Batches 1, 2, ... are the training set in its order, and the numbers after them the test set; the mean is that of
    the training set.
    """
    number = 0
    for data, labels in (train, test):
        for first in range(0, data.shape[1], batch_size):
            number += 1
            cases = slice(first, first + batch_size)
            write_batch(folder, number, np.ascontiguousarray(data[:, cases]), labels[cases])
    mean = train[0].mean(axis=1, dtype=np.float64)
    write_meta(folder, mean, label_names, provider, num_cases_per_batch=batch_size)
