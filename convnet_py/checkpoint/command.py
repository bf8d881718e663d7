"""``convnet checkpoint``: say what is in a checkpoint, and write it in another format (spec 4.3)."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from convnet_py import checkpoint
from convnet_py.checkpoint.state import Checkpoint, Outcome
from convnet_py.errors import CheckpointError, UsageError

_SUFFIXES = {".h5": "native", ".hdf5": "native", ".pkl": "historic", ".pickle": "historic", "": "npy", ".npy": "npy"}
_DESCRIBED = {
    "native": "native (HDF5)",
    "historic": "historic (pickle of Python 2)",
    "npy": "npy (a folder of arrays)",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog.removeprefix('convnet ')}: {message}; see convnet checkpoint --help")


def run_checkpoint(arguments: Sequence[str]) -> int:
    """Run ``convnet checkpoint`` and return its exit status. Raises ConvnetError."""
    values = _parser().parse_args(arguments)
    return values.run(values)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="convnet checkpoint", description="Look at checkpoints, or write them in another format.")
    commands = parser.add_subparsers(required=True, metavar="info|convert")
    info = commands.add_parser("info", help="what is in a checkpoint")
    info.add_argument("file", type=Path, metavar="FILE", help="a checkpoint, or a folder of which the last is taken")
    info.set_defaults(run=_info)
    convert = commands.add_parser(
        "convert", help="write a checkpoint in another format",
        description="Write a checkpoint in another format, bit for bit. The name OUT tells the format: .h5 native, "
        ".pkl historic, a name without a dot a folder of .npy files; any other needs --format.",
    )  # fmt: skip
    convert.add_argument("source", type=Path, metavar="IN", help="a checkpoint of any format, or a folder of them")
    convert.add_argument("target", type=Path, metavar="OUT", help="what to write; it must not exist")
    convert.add_argument("--format", choices=checkpoint.FORMATS, help="the format of OUT")
    convert.add_argument("--zip", action="store_true", help="compress it (native and historic)")
    convert.set_defaults(run=_convert)
    return parser


def _convert(values: argparse.Namespace) -> int:
    target: Path = values.target
    format = values.format or _SUFFIXES.get(target.suffix)
    if format is None:
        raise UsageError(f"convert: '{target.name}' does not tell a format; give --format=native, historic or npy")
    if values.zip and format == "npy":
        raise UsageError("convert: --zip means nothing to a folder of arrays")
    if target.exists() or target.is_symlink():
        raise CheckpointError(f"{target}: exists already; nothing is overwritten")
    if not target.absolute().parent.is_dir():
        raise CheckpointError(f"{target.parent}: no such folder")
    checkpoint.write(checkpoint.read(checkpoint.find(values.source)), target, format, compress=values.zip)
    print(target)
    return 0


def _info(values: argparse.Namespace) -> int:
    path = checkpoint.find(values.file)
    saved = checkpoint.read(path)
    lines = [f"file        {path}", f"format      {_format(path, saved)}"]
    lines += [f"saved       after batch {saved.batch} of epoch {saved.epoch}"]
    lines += [f"trained     {len(saved.train_outputs)} batches, tested {len(saved.test_outputs)} times"]
    for name, outcomes in (("training", saved.train_outputs), ("test", saved.test_outputs)):
        if outcomes:
            lines.append(f"last {name:<8} {_costs(outcomes[-1])}")
    if saved.engine:
        lines.append(f"engine      {saved.engine}")
    lines += ["", *_layer_table(saved), "", *_options(saved)]
    print("\n".join(lines).rstrip())
    return 0


def _format(path: Path, saved: Checkpoint) -> str:
    described = _DESCRIBED[checkpoint.format_of(path)]
    return f"{described}, release {saved.origin.release}" if saved.origin else described


def _costs(outcome: Outcome) -> str:
    values = outcome.per_case()
    listed = ", ".join(f"{name} {' '.join(f'{value:.6f}' for value in values[name])}" for name in values)
    return f"{listed} per case, {outcome.cases} cases"


def _layer_table(saved: Checkpoint) -> list[str]:
    rows = [("layer", "type", "outputs", "weights", "biases", "mean |weight|")]
    count = 0
    for name, layer in saved.layers.items():
        matrices = [matrix for matrix in _as_list(layer.get("weights")) if isinstance(matrix, np.ndarray)]
        biases = layer.get("biases")
        biases = biases if isinstance(biases, np.ndarray) else None
        own = _own_matrices(layer, matrices)
        count += sum(matrix.size for matrix in own) + (biases.size if biases is not None else 0)
        means = " ".join(f"{_mean_abs(matrix):.3e}" for matrix in matrices)
        shapes = ", ".join(map(_shape, matrices))
        rows.append((name, str(layer.get("type")), str(layer.get("outputs", "")), shapes, _shape(biases), means))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines, f"{count:,} weights and biases"]


def _own_matrices(layer: dict[str, Any], matrices: list[np.ndarray]) -> list[np.ndarray]:
    sources = _as_list(layer.get("weightSourceLayers"))
    shared = [bool(source) for source in sources] if len(sources) == len(matrices) else [False] * len(matrices)
    return [matrix for matrix, is_shared in zip(matrices, shared, strict=True) if not is_shared]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _mean_abs(matrix: np.ndarray) -> float:
    if matrix.dtype.kind not in "biuf" or not matrix.size:
        return math.nan
    return float(np.abs(matrix).mean(dtype=np.float64))


def _shape(array: np.ndarray | None) -> str:
    return "" if array is None else " x ".join(map(str, array.shape))


def _options(saved: Checkpoint) -> list[str]:
    width = max((len(name) for name in saved.options), default=0)
    return [f"--{name:<{width}}  {text}" for name, text in sorted(saved.options.items())]
