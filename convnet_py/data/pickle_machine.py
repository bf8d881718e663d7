"""The machine that runs the opcodes of a pickle, protocols 0 to 5, within limits (spec 5.5).

Python's own unpickler calls whatever a pickle names and sets whatever attributes it is told to; this one has no way to
do either. It moves plain values, and asks ``pickle_values`` for the few others. It counts the memory that the values
take and how deeply they nest, so that a small file cannot fill a large machine.
"""

from __future__ import annotations

import codecs
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convnet_py.data.pickle_values import (
    Global,
    OptionsStandIn,
    Refused,
    Shell,
    build,
    call,
    find,
    old_style_instance,
)


@dataclass(frozen=True)
class Bounds:
    """What the values of one pickle may take. ``memory`` in bytes, roughly; ``depth``: values within values."""

    memory: int
    depth: int


class Damaged(Exception):
    """Bytes that are no pickle, or not a whole one."""


#: Roughly the bytes that objects take, with their place in a container.
_OBJECT, _DICT, _LIST, _ITEM, _PAIR, _STAND_IN = 40, 240, 90, 10, 100, 400

_SCALARS = frozenset({str, bytes, int, float, bool, type(None)})
_CONTAINERS = frozenset({list, dict, tuple, OrderedDict, OptionsStandIn})
_DIGITS = 1000
_U32 = 2**32 - 1

#: What an opcode does to the machine.
Opcode = Callable[["Machine"], None]


