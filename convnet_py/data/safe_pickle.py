"""Reading pickles from anywhere without running anything in them (spec 5.5).

An unpickler that builds plain values, NumPy arrays and inert stand-ins for the historic option classes,
and refuses every other global by name. Plain, gzipped and zipped files; Python 2 and Python 3 pickles.

Every class that a pickle can reach here defines ``__setstate__``. So the BUILD opcode, applied to a class
instead of an instance, ends in a failed call and can never set an attribute of a class.
"""

from __future__ import annotations

import gzip
import io
import math
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from convnet_py.errors import DataError

#: What a zipped or gzipped pickle may expand to, in bytes.
EXPANSION_LIMIT = 8 * 2**30

_DTYPE = re.compile(r"[<>=|]?([biuf][0-9]+|[SU][0-9]+|[?bBhHiIlLqQefd])")


class Refused(Exception):
    """A pickle holds what this reader does not build."""


class OptionsStandIn:
    """In place of an instance of a historic option class: its attributes, and nothing that runs."""

    def __init__(self, *arguments: Any):
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        if type(state) is tuple and len(state) == 2:
            state = {**(state[0] or {}), **(state[1] or {})}
        if type(state) is not dict or type(self) is not OptionsStandIn:
            raise Refused("an option object with a strange state")
        self.__dict__.update({key: value for key, value in state.items() if isinstance(key, str)})


class _Sealed:
    """Base of the classes below: nothing but what they choose to accept becomes state."""

    def __setstate__(self, state: Any) -> None:
        raise Refused("an object with a strange state")


class _ObjectMarker(_Sealed):
    """In place of ``object``, which pickles of new-style instances name."""


class _OptionClass(_Sealed):
    """In place of a historic option class: making an instance makes a stand-in."""

    def __new__(cls, *arguments: Any) -> Any:
        return OptionsStandIn(*arguments)


class _Reconstructor(_Sealed):
    """In place of ``copy_reg._reconstructor``."""

    def __new__(cls, target: Any, base: Any = None, state: Any = None) -> Any:
        if target is OrderedDict:
            return OrderedDict()
        if target is _OptionClass:
            return OptionsStandIn()
        raise Refused("an object of a class that is not allowed")


class _Bytes(_Sealed):
    """In place of ``_codecs.encode``, by which Python 3 writes bytes for Python 2."""

    def __new__(cls, text: Any = "", encoding: Any = "latin1") -> Any:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise Refused("a use of _codecs.encode other than for bytes")
        return text.encode("latin-1")


class _ByteArray(_Sealed):
    """In place of ``bytearray``."""

    def __new__(cls, content: Any = b"", *encoding: Any) -> Any:
        if isinstance(content, str) and encoding:
            content = content.encode("latin-1")
        if not isinstance(content, bytes):
            raise Refused("a bytearray of something other than bytes")
        return bytearray(content)


