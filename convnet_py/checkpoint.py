"""Checkpoints in HDF5: ``SAVE_PATH/ConvNet__YYYY-MM-DD_HH.MM.SS/EPOCH.BATCH`` (names as in spec 4.3).

A checkpoint holds everything that a resumed run needs to go on bit for bit. It is written to a temporary
file in its folder and renamed, so that a crash leaves the older ones and never half a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from convnet_py.errors import CheckpointError

FORMAT = "convnet_py checkpoint"
VERSION = 1
_NAME = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True)
class Outcome:
    """The costs of a batch, or of a test: cost name -> values summed over ``cases`` (spec 3.7).

    ``trained``: how many batches had been trained by then, which places a test on the training curve.
    """

    costs: dict[str, list[float]]
    cases: int
    trained: int

    def per_case(self) -> dict[str, list[float]]:
        """The values divided by the cases."""
        return {name: [value / self.cases for value in values] for name, values in self.costs.items()}


@dataclass
class Checkpoint:
    """The state of a run after training batch ``batch`` of ``epoch``.

    ``options``: option name -> text, the given ones. ``layers``: layer dictionaries in definition order
    (spec 2.9); read from a file, they lack the ``inputLayers`` references. ``test_batch``: the next one
    to test on. ``*_random``: the providers' ``RandomState.get_state()`` before their next batch, None
    where a run has no such provider. ``engine_state``: ``Engine.state()`` of the engine ``engine``.
    """

    options: dict[str, str]
    layers: dict[str, dict[str, Any]]
    epoch: int = 0
    batch: int = 0
    test_batch: int = 0
    train_outputs: list[Outcome] = field(default_factory=list)
    test_outputs: list[Outcome] = field(default_factory=list)
    train_random: tuple | None = None
    test_random: tuple | None = None
    engine: str = ""
    engine_state: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.epoch}.{self.batch}"


class _Arrays:
    """Moves the arrays out of nested values into one HDF5 group, and back; the rest is JSON."""

    def __init__(self, group: h5py.Group, compress: bool = False):
        self.group = group
        self.compress = compress

    def write(self, path: str, array: np.ndarray) -> None:
        # The checksum makes a flipped bit an error on reading; HDF5 offers it for arrays with elements only.
        filters = {"fletcher32": True} if array.ndim and array.size else {}
        if filters and self.compress:
            filters |= {"compression": "gzip", "shuffle": True}
        self.group.create_dataset(path, data=array, **filters)

    def flatten(self, value: Any, path: str) -> Any:
        if isinstance(value, np.ndarray):
            self.write(path, value)
            fortran = value.flags.f_contiguous and not value.flags.c_contiguous
            return {"$array": path, "order": "F" if fortran else "C"}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                items = [[key, item] for key, item in value.items()]
                return {"$dict": self.flatten(items, path)}
            return {key: self.flatten(item, f"{path}/{_safe(key)}") for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            items = [self.flatten(item, f"{path}/{position}") for position, item in enumerate(value)]
            return items if isinstance(value, list) else {"$tuple": items}
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise CheckpointError(f"a layer dictionary holds a {type(value).__name__} at {path}, which cannot be saved")

    def restore(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.restore(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$array" in value:
            return np.asarray(self.group[value["$array"]][()], order=value["order"])
        if "$tuple" in value:
            return tuple(self.restore(value["$tuple"]))
        if "$dict" in value:
            return {_hashable(key): item for key, item in self.restore(value["$dict"])}
        return {key: self.restore(item) for key, item in value.items()}


def _safe(key: str) -> str:
    """A key as one part of an HDF5 path, which takes no slash and no lone dot."""
    return key.replace("%", "%25").replace("/", "%2F").replace(".", "%2E") or "%"


def _hashable(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


def _without_references(layers: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The layer dictionaries without their references to each other, which ``layers.link`` restores."""
    return [{key: value for key, value in layer.items() if key != "inputLayers"} for layer in layers.values()]


def _write_json(file: h5py.File, name: str, value: Any) -> None:
    file.create_dataset(name, data=np.frombuffer(json.dumps(value).encode(), np.uint8), fletcher32=True)


def _read_json(file: h5py.File, name: str) -> Any:
    return json.loads(file[name][()].tobytes())


def _write_outcomes(file: h5py.File, name: str, outcomes: list[Outcome], arrays: _Arrays) -> None:
    """Outcomes as arrays: runs of the same cost names and lengths share one table of float64."""
    tables = []
    for outcome in outcomes:
        shape = [[cost, len(values)] for cost, values in outcome.costs.items()]
        if not tables or tables[-1][0] != shape:
            tables.append((shape, [], []))
        tables[-1][1].append([value for values in outcome.costs.values() for value in values])
        tables[-1][2].append([outcome.cases, outcome.trained])
    packed = [
        {"costs": shape, "values": np.array(values, np.float64), "counts": np.array(counts, np.int64)}
        for shape, values, counts in tables
    ]
    _write_json(file, name, arrays.flatten(packed, name))