class Machine:
    """One pickle while it is read. ``run`` returns its value."""

    def __init__(self, pickled: bytes, bounds: Bounds):
        self._bytes = pickled
        self._bounds = bounds
        self._left = bounds.memory
        self._at = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._depths: dict[int, int] = {}

    def run(self) -> Any:
        """The value. Raises Refused for what is not allowed, Damaged for what is no pickle."""
        try:
            while True:
                code = self._bytes[self._at]
                self._at += 1
                if code == _STOP:
                    return self._result()
                _OPCODES[code](self)
        except (IndexError, KeyError, ValueError, TypeError, OverflowError, struct.error, EOFError):
            raise Damaged from None

    def _result(self) -> Any:
        value = self._pop()
        if self._stack or self._marks:
            raise Damaged
        if type(value) in (Global, Shell):
            raise Refused("nothing but the name of a class")
        return value

    # Bounds

    def spend(self, size: int) -> None:
        """Count ``size`` bytes of memory. Raises Refused beyond the bound."""
        self._left -= size
        if self._left < 0:
            raise Refused(f"values that take more than {self._bounds.memory >> 20} MB of memory")

    def _hold(self, container: Any, items: Any, in_tuple: bool = False) -> None:
        """Note what a container holds: it is then one deeper than the deepest. Raises Refused for what is unfinished.

        Names of classes are arguments of calls, and these are tuples.
        """
        deepest = 0
        for item in items:
            kind = type(item)
            if kind in _SCALARS:
                continue
            if kind in _CONTAINERS:
                deepest = max(deepest, self._depths.get(id(item), 0))
            elif kind is Shell or (kind is Global and not in_tuple):
                raise Refused("an object without its state")
        depth = max(self._depths.get(id(container), 1), deepest + 1)
        if depth > self._bounds.depth:
            raise Refused(f"values nested more than {self._bounds.depth} deep")
        self._depths[id(container)] = depth

    # Bytes

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._bytes):
            raise Damaged
        taken = self._bytes[self._at : end]
        self._at = end
        return taken

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> bytes:
        end = self._bytes.index(b"\n", self._at)
        line = self._bytes[self._at : end]
        self._at = end + 1
        return line

    def _sized(self, form: str) -> bytes:
        size = self._number(form)
        if size < 0 or size > len(self._bytes) - self._at:
            raise Damaged
        self.spend(size)
        return self._take(size)

    # Stack

    def _push(self, value: Any, size: int = _OBJECT) -> None:
        self.spend(size)
        self._stack.append(value)

    def _push_container(self, value: Any, size: int) -> None:
        self._push(value, size)
        self._depths[id(value)] = 1

    def _pop(self) -> Any:
        if self._marks and self._marks[-1] == len(self._stack):
            raise Damaged
        return self._stack.pop()

    def _pop_marked(self) -> list[Any]:
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    # Opcodes: scalars

    def _int_line(self) -> None:
        line = self._line()
        self._push({b"00": False, b"01": True}[line] if line in (b"00", b"01") else _decimal(line))

    def _long_line(self) -> None:
        self._push(_decimal(self._line().removesuffix(b"L")))

    def _float_line(self) -> None:
        self._push(float(self._line()))

    def _string_line(self) -> None:
        line = self._line().strip()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise Damaged
        self._push(codecs.escape_decode(line[1:-1])[0].decode("latin-1"), _OBJECT + 2 * len(line))

    def _unicode_line(self) -> None:
        line = self._line()
        self._push(str(line, "raw-unicode-escape"), _OBJECT + 4 * len(line))

    # Opcodes: containers

    def _push_tuple(self, items: list[Any]) -> None:
        value = tuple(items)
        self._push_container(value, _OBJECT + _ITEM * len(items))
        self._hold(value, value, in_tuple=True)

    def _marked_tuple(self) -> None:
        self._push_tuple(self._pop_marked())

    def _empty_list(self) -> None:
        self._push_container([], _LIST)

    def _empty_dict(self) -> None:
        self._push_container({}, _DICT)

    def _marked_list(self) -> None:
        items = self._pop_marked()
        self._empty_list()
        self._extend(items)

    def _marked_dict(self) -> None:
        items = self._pop_marked()
        self._empty_dict()
        self._update(items)

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise Damaged
        self.spend(_ITEM * len(items))
        self._hold(target, items)
        target.extend(items)

    def _update(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) not in (dict, OrderedDict) or len(items) % 2:
            raise Damaged
        self.spend(_PAIR * len(items) // 2)
        self._hold(target, items)
        target.update(zip(items[::2], items[1::2], strict=True))

    def _append(self) -> None:
        self._extend([self._pop()])

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._update([key, value])

    def _appends(self) -> None:
        self._extend(self._pop_marked())

    def _set_items(self) -> None:
        self._update(self._pop_marked())

    # Opcodes: stack and memo

    def _mark(self) -> None:
        self.spend(_ITEM)
        self._marks.append(len(self._stack))

    def _pop_one(self) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._stack.pop()

    def _duplicate(self) -> None:
        self._push(self._stack[-1], _ITEM)

    def _keep(self, place: int) -> None:
        if not 0 <= place <= _U32:
            raise Damaged
        self.spend(_PAIR)
        self._memo[place] = self._stack[-1]
        if type(self._stack[-1]) is Shell:
            self._stack[-1].memo.append(place)

    def _put_line(self) -> None:
        self._keep(_decimal(self._line()))

    def _memoize(self) -> None:
        self._keep(len(self._memo))

    def _get_line(self) -> None:
        self._push(self._memo[_decimal(self._line())], _ITEM)

    # Opcodes: names, calls, states

    def _global_line(self) -> None:
        module, name = self._line(), self._line()
        self._push(find(module.decode(), name.decode()))

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            raise Damaged
        self._push(find(module, name))

    def _push_made(self, value: Any) -> None:
        self._push(value, _STAND_IN)
        if type(value) in _CONTAINERS:
            self._depths[id(value)] = 1
        if type(value) is OrderedDict:
            self._hold(value, (item for pair in value.items() for item in pair))

    def _reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        self._push_made(call(function, arguments, self.spend))

    def _new_object_with_keywords(self) -> None:
        keywords, arguments, cls = self._pop(), self._pop(), self._pop()
        if keywords:
            raise Refused("an object that is made from keywords")
        self._push_made(call(cls, arguments, self.spend))

    def _marked_object(self) -> None:
        cls, *arguments = self._pop_marked()
        self._push_made(old_style_instance(cls, tuple(arguments)))

    def _instance_lines(self) -> None:
        module, name = self._line(), self._line()
        cls = find(module.decode(), name.decode())
        self._push_made(old_style_instance(cls, tuple(self._pop_marked())))

    def _build(self) -> None:
        state = self._pop()
        begun = self._stack[-1]
        if type(begun) is OptionsStandIn:
            self._hold(begun, (state,), in_tuple=True)
        built = build(begun, state, self.spend)
        self._stack[-1] = built
        for place in begun.memo if type(begun) is Shell else ():
            if self._memo[place] is begun:
                self._memo[place] = built

    # Opcodes: others

    def _protocol(self) -> None:
        if self._number("B") > 5:
            raise Refused("a pickle of a protocol later than 5")

    def _frame(self) -> None:
        if self._number("<Q") > len(self._bytes) - self._at:
            raise Damaged


def _decimal(text: bytes) -> int:
    """A decimal integer; long ones would take long, as the time goes by the square of the digits."""
    if len(text) > _DIGITS:
        raise Refused(f"an integer of more than {_DIGITS} digits")
    return int(text)


# The opcodes that differ in their arguments only


def _constant(value: Any) -> Opcode:
    return lambda machine: machine._push(value)


def _number(form: str) -> Opcode:
    return lambda machine: machine._push(machine._number(form))


def _long(form: str) -> Opcode:
    return lambda machine: machine._push(int.from_bytes(machine._sized(form), "little", signed=True))


def _text(form: str, encoding: str) -> Opcode:
    errors = "surrogatepass" if encoding == "utf-8" else "strict"

    def push(machine: Machine) -> None:
        text = machine._sized(form).decode(encoding, errors)
        machine._push(text, sys.getsizeof(text))

    return push


def _raw(form: str, kind: type) -> Opcode:
    return lambda machine: machine._push(kind(machine._sized(form)))


def _tuple(count: int) -> Opcode:
    return lambda machine: machine._push_tuple([machine._pop() for _ in range(count)][::-1])


def _put(form: str) -> Opcode:
    return lambda machine: machine._keep(machine._number(form))


def _get(form: str) -> Opcode:
    return lambda machine: machine._push(machine._memo[machine._number(form)], _ITEM)


def _refuse(what: str) -> Opcode:
    def refuse(machine: Machine) -> None:
        raise Refused(what)

    return refuse


_BY_BYTE: dict[bytes, Opcode] = {
    b"N": _constant(None), b"\x88": _constant(True), b"\x89": _constant(False),
    b"I": Machine._int_line, b"L": Machine._long_line, b"F": Machine._float_line,
    b"J": _number("<i"), b"K": _number("B"), b"M": _number("<H"), b"G": _number(">d"),
    b"\x8a": _long("B"), b"\x8b": _long("<i"),
    b"S": Machine._string_line, b"T": _text("<i", "latin-1"), b"U": _text("B", "latin-1"),
    b"V": Machine._unicode_line, b"X": _text("<I", "utf-8"),
    b"\x8c": _text("B", "utf-8"), b"\x8d": _text("<Q", "utf-8"),
    b"B": _raw("<I", bytes), b"C": _raw("B", bytes), b"\x8e": _raw("<Q", bytes), b"\x96": _raw("<Q", bytearray),
    b")": _tuple(0), b"\x85": _tuple(1), b"\x86": _tuple(2), b"\x87": _tuple(3), b"t": Machine._marked_tuple,
    b"]": Machine._empty_list, b"l": Machine._marked_list, b"a": Machine._append, b"e": Machine._appends,
    b"}": Machine._empty_dict, b"d": Machine._marked_dict, b"s": Machine._set_item, b"u": Machine._set_items,
    b"(": Machine._mark, b"0": Machine._pop_one, b"1": Machine._pop_marked, b"2": Machine._duplicate,
    b"p": Machine._put_line, b"q": _put("B"), b"r": _put("<I"), b"\x94": Machine._memoize,
    b"g": Machine._get_line, b"h": _get("B"), b"j": _get("<I"),
    b"c": Machine._global_line, b"\x93": Machine._stack_global, b"R": Machine._reduce, b"\x81": Machine._reduce,
    b"\x92": Machine._new_object_with_keywords, b"o": Machine._marked_object, b"i": Machine._instance_lines,
    b"b": Machine._build,
    b"\x80": Machine._protocol, b"\x95": Machine._frame,
    b"P": _refuse("a persistent id"), b"Q": _refuse("a persistent id"),
    b"\x82": _refuse("an extension code"), b"\x83": _refuse("an extension code"),
    b"\x84": _refuse("an extension code"), b"\x97": _refuse("a buffer outside the file"),
    b"\x98": _refuse("a buffer outside the file"), b"\x8f": _refuse("a set"), b"\x90": _refuse("a set"),
    b"\x91": _refuse("a set"),
}  # fmt: skip

_STOP = ord(".")
_OPCODES = {code[0]: run for code, run in _BY_BYTE.items()}
