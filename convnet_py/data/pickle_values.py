"""The few things that a pickle may build beyond plain values: arrays, ordered dictionaries, byte strings, and inert
stand-ins for the historic option classes (spec 5.5). Each is made by a function of this file; no class or function
that a pickle names is ever looked up.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_DTYPE = re.compile(r"[<>=|]?([biufc][0-9]{1,2}|[SU][0-9]{1,9}|[?bBhHiIlLqQefdFD])")
_OPTION_MODULES = ("options", "python_util.options")
#: Arrays have no more elements than this along an axis; it keeps products of lengths small.
_LARGEST_LENGTH = 2**48


class Refused(Exception):
    """A pickle holds what this reader does not build."""


def clipped(text: Any, length: int = 80) -> str:
    """``text`` on one line, printable and not too long."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in str(text)[: length + 1])
    return shown if len(shown) <= length else shown[: length - 3] + "..."


@dataclass(frozen=True)
class OptionsClass:
    """In place of a historic option class that a pickle names, such as ``options.IntegerOptionParser``."""

    module: str
    name: str


@dataclass
class OptionsStandIn:
    """In place of an instance of a historic option class: its attributes, and nothing that runs.

    ``old_style``: it was pickled as Python 2 pickles instances of classes without a base.
    """

    cls: OptionsClass
    attributes: dict[Any, Any] = field(default_factory=dict)
    old_style: bool = True


@dataclass(frozen=True)
class Global:
    """One of the names that a pickle may use, until it is called."""

    module: str
    name: str


class Shell:
    """What a pickle has begun to build and not yet given its state; ``memo`` says where the pickle keeps it."""

    def __init__(self, dtype: np.dtype | None = None):
        self.dtype = dtype
        self.memo: list[int] = []


def find(module: str, name: str) -> Global | OptionsClass:
    """What stands for a global. Raises Refused for all but the few that are known."""
    if module in _OPTION_MODULES and name.isidentifier() and len(name) < 200:
        return OptionsClass(module, name)
    module_of_today = re.sub(r"^numpy\._?core\.", "numpy.", module)
    if (module_of_today, name) not in MAKERS:
        raise Refused(f"the global {clipped(f'{module}.{name}')}")
    return Global(module_of_today, name)


def call(function: Any, arguments: Any, spend: Callable[[int], None]) -> Any:
    """The value of a call in a pickle. Raises Refused where it is none of those that are known."""
    if type(arguments) is not tuple:
        raise Refused("a call with strange arguments")
    if type(function) is OptionsClass:
        return _option_object(function, arguments)
    if type(function) is not Global:
        raise Refused("a call of something that is no function")
    try:
        return MAKERS[function.module, function.name](*arguments, spend=spend)
    except TypeError:
        raise Refused(f"a call of {function.module}.{function.name} with strange arguments") from None


def build(value: Any, state: Any, spend: Callable[[int], None]) -> Any:
    """``value`` with its state: what takes its place, or itself. Raises Refused for a state that it cannot have."""
    if type(value) is Shell:
        return _array_of_state(state, spend) if value.dtype is None else _dtype_of_state(value.dtype, state)
    if type(value) is OptionsStandIn:
        parts = state if type(state) is tuple and len(state) == 2 else (state,)
        if any(part is not None and type(part) is not dict for part in parts):
            raise Refused("an option object with a strange state")
        for part in filter(None, parts):
            spend(100 * len(part))
            value.attributes.update(part)
        return value
    raise Refused("an object with a strange state")


def _option_object(cls: OptionsClass, arguments: tuple, old_style: bool = False) -> OptionsStandIn:
    if arguments:
        raise Refused(f"an object of {cls.module}.{cls.name} that is made from arguments")
    return OptionsStandIn(cls, old_style=old_style)


def old_style_instance(cls: Any, arguments: tuple) -> OptionsStandIn:
    """An instance as Python 2 pickles those of classes without a base. Raises Refused for other classes."""
    if type(cls) is not OptionsClass:
        raise Refused("an object of a class that is not allowed")
    return _option_object(cls, arguments, old_style=True)


# Functions and classes that a pickle may call


def _ordered(items: Any = (), *, spend: Callable[[int], None]) -> OrderedDict:
    if type(items) not in (list, tuple):
        raise Refused("an OrderedDict of something other than a list")
    spend(450 + 200 * len(items))
    ordered: OrderedDict = OrderedDict()
    for item in items:
        if type(item) not in (list, tuple) or len(item) != 2:
            raise Refused("an OrderedDict of something other than pairs")
        ordered[item[0]] = item[1]
    return ordered


