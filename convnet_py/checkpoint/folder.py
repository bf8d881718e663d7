"""Folders of checkpoints, ``SAVE_PATH/ConvNet__YYYY-MM-DD_HH.MM.SS/EPOCH.BATCH``, and writing that leaves nothing half
done (spec 4.1, 4.3).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from convnet_py.checkpoint import arrays
from convnet_py.errors import CheckpointError

_NAME = re.compile(r"(\d+)\.(\d+)")


def new_folder(save_path: Path) -> Path:
    """Make the folder of a new run, ``save_path/ConvNet__YYYY-MM-DD_HH.MM.SS``. Raises CheckpointError."""
    moment = time.time()
    while True:
        folder = save_path / time.strftime("ConvNet__%Y-%m-%d_%H.%M.%S", time.localtime(moment))
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not folder.is_dir():
                raise CheckpointError(f"{save_path}: not a folder, checkpoints cannot go there") from None
            # Another run began within this second: take the next free one.
            moment += 1
        except OSError as error:
            raise CheckpointError(f"{folder}: cannot be made: {error.strerror}") from None


def check_writable(save_path: Path) -> None:
    """Raise CheckpointError if checkpoints could not go there, without making anything."""
    existing = next(path for path in [save_path.absolute(), *save_path.absolute().parents] if path.exists())
    if not existing.is_dir():
        raise CheckpointError(f"--save-path: {existing} is not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise CheckpointError(f"--save-path: no permission to write in {existing}")


@contextlib.contextmanager
def partial(path: Path) -> Iterator[Path]:
    """The path of a temporary file or folder beside ``path``, renamed to it on success and removed on failure."""
    beside = path.with_name(f".{path.name}.partial")
    _remove(beside)
    try:
        yield beside
        for file in [beside, *beside.rglob("*")] if beside.is_dir() else [beside]:
            _sync(file)
        os.replace(beside, path)
    except BaseException:
        _remove(beside)
        raise
    _sync(path.parent)


def _remove(path: Path) -> None:
    """Remove a file or folder of this module's making."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C back until the block is done: raised within a callback of HDF5's it would be lost."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    caught: list[tuple] = []
    signal.signal(signal.SIGINT, lambda *arguments: caught.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if caught:
        handler(*caught[0])


def _order(path: Path) -> tuple[int, int]:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1]), int(match[2])


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a folder in natural order: files, and folders of arrays."""
    named = (path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return sorted((path for path in named if path.is_file() or is_array_folder(path)), key=_order)


def is_array_folder(path: Path) -> bool:
    """Whether it is a checkpoint as a folder of arrays."""
    return (path / arrays.INDEX).is_file()


def remove_oldest(folder: Path, newest: Path, limit: int) -> None:
    """Remove the oldest files until those that are left take ``limit`` bytes at most; the newest stays."""
    older = [path for path in checkpoints_in(folder) if path != newest and path.is_file()]
    older.sort(key=lambda path: (path.stat().st_mtime_ns, _order(path)))
    total = sum(path.stat().st_size for path in [newest, *older])
    for path in older:
        if total <= limit:
            break
        total -= path.stat().st_size
        path.unlink()


def find(path: Path) -> Path:
    """The checkpoint that ``-f`` names: a file, a folder of arrays, or the last one of a folder.

    Raises CheckpointError.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: no such checkpoint file or folder")
    if not path.is_dir() or is_array_folder(path):
        return path
    try:
        there = checkpoints_in(path)
    except PermissionError:
        raise CheckpointError(f"{path}: no permission to read it") from None
    if not there:
        runs = sorted(run.name for run in path.glob("ConvNet__*") if run.is_dir())
        hint = f"; it has runs: give one, such as {path / runs[-1]}" if runs else ""
        raise CheckpointError(f"{path}: this folder has no checkpoints{hint}")
    return there[-1]
