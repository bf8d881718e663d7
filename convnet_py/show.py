"""Pictures of a checkpoint as PNG files: filters (Pillow alone) and cost curves (matplotlib) (spec 4.4).

Neither needs data or a device. And the features of a layer, which need both (``feature_writer``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convnet_py import checkpoint
from convnet_py.checkpoint import Checkpoint
from convnet_py.errors import ConvnetError, UsageError
from convnet_py.feature_writer import write_features
from convnet_py.options import BOOLEAN, DECLARATIONS, PATH, TEXT, Kind, convert, flag, split_arguments

#: Option -> what it takes and what it is for.
OPTIONS: dict[str, tuple[Kind, str]] = {
    "f": (PATH, "checkpoint file or folder"),
    "show-filters": (TEXT, "layer whose filters to draw (default: the first convolution)"),
    "input-idx": (Kind("an integer of at least 0", lambda text: int(text.removeprefix("+"))), "its input (0)"),
    "no-rgb": (BOOLEAN, "1: draw three channels one by one (0)"),
    "show-cost": (TEXT, "cost to draw the curve of (default: the first one)"),
    "cost-idx": (Kind("an integer of at least 0", lambda text: int(text.removeprefix("+"))), "which of its values (0)"),
    "output": (PATH, "folder for the pictures (default: the checkpoint's)"),
    "write-features": (TEXT, "layer whose outputs over the test range to write"),
    "feature-path": (PATH, "... and the new folder for them"),
}

#: Options of a test that may be given with --write-features instead of the saved ones.
TEST_OPTIONS = ("data-path", "data-provider", "test-range", "gpu", "device", "math", "threads")

#: Filters smaller than this many pixels on the screen are drawn with each weight as a square of pixels.
_TILE_PIXELS = 64
_BACKGROUND = 255


def show_usage() -> str:
    """The options, one line each."""
    rows = [(name, help) for name, (_, help) in OPTIONS.items()]
    rows += [(name, f"... {DECLARATIONS[name].help}") for name in TEST_OPTIONS]
    return "\n".join(f"{flag(name):<18}{help}" for name, help in rows)


# Filters


def filter_stack(layer: dict[str, Any], input_index: int) -> np.ndarray:
    """The filters of a convolution's input: float32, filters x channels x size x size. Raises UsageError."""
    if layer["type"] != "conv":
        raise UsageError(f"--show-filters: layer '{layer['name']}' is of type {layer['type']}, takes a conv layer")
    if input_index >= len(layer["weights"]):
        raise UsageError(f"--input-idx: got {input_index}, layer '{layer['name']}' has inputs 0 to "
                         f"{len(layer['weights']) - 1}")  # fmt: skip
    size = layer["filterSize"][input_index]
    channels = layer["filterChannels"][input_index]
    return layer["weights"][input_index].T.reshape(-1, channels, size, size)


def filter_picture(filters: np.ndarray, as_rgb: bool) -> Image.Image:
    """A grid of filters (filters x channels x size x size), min-max scaled over all of them.

    Three channels make one coloured tile per filter where ``as_rgb``; else each channel is a grey tile,
    a filter's channels side by side.
    """
    low, high = float(filters.min()), float(filters.max())
    levels = np.clip((filters - low) / ((high - low) or 1) * 255, 0, 255).astype(np.uint8)
    if as_rgb and filters.shape[1] == 3:
        tiles = levels.transpose(0, 2, 3, 1)
        across = _columns(len(tiles))
    else:
        tiles = levels.reshape(-1, *levels.shape[2:], 1).repeat(3, axis=3)
        channels = filters.shape[1]
        across = channels * _columns(filters.shape[0], math.sqrt(filters.shape[0] / channels))
    return _grid(tiles, across)


def _columns(number: int, wanted: float | None = None) -> int:
    """How many of ``number`` tiles go in a row: near ``wanted`` (default: a square), if possible with full rows."""
    least = max(1, math.ceil(wanted or math.sqrt(number)))
    full = [columns for columns in range(least, 2 * least) if number % columns == 0]
    return full[0] if full else least


