"""The syntax of layer files: what Python 2.7's SafeConfigParser reads, value by value and line by line (spec 2.1).

Python 3's parser differs in repeats, inline and indented comments, hence this small reader.
It works on bytes, as Python 2 did, so that only ASCII counts as white space or as upper case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from convnet_py.errors import LayerFileError, Problem, one_line

MAX_INTERPOLATION_DEPTH = 10
#: what ``%(__name__)s`` stands for: the section's own name, kept among its keys by Python 2.
SECTION_NAME_KEY = "__name__"

_SECTION = re.compile(rb"\[([^]]+)\]")
_OPTION = re.compile(rb"([^:=\s][^:=]*?)\s*[:=]\s*(.*)", re.DOTALL)
_REFERENCE = re.compile(r"%\(([^)]+)\)s")


class Value(NamedTuple):
    """The text of a key and the line (from 1) on which the key stands."""

    text: str
    line: int


def problem_at(file: Path, line: int | None, message: str) -> Problem:
    """A Problem whose message is one line, whatever the values in it hold."""
    return Problem(file, line, one_line(message))


class InterpolationError(ValueError):
    """A ``%`` in a value that stands for nothing."""


class IniFile:
    """One layer file: ``sections`` maps section name -> lower-case key -> Value, in file order, without [DEFAULT].

    ``lines`` holds the line of each section's first header.
    """

    def __init__(self, path: Path):
        self.path = path
        self.sections: dict[str, dict[str, Value]] = {}
        self.lines: dict[str, int] = {}
        self.defaults: dict[str, Value] = {}
        self._literal = False

    def __contains__(self, section: str) -> bool:
        return section in self.sections

    def raw(self, section: str, key: str) -> Value | None:
        """The value of a lower-case key as written, from the section or [DEFAULT]; None where neither has the key."""
        return self.sections[section].get(key) or self.defaults.get(key)

    def get(self, section: str, key: str) -> Value | None:
        """The value with ``%(name)s`` and ``%%`` replaced. Raises InterpolationError."""
        value = self.raw(section, key)
        if value is None or self._literal:
            return value
        return Value(self._interpolate(section, value.text, 1), value.line)

    def keys(self, section: str) -> list[str]:
        """The keys of a section: its own, then those it has from [DEFAULT] only."""
        own = self.sections[section]
        both = [*own, *(key for key in self.defaults if key not in own)]
        return [key for key in both if key != SECTION_NAME_KEY]

    def resolved(self) -> IniFile:
        """A copy with everything interpolated and the defaults spread over the sections. Raises LayerFileError."""
        copy = IniFile(self.path)
        copy.lines = dict(self.lines)
        copy._literal = True
        problems = []
        for section in self.sections:
            copy.sections[section] = {SECTION_NAME_KEY: self.sections[section][SECTION_NAME_KEY]}
            for key in self.keys(section):
                try:
                    copy.sections[section][key] = self.get(section, key)
                except InterpolationError as error:
                    line = self.raw(section, key).line
                    problems.append(problem_at(self.path, line, f"Layer '{section}': parameter '{key}': {error}"))
        if problems:
            raise LayerFileError(problems)
        return copy

    def _interpolate(self, section: str, text: str, depth: int) -> str:
        if "%" not in text:
            return text
        if depth > MAX_INTERPOLATION_DEPTH:
            raise InterpolationError(f"'%' references are nested more than {MAX_INTERPOLATION_DEPTH} deep")
        return "".join(self._pieces(section, text, depth))

    def _pieces(self, section: str, text: str, depth: int) -> Iterator[str]:
        position = 0
        while (percent := text.find("%", position)) >= 0:
            yield text[position:percent]
            if text.startswith("%%", percent):
                yield "%"
                position = percent + 2
                continue
            reference = _REFERENCE.match(text, percent)
            if reference is None:
                raise InterpolationError(f"'%' must be followed by '%' or '(name)s', found '{text[percent:]}'")
            yield self._referenced(section, _fold(reference[1]), depth)
            position = reference.end()
        yield text[position:]

    def _referenced(self, section: str, key: str, depth: int) -> str:
        value = self.raw(section, key)
        if value is None:
            raise InterpolationError(f"'%({key})s' refers to a key that neither this section nor [DEFAULT] has")
        return self._interpolate(section, value.text, depth + 1)


def read_ini(path: Path) -> IniFile:
    """Read a layer file. Raises LayerFileError with every line that is not understood, or where there is no file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LayerFileError([problem_at(path, None, f"cannot be read: {error.strerror}")]) from None
    reader = _Reader(path)
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not reader.take(number, line):
            break
    if reader.problems:
        raise LayerFileError(reader.problems)
    return reader.finish()


class _Reader:
    """Takes a file line by line; ``current`` is the section that keys go to, ``key`` what indented lines continue."""

    def __init__(self, path: Path):
        self.ini = IniFile(path)
        self.problems: list[Problem] = []
        self.current: dict[str, tuple[list[bytes], int]] | None = None
        self.key: str | None = None
        self.raw: dict[str, dict[str, tuple[list[bytes], int]]] = {}
        self.raw_defaults: dict[str, tuple[list[bytes], int]] = {}

    def take(self, number: int, line: bytes) -> bool:
        """Take one line; False where the rest of the file would make no sense."""
        if not line.strip() or line[:1] in (b"#", b";") or _is_remark(line):
            return True
        if line[:1].isspace() and self.key is not None:
            self.current[self.key][0].append(line.strip())
        elif header := _SECTION.match(line):
            self._open_section(decode(header[1]), number)
        elif self.current is None:
            self.problems.append(problem_at(self.ini.path, number, _before_any_section(line)))
            return False
        elif option := _OPTION.match(line):
            self.key = decode(option[1].lower())
            self.current[self.key] = ([_value(option[2])], number)
        else:
            shown = decode(line.strip())
            message = f"expected '[section]' or 'key=value', found '{shown}'"
            self.problems.append(problem_at(self.ini.path, number, message))
        return True

    def _open_section(self, name: str, number: int) -> None:
        self.key = None
        if name == "DEFAULT":
            self.current = self.raw_defaults
        else:
            self.current = self.raw.setdefault(name, {SECTION_NAME_KEY: ([name.encode()], number)})
            self.ini.lines.setdefault(name, number)

    def finish(self) -> IniFile:
        self.ini.defaults = _joined(self.raw_defaults)
        self.ini.sections = {name: _joined(keys) for name, keys in self.raw.items()}
        return self.ini


def _joined(keys: dict[str, tuple[list[bytes], int]]) -> dict[str, Value]:
    return {key: Value(decode(b"\n".join(parts)), line) for key, (parts, line) in keys.items()}


def _is_remark(line: bytes) -> bool:
    return line[:1] in (b"r", b"R") and line.split(None, 1)[0].lower() == b"rem"


def _before_any_section(line: bytes) -> str:
    if line.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "starts with a byte-order mark; save it as plain text without one"
    return f"expected a '[section]' first, found '{decode(line.strip())}'"


def _value(text: bytes) -> bytes:
    comment = text.find(b";")
    # Where ';' comes first, Python 2 looks at the last character instead (index -1): part of "exactly".
    if comment >= 0 and text[comment - 1 : comment or None].isspace():
        text = text[:comment]
    text = text.strip()
    return b"" if text == b'""' else text


def _fold(name: str) -> str:
    return name.encode().lower().decode()


def decode(text: bytes) -> str:
    """UTF-8, or Latin-1 where it is not: every byte string of Python 2 has a name here."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
