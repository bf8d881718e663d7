"""A folder of batches (spec 5.1): ``batches.meta`` and ``data_batch_N`` (or ``data_batch_N.1``, ...), all pickles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from convnet_py.data import safe_pickle
from convnet_py.errors import DataError


class BatchFolder:
    """The metadata and batches of one folder, read without running anything in them.

    ``meta``: the dictionary of ``batches.meta`` with ``num_vis`` (int) and, where given, ``data_mean``
    (float32, num_vis x 1) and ``label_names`` (list) checked. Raises DataError, one line.
    """

    def __init__(self, path: Path):
        self.path = path
        if not path.is_dir():
            raise DataError(f"{path}: {'not a folder' if path.exists() else 'no such data folder'}")
        self.meta_path = path / "batches.meta"
        if not self.meta_path.is_file():
            raise DataError(f"{path}: no batches.meta in this folder, so it is not a data folder")
        self.meta = self._read_meta()
        self._parts = self._find_parts()

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
        return meta

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

    def batch(self, number: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Data (num_vis x cases, as stored) and labels (int64, 1 x cases; None where the batch has none)."""
        parts = [self._read_part(file) for file in self._parts[number]]
        data = np.concatenate([data for data, _ in parts], axis=1) if len(parts) > 1 else parts[0][0]
        labels = [part for _, part in parts if part is not None]
        if labels and len(labels) != len(parts):
            raise DataError(f"{self._parts[number][0]}: some parts of this batch have labels and some have none")
        return data, np.concatenate(labels, axis=1) if labels else None

    def _read_part(self, file: Path) -> tuple[np.ndarray, np.ndarray | None]:
        batch = safe_pickle.load(file)
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
        return data, self._labels(file, batch, data.shape[1])

    def _labels(self, file: Path, batch: dict[str, Any], cases: int) -> np.ndarray | None:
        if "labels" not in batch:
            return None
        try:
            labels = np.asarray(batch["labels"], np.float64).reshape(1, -1)
        except (ValueError, TypeError):
            raise DataError(f"{file}: labels are not numbers, one per case") from None
        if labels.size != cases:
            raise DataError(f"{file}: has {labels.size} labels for {cases} cases")
        classes = len(self.meta.get("label_names", []))
        wrong = ~((labels >= 0) & (labels == np.floor(labels)) & ((labels < classes) | (classes == 0)))
        if wrong.any():
            case = int(np.argmax(wrong))
            most = f"to {classes - 1} (label_names has {classes})" if classes else "up"
            raise DataError(
                f"{file}: label {labels[0, case]:g} of case {case} is out of range, should be from 0 {most}"
            )
        return labels.astype(np.int64)