class _Dtype(_Sealed):
    """In place of ``numpy.dtype``: numbers, booleans and fixed-length strings only."""

    def __init__(self, code: Any, *flags: Any):
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise Refused(f"arrays of type {code!r:.40}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 5 or state[1] not in ("<", ">", "=", "|"):
            raise Refused("a dtype with a strange state")
        if any(part is not None for part in state[2:5]):
            raise Refused("arrays with fields")
        if state[1] in "<>":
            self.dtype = self.dtype.newbyteorder(state[1])


def _array(raw: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    """An array over a copy of ``raw``, after checking that the declared shape is that of the bytes."""
    if isinstance(raw, str):
        raw = raw.encode("latin-1")
    if isinstance(shape, int):
        shape = (shape,)
    if not isinstance(dtype, _Dtype) or not isinstance(raw, (bytes, bytearray)) or type(shape) is not tuple:
        raise Refused("an array with a strange state")
    if any(type(length) is not int or length < 0 for length in shape) or len(shape) > 16:
        raise Refused("an array with a strange shape")
    if math.prod(shape) * dtype.dtype.itemsize != len(raw):
        raise Refused(f"an array that declares {shape} of {dtype.dtype} but holds {len(raw)} bytes")
    return np.frombuffer(bytearray(raw), dtype.dtype).reshape(shape, order=order)


class _ArrayType(_Sealed):
    """In place of ``numpy.ndarray``, which pickles only name."""


class _ArrayShell(_Sealed):
    """In place of ``numpy.core.multiarray._reconstruct``: what the BUILD opcode turns into an array."""

    def __init__(self, subtype: Any, shape: Any = (0,), code: Any = "b"):
        if subtype is not _ArrayType:
            raise Refused("an array of a class other than numpy.ndarray")
        self.array = np.zeros(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) != 5:
            raise Refused("an array with a strange state")
        _, shape, dtype, fortran, raw = state
        self.array = _array(raw, dtype, shape, "F" if fortran else "C")


class _Scalar(_Sealed):
    """In place of ``numpy.core.multiarray.scalar``."""

    def __new__(cls, dtype: Any, raw: Any = None) -> Any:
        return _array(raw, dtype, (1,), "C")[0]


class _FromBuffer(_Sealed):
    """In place of ``numpy.core.numeric._frombuffer``, which protocol 5 uses."""

    def __new__(cls, raw: Any, dtype: Any, shape: Any, order: Any) -> Any:
        return _array(raw, dtype, shape, "F" if order == "F" else "C")


_GLOBALS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("ordereddict", "OrderedDict"): OrderedDict,
    ("copy_reg", "_reconstructor"): _Reconstructor,
    ("copyreg", "_reconstructor"): _Reconstructor,
    ("__builtin__", "object"): _ObjectMarker,
    ("builtins", "object"): _ObjectMarker,
    ("__builtin__", "bytes"): _Bytes,
    ("builtins", "bytes"): _Bytes,
    ("__builtin__", "bytearray"): _ByteArray,
    ("builtins", "bytearray"): _ByteArray,
    ("_codecs", "encode"): _Bytes,
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _ArrayType,
    ("numpy.multiarray", "_reconstruct"): _ArrayShell,
    ("numpy.multiarray", "scalar"): _Scalar,
    ("numpy.numeric", "_frombuffer"): _FromBuffer,
}


class _SafeUnpickler(pickle.Unpickler):
    """Finds only the globals above, under NumPy's old and new module names."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("options", "python_util.options") and name.isidentifier():
            return _OptionClass
        known = _GLOBALS.get((re.sub(r"^numpy\._?core\.", "numpy.", module), name))
        if known is None:
            raise Refused(f"the global {module}.{name}")
        return known


def _plain(value: Any) -> Any:
    """``value`` with arrays in place of their shells. Keeps shared and circular references."""
    done: dict[int, Any] = {}

    def walk(item: Any) -> Any:
        kind = type(item)
        if kind is _ArrayShell:
            return item.array
        if kind is _Dtype:
            return item.dtype
        if kind not in (dict, list, tuple, OrderedDict, OptionsStandIn):
            return item
        if id(item) in done:
            return done[id(item)]
        done[id(item)] = item
        if kind is tuple:
            done[id(item)] = item = tuple(map(walk, item))
        elif kind is list:
            item[:] = map(walk, item)
        else:
            mapping = item.__dict__ if kind is OptionsStandIn else item
            for key in list(mapping):
                mapping[key] = walk(mapping[key])
        return item

    return walk(value)


def _check_opcodes(pickled: bytes) -> None:
    """Refuse memo positions that no file of this length needs: the C unpickler would allocate up to them."""
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= argument <= max(255, len(pickled)):
            raise Refused("a memo position beyond the size of the file")


def loads(pickled: bytes) -> Any:
    """The value of a pickle: plain values, arrays, ``OptionsStandIn``. Python 2 strings decode as latin-1.

    Raises Refused for what is not allowed, and the errors of ``pickle`` for what is no pickle.
    """
    _check_opcodes(pickled)
    return _plain(_SafeUnpickler(io.BytesIO(pickled), encoding="latin1").load())


def _read_limited(stream: BinaryIO, limit: int) -> bytes:
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise Refused(f"more than {limit} bytes when unpacked")
    return content


def read_unpacked(path: Path, limit: int = EXPANSION_LIMIT) -> bytes:
    """The content of a plain, gzipped or zipped file (its member ``data``, or its only member).

    Raises Refused where it would expand beyond ``limit`` bytes.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(file) as stream:
                return _read_limited(stream, limit)
        if magic == b"PK\x03\x04":
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
                if "data" not in names and len(names) != 1:
                    raise Refused("a zip without a member 'data'")
                with archive.open("data" if "data" in names else names[0]) as stream:
                    return _read_limited(stream, limit)
        return file.read()


def load(path: Path) -> Any:
    """The value of the pickle in the file ``path`` (plain, gzip or zip). Raises DataError, one line with the file."""
    try:
        return loads(read_unpacked(path))
    except Refused as refusal:
        raise DataError(f"{path}: refused, because the file holds {refusal}") from None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: a folder where a file is needed") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception:
        # A damaged pickle, zip or gzip can make its reader raise nearly anything.
        raise DataError(f"{path}: not a pickle, or a damaged one") from None
