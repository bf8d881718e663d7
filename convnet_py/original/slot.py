"""The slot ``original/tree``: importing a copy of the sources, its lock, and whether it is still as imported (spec 1).

The tree is never edited. ``tree.lock`` holds path, size and SHA-256 of every file; a build verifies it first.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from convnet_py.errors import ConvnetError
from convnet_py.original.releases import Recognition, recognise
from convnet_py.original.sources import Member, SourceError, open_sources

_CHUNK = 1 << 20
_LOCK_VERSION = 1


class SlotError(ConvnetError):
    """A slot that is empty, taken, or whose tree is not as it was imported."""


@dataclass(frozen=True)
class LockedFile:
    """A file of the tree as it was imported."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Differences:
    """Files of a tree that are not as its lock says."""

    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.missing or self.added)

    def __str__(self) -> str:
        kinds = (("changed", self.changed), ("missing", self.missing), ("added", self.added))
        return "; ".join(f"{kind}: {', '.join(files)}" for kind, files in kinds if files)


def default_folder() -> Path:
    """The slot's folder: $CONVNET_ORIGINAL, or original/ of the checkout, or one in the user's data folder."""
    if named := os.environ.get("CONVNET_ORIGINAL"):
        return Path(named)
    checkout = Path(__file__).parent.parent.parent / "original"
    if checkout.is_dir():
        return checkout
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "convnet-py" / "original"


class Slot:
    """The slot in ``folder``, which holds ``tree/`` and ``tree.lock`` once something is imported."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.tree = folder / "tree"
        self.lock = folder / "tree.lock"

    def import_tree(self, source: Path, warn: Callable[[str], None]) -> Recognition:
        """Copy the sources into the slot and lock them. An unknown tree is imported, too: see ``Recognition.known``.

        Raises SlotError where the slot is taken, SourceError where the copy cannot be used; the slot stays as it was.
        """
        if self.tree.exists() or self.lock.exists():
            raise SlotError(f"{self.tree}: holds a tree already; 'convnet original remove' makes room")
        with open_sources(source, warn) as members:
            if not members:
                raise SourceError(f"{source}: holds no files")
            found = recognise(member.path for member in members)
            inside = [
                member for member in members if found.root == PurePosixPath(".") or found.root in member.path.parents
            ]
            self.folder.mkdir(parents=True, exist_ok=True)
            # Beside the slot, so that the finished tree is moved in at once.
            with tempfile.TemporaryDirectory(prefix="import-", dir=self.folder) as scratch:
                files = [_copy(member, found.root, Path(scratch, "tree")) for member in inside]
                _write_lock(Path(scratch, "tree.lock"), files)
                os.rename(Path(scratch, "tree"), self.tree)
                os.rename(Path(scratch, "tree.lock"), self.lock)
        return found

    def locked_files(self) -> list[LockedFile]:
        """What the lock says. Raises SlotError where there is none, or it is damaged."""
        if not self.lock.exists() or not self.tree.is_dir():
            raise SlotError(f"{self.folder}: no sources here yet; 'convnet original import PATH' brings them")
        try:
            lock = json.loads(self.lock.read_text(encoding="utf-8"))
            if lock["version"] != _LOCK_VERSION:
                raise ValueError
            return [LockedFile(**entry) for entry in lock["files"]]
        except (OSError, ValueError, KeyError, TypeError):
            raise SlotError(f"{self.lock}: damaged; remove the tree and import it again") from None

    def differences(self) -> Differences:
        """How the tree differs from its lock."""
        locked = {file.path: file for file in self.locked_files()}
        present = {path.relative_to(self.tree).as_posix(): path for path in self.tree.rglob("*") if not path.is_dir()}
        changed = [
            name
            for name, file in locked.items()
            if name in present and (present[name].is_symlink() or _facts(present[name]) != (file.size, file.sha256))
        ]
        return Differences(
            tuple(changed), tuple(sorted(locked.keys() - present.keys())), tuple(sorted(present.keys() - locked.keys()))
        )

    def verify(self) -> None:
        """Raise SlotError, naming the files, where the tree is not as it was imported."""
        if differences := self.differences():
            raise SlotError(f"{self.tree}: not as it was imported ({differences})")

    def recognise(self) -> Recognition:
        """Which release the locked files are."""
        return recognise(PurePosixPath(file.path) for file in self.locked_files())

    def remove(self) -> None:
        """Empty the slot. Raises SlotError where it is empty."""
        if not self.tree.exists() and not self.lock.exists():
            raise SlotError(f"{self.folder}: no sources here")
        self.lock.unlink(missing_ok=True)
        if self.tree.exists():
            shutil.rmtree(self.tree)


def _copy(member: Member, root: PurePosixPath, tree: Path) -> LockedFile:
    relative = member.path.relative_to(root)
    target = tree / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with member.open() as source, open(target, "wb") as copy:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > member.size:
                raise SourceError(f"'{member.path}' is longer than it says")
            digest.update(chunk)
            copy.write(chunk)
    return LockedFile(relative.as_posix(), size, digest.hexdigest())


def _write_lock(path: Path, files: list[LockedFile]) -> None:
    lock = {"version": _LOCK_VERSION, "files": [vars(file) for file in sorted(files, key=lambda file: file.path)]}
    path.write_text(json.dumps(lock, indent=1) + "\n", encoding="utf-8")


def _facts(path: Path) -> tuple[int, str]:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return path.stat().st_size, digest.hexdigest()