def _reconstructed(cls: Any, base: Any, state: Any, *, spend: Callable[[int], None]) -> Any:
    """``copy_reg._reconstructor``, for classes with the base ``object``."""
    if type(cls) is not OptionsClass or type(base) is not Global or base.name != "object":
        raise Refused("an object of a class that is not allowed")
    return _option_object(cls, ())


def _bytes(text: Any = "", encoding: Any = "latin1", *, spend: Callable[[int], None]) -> bytes:
    """``_codecs.encode``, by which Python 3 writes bytes for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused("a use of _codecs.encode other than for bytes")
    spend(len(text))
    return text.encode("latin-1")


def _byte_array(content: Any = b"", encoding: Any = "latin1", *, spend: Callable[[int], None]) -> bytearray:
    if isinstance(content, str):
        content = _bytes(content, encoding, spend=spend)
    if not isinstance(content, bytes):
        raise Refused("a bytearray of something other than bytes")
    spend(len(content))
    return bytearray(content)


def _dtype(code: Any, *flags: Any, spend: Callable[[int], None]) -> Shell:
    """``numpy.dtype``: numbers, booleans and strings of a fixed length only."""
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        raise Refused(f"arrays of type {clipped(repr(code), 40)}")
    return Shell(np.dtype(code))


def _dtype_of_state(dtype: np.dtype, state: Any) -> np.dtype:
    if type(state) is not tuple or len(state) < 5 or state[1] not in ("<", ">", "=", "|"):
        raise Refused("a dtype with a strange state")
    if any(part is not None for part in state[2:5]):
        raise Refused("arrays with fields")
    return dtype.newbyteorder(state[1]) if state[1] in "<>" else dtype


def _array(raw: Any, dtype: Any, shape: Any, order: str, spend: Callable[[int], None]) -> np.ndarray:
    """An array over a copy of ``raw``, after checking that the declared shape is that of the bytes."""
    if isinstance(shape, int):
        shape = (shape,)
    if not isinstance(dtype, np.dtype) or not isinstance(raw, (str, bytes, bytearray)) or type(shape) is not tuple:
        raise Refused("an array with a strange state")
    if any(type(length) is not int or not 0 <= length < _LARGEST_LENGTH for length in shape) or len(shape) > 16:
        raise Refused("an array with a strange shape")
    if math.prod(shape) * dtype.itemsize != len(raw) or not dtype.itemsize:
        raise Refused(f"an array that declares {shape} of {dtype} but holds {len(raw)} bytes")
    spend(200 + len(raw) * (2 if isinstance(raw, str) else 1))
    if isinstance(raw, str):
        raw = raw.encode("latin-1")
    return np.frombuffer(bytearray(raw), dtype).reshape(shape, order=order)


def _begun_array(subtype: Any, shape: Any, code: Any, *, spend: Callable[[int], None]) -> Shell:
    """``numpy.core.multiarray._reconstruct``: what a state then turns into an array."""
    if subtype != Global("numpy", "ndarray"):
        raise Refused("an array of a class other than numpy.ndarray")
    return Shell()


def _array_of_state(state: Any, spend: Callable[[int], None]) -> np.ndarray:
    if type(state) is not tuple or len(state) not in (4, 5):
        raise Refused("an array with a strange state")
    shape, dtype, fortran, raw = state[-4:]
    return _array(raw, dtype, shape, "F" if fortran else "C", spend)


def _scalar(dtype: Any, raw: Any = b"", *, spend: Callable[[int], None]) -> np.generic:
    return _array(raw, dtype, (1,), "C", spend)[0]


def _from_buffer(
    raw: Any, dtype: Any, shape: Any, order: Any, axes: Any = None, *, spend: Callable[[int], None]
) -> np.ndarray:
    """``numpy.core.numeric._frombuffer``, which protocol 5 uses."""
    if axes is not None or order not in ("C", "F"):
        raise Refused("an array with axes in a strange order")
    return _array(raw, dtype, shape, order, spend)


def _only_named(*arguments: Any, spend: Callable[[int], None]) -> Any:
    raise Refused("a call of a class that can only be named")


MAKERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered,
    ("ordereddict", "OrderedDict"): _ordered,
    ("copy_reg", "_reconstructor"): _reconstructed,
    ("copyreg", "_reconstructor"): _reconstructed,
    ("__builtin__", "object"): _only_named,
    ("builtins", "object"): _only_named,
    ("__builtin__", "bytes"): _bytes,
    ("builtins", "bytes"): _bytes,
    ("__builtin__", "bytearray"): _byte_array,
    ("builtins", "bytearray"): _byte_array,
    ("_codecs", "encode"): _bytes,
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): _only_named,
    ("numpy.multiarray", "_reconstruct"): _begun_array,
    ("numpy.multiarray", "scalar"): _scalar,
    ("numpy.numeric", "_frombuffer"): _from_buffer,
}
