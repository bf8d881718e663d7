"""A checkpoint as a folder: an ``.npy`` file for each array, ``checkpoint.json`` for everything else.

For use by other programs: ``layers/conv1/weights/0.npy`` is the first weight matrix of the layer ``conv1``.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import numpy as np

from convnet_py.checkpoint.content import FORMAT, VERSION, check_version, from_parts, to_parts
from convnet_py.checkpoint.state import Checkpoint
from convnet_py.errors import CheckpointError

INDEX = "checkpoint.json"


class _Files:
    """Arrays in the files of a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def _path(self, path: str) -> Path:
        if ".." in PurePosixPath(path).parts or path.startswith("/"):
            raise ValueError(path)
        return self.folder / f"{path}.npy"

    def write(self, path: str, array: np.ndarray) -> None:
        file = self._path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, array, allow_pickle=False)

    def read(self, path: str) -> np.ndarray:
        # Mapped, a file that is shorter than its header says is an error before any memory is asked for.
        return np.array(np.load(self._path(path), mmap_mode="r", allow_pickle=False), order="K")


def write(checkpoint: Checkpoint, folder: Path) -> None:
    """Fill a new folder. Raises OSError, and CheckpointError for what cannot be kept."""
    folder.mkdir()
    parts = to_parts(checkpoint, _Files(folder))
    head = {"format": FORMAT, "version": VERSION, "epoch": checkpoint.epoch, "batch": checkpoint.batch}
    (folder / INDEX).write_text(json.dumps({**head, **parts}, indent=1) + "\n")


def read(folder: Path) -> Checkpoint:
    """Read the folder. Raises CheckpointError, one line, for any other or damaged one."""
    try:
        content = json.loads((folder / INDEX).read_text())
        if content["format"] != FORMAT:
            raise CheckpointError(f"{folder}: its {INDEX} is not that of a checkpoint of this program")
        check_version(content["version"], folder)
        return from_parts(content, _Files(folder), int(content["epoch"]), int(content["batch"]))
    except PermissionError as error:
        raise CheckpointError(f"{error.filename or folder}: no permission to read it") from None
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder}: a damaged checkpoint: {error.filename} is missing") from None
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, StopIteration, EOFError):
        raise CheckpointError(f"{folder}: a damaged or truncated checkpoint") from None
