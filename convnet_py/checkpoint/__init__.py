"""Checkpoints: everything that a resumed run needs to go on bit for bit, in three formats (spec 4.3).

``native``: one HDF5 file. ``historic``: the pickle of the 2012 program; those of 2011 and 2014 are read, too, and
written again as they were. ``npy``: a folder of arrays. A checkpoint is written to a temporary place beside its own
and renamed, so that a crash leaves the older ones and never half a file.
"""

from __future__ import annotations

from pathlib import Path

from convnet_py.checkpoint import arrays, historic, native
from convnet_py.checkpoint.common_form import to_common_form
from convnet_py.checkpoint.folder import (
    check_writable,
    checkpoints_in,
    find,
    interrupts_wait,
    is_array_folder,
    new_folder,
    partial,
    remove_oldest,
)
from convnet_py.checkpoint.state import Checkpoint, LayerReference, Origin, Outcome
from convnet_py.errors import CheckpointError

__all__ = [
    "FORMATS",
    "Checkpoint",
    "LayerReference",
    "Origin",
    "Outcome",
    "check_writable",
    "checkpoints_in",
    "find",
    "format_of",
    "load",
    "new_folder",
    "read",
    "save",
    "write",
]

FORMATS = ("native", "historic", "npy")

_HDF5 = b"\x89HDF"
#: How pickles begin: protocol 2 and later, protocols 0 and 1, gzip, zip.
_PICKLES = (b"\x80", b"(", b"}", b"\x1f\x8b", b"PK\x03\x04")


def format_of(path: Path) -> str:
    """The format of the checkpoint at ``path``, told by its content. Raises CheckpointError where it is none."""
    if is_array_folder(path):
        return "npy"
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        reason = "no permission to read it" if isinstance(error, PermissionError) else error.strerror
        raise CheckpointError(f"{path}: {reason}") from None
    if start.startswith(_HDF5):
        return "native"
    if start.startswith(_PICKLES):
        return "historic"
    what = "an empty file" if not start else "neither an HDF5 file nor a pickle, or cut off at its start"
    raise CheckpointError(f"{path}: not a checkpoint: {what}")


def read(path: Path) -> Checkpoint:
    """Read a checkpoint of any format, those of the historic programs in the form of their release.

    Raises CheckpointError, one line, for any other or damaged file.
    """
    return {"native": native.read, "historic": historic.read, "npy": arrays.read}[format_of(path)](path)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint of any format, in the common form of layer dictionaries (spec 2.9), ready to go on from.

    Raises CheckpointError, one line, for any other or damaged file, and for a net that has no common form.
    """
    return to_common_form(read(path), path)


def write(checkpoint: Checkpoint, path: Path, format: str, *, compress: bool = False) -> None:
    """Write a checkpoint to ``path``, whole or not at all. Raises CheckpointError."""
    try:
        with interrupts_wait(), partial(path) as beside:
            if format == "native":
                native.write(checkpoint, beside, compress)
            elif format == "historic":
                historic.write(checkpoint, beside, compress)
            else:
                arrays.write(checkpoint, beside)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: cannot be written: {error}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror or error}") from None


def save(
    checkpoint: Checkpoint, folder: Path, *, format: str = "native", compress: bool = False, limit_mb: float = 0
) -> Path:
    """Write a checkpoint into ``folder`` and return its path; then remove the oldest beyond ``limit_mb``.

    Raises CheckpointError where it cannot be written; checkpoints that are there stay whole.
    """
    path = folder / checkpoint.name
    write(checkpoint, path, format, compress=compress)
    if limit_mb:
        try:
            remove_oldest(folder, path, int(limit_mb * 2**20))
        except OSError as error:
            raise CheckpointError(f"{folder}: cannot be tidied: {error.strerror or error}") from None
    return path
