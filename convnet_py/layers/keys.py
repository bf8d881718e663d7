"""Typed reading of one layer's section into its dictionary; what is wrong is noted with its line (spec 2.1, 2.8)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from convnet_py.errors import Problem
from convnet_py.layers.ini import IniFile, InterpolationError, Value, problem_at

#: the default of a parameter that has none.
REQUIRED: Any = object()

#: engines hold integers in C ints.
LARGEST_INT = 2**31 - 1

_INT = re.compile(r"[+-]?[0-9]{1,10}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEANS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}


class NotUnderstood(ValueError):
    """A value that cannot be understood; the message says what was expected."""


class Keys:
    """One section of a layer file, read on behalf of ``layer``.

    Each reading method stores the value under its own name in ``layer``, or notes a problem, sets
    ``failed`` and stores nothing. ``inputs`` is the number of items that a list must have (None: unknown).
    ``ini`` may lack the section: then every parameter takes its default.
    """

    def __init__(
        self,
        ini: IniFile,
        section: str,
        layer: dict,
        problems: list[Problem],
        *,
        warn: Callable[[str], None],
        inputs: int | None = None,
        allow_init_functions: bool = False,
    ):
        self.ini = ini
        self.section = section
        self.layer = layer
        self.warn = warn
        self.inputs = inputs
        self.allow_init_functions = allow_init_functions
        self.failed = False
        self.known: set[str] = set()
        self._problems = problems

    def problem(self, message: str, key: str | None = None, index: int | None = None) -> None:
        """Note a mistake of this layer, or of its input ``index``, at the line of ``key``."""
        value = self.raw(key) if key is not None else None
        line = value.line if value is not None else self.ini.lines.get(self.section)
        name = self.layer["name"] if index is None else f"{self.layer['name']}[{index}]"
        self._problems.append(problem_at(self.ini.path, line, f"Layer '{name}': {message}"))
        self.failed = True

    def bad(self, key: str, expected: str, found: object, index: int | None = None) -> None:
        """Note that parameter ``key`` should be something else than ``found``."""
        self.problem(f"parameter '{key}' must be {expected}, not {found!r}", key, index)

    def raw(self, key: str) -> Value | None:
        """The value of ``key`` as written; None without such a key or section. The key counts as known from now on."""
        self.known.add(key.lower())
        return self.ini.raw(self.section, key.lower()) if self.section in self.ini else None

    def text(self, key: str) -> str | None:
        """The value of ``key``, interpolated; None without one, or where that fails (a problem is noted)."""
        if self.raw(key) is None:
            return None
        try:
            return self.ini.get(self.section, key.lower()).text
        except InterpolationError as error:
            self.problem(f"parameter '{key}': {error}", key)
            return None

    def integer(
        self, key: str, default: Any = REQUIRED, *, minimum: int | None = None, maximum: int | None = None
    ) -> None:
        """A decimal int in minimum..maximum."""
        self._single(key, default, lambda text: _integer(text, minimum, maximum))

    def number(
        self, key: str, default: Any = REQUIRED, *, minimum: float | None = None, maximum: float | None = None
    ) -> None:
        """A finite decimal float in minimum..maximum."""
        self._single(key, default, lambda text: _number(text, minimum, maximum))

    def boolean(self, key: str, default: Any = REQUIRED) -> None:
        """1, yes, true, on or 0, no, false, off."""
        self._single(key, default, _boolean)

    def choice(self, key: str, choices: Sequence[str], default: Any = REQUIRED) -> None:
        """One of a few words."""
        self._single(key, default, lambda text: _choice(text, choices))

    def parsed(self, key: str, parse: Callable[[str], Any], default: Any = REQUIRED) -> None:
        """Whatever ``parse`` makes of the text; it raises NotUnderstood with what was expected."""
        self._single(key, default, parse)

    def integers(self, key: str, default: Any = REQUIRED, *, minimum: int | None = None) -> None:
        """One int per input, separated by commas; ``default`` is that of each input."""
        self._list(key, default, lambda text: _integer(text, minimum, None))

    def numbers(self, key: str, default: Any = REQUIRED) -> None:
        """One float per input."""
        self._list(key, default, lambda text: _number(text, None, None))

    def booleans(self, key: str, default: Any = REQUIRED) -> None:
        """One boolean per input: ``true`` or ``1``, anything else is false (spec 2.1)."""
        self._list(key, default, lambda text: text.lower() in ("true", "1"))

    def strings(self, key: str, default: Any = REQUIRED) -> None:
        """One word per input, which may be empty."""
        self._list(key, default, str)

    def _single(self, key: str, default: Any, parse: Callable[[str], Any]) -> None:
        text = self.text(key)
        if text is None:
            self._absent(key, default)
            return
        try:
            self.layer[key] = parse(text)
        except NotUnderstood as expected:
            self.bad(key, str(expected), text)

    def _list(self, key: str, default: Any, parse: Callable[[str], Any]) -> None:
        text = self.text(key)
        if text is None:
            self._absent(key, default, listed=True)
            return
        items = [item.strip() for item in text.split(",")]
        if self.inputs is not None and len(items) != self.inputs:
            expected = f"has {count(len(items), 'item')} for {count(self.inputs, 'input')}"
            self.problem(f"parameter '{key}' {expected}; it needs one item per input", key)
            return
        values = []
        for index, item in enumerate(items):
            try:
                values.append(parse(item))
            except NotUnderstood as expected:
                self.bad(key, str(expected), item, index)
        if len(values) == len(items):
            self.layer[key] = values

    def _absent(self, key: str, default: Any, listed: bool = False) -> None:
        if self.raw(key) is not None:
            return  # there, but its interpolation failed, which is noted already
        if default is REQUIRED:
            self.problem(f"required parameter '{key}' missing")
        elif not listed:
            self.layer[key] = default
        elif self.inputs is not None:
            self.layer[key] = [default] * self.inputs


def count(number: int, noun: str) -> str:
    """``1 input``, ``2 inputs``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _in_range(kind: str, minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f"{kind} between {minimum} and {maximum}"
    if minimum is not None:
        return f"{kind} of at least {minimum}"
    return kind if maximum is None else f"{kind} of at most {maximum}"


def _within(value: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)


def _integer(text: str, minimum: int | None, maximum: int | None) -> int:
    if not _INT.fullmatch(text):
        raise NotUnderstood(_in_range("an int", minimum, maximum))
    value = int(text)
    if not _within(value, -LARGEST_INT, LARGEST_INT):
        raise NotUnderstood(f"an int between {-LARGEST_INT} and {LARGEST_INT}")
    if not _within(value, minimum, maximum):
        raise NotUnderstood(_in_range("an int", minimum, maximum))
    return value


def _number(text: str, minimum: float | None, maximum: float | None) -> float:
    expected = _in_range("a float", minimum, maximum)
    if not _FLOAT.fullmatch(text):
        raise NotUnderstood(expected)
    value = float(text)
    if not math.isfinite(value):
        raise NotUnderstood("a finite float")
    if not _within(value, minimum, maximum):
        raise NotUnderstood(expected)
    return value


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise NotUnderstood("a bool (1, yes, true, on or 0, no, false, off)")
    return _BOOLEANS[text.lower()]


def _choice(text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise NotUnderstood(f"one of {', '.join(choices)}")
    return text
