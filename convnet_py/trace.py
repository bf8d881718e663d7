"""Traces: what an engine computes for one minibatch and the updates after it, layer by layer, in HDF5 (docs/trace.md).

The names of the arrays are those of ``Engine.trace``, and a few more; spec 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import h5py
import numpy as np

from convnet_py.errors import OneLineError

FORMAT, VERSION = "convnet-trace", 1


class Kind(NamedTuple):
    """A kind of array: its axes, and whether its name ends in the index of an input, after the layer's name."""

    axes: int = 2
    indexed: bool = False


KINDS = {
    "data": Kind(),
    "initial/weights": Kind(indexed=True),
    "initial/biases": Kind(),
    "activations": Kind(),
    "gradients": Kind(),
    "weight_gradients": Kind(indexed=True),
    "bias_gradients": Kind(),
    "costs": Kind(axes=1),
    "updated/weights": Kind(indexed=True),
    "updated/biases": Kind(),
    "trained/weights": Kind(indexed=True),
    "trained/biases": Kind(),
    "trained/costs": Kind(),
}


class TraceError(OneLineError):
    """A trace file that cannot be read or written."""


@dataclass
class Trace:
    """Arrays by name (``KIND/LAYER`` or ``KIND/LAYER/INPUT``), and who computed them."""

    engine: str
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def of_kind(self, kind: str) -> dict[str, np.ndarray]:
        """The arrays of one kind, without it in their names."""
        prefix = kind + "/"
        return {name.removeprefix(prefix): a for name, a in self.arrays.items() if name.startswith(prefix)}


def escaped(name: str) -> str:
    """A layer's name as one component of an HDF5 path: ``%``, ``/``, control characters and a first dot as %XX."""
    return re.sub(r"[%/\x00-\x1f]|^\.", lambda match: f"%{ord(match[0]):02X}", name)


def _path(name: str) -> str:
    kind = next(kind for kind in KINDS if name.startswith(kind + "/"))
    layer = name.removeprefix(kind + "/")
    if not KINDS[kind].indexed:
        return f"{kind}/{escaped(layer)}"
    layer, _, index = layer.rpartition("/")
    return f"{kind}/{escaped(layer)}/{index}"


def write_trace(trace: Trace, path: Path) -> None:
    """Write a trace, replacing the file in one step. Raises TraceError."""
    partial = path.with_name(path.name + ".part")
    try:
        with h5py.File(partial, "w") as file:
            file.attrs.update(format=FORMAT, version=VERSION, engine=trace.engine)
            for name, array in trace.arrays.items():
                file[_path(name)] = array
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise TraceError(f"{path}: the trace cannot be written: {_reason(error)}") from None


def read_trace(path: Path) -> Trace:
    """A trace from a file. Raises TraceError for a file that is none, or is damaged."""
    try:
        with h5py.File(path) as file:
            if file.attrs.get("format") != FORMAT:
                raise TraceError(f"{path}: not a trace: its attribute 'format' is not '{FORMAT}' (docs/trace.md)")
            if file.attrs.get("version") != VERSION:
                raise TraceError(f"{path}: a trace of version {file.attrs.get('version')}, takes {VERSION}")
            trace = Trace(str(file.attrs.get("engine", path.name)))
            for kind in KINDS:
                _read_kind(file, kind, trace.arrays, path)
            return trace
    except FileNotFoundError:
        raise TraceError(f"{path}: no such file") from None
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise TraceError(f"{path}: not a readable HDF5 file: {_reason(error)}") from None


def _read_kind(file: h5py.File, kind: str, arrays: dict[str, np.ndarray], path: Path) -> None:
    for key, item in _members(file.get(kind), kind, path):
        if not KINDS[kind].indexed:
            arrays[f"{kind}/{unquote(key)}"] = _values(item, kind, key, path)
            continue
        for index, matrix in _members(item, f"{kind}/{key}", path):
            arrays[f"{kind}/{unquote(key)}/{index}"] = _values(matrix, kind, f"{key}/{index}", path)


def _members(group: h5py.Group | None, name: str, path: Path) -> list[tuple[str, h5py.Group | h5py.Dataset]]:
    if group is None:
        return []
    if not isinstance(group, h5py.Group):
        raise TraceError(f"{path}: '{name}' must be a group")
    return [(key, group[key]) for key in group]


def _values(item: h5py.Group | h5py.Dataset, kind: str, key: str, path: Path) -> np.ndarray:
    axes = KINDS[kind].axes
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu" or len(item.shape or ()) != axes:
        raise TraceError(f"{path}: '{kind}/{key}' must be an array of numbers with {axes} axes")
    if 0 in item.shape:
        raise TraceError(f"{path}: '{kind}/{key}' is empty")
    return item[()]


def _reason(error: Exception) -> str:
    """The system's words, or the first line of HDF5's."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error.args[0] if error.args else error).splitlines()[0]
