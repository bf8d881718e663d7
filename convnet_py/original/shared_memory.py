"""Arrays in memory that the driver and the process of the historic sources share (spec 6.5).

Anonymous memory files, passed over the connection between the two: nothing has a name that could outlive them, and
the size of /dev/shm is no limit.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from math import prod
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

import numpy as np

#: Where arrays begin: a cache line.
_ALIGNMENT = 64


@dataclass(frozen=True)
class Shared:
    """A float32 matrix in shared memory: which memory, where in it, its shape and its order (C or F)."""

    memory: int
    offset: int
    shape: tuple[int, int]
    order: str

    @property
    def size(self) -> int:
        """Its bytes, up to where another array may begin."""
        return -(-4 * prod(self.shape) // _ALIGNMENT) * _ALIGNMENT


class Layout:
    """Places of arrays in one memory, one after the other. Arrays that are one object have one place."""

    def __init__(self, memory: int):
        self.memory = memory
        self.size = 0
        self.places: list[tuple[np.ndarray, Shared]] = []
        self._known: dict[int, Shared] = {}

    def place(self, array: np.ndarray, order: str) -> Shared:
        """Where ``array`` is to be."""
        if id(array) not in self._known:
            place = Shared(self.memory, self.size, array.shape, order)
            self.size += place.size
            self.places.append((array, place))
            self._known[id(array)] = place
        return self._known[id(array)]


class SharedMemories:
    """One side's memories by number."""

    def __init__(self) -> None:
        self._maps: dict[int, mmap.mmap] = {}

    def size(self, memory: int) -> int:
        """Its bytes; 0 where there is none yet."""
        return len(self._maps[memory]) if memory in self._maps else 0

    def make(self, memory: int, size: int, connection: Connection, process: int) -> None:
        """Make (anew) a memory of ``size`` bytes, and pass it over the connection."""
        file = os.memfd_create("convnet", os.MFD_CLOEXEC)
        try:
            os.ftruncate(file, max(size, mmap.PAGESIZE))
            self._maps[memory] = mmap.mmap(file, 0)
            send_handle(connection, file, process)
        finally:
            os.close(file)

    def receive(self, memory: int, connection: Connection) -> None:
        """Take over a memory that the other side makes."""
        file = recv_handle(connection)
        try:
            self._maps[memory] = mmap.mmap(file, 0)
        finally:
            os.close(file)

    def array(self, place: Shared) -> np.ndarray:
        """The array there; its strides are exactly those of its order, also for single rows and columns."""
        return np.ndarray(place.shape, np.float32, self._maps[place.memory], place.offset, order=place.order)

    def resolve(self, value: Any) -> Any:
        """``value`` with the arrays for all places in it, inside lists, tuples and dictionaries."""
        if isinstance(value, Shared):
            return self.array(value)
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self.resolve(item) for item in value)
        return value
