"""Batches from the published CIFAR-10 and CIFAR-100 archives, for Python or binary (spec 5.4)."""

from __future__ import annotations

import re
import tarfile
import zlib
from pathlib import Path

import numpy as np

from convnet_py.data import safe_pickle
from convnet_py.data.make.writer import new_folder, write_batch, write_meta
from convnet_py.data.safe_pickle import Damaged, Refused
from convnet_py.errors import DataError

PIXELS = 3072
TRAIN_BATCHES = 5
_LARGEST_MEMBER = 512 * 2**20
#: Data (3072 x cases) and labels.
Cases = tuple[np.ndarray, np.ndarray]


def read_archive(path: Path) -> dict[str, bytes]:
    """The files of an archive (tar, also gzipped) or of its folder, by name. Raises DataError."""
    try:
        if path.is_dir():
            return {file.name: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
        files = {}
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.size <= _LARGEST_MEMBER:
                    files[member.name.rpartition("/")[2]] = archive.extractfile(member).read()
        return files
    except FileNotFoundError:
        raise DataError(f"{path}: no such archive") from None
    except (tarfile.TarError, EOFError, ValueError, zlib.error):
        raise DataError(f"{path}: not a tar archive, or a truncated or damaged one") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def _unpickled(path: Path, files: dict[str, bytes], name: str) -> dict:
    try:
        value = safe_pickle.loads(files[name])
    except Refused as refusal:
        raise DataError(f"{path}: {name}: refused, because the file holds {refusal}") from None
    except Damaged:
        raise DataError(f"{path}: {name}: not a pickle, or a damaged one") from None
    if not isinstance(value, dict):
        raise DataError(f"{path}: {name}: holds a {type(value).__name__}, should be a dictionary")
    return value


def _python_cases(path: Path, files: dict[str, bytes], name: str, label_key: str) -> Cases:
    """One file of the Python archive: cases x 3072, labels in a list."""
    value = _unpickled(path, files, name)
    data, labels = value.get("data"), value.get(label_key)
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != PIXELS or data.dtype != np.uint8:
        raise DataError(f"{path}: {name}: should hold 'data', uint8, cases x {PIXELS}")
    if not isinstance(labels, list) or len(labels) != len(data):
        raise DataError(f"{path}: {name}: should hold '{label_key}', one per case")
    return data.T, np.array(labels)


def _binary_cases(path: Path, files: dict[str, bytes], name: str, label_bytes: int, label: int) -> Cases:
    """One file of the binary archive: label bytes and 3072 pixels per case."""
    length = label_bytes + PIXELS
    if not files[name] or len(files[name]) % length:
        size = len(files[name])
        raise DataError(f"{path}: {name}: has {size} bytes, should be a multiple of {length}; is it truncated?")
    cases = np.frombuffer(files[name], np.uint8).reshape(-1, length)
    return cases[:, label_bytes:].T, cases[:, label].astype(np.int64)


def _names_text(files: dict[str, bytes], name: str) -> list[str]:
    return files[name].decode("latin-1").split()


def _require(path: Path, files: dict[str, bytes], names: list[str], what: str) -> None:
    missing = [name for name in names if name not in files]
    if missing:
        raise DataError(f"{path}: not the {what} archive: it has no {missing[0]}")


def _cifar10(path: Path, files: dict[str, bytes]) -> tuple[list[Cases], list[str]]:
    binary = any(re.fullmatch(r"data_batch_\d\.bin", name) for name in files)
    suffix = ".bin" if binary else ""
    names = [*(f"data_batch_{number}{suffix}" for number in range(1, TRAIN_BATCHES + 1)), f"test_batch{suffix}"]
    meta = "batches.meta.txt" if binary else "batches.meta"
    _require(path, files, [*names, meta], "CIFAR-10")
    if binary:
        return [_binary_cases(path, files, name, 1, 0) for name in names], _names_text(files, meta)
    label_names = _unpickled(path, files, meta).get("label_names", [])
    return [_python_cases(path, files, name, "labels") for name in names], label_names


def _cifar100(path: Path, files: dict[str, bytes], coarse: bool) -> tuple[list[Cases], list[str]]:
    kind = "coarse" if coarse else "fine"
    binary = "train.bin" in files
    suffix = ".bin" if binary else ""
    meta = f"{kind}_label_names.txt" if binary else "meta"
    names = [f"train{suffix}", f"test{suffix}"]
    _require(path, files, [*names, meta], "CIFAR-100")
    if binary:
        train, test = (_binary_cases(path, files, name, 2, 0 if coarse else 1) for name in names)
        label_names = _names_text(files, meta)
    else:
        train, test = (_python_cases(path, files, name, f"{kind}_labels") for name in names)
        label_names = _unpickled(path, files, meta).get(f"{kind}_label_names", [])
    parts = np.array_split(np.arange(train[0].shape[1]), TRAIN_BATCHES)
    return [*((train[0][:, part], train[1][part]) for part in parts), test], label_names


def _write(path: Path, out: Path, batches: list[Cases], label_names: list[str]) -> None:
    if not isinstance(label_names, list) or not all(isinstance(name, str) for name in label_names):
        raise DataError(f"{path}: its label names should be a list of texts")
    every = np.concatenate([labels for _, labels in batches])
    if every.dtype.kind not in "iu" or every.min() < 0 or every.max() >= len(label_names):
        raise DataError(f"{path}: its labels should be from 0 to {len(label_names) - 1}, one for each label name")
    total = sum(data.sum(axis=1, dtype=np.int64) for data, _ in batches[:-1])
    count = sum(data.shape[1] for data, _ in batches[:-1])
    with new_folder(out) as folder:
        for number, (data, labels) in enumerate(batches, 1):
            write_batch(folder, number, np.ascontiguousarray(data), labels)
        write_meta(folder, total / count, label_names, "cifar", num_cases_per_batch=batches[0][0].shape[1])


def make_cifar10(path: Path, out: Path) -> None:
    """Training batches 1 to 5 and test batch 6 from the Python or binary archive, or its folder. Raises DataError."""
    _write(path, out, *_cifar10(path, read_archive(path)))


def make_cifar100(path: Path, out: Path, coarse: bool) -> None:
    """CIFAR-100 likewise, with its 100 fine or 20 coarse labels. Raises DataError."""
    _write(path, out, *_cifar100(path, read_archive(path), coarse))
