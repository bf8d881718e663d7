"""Reading pickles from anywhere without running anything in them (spec 5.5).

Plain, gzipped and zipped files of Python 2 and Python 3, protocols 0 to 5. What they may hold is in pickle_values.py,
how they are read in pickle_machine.py. Limits keep a small file from filling the machine; three environment variables
raise them: CONVNET_MAX_PICKLE_MB, CONVNET_MAX_PICKLE_DEPTH, CONVNET_MAX_FILE_MB.
"""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from convnet_py.data.pickle_machine import Bounds, Damaged, Machine
from convnet_py.data.pickle_values import OptionsClass, OptionsStandIn, Refused
from convnet_py.errors import DataError, UsageError

__all__ = ["Damaged", "Limits", "OptionsClass", "OptionsStandIn", "Refused", "load", "loads", "read_unpacked"]

_MB = 2**20
_CHUNK = _MB
#: A zip of one pickle has a directory of some hundred bytes; that of a bomb is read into memory as a whole.
_LARGEST_ZIP_DIRECTORY = 2**16


@dataclass(frozen=True)
class Limits:
    """What a file may make of itself, a pickle or a checkpoint. Each is raised by an environment variable.

    ``memory_mb`` (CONVNET_MAX_PICKLE_MB): for the content, unpacked, and the values made of it; None: 128 MB, and
    16 times the size of the file. ``depth`` (CONVNET_MAX_PICKLE_DEPTH): values within values. ``file_mb``
    (CONVNET_MAX_FILE_MB): the size of the file itself.
    """

    memory_mb: int | None = None
    depth: int = 1000
    file_mb: int = 8192

    @classmethod
    def from_environment(cls) -> Limits:
        """The limits that the environment asks for. Raises UsageError for a variable that is not a number."""
        names = {"memory_mb": "CONVNET_MAX_PICKLE_MB", "depth": "CONVNET_MAX_PICKLE_DEPTH",
                 "file_mb": "CONVNET_MAX_FILE_MB"}  # fmt: skip
        given = {}
        for field, name in names.items():
            if text := os.environ.get(name):
                if not text.isdecimal() or not 0 < int(text[:12]) < 10**9:
                    raise UsageError(f"{name}: got '{text}', takes an integer of at least 1")
                given[field] = int(text)
        return cls(**given)

    def memory(self, size: int) -> int:
        """The bytes that content and values of a file of ``size`` bytes may take."""
        return self.memory_mb * _MB if self.memory_mb is not None else 128 * _MB + 16 * size


def loads(pickled: bytes, limits: Limits | None = None, size: int | None = None) -> Any:
    """The value of a pickle: plain values, arrays, ``OptionsStandIn``. Python 2 strings decode as latin-1.

    ``size``: that of the file, where ``pickled`` is its unpacked content. Raises Refused for what is not allowed, and
    Damaged for what is no pickle.
    """
    limits = limits or Limits()
    allowance = limits.memory(len(pickled) if size is None else size) - len(pickled)
    return Machine(pickled, Bounds(max(0, allowance), limits.depth)).run()


def _read_limited(stream: BinaryIO, limit: int) -> bytes:
    chunks, total = [], 0
    while chunk := stream.read(_CHUNK):
        chunks.append(chunk)
        total += len(chunk)
        if total > limit:
            raise Refused(f"more than {limit} bytes when unpacked")
    return b"".join(chunks)


def _zip_directory_size(file: BinaryIO) -> int:
    """The size that a zip declares for its directory."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - 2**16 - 22 - 20 - 56)
    file.seek(start)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        raise Damaged
    declared = struct.unpack_from("<I", tail, end + 12)[0]
    if end >= 76 and tail[end - 20 : end - 16] == b"PK\x06\x07":
        return struct.unpack_from("<Q", tail, end - 76 + 40)[0]
    return declared


def _read_zipped(file: BinaryIO, limit: int) -> bytes:
    if _zip_directory_size(file) > _LARGEST_ZIP_DIRECTORY:
        raise Refused("a zip of many files")
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if "data" not in names and len(names) != 1:
            raise Refused("a zip without a member 'data'")
        member = archive.getinfo("data" if "data" in names else names[0])
        if member.file_size > limit:
            raise Refused(f"more than {limit} bytes when unpacked")
        with archive.open(member) as stream:
            return _read_limited(stream, limit)


def read_unpacked(path: Path, limit: int | None = None) -> bytes:
    """The content of a plain, gzipped or zipped file (its member ``data``, or its only member).

    Raises Refused where it would expand beyond ``limit`` bytes (default: what the limits allow), OSError, and the
    errors of zipfile and gzip for damaged ones.
    """
    limits = Limits.from_environment()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limits.file_mb * _MB:
            raise Refused(f"more than {limits.file_mb} MB")
        if limit is None:
            limit = limits.memory(size)
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(file) as stream:
                return _read_limited(stream, limit)
        if magic == b"PK\x03\x04":
            return _read_zipped(file, limit)
        return _read_limited(file, limit)


def load(path: Path) -> Any:
    """The value of the pickle in the file ``path`` (plain, gzip or zip). Raises DataError, one line with the file."""
    try:
        if path.is_dir():
            raise DataError(f"{path}: a folder where a file is needed")
        if not path.is_file() and path.exists():
            raise DataError(f"{path}: not a file")
        content = read_unpacked(path)
        if not content:
            raise DataError(f"{path}: an empty file")
        return loads(content, Limits.from_environment(), path.stat().st_size)
    except Refused as refusal:
        raise DataError(f"{path}: refused, because the file holds {refusal}{_hint(refusal)}") from None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except PermissionError:
        raise DataError(f"{path}: no permission to read it") from None
    except (Damaged, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, struct.error, NotImplementedError,
            RuntimeError, ValueError, KeyError, IndexError):  # fmt: skip
        # What zipfile raises for damaged files, or for encrypted ones, is not limited to BadZipFile.
        raise DataError(f"{path}: not a pickle, or a damaged one") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def _hint(refusal: Refused) -> str:
    """How the limit that a refusal is about can be raised."""
    about = str(refusal)
    names = {"of memory": "CONVNET_MAX_PICKLE_MB", "unpacked": "CONVNET_MAX_PICKLE_MB",
             "deep": "CONVNET_MAX_PICKLE_DEPTH", " MB": "CONVNET_MAX_FILE_MB"}  # fmt: skip
    name = next((name for ending, name in names.items() if about.endswith(ending)), None)
    return f" ({name} in the environment raises this limit)" if name else ""
