"""Checkpoints in HDF5, the format of this program: arrays with checksums, everything else as JSON (spec 4.3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from convnet_py.checkpoint.content import FORMAT, VERSION, check_version, from_parts, to_parts
from convnet_py.checkpoint.state import Checkpoint
from convnet_py.data.safe_pickle import Limits
from convnet_py.errors import CheckpointError

_PARTS = ("layers", "train_outputs", "test_outputs", "run")


class _Group:
    """Arrays in an HDF5 group."""

    def __init__(self, group: h5py.Group, compress: bool = False, limit: int = 0):
        self.group = group
        self.compress = compress
        self._left = limit

    def write(self, path: str, array: np.ndarray) -> None:
        # The checksum makes a flipped bit an error on reading; HDF5 offers it for arrays with elements only.
        filters = {"fletcher32": True} if array.ndim and array.size else {}
        if filters and self.compress:
            filters |= {"compression": "gzip", "shuffle": True}
        self.group.create_dataset(path, data=array, **filters)

    def read(self, path: str) -> np.ndarray:
        """Raises CheckpointError where the file's arrays take more memory than a file of its size may."""
        dataset = self.group[path]
        # A dataset may declare any size and hold nothing.
        self._left -= dataset.size * dataset.dtype.itemsize
        if self._left < 0:
            raise CheckpointError("arrays that take too much memory (CONVNET_MAX_PICKLE_MB raises this limit)")
        return np.asarray(dataset[()])


def write(checkpoint: Checkpoint, path: Path, compress: bool) -> None:
    """Write the file. Raises OSError, and CheckpointError for what cannot be kept."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": FORMAT, "version": VERSION, "epoch": checkpoint.epoch, "batch": checkpoint.batch})
        for name, part in to_parts(checkpoint, _Group(file.create_group("arrays"), compress)).items():
            file.create_dataset(name, data=np.frombuffer(json.dumps(part).encode(), np.uint8), fletcher32=True)


def read(path: Path) -> Checkpoint:
    """Read the file. Raises CheckpointError, one line, for any other or damaged one."""
    try:
        if not h5py.is_hdf5(path):
            raise CheckpointError(f"{path}: not a checkpoint (no HDF5 file), or cut off at its start")
        with h5py.File(path, "r") as file:
            return _content(file, path)
    except CheckpointError as error:
        raise CheckpointError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    except PermissionError:
        raise CheckpointError(f"{path}: no permission to read it") from None
    except (OSError, KeyError, IndexError, ValueError, TypeError, AttributeError, RuntimeError, StopIteration,
            MemoryError):  # fmt: skip
        # What h5py raises for damaged files is not limited to OSError.
        raise CheckpointError(f"{path}: a damaged or truncated checkpoint") from None


def _content(file: h5py.File, path: Path) -> Checkpoint:
    if file.attrs.get("format") != FORMAT:
        raise CheckpointError(f"{path}: an HDF5 file, but not a checkpoint of this program")
    check_version(file.attrs["version"], path)
    limit = Limits.from_environment().memory(path.stat().st_size)
    whole = _Group(file, limit=limit)
    parts: dict[str, Any] = {name: json.loads(whole.read(name).tobytes()) for name in _PARTS}
    return from_parts(parts, _Group(file["arrays"], limit=limit), int(file.attrs["epoch"]), int(file.attrs["batch"]))
