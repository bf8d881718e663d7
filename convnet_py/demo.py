"""``convnet demo``: train a small net on handwritten digits, and show that it learned (house plan; spec 4.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convnet_py.build import build_run
from convnet_py.errors import ConvnetError
from convnet_py.options import parse_arguments, split_arguments
from convnet_py.show import write_cost, write_filters

EPOCHS = 30
BATCHES_PER_EPOCH = 5
TEST_EVERY_EPOCHS = 2


def layer_defs() -> Path:
    """The folder of the project's layer files: installed in the package, or in the checkout."""
    installed = Path(__file__).parent / "layer_defs"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "layer_defs"


def weights_sha256(layers: dict[str, dict[str, Any]]) -> str:
    """SHA-256 over the weight arrays (weights, then biases) of all layers in definition order, as C-order bytes."""
    digest = hashlib.sha256()
    for layer in layers.values():
        for array in [*layer.get("weights", []), *([layer["biases"]] if "biases" in layer else [])]:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def demo_arguments(arguments: Sequence[str]) -> list[str]:
    """The training command line that the demo stands for. Raises UsageError for other options than its three."""
    texts = split_arguments(arguments, ["seed", "threads", "save-path"])
    texts.setdefault("save-path", "runs")
    folder = layer_defs() / "digits"
    fixed = {
        "data-provider": "digits",
        "layer-def": str(folder / "layers.cfg"),
        "layer-params": str(folder / "params.cfg"),
        "train-range": f"1-{BATCHES_PER_EPOCH}",
        "test-range": "6",
        "epochs": str(EPOCHS),
        "test-freq": str(BATCHES_PER_EPOCH * TEST_EVERY_EPOCHS),
        "mini": "32",
    }
    return [f"--{name}={text}" for name, text in {**fixed, **texts}.items()]


def run_demo(arguments: Sequence[str], warn: Callable[[str], None]) -> int:
    """Train, test, draw, and end with four lines: test error, weights sha256, checkpoint, pictures."""
    run = build_run(parse_arguments(demo_arguments(arguments)), warn)
    print(f"computing on: {run.engine.device_name}", flush=True)
    run.train()
    result = run.test()
    assert run.last_saved is not None
    folder = run.last_saved.parent
    try:
        pictures = [write_filters(run.state, folder, None, 0, False), write_cost(run.state, folder, None, 0)]
    except OSError as error:
        raise ConvnetError(f"{folder}: a picture cannot be written: {error.strerror or error}") from None
    print(f"test error: {100 * result.costs['logprob'][1] / result.cases:.2f} %")
    print(f"weights sha256: {weights_sha256(run.state.layers)}")
    print(f"checkpoint: {run.last_saved}")
    print("pictures:", *pictures)
    return 0
