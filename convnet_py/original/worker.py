"""The process that the historic sources run in: loads their extension and calls its entry points (spec 6.5, 6.7).

Started by process.py: ``python -m convnet_py.original.worker CONNECTION LIFELINE EXTENSION``. What the sources print
goes to standard output; answers go over the connection.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import importlib.util
import resource
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from convnet_py.original.shared_memory import SharedMemories

MODULE = "_ConvNet"


@dataclass(frozen=True)
class Settings:
    """What the sources' surroundings are set to: see original/devices.cpp and original/process.cpp."""

    physical_devices: tuple[int, ...]
    seed: int
    host_transfers: bool
    threads: int


def main(connection_file: str, lifeline: str, extension: str) -> None:
    """Answer until the driver closes the connection, or the sources end the process."""
    # Their failed assertions are no reason to leave core files in the user's folder.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    # By lines, so that what was printed is not lost with the process.
    libc = ctypes.CDLL(None)
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, 1, 0)
    connection = Connection(int(connection_file))
    try:
        module = _load(extension)
    except Exception as error:
        connection.send(("failed", f"{type(error).__name__}: {error}"))
        return
    library = ctypes.CDLL(extension)
    library.convnet_original_follow(int(lifeline))
    connection.send(("done", None))
    if failure := _set(library, connection.recv()):
        connection.send(("failed", failure))
        return
    connection.send(("done", None))
    _answer(connection, module)


def _load(extension: str) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader(MODULE, extension)
    spec = importlib.util.spec_from_file_location(MODULE, extension, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def _set(library: ctypes.CDLL, settings: Settings) -> str | None:
    """Set the sources' surroundings up; why that cannot be."""
    library.convnet_original_set_devices.restype = ctypes.c_char_p
    library.convnet_original_fix_seed(ctypes.c_uint64(settings.seed))
    devices = settings.physical_devices
    failure: bytes | None = library.convnet_original_set_devices(
        (ctypes.c_int * len(devices))(*devices),
        len(devices),
        ctypes.c_uint64(settings.seed),
        int(settings.host_transfers),
        settings.threads,
    )
    return None if failure is None else failure.decode(errors="replace")


def _answer(connection: Connection, module: ModuleType) -> None:
    memories = SharedMemories()
    # The sources borrow arrays without counting references: those of the model for ever, those of a batch until it is
    # finished.
    kept: dict[str, Any] = {}
    while True:
        try:
            command, argument = connection.recv()
        except EOFError:
            return
        if command == "memory":
            memories.receive(argument, connection)
            continue
        arguments = memories.resolve(argument)
        if arguments:
            kept["model" if command == "initModel" else "batch"] = arguments
        try:
            connection.send(("done", getattr(module, command)(*arguments)))
        except Exception as error:
            connection.send(("failed", f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
