"""``convnet features nearest``: the images whose features are most like those of one (spec 4.5).

Feature folders are those of the viewer's --write-features: ``data_batch_N`` with ``data``, cases x outputs, and labels,
and ``batches.meta`` with ``source_model`` and ``num_vis``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from convnet_py.data import safe_pickle
from convnet_py.errors import DataError, UsageError

_NAME = re.compile(r"data_batch_(\d+)")


@dataclass(frozen=True)
class Features:
    """All features of a folder. ``values``: float32, cases x outputs. ``places``: the batch and case of each row.

    ``labels``: of each row, or None where the folder has none.
    """

    values: np.ndarray
    places: list[tuple[int, int]]
    labels: np.ndarray | None
    source_model: str
    label_names: list[str]


def read_features(folder: Path) -> Features:
    """Read a feature folder. Raises DataError, one line."""
    meta = _read_meta(folder)
    numbered = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    if not numbered:
        raise DataError(f"{folder}: has no features (data_batch_N, as --write-features writes them)")
    values, labels, places = [], [], []
    for number, path in sorted(numbered):
        data, known = _read_batch(path, meta["num_vis"])
        values.append(data)
        labels.append(known)
        places += [(number, case) for case in range(len(data))]
    complete = all(known is not None for known in labels)
    names = meta.get("label_names")
    return Features(
        np.concatenate(values),
        places,
        np.concatenate(labels) if complete else None,
        str(meta.get("source_model", "")),
        [str(name) for name in names] if isinstance(names, list) else [],
    )


def _read_meta(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'} of features")
    meta = safe_pickle.load(folder / "batches.meta")
    if not isinstance(meta, dict) or not isinstance(meta.get("num_vis"), (int, np.integer)):
        raise DataError(f"{folder / 'batches.meta'}: should be a dictionary with num_vis, the length of the features")
    return meta


def _read_batch(path: Path, outputs: int) -> tuple[np.ndarray, np.ndarray | None]:
    batch = safe_pickle.load(path)
    data = batch.get("data") if isinstance(batch, dict) else None
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.dtype.kind not in "fiu":
        raise DataError(f"{path}: should be a dictionary with an array 'data' (cases x outputs)")
    if data.shape[1] != outputs:
        turned = "; its transpose would fit: a batch of images, not of features?" if data.shape[0] == outputs else ""
        raise DataError(f"{path}: features have {data.shape[1]} values, should have num_vis = {outputs}{turned}")
    if not np.isfinite(data).all():
        raise DataError(f"{path}: features hold NaN or infinite values")
    if batch.get("labels") is None:
        return data.astype(np.float32), None
    try:
        labels = np.asarray(batch["labels"], np.float64).reshape(-1).astype(np.int64)
    except (ValueError, TypeError):
        raise DataError(f"{path}: labels are not numbers, one per case") from None
    if len(labels) != len(data):
        raise DataError(f"{path}: has {len(labels)} labels for {len(data)} cases")
    return data.astype(np.float32), labels


def distances(values: np.ndarray, one: np.ndarray, measure: str) -> np.ndarray:
    """The distance of each row of ``values`` from ``one``: float64. ``measure``: euclidean, or cosine (1 - cosine)."""
    rows, one = values.astype(np.float64), one.astype(np.float64)
    if measure == "euclidean":
        return np.sqrt(((rows - one) ** 2).sum(axis=1))
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(one)
    # What has no length is like nothing.
    return 1 - np.divide(rows @ one, lengths, out=np.zeros(len(rows)), where=lengths > 0)


# Command line


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog.removeprefix('convnet ')}: {message}; see convnet features --help")


def run_features(arguments: Sequence[str]) -> int:
    """Run ``convnet features`` and return its exit status. Raises ConvnetError."""
    parser = _Parser(prog="convnet features", description="Use the features that show --write-features writes.")
    commands = parser.add_subparsers(required=True, metavar="nearest")
    nearest = commands.add_parser("nearest", help="the images most like one")
    nearest.add_argument("folder", type=Path, metavar="DIR", help="a folder of features")
    nearest.add_argument("--case", type=_place, required=True, metavar="BATCH.CASE", help="the image, cases from 0")
    nearest.add_argument("--count", type=int, default=10, metavar="N", help="so many images (10)")
    nearest.add_argument("--distance", choices=["euclidean", "cosine"], default="euclidean", help="(euclidean)")
    nearest.set_defaults(run=_nearest)
    values = parser.parse_args(arguments)
    return values.run(values)


def _place(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,9})\.(\d{1,9})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"got '{text}', takes batch and case, such as 6.17")
    return int(match[1]), int(match[2])


def _nearest(values: argparse.Namespace) -> int:
    if values.count < 1:
        raise UsageError(f"nearest: --count: got '{values.count}', takes an integer of at least 1")
    features = read_features(values.folder)
    if values.case not in features.places:
        last = max(case for batch, case in features.places if batch == max(features.places)[0])
        raise UsageError(
            f"nearest: --case: got {values.case[0]}.{values.case[1]}, {values.folder} has cases "
            f"{features.places[0][0]}.0 to {max(features.places)[0]}.{last}"
        )
    own = features.places.index(values.case)
    away = distances(features.values, features.values[own], values.distance)
    others = [row for row in np.argsort(away, kind="stable") if row != own]
    print(f"{_described(features, own)}, features of {features.source_model or 'an unnamed model'}")
    for rank, row in enumerate(others[: values.count], 1):
        print(f"{rank:>3}  {away[row]:.6f}  {_described(features, row)}")
    return 0


def _described(features: Features, row: int) -> str:
    batch, case = features.places[row]
    if features.labels is None:
        return f"{batch}.{case}"
    label = int(features.labels[row])
    named = 0 <= label < len(features.label_names)
    return f"{batch}.{case}  {features.label_names[label] if named else label}"
