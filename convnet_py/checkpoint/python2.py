"""Writing values as Python 2's pickle does with protocol 2 and NumPy 1.x, for the programs of the time (spec 4.3).

Texts become byte strings (latin-1; others ``unicode``), arrays name ``numpy.core.multiarray``, option objects are
instances of old-style classes. What is the same object is written once.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from convnet_py.data.safe_pickle import OptionsClass, OptionsStandIn
from convnet_py.errors import CheckpointError

_LONGEST_STRING = 2**31 - 1


class Python2Pickler:
    """Writes one value to ``stream``."""

    def __init__(self, stream: BinaryIO):
        self._put = stream.write
        self._memo: dict[int, int] = {}
        # As long as they are alive, no other value gets their id.
        self._alive: list[Any] = []
        self._globals: dict[tuple[str, str], int] = {}
        self._places = 0

    def dump(self, value: Any) -> None:
        """Write ``value``. Raises CheckpointError for what Python 2 could not read, OSError."""
        self._put(b"\x80\x02")
        try:
            self._save(value)
        except RecursionError:
            raise CheckpointError("values nested too deeply for a pickle") from None
        self._put(b".")

    def _save(self, value: Any) -> None:
        if id(value) in self._memo and type(value) in _SHARED:
            self._put(b"j" + struct.pack("<I", self._memo[id(value)]))
            return
        writer = _WRITERS.get(type(value)) or (Python2Pickler._scalar if isinstance(value, np.generic) else None)
        if writer is None:
            raise CheckpointError(f"a {type(value).__name__} cannot be written for Python 2")
        writer(self, value)

    def _next_place(self) -> int:
        self._put(b"r" + struct.pack("<I", self._places))
        self._places += 1
        return self._places - 1

    def _remember(self, value: Any) -> None:
        """Keep what lies on the reader's stack, for the next use of ``value``."""
        self._memo[id(value)] = self._next_place()
        self._alive.append(value)

    def _none(self, value: None) -> None:
        self._put(b"N")

    def _bool(self, value: bool) -> None:
        self._put(b"\x88" if value else b"\x89")

    def _int(self, value: int) -> None:
        if -(2**31) <= value < 2**31:
            self._put(b"J" + struct.pack("<i", value))
        elif -(2**63) <= value < 2**63:
            self._put(b"I%d\n" % value)
        else:
            raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            self._put(b"\x8b" + struct.pack("<i", len(raw)) + raw)

    def _float(self, value: float) -> None:
        self._put(b"G" + struct.pack(">d", value))

    def _text(self, value: str) -> None:
        try:
            self._string(value.encode("latin-1"))
        except UnicodeEncodeError:
            raw = value.encode("utf-8", "surrogatepass")
            self._put(b"X" + struct.pack("<I", len(raw)) + raw)

    def _string(self, raw: bytes) -> None:
        if len(raw) > _LONGEST_STRING:
            raise CheckpointError("an array of 2 GB or more cannot be written for Python 2")
        self._put(b"U" + bytes([len(raw)]) if len(raw) < 256 else b"T" + struct.pack("<i", len(raw)))
        self._put(raw)

    def _list(self, value: list) -> None:
        self._put(b"]")
        self._remember(value)
        if value:
            self._put(b"(")
            for item in value:
                self._save(item)
            self._put(b"e")

    def _tuple(self, value: tuple) -> None:
        if len(value) > 3:
            self._put(b"(")
        for item in value:
            self._save(item)
        self._put((b")", b"\x85", b"\x86", b"\x87")[len(value)] if len(value) <= 3 else b"t")
        self._remember(value)

    def _dict(self, value: dict) -> None:
        self._put(b"}")
        self._remember(value)
        if value:
            self._put(b"(")
            for key, item in value.items():
                self._save(key)
                self._save(item)
            self._put(b"u")

    def _ordered(self, value: OrderedDict) -> None:
        self._global("collections", "OrderedDict")
        self._tuple(([[key, item] for key, item in value.items()],))
        self._put(b"R")
        self._remember(value)

    def _global(self, module: str, name: str) -> None:
        if (module, name) in self._globals:
            self._put(b"j" + struct.pack("<I", self._globals[module, name]))
            return
        self._put(f"c{module}\n{name}\n".encode())
        self._globals[module, name] = self._next_place()

    def _dtype(self, dtype: np.dtype) -> None:
        order, code = dtype.str[0], dtype.str[1:]
        size, alignment = (dtype.itemsize, dtype.alignment) if dtype.kind in "SU" else (-1, -1)
        self._global("numpy", "dtype")
        self._save((code, 0, 1))
        self._put(b"R")
        self._save((3, order, None, None, None, size, alignment, 0))
        self._put(b"b")

    def _array(self, array: np.ndarray) -> None:
        if array.dtype.kind not in "biufcSU":
            raise CheckpointError(f"an array of {array.dtype} cannot be written for Python 2")
        self._global("numpy.core.multiarray", "_reconstruct")
        self._global("numpy", "ndarray")
        self._save((0,))
        self._text("b")
        self._put(b"\x87R")
        self._remember(array)
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        self._put(b"(")
        self._int(1)
        self._save(array.shape)
        self._dtype(array.dtype)
        self._bool(fortran)
        self._string(array.tobytes("F" if fortran else "C"))
        self._put(b"tb")

    def _scalar(self, value: np.generic) -> None:
        self._global("numpy.core.multiarray", "scalar")
        self._dtype(value.dtype)
        self._string(value.tobytes())
        self._put(b"\x86R")

    def _options_class(self, value: OptionsClass) -> None:
        self._global(value.module, value.name)

    def _options(self, value: OptionsStandIn) -> None:
        if value.old_style:
            self._put(b"(")
            self._options_class(value.cls)
            self._put(b"o")
        else:
            self._options_class(value.cls)
            self._put(b")\x81")
        self._remember(value)
        self._save(value.attributes)
        self._put(b"b")


_WRITERS: dict[type, Callable[[Python2Pickler, Any], None]] = {
    type(None): Python2Pickler._none,
    bool: Python2Pickler._bool,
    int: Python2Pickler._int,
    float: Python2Pickler._float,
    str: Python2Pickler._text,
    bytes: Python2Pickler._string,
    bytearray: Python2Pickler._string,
    list: Python2Pickler._list,
    tuple: Python2Pickler._tuple,
    dict: Python2Pickler._dict,
    OrderedDict: Python2Pickler._ordered,
    np.ndarray: Python2Pickler._array,
    np.dtype: Python2Pickler._dtype,
    OptionsClass: Python2Pickler._options_class,
    OptionsStandIn: Python2Pickler._options,
}
#: What may occur more than once as the same object.
_SHARED = {list, tuple, dict, OrderedDict, np.ndarray, OptionsStandIn}