def _read_outcomes(file: h5py.File, name: str, arrays: _Arrays) -> list[Outcome]:
    outcomes = []
    for table in arrays.restore(_read_json(file, name)):
        for values, (cases, trained) in zip(table["values"].tolist(), table["counts"].tolist(), strict=True):
            rest = iter(values)
            costs = {cost: [next(rest) for _ in range(length)] for cost, length in table["costs"]}
            outcomes.append(Outcome(costs, cases, trained))
    return outcomes


def _write_content(file: h5py.File, checkpoint: Checkpoint, compress: bool) -> None:
    file.attrs.update({"format": FORMAT, "version": VERSION, "epoch": checkpoint.epoch, "batch": checkpoint.batch})
    arrays = _Arrays(file.create_group("arrays"), compress)
    _write_json(file, "layers", arrays.flatten(_without_references(checkpoint.layers), "layers"))
    _write_outcomes(file, "train_outputs", checkpoint.train_outputs, arrays)
    _write_outcomes(file, "test_outputs", checkpoint.test_outputs, arrays)
    rest = {
        "options": checkpoint.options,
        "test_batch": checkpoint.test_batch,
        "train_random": checkpoint.train_random,
        "test_random": checkpoint.test_random,
        "engine": checkpoint.engine,
        "engine_state": checkpoint.engine_state,
    }
    _write_json(file, "run", arrays.flatten(rest, "run"))


def _read_content(file: h5py.File, path: Path) -> Checkpoint:
    if file.attrs.get("format") != FORMAT:
        raise CheckpointError(f"{path}: an HDF5 file, but not a checkpoint of this program")
    if int(file.attrs["version"]) > VERSION:
        raise CheckpointError(f"{path}: written by a newer version (format {file.attrs['version']}, known: {VERSION})")
    arrays = _Arrays(file["arrays"])
    layers = arrays.restore(_read_json(file, "layers"))
    return Checkpoint(
        layers={layer["name"]: layer for layer in layers},
        epoch=int(file.attrs["epoch"]),
        batch=int(file.attrs["batch"]),
        train_outputs=_read_outcomes(file, "train_outputs", arrays),
        test_outputs=_read_outcomes(file, "test_outputs", arrays),
        **arrays.restore(_read_json(file, "run")),
    )


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
def _partial_file(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path``, renamed to it on success and removed on failure."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
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


def save(checkpoint: Checkpoint, folder: Path, *, compress: bool = False, limit_mb: float = 0) -> Path:
    """Write a checkpoint into ``folder`` and return its path; then remove the oldest beyond ``limit_mb``.

    Raises CheckpointError where it cannot be written; checkpoints that are there stay whole.
    """
    path = folder / checkpoint.name
    try:
        with _interrupts_wait():
            with _partial_file(path) as partial, h5py.File(partial, "w") as file:
                _write_content(file, checkpoint, compress)
            if limit_mb:
                _remove_oldest(folder, path, int(limit_mb * 2**20))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def _order(path: Path) -> tuple[int, int]:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1]), int(match[2])


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a folder in natural order."""
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file()), key=_order)


def _remove_oldest(folder: Path, newest: Path, limit: int) -> None:
    older = [path for path in checkpoints_in(folder) if path != newest]
    older.sort(key=lambda path: (path.stat().st_mtime_ns, _order(path)))
    total = sum(path.stat().st_size for path in [newest, *older])
    for path in older:
        if total <= limit:
            break
        total -= path.stat().st_size
        path.unlink()


def find(path: Path) -> Path:
    """The checkpoint that ``-f`` names: a file, or the last one of a folder. Raises CheckpointError."""
    if not path.exists():
        raise CheckpointError(f"{path}: no such checkpoint file or folder")
    if not path.is_dir():
        return path
    there = checkpoints_in(path)
    if not there:
        runs = sorted(run.name for run in path.glob("ConvNet__*") if run.is_dir())
        hint = f"; it has runs: give one, such as {path / runs[-1]}" if runs else ""
        raise CheckpointError(f"{path}: this folder has no checkpoints{hint}")
    return there[-1]


def load(path: Path) -> Checkpoint:
    """Read the checkpoint in the file ``path``. Raises CheckpointError, one line, for any other or damaged file."""
    try:
        if not h5py.is_hdf5(path):
            raise CheckpointError(f"{path}: not a checkpoint (no HDF5 file), or cut off at its start")
        with h5py.File(path, "r") as file:
            return _read_content(file, path)
    except PermissionError:
        raise CheckpointError(f"{path}: no permission to read it") from None
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError):
        # What h5py raises for damaged files is not limited to OSError.
        raise CheckpointError(f"{path}: a damaged or truncated checkpoint") from None
