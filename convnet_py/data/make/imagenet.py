"""Batches from the tars of ILSVRC 2012: training images, validation images, development kit (spec 5.4).

Labels are the development kit's ILSVRC2012_ID less 1. No tar is unpacked: images are read where they lie in it.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convnet_py.data.make.conversion import ImageSet, Settings, convert
from convnet_py.data.make.images import Source
from convnet_py.errors import DataError

_META, _TRUTH = "meta.mat", "ILSVRC2012_validation_ground_truth.txt"
_LARGEST_MEMBER = 64 * 2**20


@dataclass(frozen=True)
class Synset:
    """A node of the class hierarchy. Leaves are the classes; ``children``: ids of the nodes below."""

    id: int
    wnid: str
    words: str
    children: tuple[int, ...]


@dataclass(frozen=True)
class DevelopmentKit:
    """``synsets`` by id; ``truth``: the class id of each validation image."""

    synsets: dict[int, Synset]
    truth: list[int]

    @property
    def classes(self) -> list[Synset]:
        """The leaves, by id."""
        return [self.synsets[key] for key in sorted(self.synsets) if not self.synsets[key].children]

    def labels(self) -> dict[int, int]:
        """Id -> label: leaves first, then the nodes above them, each by id."""
        leaves = [synset.id for synset in self.classes]
        inner = [key for key in sorted(self.synsets) if self.synsets[key].children]
        return {key: label for label, key in enumerate(leaves + inner)}

    def tree(self) -> tuple[dict[int, list[int]], dict[str, int]]:
        """The children of each node by label, and the labels by WordNet id; the root above all is ``gproot``.

        A node with several parents stays below the first one only, since a tree of classes has one path to each.
        """
        labels = self.labels()
        tree: dict[int, list[int]] = {label: [] for label in labels.values()}
        placed: set[int] = set()
        for key in sorted(self.synsets):
            mine = [child for child in self.synsets[key].children if child not in placed]
            placed.update(mine)
            tree[labels[key]] = sorted(labels[child] for child in mine)
        root = len(labels)
        tree[root] = sorted(labels[key] for key in self.synsets if key not in placed)
        return tree, {**{self.synsets[key].wnid: label for key, label in labels.items()}, "gproot": root}


def read_development_kit(path: Path) -> DevelopmentKit:
    """The class hierarchy and the validation images' classes. Raises DataError."""
    files = _kit_files(path)
    synsets = {synset.id: synset for synset in _synsets(path, files[_META])}
    unknown = {child for synset in synsets.values() for child in synset.children} - synsets.keys()
    if unknown or not synsets:
        raise DataError(f"{path}: {_META} names children that it does not have ({sorted(unknown)[:3]})")
    try:
        truth = [int(word) for word in files[_TRUTH].split()]
    except ValueError:
        raise DataError(f"{path}: {_TRUTH} should hold one class number per line") from None
    kit = DevelopmentKit(synsets, truth)
    strange = set(truth) - {synset.id for synset in kit.classes}
    if strange:
        raise DataError(f"{path}: {_TRUTH} names class {min(strange)}, which is none of {_META}")
    return kit


def _kit_files(path: Path) -> dict[str, bytes]:
    """The two files of the kit that are needed, from its tar or its folder."""
    found: dict[str, bytes] = {}
    try:
        if path.is_dir():
            found = {file.name: file.read_bytes() for file in path.rglob("*") if file.name in (_META, _TRUTH)}
        else:
            with tarfile.open(path) as archive:
                for member in archive:
                    name = member.name.rpartition("/")[2]
                    if name in (_META, _TRUTH) and member.isfile() and member.size <= _LARGEST_MEMBER:
                        found[name] = archive.extractfile(member).read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (tarfile.TarError, EOFError, ValueError, zlib.error):
        raise DataError(f"{path}: not the development kit's tar, or a damaged one") from None
    missing = [name for name in (_META, _TRUTH) if name not in found]
    if missing:
        raise DataError(f"{path}: not the development kit: it has no {missing[0]}")
    return found


def _synsets(path: Path, mat: bytes) -> Iterator[Synset]:
    try:
        from scipy.io import loadmat
    except ImportError:
        raise DataError("reading ImageNet's development kit needs SciPy: install the extra 'imagenet'") from None
    try:
        for record in np.atleast_1d(loadmat(io.BytesIO(mat), squeeze_me=True)["synsets"]):
            count = int(record["num_children"])
            children = tuple(int(child) for child in np.atleast_1d(record["children"])[:count])
            yield Synset(int(record["ILSVRC2012_ID"]), str(record["WNID"]), str(record["words"]), children)
    except Exception:
        # A damaged file makes its reader raise nearly anything.
        raise DataError(f"{path}: {_META} is damaged, or has no table 'synsets' as that of 2012") from None


def _members(path: Path, start: int = 0, length: int | None = None) -> Iterator[tuple[str, int, int]]:
    """Name, offset and length of the files of a tar that is ``length`` bytes of a file from ``start``."""
    end = start + (path.stat().st_size if length is None else length)
    try:
        with path.open("rb") as file:
            file.seek(start)
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for member in archive:
                    if member.offset_data + member.size > end:
                        raise DataError(f"{path}: truncated: {member.name} reaches beyond its end")
                    if member.isreg():
                        yield member.name, member.offset_data, member.size
    except tarfile.TarError:
        raise DataError(f"{path}: not an uncompressed tar, or a truncated or damaged one") from None


def training_images(path: Path, classes: dict[str, int]) -> list[Source]:
    """The images of the tar of tars, one per class, that is named after its WordNet id. Raises DataError."""
    found = []
    for name, start, length in _members(path):
        wnid = Path(name).stem
        if not name.endswith(".tar") or wnid not in classes:
            raise DataError(f"{path}: {name} is not the tar of a class of the development kit")
        found += [Source(image, classes[wnid], path, *place) for image, *place in _members(path, start, length)]
    if not found:
        raise DataError(f"{path}: holds no images")
    return found


def validation_images(path: Path, labels: list[int]) -> list[Source]:
    """The images of the validation tar in the order of their numbers. Raises DataError."""
    numbered = {}
    for name, offset, length in _members(path):
        match = re.search(r"(\d+)\.\w+$", name)
        number = int(match[1]) if match else 0
        if not 1 <= number <= len(labels):
            raise DataError(f"{path}: {name} has no number from 1 to {len(labels)}, the classes that the kit tells")
        numbered[number] = Source(name.rpartition("/")[2], labels[number - 1], path, offset, length)
    if len(numbered) != len(labels):
        raise DataError(f"{path}: has {len(numbered)} images, the development kit tells the classes of {len(labels)}")
    return [numbered[number] for number in sorted(numbered)]


def make_imagenet(
    train: Path, validation: Path, kit_path: Path, out: Path, settings: Settings, warn: Callable[[str], None]
) -> None:
    """Batches in ``out``: training from 1, shuffled; validation from 1000. Raises DataError."""
    for path in (train, validation, kit_path):
        if not path.exists():
            raise DataError(f"{path}: no such file")
    kit = read_development_kit(kit_path)
    labels = kit.labels()
    try:
        images = training_images(train, {synset.wnid: labels[synset.id] for synset in kit.classes})
        tested = validation_images(validation, [labels[key] for key in kit.truth])
    except OSError as error:
        raise DataError(f"{error.filename or train}: cannot be read: {error.strerror or error}") from None
    tree, wnids = kit.tree()
    meta: dict[str, Any] = {"tree": tree, "all_wnids": wnids}
    convert(ImageSet(images, tested, [synset.words for synset in kit.classes], meta), out, settings, warn)
