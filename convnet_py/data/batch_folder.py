"""A folder of batches (spec 5.1): ``batches.meta`` and ``data_batch_N`` (or ``data_batch_N.1``, ...), all pickles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convnet_py.data import safe_pickle
from convnet_py.errors import DataError


@dataclass(frozen=True)
class Batch:
    """Plain values. ``data``: as stored, num_vis x cases; ``labels``: int64, 1 x cases, or None; ``rest``: all else."""

    data: np.ndarray
    labels: np.ndarray | None
    rest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JpegBatch:
    """Encoded images. ``labels``: those of each image, none where they are missing. ``tags``: the third list."""

    jpegs: list[bytes]
    names: list[str]
    labels: list[list[int]]
    tags: list[Any]


class BatchFolder:
    """The metadata and batches of one folder, read without running anything in them.

    ``meta``: the dictionary of ``batches.meta`` with ``num_vis`` (int) and, where given, ``data_mean``
    (float32, num_vis x 1) and ``label_names`` (list) checked. Raises DataError, one line.
    """

    def __init__(self, path: Path):
        self.path = path
        self.meta_path = path / "batches.meta"
        try:
            if not path.is_dir():
                raise DataError(
                    f"{path}: {'not a folder' if path.exists() else 'no such data folder'}{_unfinished(path)}"
                )
            if not self.meta_path.is_file():
                raise DataError(f"{path}: no batches.meta in this folder, so it is not a data folder")
            self._parts = self._find_parts()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
        self.meta = self._read_meta()

    def _read_meta(self) -> dict[str, Any]:
        meta = safe_pickle.load(self.meta_path)
        if not isinstance(meta, dict):
            raise DataError(f"{self.meta_path}: holds a {type(meta).__name__}, should be a dictionary")
        num_vis = meta.get("num_vis")
        if not isinstance(num_vis, (int, np.integer)) or num_vis < 1:
            raise DataError(f"{self.meta_path}: num_vis is {num_vis!r:.40}, should be the length of a case")
        meta["num_vis"] = int(num_vis)
        if "data_mean" in meta:
            meta["data_mean"] = self._mean(meta["data_mean"], meta["num_vis"])
        if not isinstance(meta.get("label_names", []), list):
            raise DataError(f"{self.meta_path}: label_names should be a list")
        if not isinstance(meta.get("label_offset", 0), (int, np.integer)):
            raise DataError(f"{self.meta_path}: label_offset is {meta['label_offset']!r:.40}, should be an integer")
        return meta

    @property
    def label_offset(self) -> int:
        """What is added to known labels."""
        return int(self.meta.get("label_offset", 0))

    def _mean(self, mean: Any, num_vis: int) -> np.ndarray:
        try:
            mean = np.asarray(mean, np.float32)
        except (ValueError, TypeError):
            raise DataError(f"{self.meta_path}: data_mean is not numeric") from None
        if mean.size != num_vis:
            raise DataError(f"{self.meta_path}: data_mean has {mean.size} values, should have num_vis = {num_vis}")
        if not np.isfinite(mean).all():
            raise DataError(f"{self.meta_path}: data_mean holds NaN or infinite values")
        return mean.reshape(num_vis, 1)

    def _find_parts(self) -> dict[int, list[Path]]:
        found: dict[int, list[tuple[int, Path]]] = {}
        for file in self.path.iterdir():
            match = re.fullmatch(r"data_batch_(\d+)(?:\.(\d+))?", file.name)
            if match and file.is_file():
                found.setdefault(int(match[1]), []).append((int(match[2] or 0), file))
        return {number: [file for _, file in sorted(parts)] for number, parts in found.items()}

    def numbers(self) -> list[int]:
        """The numbers of the batches there are, ascending."""
        return sorted(self._parts)

    def files(self, number: int) -> list[Path]:
        """The files of a batch, in order."""
        return self._parts[number]

    def is_jpeg(self, number: int) -> bool:
        """Whether a batch holds encoded images. Raises DataError."""
        return _is_jpeg(safe_pickle.load(self._parts[number][0]))

    def batch(self, number: int) -> Batch:
        """A batch of plain values, its parts joined."""
        parts = [self._plain_part(file) for file in self._parts[number]]
        if len(parts) == 1:
            return parts[0]
        labels = [part.labels for part in parts if part.labels is not None]
        if labels and len(labels) != len(parts):
            raise DataError(f"{self._parts[number][0]}: some parts of this batch have labels and some have none")
        rest = {
            key: np.concatenate([part.rest[key] for part in parts], axis=1)
            for key, value in parts[0].rest.items()
            if isinstance(value, np.ndarray) and value.ndim == 2 and all(key in part.rest for part in parts)
        }
        data = np.concatenate([part.data for part in parts], axis=1)
        return Batch(data, np.concatenate(labels, axis=1) if labels else None, rest)

    def jpeg_batch(self, number: int) -> JpegBatch:
        """A batch of encoded images, its parts joined."""
        parts = [self._jpeg_part(file) for file in self._parts[number]]
        joined = JpegBatch([], [], [], [])
        for part in parts:
            for name in JpegBatch.__annotations__:
                getattr(joined, name).extend(getattr(part, name))
        return joined

    def _plain_part(self, file: Path) -> Batch:
        batch = safe_pickle.load(file)
        if _is_jpeg(batch):
            raise DataError(f"{file}: holds JPEGs, which provider 'inet-lr-cropped-jpeg' reads, not plain values")
        if not isinstance(batch, dict) or not isinstance(batch.get("data"), np.ndarray):
            raise DataError(f"{file}: should be a dictionary with an array 'data' (num_vis x cases)")
        data = batch["data"]
        num_vis = self.meta["num_vis"]
        if data.ndim != 2 or data.shape[0] != num_vis or data.dtype.kind not in "uif":
            turned = "; its transpose would fit" if data.ndim == 2 and data.shape[1] == num_vis else ""
            shape = " x ".join(map(str, data.shape))
            raise DataError(f"{file}: data is {shape} of {data.dtype}, should be {num_vis} (num_vis) x cases{turned}")
        if data.shape[1] == 0:
            raise DataError(f"{file}: has no cases")
        if data.dtype.kind == "f" and not np.isfinite(data).all():
            row, case = np.argwhere(~np.isfinite(data))[0]
            raise DataError(f"{file}: data holds {data[row, case]} (first at value {row} of case {case})")
        rest = {key: value for key, value in batch.items() if key not in ("data", "labels")}
        return Batch(data, self._labels(file, batch, data.shape[1]), rest)

    def _labels(self, file: Path, batch: dict[str, Any], cases: int) -> np.ndarray | None:
        if batch.get("labels") is None:
            return None
        try:
            labels = np.asarray(batch["labels"], np.float64).reshape(1, -1)
        except (ValueError, TypeError):
            raise DataError(f"{file}: labels are not numbers, one per case") from None
        if labels.size != cases:
            raise DataError(f"{file}: has {labels.size} labels for {cases} cases")
        return self._checked_labels(file, labels)

    def _checked_labels(self, file: Path, labels: np.ndarray) -> np.ndarray:
        """Labels (1 x cases) plus the folder's label_offset. Raises DataError where one is no class."""
        labels = labels + self.label_offset
        classes = len(self.meta.get("label_names", []))
        wrong = ~((labels >= 0) & (labels == np.floor(labels)) & ((labels < classes) | (classes == 0)))
        if wrong.any():
            case = int(np.argmax(wrong))
            most = f"to {classes - 1} (label_names has {classes})" if classes else "up"
            raise DataError(
                f"{file}: label {labels[0, case]:g} of case {case} is out of range, should be from 0 {most}"
            )
        return labels.astype(np.int64)

    def _jpeg_part(self, file: Path) -> JpegBatch:
        batch = safe_pickle.load(file)
        if not _is_jpeg(batch):
            raise DataError(f"{file}: should hold JPEGs: (JPEG strings, sizes, (name, label)s)")
        if isinstance(batch, Mapping):
            jpegs, third = batch["data"], batch.get("labels")
            third = [None] * len(jpegs) if third is None else third
        else:
            jpegs, _, third = batch
        if not isinstance(third, (list, tuple, np.ndarray)) or len(third) != len(jpegs):
            raise DataError(f"{file}: has {len(jpegs)} JPEGs, and names or labels of another number")
        encoded = [jpeg.encode("latin-1") if isinstance(jpeg, str) else bytes(jpeg) for jpeg in jpegs]
        if isinstance(batch, Mapping):
            names, labels = [f"image {index}" for index in range(len(jpegs))], list(third)
        else:
            pairs = [item if _is_named(item) else (f"image {index}", None) for index, item in enumerate(third)]
            names, labels = [str(name) for name, _ in pairs], [label for _, label in pairs]
        if "freq_to_id" in self.meta:
            # The third list holds tags, which may look like anything else.
            names, labels = [f"image {index}" for index in range(len(jpegs))], [None] * len(jpegs)
        return JpegBatch(encoded, names, self._label_lists(file, labels), list(third))

    def _label_lists(self, file: Path, labels: list[Any]) -> list[list[int]]:
        """The labels of each image: one, several, or none."""
        lists = []
        for index, label in enumerate(labels):
            try:
                values = np.asarray([] if label is None else label, np.float64).reshape(1, -1)
            except (ValueError, TypeError):
                raise DataError(f"{file}: the label of image {index} is {label!r:.40}, should be a number") from None
            lists.append(self._checked_labels(file, values)[0].tolist())
        return lists


def _unfinished(path: Path) -> str:
    """A hint at a conversion that was stopped (convnet data make)."""
    work = path.with_name(path.name + ".partial")
    return f"; {work} is an unfinished one: run the same convnet data make again" if work.is_dir() else ""


def _is_jpeg(batch: Any) -> bool:
    """Whether an unpickled batch is of the JPEG kind: a triple of lists, or a dictionary with a list of strings."""
    if isinstance(batch, (tuple, list)):
        return len(batch) == 3 and _are_strings(batch[0])
    return isinstance(batch, Mapping) and _are_strings(batch.get("data"))


def _are_strings(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, (bytes, bytearray, str)) for item in value)


def _is_named(item: Any) -> bool:
    """Whether an item of a batch's third list is a pair of a name and a label."""
    return isinstance(item, (tuple, list)) and len(item) == 2 and isinstance(item[0], (str, bytes))
