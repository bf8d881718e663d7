"""``convnet predictions``: average the class probabilities of several nets, their error, or as text (spec 4.5).

Predictions are the files ``test_preds_N`` of --test-out, one per batch: pickles of a dictionary with ``data``, cases x
classes, and perhaps ``labels``; or of the matrix alone.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from convnet_py.data import safe_pickle
from convnet_py.data.batch_folder import BatchFolder
from convnet_py.data.make.writer import check_free, new_folder, write_pickle
from convnet_py.errors import DataError, UsageError

_NAME = re.compile(r"test_preds_(\d+)")


@dataclass(frozen=True)
class Predictions:
    """One batch. ``probabilities``: float64, cases x classes. ``labels``: int64, a class per case, or None."""

    path: Path
    probabilities: np.ndarray
    labels: np.ndarray | None


def prediction_files(folder: Path) -> dict[int, Path]:
    """The prediction files of a folder by batch number, ascending. Raises DataError where there are none."""
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'} of predictions")
    try:
        found = {int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))}
    except PermissionError:
        raise DataError(f"{folder}: no permission to read it") from None
    if not found:
        raise DataError(f"{folder}: has no predictions (test_preds_N, as --test-out writes them)")
    return dict(sorted(found.items()))


def read_predictions(path: Path) -> Predictions:
    """The predictions of one batch. Raises DataError, one line."""
    value = safe_pickle.load(path)
    data, labels = (value.get("data"), value.get("labels")) if isinstance(value, dict) else (value, None)
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.dtype.kind not in "fiu" or not data.size:
        raise DataError(f"{path}: should hold probabilities, a matrix of cases x classes")
    if not np.isfinite(data).all():
        case = int(np.argmax(~np.isfinite(data).all(axis=1)))
        raise DataError(f"{path}: the probabilities of case {case} are NaN or infinite")
    return Predictions(path, data.astype(np.float64), None if labels is None else _labels(path, labels, data.shape))


def _labels(where: Path, labels: object, shape: tuple[int, ...]) -> np.ndarray:
    """Labels as int64, one per case, each a class. Raises DataError."""
    cases, classes = shape
    try:
        values = np.asarray(labels, np.float64).reshape(-1)
    except (ValueError, TypeError):
        raise DataError(f"{where}: labels are not numbers, one per case") from None
    if len(values) != cases:
        raise DataError(f"{where}: has {len(values)} labels, the predictions {cases} cases")
    wrong = ~((values >= 0) & (values < classes) & (values == np.floor(values)))
    if wrong.any():
        case = int(np.argmax(wrong))
        raise DataError(f"{where}: label {values[case]:g} of case {case} is none of the {classes} classes predicted")
    return values.astype(np.int64)


def average(parts: Sequence[Predictions], coefficients: Sequence[float]) -> np.ndarray:
    """The mean of several nets' probabilities for a batch, weighted: float32, cases x classes. Raises DataError."""
    first = parts[0]
    for part in parts[1:]:
        if part.probabilities.shape != first.probabilities.shape:
            shapes = [" x ".join(map(str, each.probabilities.shape)) for each in (part, first)]
            raise DataError(f"{part.path}: is {shapes[0]} (cases x classes), {first.path} is {shapes[1]}")
        if part.labels is not None and first.labels is not None and (part.labels != first.labels).any():
            case = int(np.argmax(part.labels != first.labels))
            raise DataError(f"{part.path}: has another label than {first.path} for case {case}: not the same images")
    weighted = sum(coefficient * part.probabilities for coefficient, part in zip(coefficients, parts, strict=True))
    return (weighted / sum(coefficients)).astype(np.float32)


def errors(probabilities: np.ndarray, labels: np.ndarray, top: int) -> np.ndarray:
    """Negative log probability, top-1 and top-``top`` errors, summed over the cases (spec 3.7, cost.logreg)."""
    of_label = probabilities[np.arange(len(labels)), labels]
    larger = (probabilities > of_label[:, None]).sum(axis=1)
    ties = (probabilities == of_label[:, None]).sum(axis=1)
    with np.errstate(divide="ignore"):
        log = -np.log(of_label).sum()
    return np.array([log, *(len(labels) - np.clip((k - larger) / ties, 0, 1).sum() for k in (1, top))])


# Command line


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog.removeprefix('convnet ')}: {message}; see convnet predictions --help")


