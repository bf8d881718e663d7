"""An independent reader of Python 2 pickles for the tests: pickletools tells the opcodes, and this file what they mean.

It shares no code with the package and builds nothing but lists, dictionaries, tuples, scalars and ``Made``.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Made:
    """A name, or what a call or an opcode made of it. ``how``: global, call, old-style or new-style instance."""

    how: str
    name: str
    arguments: Any = None
    state: Any = None
    memo: list = field(default_factory=list)


_MARK = object()


def read(pickled: bytes) -> tuple[Any, set[str]]:
    """The value of a pickle and the names of the opcodes in it."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    used = set()

    def marked() -> list[Any]:
        start = max(place for place, item in enumerate(stack) if item is _MARK)
        items = stack[start + 1 :]
        del stack[start:]
        return items

    for opcode, argument, _ in pickletools.genops(pickled):
        name = opcode.name
        used.add(name)
        if name == "PROTO":
            assert argument == 2
        elif name == "STOP":
            (value,) = stack
            return value, used
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("NONE", "NEWTRUE", "NEWFALSE"):
            stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
        elif name in ("BININT", "BININT1", "BININT2", "INT", "LONG1", "LONG4", "BINFLOAT", "BINSTRING",
                      "SHORT_BINSTRING", "BINUNICODE"):  # fmt: skip
            stack.append(argument)
        elif name in ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE"):
            stack.append({"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}[name]())
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            stack.append(tuple(marked()))
        elif name in ("APPEND", "SETITEM"):
            item = stack.pop()
            if name == "APPEND":
                stack[-1].append(item)
            else:
                key = stack.pop()
                stack[-1][key] = item
        elif name == "APPENDS":
            items = marked()
            stack[-1].extend(items)
        elif name == "SETITEMS":
            items = marked()
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(Made("global", argument.replace(" ", ".")))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, callee = stack.pop(), stack.pop()
            stack.append(Made("call" if name == "REDUCE" else "new-style", callee.name, arguments))
        elif name == "OBJ":
            callee, *arguments = marked()
            stack.append(Made("old-style", callee.name, tuple(arguments)))
        elif name == "BUILD":
            state = stack.pop()
            stack[-1].state = state
        else:
            raise AssertionError(f"no opcode for a pickle of Python 2: {name}")
    raise AssertionError("no STOP")
