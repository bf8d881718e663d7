"""What a net consists of, as a table and as data, and the notebook comments of a parameter file (spec 1, 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isqrt
from pathlib import Path
from typing import Any

from convnet_py.errors import one_line
from convnet_py.layers.ini import decode

_FLOAT_BYTES = 4
_COMMENT = re.compile(r"[#;]+ ?(.*)|(?i:rem)\b ?(.*)")


def as_data(layers: Mapping[str, dict]) -> dict[str, Any]:
    """``{"layers": [...], "totals": {...}}``, ready for JSON.

    Each layer: name, type, inputs, shape (channels, height, width, or values per case), gpu, matrices (their shapes;
    None: shared), weights and biases (numbers of its own), multiply_adds per case, forward, and memory_per_case:
    the bytes of its output and of its output's gradient, where it has one.
    """
    rows = [_row(layer) for layer in layers.values()]
    summed = ("weights", "biases", "multiply_adds", "memory_per_case")
    return {"layers": rows, "totals": {key: sum(row[key] for row in rows) for key in summed}}


def table(layers: Mapping[str, dict]) -> str:
    """The same for readers: one line per layer, and the totals. Names that would upset a terminal show escapes."""
    data = as_data(layers)
    head = ["layer", "type", "inputs", "output", "gpu", "weights", "parameters", "multiply-adds", "bytes/case"]
    lines = [head, *(_cells(row) for row in data["layers"]), _total_cells(data["totals"])]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    # Text to the left, numbers to the right.
    aligned = [
        [cell.ljust(width) for cell, width in zip(line[:6], widths[:6], strict=True)]
        + [cell.rjust(width) for cell, width in zip(line[6:], widths[6:], strict=True)]
        for line in lines
    ]
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def notes(path: Path) -> list[str]:
    """The comment lines of a layer file, without their marks: the notebook that its authors kept there."""
    lines = (decode(line) for line in path.read_bytes().split(b"\n"))
    found = (_COMMENT.fullmatch(one_line(line.rstrip().expandtabs())) for line in lines)
    return [match[1] or match[2] or "" for match in found if match]


def output_shape(layer: dict) -> tuple[int, ...]:
    """(channels, height, width) of an image layer's output; (values,) of others."""
    outputs = layer["outputs"]
    while layer["type"] in ("neuron", "hs", "eltsum", "eltmax") and layer.get("inputLayers"):
        layer = layer["inputLayers"][0]  # the output has its input's shape
    if layer["type"] in ("conv", "local"):
        return (layer["filters"], layer["modulesX"], layer["modulesX"])
    if layer["type"].startswith("cost.") or not isinstance(layer.get("channels"), int):
        return (outputs,)
    side = isqrt(outputs // layer["channels"])
    return (layer["channels"], side, side)


def _row(layer: dict) -> dict[str, Any]:
    sources = layer.get("weightSourceLayers", ())
    shapes = [tuple(matrix.shape) for matrix in layer.get("weights", ())]
    own = [None if source else list(shape) for shape, source in zip(shapes, sources, strict=True)]
    is_cost = layer["type"].startswith("cost.")
    has_gradient = layer["gradConsumer"] and not is_cost
    return {
        "name": layer["name"],
        "type": layer["type"],
        "inputs": list(layer.get("inputs", ())),
        "shape": list(output_shape(layer)),
        "gpu": layer["gpu"],
        "matrices": own,
        "weights": sum(shape[0] * shape[1] for shape in filter(None, own)),
        "biases": int(layer["biases"].size) if "biases" in layer else 0,
        "multiply_adds": sum(rows * columns for rows, columns in shapes) * _uses_of_a_weight(layer),
        "memory_per_case": 0 if is_cost else _FLOAT_BYTES * layer["outputs"] * (2 if has_gradient else 1),
    }


def _uses_of_a_weight(layer: dict) -> int:
    """How many multiplications each weight does per case."""
    return layer["modules"] if layer["type"] == "conv" else 1


def _cells(row: dict[str, Any]) -> list[str]:
    matrices = ["shared" if shape is None else "x".join(map(str, shape)) for shape in row["matrices"]]
    return [
        one_line(row["name"]),
        row["type"],
        one_line(", ".join(row["inputs"])),
        "x".join(map(str, row["shape"])),
        "" if row["gpu"] < 0 else str(row["gpu"]),
        ", ".join(matrices),
        *(f"{number:,}" if number else "" for number in (row["weights"] + row["biases"], row["multiply_adds"])),
        f"{row['memory_per_case']:,}",
    ]


def _total_cells(totals: Mapping[str, int]) -> list[str]:
    numbers = (totals["weights"] + totals["biases"], totals["multiply_adds"], totals["memory_per_case"])
    return ["total", "", "", "", "", "", *(f"{number:,}" for number in numbers)]