def _grid(tiles: np.ndarray, across: int) -> Image.Image:
    """Tiles (number x size x size x 3) in rows of ``across``, with a thin margin between them."""
    size = tiles.shape[1]
    scale = max(1, round(_TILE_PIXELS / size))
    margin = max(2, _TILE_PIXELS // 16)
    pitch = size * scale + margin
    down = math.ceil(len(tiles) / across)
    canvas = np.full((down * pitch + margin, across * pitch + margin, 3), _BACKGROUND, np.uint8)
    for position, tile in enumerate(tiles):
        top, left = (margin + place * pitch for place in divmod(position, across))
        canvas[top : top + size * scale, left : left + size * scale] = tile.repeat(scale, 0).repeat(scale, 1)
    return Image.fromarray(canvas)


def draw_filters(layers: dict[str, dict[str, Any]], name: str | None, input_index: int, no_rgb: bool) -> Image.Image:
    """The filters of layer ``name`` (None: the first convolution). Raises UsageError."""
    convolutions = [layer for layer in layers.values() if layer["type"] == "conv"]
    if name is not None and name not in layers:
        known = ", ".join(layer["name"] for layer in convolutions)
        raise UsageError(f"--show-filters: no layer '{name}' in this checkpoint; its convolutions: {known or 'none'}")
    if name is None and not convolutions:
        raise UsageError("--show-filters: this net has no convolution")
    layer = layers[name] if name is not None else convolutions[0]
    return filter_picture(filter_stack(layer, input_index), as_rgb=not no_rgb)


# Cost curves


def cost_curves(saved: Checkpoint, name: str | None, index: int, batches: int) -> tuple[str, dict[str, np.ndarray]]:
    """The cost drawn and its curves: ``training`` and ``test``, each (points x 2): epochs, value per case.

    Raises UsageError for a cost or value that the checkpoint does not hold.
    """
    outcomes = {"training": saved.train_outputs, "test": saved.test_outputs}
    known = list(saved.train_outputs[-1].costs) if saved.train_outputs else []
    if not known:
        raise UsageError("--show-cost: this checkpoint has no costs yet")
    name = name if name is not None else known[0]
    if name not in known:
        raise UsageError(f"--show-cost: no cost '{name}' in this checkpoint; takes one of {', '.join(known)}")
    length = len(saved.train_outputs[-1].costs[name])
    if index >= length:
        raise UsageError(f"--cost-idx: got {index}, cost '{name}' has values 0 to {length - 1}")
    curves = {
        kind: np.array(
            [
                [outcome.trained / batches, outcome.per_case()[name][index]]
                for outcome in points
                if len(outcome.costs.get(name, ())) > index
            ]
        ).reshape(-1, 2)
        for kind, points in outcomes.items()
    }
    return name, curves


def draw_cost(curves: dict[str, np.ndarray], label: str, path: Path) -> None:
    """Write a PNG of the training and test curves over epochs. Raises ConvnetError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConvnetError("--show-cost: cost curves need matplotlib: install the extra 'plot'") from None
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    training, test = curves["training"], curves["test"]
    axes.plot(training[:, 0], training[:, 1], color="#7fa8d1", linewidth=1, label="training batch")
    marker = "o" if len(test) <= 40 else None
    axes.plot(test[:, 0], test[:, 1], color="#c0392b", linewidth=2, marker=marker, markersize=4, label="test")
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.set_xlim(left=0)
    values = np.concatenate([training[:, 1], test[:, 1]])
    if values.min() > 0 and values.max() > 30 * values.min():
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=min(0, values.min()))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path)


def cost_label(saved: Checkpoint, name: str, index: int) -> str:
    """What the axis of a cost's value says."""
    kind = saved.layers[name]["type"].removeprefix("cost.") if name in saved.layers else ""
    meaning = {"logreg": ["negative log probability", "error rate", "top-k error rate"]}.get(kind, [])
    return f"{name}: {meaning[index]} per case" if index < len(meaning) else f"{name}[{index}] per case"


# Command line


def _parse(arguments: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of OPTIONS, and the texts of TEST_OPTIONS."""
    texts = split_arguments(arguments, [*OPTIONS, *TEST_OPTIONS])
    values = {name: convert(name, text, OPTIONS[name][0]) for name, text in texts.items() if name in OPTIONS}
    for_test = {name: text for name, text in texts.items() if name not in OPTIONS}
    if ("write-features" in values) != ("feature-path" in values):
        raise UsageError("--write-features: needs --feature-path, a new folder, and the other way round")
    if for_test and "write-features" not in values:
        raise UsageError(f"{flag(next(iter(for_test)))}: means something with --write-features only")
    if "f" not in values:
        raise UsageError("missing: -f CHECKPOINT, a file or a folder")
    for name in ("input-idx", "cost-idx"):
        if values.get(name, 0) < 0:
            raise UsageError(f"--{name}: got '{texts[name]}', takes {OPTIONS[name][0].takes}")
    return values, for_test


def _train_batches(saved: Checkpoint) -> int:
    """Batches per epoch, by the saved training range."""
    first, _, last = saved.options.get("train-range", "1").partition("-")
    return int(last or first) - int(first) + 1


def write_filters(saved: Checkpoint, folder: Path, name: str | None, input_index: int, no_rgb: bool) -> Path:
    """Write ``filters-EPOCH.BATCH.png`` and return its path."""
    path = folder / f"filters-{saved.name}.png"
    draw_filters(saved.layers, name, input_index, no_rgb).save(path)
    return path


def write_cost(saved: Checkpoint, folder: Path, name: str | None, index: int) -> Path:
    """Write ``cost-EPOCH.BATCH.png`` and return its path."""
    path = folder / f"cost-{saved.name}.png"
    name, curves = cost_curves(saved, name, index, _train_batches(saved))
    draw_cost(curves, cost_label(saved, name, index), path)
    return path


def run_show(arguments: Sequence[str], warn: Callable[[str], None]) -> int:
    """Draw what the options name, or both pictures if they name none; print the paths of what was written."""
    values, for_test = _parse(arguments)
    source = checkpoint.find(values["f"])
    if "write-features" in values:
        write_features(source, values["write-features"], values["feature-path"], for_test, warn)
        print(values["feature-path"])
        return 0
    saved = checkpoint.load(source)
    folder = values.get("output", source.parent)
    if not folder.is_dir():
        raise UsageError(f"--output: {folder} is not a folder")
    both = "show-filters" not in values and "show-cost" not in values
    try:
        if both or "show-filters" in values:
            print(write_filters(saved, folder, values.get("show-filters"), values.get("input-idx", 0),
                                values.get("no-rgb", False)))  # fmt: skip
        if both or "show-cost" in values:
            print(write_cost(saved, folder, values.get("show-cost"), values.get("cost-idx", 0)))
    except OSError as error:
        raise ConvnetError(f"{folder}: a picture cannot be written: {error.strerror or error}") from None
    return 0
