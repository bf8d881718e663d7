"""Nested values as JSON with the arrays taken out, and back: what the HDF5 file and the folder of arrays share.

What JSON has no word for is a mapping with a single marked key, such as ``{"$tuple": [...]}``.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from convnet_py.checkpoint.state import LayerReference
from convnet_py.data.safe_pickle import OptionsClass, OptionsStandIn
from convnet_py.errors import CheckpointError

#: Values that refer to each other many times over would take up any disk once they are written out.
MOST_VALUES = 20_000_000


class ArrayStore(Protocol):
    """Where arrays are kept, by paths of parts separated by slashes."""

    def write(self, path: str, array: np.ndarray) -> None:
        """Keep an array of numbers or booleans."""

    def read(self, path: str) -> np.ndarray:
        """The array as it was written; its order may have become C."""


class TreeWriter:
    """Turns values into JSON; an array that occurs twice is written once."""

    def __init__(self, store: ArrayStore):
        self._store = store
        self._written: dict[int, dict[str, Any]] = {}
        # As long as they are alive, no other array gets their id.
        self._alive: list[np.ndarray] = []
        self._count = 0

    def json(self, value: Any, path: str) -> Any:
        """``value`` as JSON; its arrays go to paths below ``path``. Raises CheckpointError for what cannot be kept."""
        try:
            return self._json(value, path)
        except RecursionError:
            raise CheckpointError(f"{path}: values nested too deeply, or within themselves, cannot be saved") from None

    def _json(self, value: Any, path: str) -> Any:
        self._count += 1
        if self._count > MOST_VALUES:
            raise CheckpointError(f"more than {MOST_VALUES} values cannot be saved")
        if value is None or type(value) in (bool, int, float, str):
            return value
        writer = _WRITERS.get(type(value)) or next((_WRITERS[kind] for kind in _BASES if isinstance(value, kind)), None)
        if writer is None:
            raise CheckpointError(f"a layer dictionary holds a {type(value).__name__} at {path}, which cannot be saved")
        return writer(self, value, path)

    def _array(self, array: np.ndarray, path: str) -> dict[str, Any]:
        if id(array) not in self._written:
            self._written[id(array)] = self._write_array(array, path)
            self._alive.append(array)
        return self._written[id(array)]

    def _write_array(self, array: np.ndarray, path: str) -> dict[str, Any]:
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        described = {"$array": path, "order": "F" if fortran else "C"}
        if array.dtype.kind in "biuf":
            self._store.write(path, array)
            return described
        if array.dtype.kind not in "cSU":
            raise CheckpointError(f"an array of {array.dtype} at {path}, which cannot be saved")
        self._store.write(path, np.frombuffer(array.tobytes(), np.uint8))
        return {**described, "dtype": array.dtype.str, "shape": list(array.shape)}

    def _scalar(self, value: np.generic, path: str) -> dict[str, Any]:
        return {"$scalar": value.dtype.str, "bytes": value.tobytes().hex()}

    def _items(self, items: Any, path: str) -> list[Any]:
        return [self._json(item, f"{path}/{position}") for position, item in enumerate(items)]

    def _list(self, value: list, path: str) -> list[Any]:
        return self._items(value, path)

    def _tuple(self, value: tuple, path: str) -> dict[str, Any]:
        return {"$tuple": self._items(value, path)}

    def _dict(self, value: dict, path: str) -> dict[str, Any]:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self._json(item, f"{path}/{safe_part(key)}") for key, item in value.items()}
        return {"$dict": self._pairs(value, path)}

    def _ordered(self, value: OrderedDict, path: str) -> dict[str, Any]:
        return {"$ordered": self._pairs(value, path)}

    def _pairs(self, value: dict, path: str) -> list[Any]:
        return self._items([[key, item] for key, item in value.items()], path)

    def _bytes(self, value: bytes, path: str) -> dict[str, Any]:
        return {"$bytes": value.hex()}

    def _reference(self, value: LayerReference, path: str) -> dict[str, Any]:
        return {"$layer": value.name}

    def _options_class(self, value: OptionsClass, path: str) -> dict[str, Any]:
        return {"$class": [value.module, value.name]}

    def _options(self, value: OptionsStandIn, path: str) -> dict[str, Any]:
        attributes = self._dict(value.attributes, path)
        return {"$object": [value.cls.module, value.cls.name], "old_style": value.old_style, "attributes": attributes}


_WRITERS: dict[type, Callable[[TreeWriter, Any, str], Any]] = {
    np.ndarray: TreeWriter._array,
    np.generic: TreeWriter._scalar,
    list: TreeWriter._list,
    tuple: TreeWriter._tuple,
    OrderedDict: TreeWriter._ordered,
    dict: TreeWriter._dict,
    bytes: TreeWriter._bytes,
    bytearray: TreeWriter._bytes,
    LayerReference: TreeWriter._reference,
    OptionsClass: TreeWriter._options_class,
    OptionsStandIn: TreeWriter._options,
}
_BASES = (np.ndarray, np.generic, list, tuple, OrderedDict, dict)


def safe_part(key: str) -> str:
    """A key as one part of a path: letters, digits, ``_`` and ``-`` as they are."""
    kept = "".join(letter if re.fullmatch("[A-Za-z0-9_-]", letter) else _escaped(letter) for letter in key)
    return kept or "%"


def _escaped(letter: str) -> str:
    return "%" + letter.encode("utf-8", "surrogatepass").hex("_").upper()


class TreeReader:
    """Turns JSON into values; an array that was written once is one array again."""

    def __init__(self, store: ArrayStore):
        self._store = store
        self._arrays: dict[str, np.ndarray] = {}

    def value(self, tree: Any) -> Any:
        """The value of which ``tree`` is the JSON. Raises LookupError, ValueError or TypeError for other JSON."""
        if isinstance(tree, list):
            return [self.value(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        marked = next((key for key in tree if key.startswith("$")), None)
        if marked is None:
            return {key: self.value(item) for key, item in tree.items()}
        return _READERS[marked](self, tree[marked], tree)

    def _array(self, path: str, tree: dict[str, Any]) -> np.ndarray:
        if path not in self._arrays:
            array = self._store.read(path)
            if "dtype" in tree:
                array = np.frombuffer(array.tobytes(), np.dtype(tree["dtype"])).reshape(tree["shape"])
            self._arrays[path] = np.array(array, order=tree["order"])
        return self._arrays[path]

    def _scalar(self, dtype: str, tree: dict[str, Any]) -> np.generic:
        return np.frombuffer(bytes.fromhex(tree["bytes"]), np.dtype(dtype))[0]

    def _pairs(self, pairs: list[Any]) -> dict[Any, Any]:
        return {_hashable(self.value(key)): self.value(item) for key, item in pairs}

    def _options(self, cls: list[str], tree: dict[str, Any]) -> OptionsStandIn:
        return OptionsStandIn(OptionsClass(*cls), self.value(tree["attributes"]), tree["old_style"])


_READERS: dict[str, Callable[[TreeReader, Any, dict[str, Any]], Any]] = {
    "$array": TreeReader._array,
    "$scalar": TreeReader._scalar,
    "$tuple": lambda reader, items, _: tuple(reader.value(items)),
    "$dict": lambda reader, pairs, _: reader._pairs(pairs),
    "$ordered": lambda reader, pairs, _: OrderedDict(reader._pairs(pairs)),
    "$bytes": lambda reader, text, _: bytes.fromhex(text),
    "$layer": lambda reader, name, _: LayerReference(name),
    "$class": lambda reader, cls, _: OptionsClass(*cls),
    "$object": TreeReader._options,
}


def _hashable(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key
