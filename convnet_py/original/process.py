"""The driver's side of the process that the historic sources run in (spec 6.7).

They may end it, crash, fail an assertion or wait for ever: each becomes an EngineError that names the call, and quotes
what they printed last.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from convnet_py.errors import EngineError
from convnet_py.original.shared_memory import SharedMemories
from convnet_py.original.worker import Settings

#: Seconds that a call may go on while its process uses no processor time: longer, and it waits for ever.
PATIENCE = 120.0

#: How much printed text is kept between two calls.
_MOST_TEXT = 4 << 20

#: How much of what the last two calls printed is looked at for an error's message.
_MOST_QUOTED = 1 << 12


class SourcesEnded(EngineError):
    """The process of the sources has ended. ``status``: what they gave exit(), or None; ``text``: what they printed."""

    def __init__(self, message: str, status: int | None, text: str):
        super().__init__(message)
        self.status = status
        self.text = text


class SourcesProcess:
    """A process with the ``extension`` loaded. Raises EngineError where it cannot be.

    ``rename`` is applied to what the sources print, ``patience`` is PATIENCE but in tests.
    """

    def __init__(
        self, extension: Path, settings: Settings, rename: Callable[[str], str] = str, patience: float = PATIENCE
    ):
        self._rename = rename
        self._patience = patience
        self._text = b""
        self._recent = [b"", b""]
        self._ended: SourcesEnded | None = None
        self.memories = SharedMemories()
        self._connection, theirs = Pipe()
        lifeline, ours = os.pipe()
        command = [sys.executable, "-m", "convnet_py.original.worker"]
        command += [str(theirs.fileno()), str(lifeline), str(extension.absolute())]
        # A session of its own: an interrupt from the keyboard is the driver's to handle.
        self._process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(), lifeline),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        theirs.close()
        os.close(lifeline)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self.close = weakref.finalize(self, _end, self._process, self._connection, ours)
        self._receive("loading the extension")
        self._send(settings, "making devices")
        self._receive("making devices")

    def make_memory(self, memory: int, size: int) -> None:
        """Make (anew) the shared memory of that number."""
        self._send(("memory", memory), "sharing memory")
        try:
            self.memories.make(memory, size, self._connection, self._process.pid)
        except (BrokenPipeError, ConnectionResetError):
            self._has_ended("sharing memory")

    def call(self, entry_point: str, *arguments: Any) -> Any:
        """Call an entry point; Shared in its arguments stand for arrays. Its result.

        Raises EngineError where it fails, SourcesEnded where the process ends in it, or has ended before.
        """
        # A batch may fail between the call that starts it and the one that waits for it.
        self._recent = [self._recent[-1], b""]
        self._send((entry_point, arguments), entry_point)
        return self._receive(entry_point)

    def take_text(self) -> str:
        """What the sources have printed since the last time."""
        self._read_text()
        text, self._text = self._text, b""
        return self._rename(text.decode(errors="replace"))

    def _send(self, message: Any, what: str) -> None:
        if self._ended:
            raise self._ended
        try:
            self._connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            self._has_ended(what)

    def _receive(self, what: str) -> Any:
        still_since, used = time.monotonic(), -1
        while True:
            ready = wait([self._connection, self._output], timeout=min(1.0, self._patience / 4))
            if self._output in ready and not self._read_text():
                # Closed: the process has ended, or is about to.
                ready = wait([self._connection], timeout=self._patience)
            if self._connection in ready:
                break
            now = _processor_ticks(self._process.pid)
            if now != used:
                still_since, used = time.monotonic(), now
            elif time.monotonic() - still_since > self._patience:
                self._process.kill()
                self._has_ended(what, f"waited for {self._patience:g} s without doing anything, and was ended")
        try:
            outcome, value = self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._has_ended(what)
        if outcome == "failed":
            raise EngineError(f"the original sources: {what}: {_shortened(value)}")
        return value

    def _read_text(self) -> bool:
        """Take over what is there; False at its end."""
        while True:
            try:
                text = os.read(self._output.fileno(), 1 << 16)
            except BlockingIOError:
                return True
            if not text:
                return False
            self._text = (self._text + text)[-_MOST_TEXT:]
            self._recent[-1] = (self._recent[-1] + text)[-_MOST_QUOTED:]

    def _has_ended(self, what: str, how: str | None = None) -> None:
        """Raise SourcesEnded, now and at every later call."""
        try:
            status = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        text = self.take_text()
        recent = self._rename(b"".join(self._recent).decode(errors="replace"))
        if how is None:
            how = f"ended itself with exit({status})" if status >= 0 else f"died of {_signal_name(-status)}"
        lines = [line.strip() for line in recent.splitlines() if line.strip()]
        said = f"; it said: {_shortened(' | '.join(lines[-3:]))}" if lines else ""
        message = f"the original sources: {what}: the process {how}{said}"
        self._ended = SourcesEnded(message, status if status >= 0 else None, text)
        raise self._ended


def _end(process: subprocess.Popen, connection: Connection, lifeline: int) -> None:
    """Nothing of the process is worth waiting for: what it computed has been copied."""
    connection.close()
    os.close(lifeline)
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def _processor_ticks(pid: int) -> int | None:
    """Processor time that a process has used; another value each time while it is stopped, or waits for a disk."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = stat.rpartition(")")[2].split()
    return time.monotonic_ns() if fields[0] in "TtD" else int(fields[11]) + int(fields[12])


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} ({signal.strsignal(number)})"
    except ValueError:
        return f"signal {number}"


def _shortened(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= 600 else f"...{text[-600:]}"
