"""The errors that users see: one line each, naming what, where and what would be right.

Everything below ``ConvnetError`` is caught at the command line and printed
without a traceback; its ``exit_status`` becomes the status of the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


def one_line(message: str) -> str:
    """The message with line breaks and the like, which values may hold, shown as escapes."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in message)


class ConvnetError(Exception):
    """Anything that is wrong with what the user gave, not with this program."""

    exit_status = 1


class UsageError(ConvnetError):
    """A command line that cannot be understood: an unknown option, a missing or malformed value."""

    exit_status = 2


class OneLineError(ConvnetError):
    """A message that is one line, whatever the names and values of users' files in it hold."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


class DataError(OneLineError):
    """A data folder, batch or matrix that cannot be used."""


class CheckpointError(OneLineError):
    """A checkpoint that cannot be read or written."""


class EngineError(OneLineError):
    """An engine that refuses a net or fails while computing."""


@dataclass(frozen=True)
class Problem:
    """One mistake in a layer file: ``file:line: message`` (line None where no single line is to blame)."""

    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line is not None else f"{self.file}"
        return f"{where}: {self.message}"


class LayerFileError(ConvnetError):
    """Every independent mistake of a definition and parameter file, one line each (spec 2.1)."""

    def __init__(self, problems: list[Problem]):
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems
