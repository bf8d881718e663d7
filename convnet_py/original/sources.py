"""Reading a user's copy of the sources: a folder, a git checkout, a zip or a tar archive (spec 1, rules of the slot).

Copies come from anywhere. Nothing is followed out of them: links are left out and named, a member whose path
leads outside refuses the archive, and sizes are bounded before anything is unpacked.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from convnet_py.errors import OneLineError

#: The largest release holds some hundred files of a few MB together.
MOST_FILES = 20_000
MOST_BYTES = 1 << 30

#: Folders of version control, which are no sources.
_IGNORED = {".git", ".svn", ".hg"}


class SourceError(OneLineError):
    """A copy of the sources that cannot be read, or must not be."""


@dataclass(frozen=True)
class Member:
    """One file of a copy: its path in it, its size in bytes, and how to open it."""

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


@contextmanager
def open_sources(path: Path, warn: Callable[[str], None]) -> Iterator[list[Member]]:
    """The files of a copy, sorted by path. Links and special files are left out, with a warning each.

    Raises SourceError for what is none of folder, zip and tar, is damaged, too large, or leads outside.
    """
    try:
        if path.is_dir():
            yield _checked(path, _folder_members(path, warn))
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield _checked(path, _zip_members(archive, warn))
        elif path.is_file() and tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                yield _checked(path, _tar_members(archive, warn))
        elif path.exists():
            raise SourceError(f"{path}: neither a folder nor a zip or tar archive")
        else:
            raise SourceError(f"{path}: no such folder or archive")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from None


def _checked(source: Path, members: Iterator[Member]) -> list[Member]:
    found: dict[PurePosixPath, Member] = {}
    total = 0
    for member in members:
        if member.path.is_absolute() or ".." in member.path.parts or "\\" in str(member.path):
            raise SourceError(f"{source}: its member '{member.path}' leads out of it; nothing was imported")
        if _IGNORED & set(member.path.parts):
            continue
        if member.path in found:
            raise SourceError(f"{source}: holds '{member.path}' twice; nothing was imported")
        found[member.path] = member
        total += member.size
        if len(found) > MOST_FILES or total > MOST_BYTES:
            raise SourceError(
                f"{source}: more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB: no release is as large"
            )
    return [found[path] for path in sorted(found)]


def _folder_members(folder: Path, warn: Callable[[str], None]) -> Iterator[Member]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - _IGNORED)
        for name in [*folders, *files]:
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                relative = PurePosixPath(path.relative_to(folder).as_posix())
                yield Member(relative, path.stat().st_size, partial(path.open, "rb"))
            elif not stat.S_ISDIR(mode):
                warn(f"{path}: a link or special file, left out")


def _zip_members(archive: zipfile.ZipFile, warn: Callable[[str], None]) -> Iterator[Member]:
    for info in archive.infolist():
        # The upper half of the attributes is the Unix mode, where the archive was made on one.
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        if kind not in (0, stat.S_IFREG):
            warn(f"{archive.filename}: {info.filename}: a link or special file, left out")
            continue
        yield Member(PurePosixPath(info.filename), info.file_size, partial(archive.open, info))


def _tar_members(archive: tarfile.TarFile, warn: Callable[[str], None]) -> Iterator[Member]:
    for info in archive:
        if info.isdir():
            continue
        if not info.isreg():
            warn(f"{archive.name}: {info.name}: a link or special file, left out")
            continue
        # Archives often name their members ./path.
        yield Member(PurePosixPath(info.name), info.size, partial(archive.extractfile, info))