def run_predictions(arguments: Sequence[str]) -> int:
    """Run ``convnet predictions`` and return its exit status. Raises ConvnetError."""
    values = _parser().parse_args(arguments)
    return values.run(values)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="convnet predictions", description="Use the prediction files that --test-out writes.")
    commands = parser.add_subparsers(required=True, metavar="average|error|text")
    averaged = commands.add_parser("average", help="average the predictions of several nets")
    averaged.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders of test_preds_N files")
    averaged.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the averages")
    averaged.add_argument("--coeffs", type=_coefficients, metavar="A,B,...", help="weights of the folders (equal)")
    averaged.set_defaults(run=_average)
    wrong = commands.add_parser("error", help="error rates against the labels")
    wrong.add_argument("--top-k", type=_positive, default=5, metavar="K", help="also the top-K error (5)")
    wrong.set_defaults(run=_error)
    text = commands.add_parser("text", help="the likeliest classes of each case, by name")
    text.add_argument("--top-k", type=_positive, default=5, metavar="K", help="so many classes (5)")
    text.set_defaults(run=_text)
    for command in (wrong, text):
        command.add_argument("folder", type=Path, metavar="DIR", help="a folder of test_preds_N files")
        command.add_argument("--data-path", type=Path, metavar="DATA", help="batches with labels, and class names")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text[:9]):
        raise argparse.ArgumentTypeError(f"got '{text}', takes an integer of at least 1")
    return int(text[:9])


def _coefficients(text: str) -> list[float]:
    try:
        values = [float(item) for item in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(0 <= value < float("inf") for value in values) or not sum(values):
        raise argparse.ArgumentTypeError(f"got '{text}', takes numbers of at least 0 separated by commas, not all 0")
    return values


def _average(values: argparse.Namespace) -> int:
    coefficients = values.coeffs or [1.0] * len(values.folders)
    if len(coefficients) != len(values.folders):
        raise UsageError(f"average: --coeffs: got {len(coefficients)} numbers for {len(values.folders)} folders")
    check_free(values.out)
    there = {folder: prediction_files(folder) for folder in values.folders}
    numbers = list(there[values.folders[0]])
    for folder, files in there.items():
        if different := set(files) ^ set(numbers):
            raise DataError(f"{folder}: has other batches than {values.folders[0]}: {min(different)} is in one only")
    with new_folder(values.out) as folder:
        for number in numbers:
            parts = [read_predictions(files[number]) for files in there.values()]
            labels = next((part.labels for part in parts if part.labels is not None), None)
            known = {} if labels is None else {"labels": labels.tolist()}
            write_pickle(folder / f"test_preds_{number}", {"data": average(parts, coefficients), **known})
    print(f"{len(numbers)} batches averaged over {len(there)} folders: {values.out}")
    return 0


def _labelled(folder: Path, data: BatchFolder | None) -> Iterator[tuple[int, Predictions, np.ndarray | None]]:
    """Each batch of predictions with its labels: those of the data, or of the file, or None."""
    for number, path in prediction_files(folder).items():
        predicted = read_predictions(path)
        labels = predicted.labels
        if data is not None:
            labels = _labels_of_batch(data, number, predicted)
        yield number, predicted, labels


def _labels_of_batch(data: BatchFolder, number: int, predicted: Predictions) -> np.ndarray:
    if number not in data.numbers():
        raise DataError(f"{data.path}: has no batch {number}, of which {predicted.path} holds predictions")
    where = data.path / f"data_batch_{number}"
    if data.is_jpeg(number):
        labels: object = [labels[0] if labels else 0 for labels in data.jpeg_batch(number).labels]
    else:
        labels = data.batch(number).labels
    if labels is None:
        raise DataError(f"{where}: has no labels")
    return _labels(where, labels, predicted.probabilities.shape)


def _error(values: argparse.Namespace) -> int:
    data = BatchFolder(values.data_path) if values.data_path else None
    total, cases = np.zeros(3), 0
    for number, predicted, labels in _labelled(values.folder, data):
        if labels is None:
            raise DataError(f"{predicted.path}: has no labels; --data-path names the batches that have them")
        if values.top_k > predicted.probabilities.shape[1]:
            raise UsageError(
                f"error: --top-k: got {values.top_k}, there are {predicted.probabilities.shape[1]} classes"
            )
        summed = errors(predicted.probabilities, labels, values.top_k)
        print(_error_line(f"batch {number}", summed, len(labels), values.top_k))
        total, cases = total + summed, cases + len(labels)
    print(_error_line("all", total, cases, values.top_k))
    return 0


def _error_line(what: str, summed: np.ndarray, cases: int, top: int) -> str:
    log, first, kth = summed / cases
    return f"{what}, {cases} cases: logprob {log:.6f}, top-1 error {first:.6f}, top-{top} error {kth:.6f}"


def _text(values: argparse.Namespace) -> int:
    data = BatchFolder(values.data_path) if values.data_path else None
    names = [str(name) for name in data.meta.get("label_names", [])] if data else []
    for number, predicted, labels in _labelled(values.folder, data):
        classes = predicted.probabilities.shape[1]
        if names and len(names) != classes:
            raise DataError(f"{data.meta_path}: has {len(names)} label_names, {predicted.path} predicts {classes}")
        for case, row in enumerate(predicted.probabilities):
            best = np.argsort(-row, kind="stable")[: values.top_k]
            likely = ", ".join(f"{_class(names, label)} {row[label]:.4f}" for label in best)
            known = "" if labels is None else f" [{_class(names, labels[case])}]"
            print(f"{number}.{case}{known}: {likely}")
    return 0


def _class(names: list[str], label: int) -> str:
    return names[label] if names else str(label)
