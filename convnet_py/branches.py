"""Where two traces of one minibatch took different branches: sides of a relu, winners of a maximum (spec 3.2, 3.5, 3.6).

At such a place the gradient jumps, and rounding alone may decide. A real difference shows in the activations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from convnet_py.trace import Trace, TraceError

Arrays = Callable[[str], np.ndarray]


def branches_differ(layers: dict[str, dict], one: Trace, other: Trace) -> np.ndarray:
    """(cases,): True for the cases in which some layer took another branch. Raises TraceError for misfitting arrays."""
    differ: np.ndarray | None = None
    for name, layer in layers.items():
        pair = [trace.arrays.get(f"activations/{name}") for trace in (one, other)]
        if pair[0] is None or pair[1] is None:
            continue
        for trace, a in zip((one, other), pair, strict=True):
            if a.ndim != 2 or a.shape[0] != layer["outputs"] or a.shape[1] != pair[0].shape[1]:
                expected = f"({layer['outputs']}, {pair[0].shape[-1]})"
                raise TraceError(f"{trace.engine}: activations/{name} is of shape {a.shape}, expected {expected}")
        if differ is None:
            differ = np.zeros(pair[0].shape[1], dtype=bool)
        if all(f"activations/{source}" in trace.arrays for trace in (one, other) for source in layer.get("inputs", ())):
            for first, second in zip(_branches(layer, one), _branches(layer, other), strict=True):
                differ |= (first != second).any(axis=0)
    if differ is None:
        raise TraceError(f"{one.engine} and {other.engine} have no activations in common")
    return differ


def _branches(layer: dict, trace: Trace) -> Iterator[np.ndarray]:
    """Boolean arrays (..., cases): each says for some condition in the layer's gradient where it holds."""
    inputs = [trace.arrays[f"activations/{source}"] for source in layer.get("inputs", ())]
    outputs = trace.arrays[f"activations/{layer['name']}"]
    if layer["type"] == "neuron":
        yield from _sides(layer["neuron"], inputs[0], outputs)
    elif layer["type"] == "eltmax":
        for x in inputs:
            yield x == outputs
    elif layer["type"] == "pool" and layer["pool"] != "avg":
        yield from _winners(layer, inputs[0], outputs)


def _sides(neuron: dict, x: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
    kind = neuron["type"]
    if kind in ("relu", "nrelu", "brelu"):
        yield y > 0
    if kind == "brelu":
        yield y < np.float32(neuron["params"]["a"])
    if kind in ("abs", "abstanh"):
        yield x > 0
    if kind == "softrelu":
        yield x > 4


def _winners(layer: dict, x: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
    """For each place in a pooling window: which elements equal their output."""
    size, outputs = layer["imgSize"], layer["outputsX"]
    images = x.reshape(layer["channels"], size, size, -1)
    maps = y.reshape(layer["channels"], outputs, outputs, -1)
    first = layer["start"] + layer["stride"] * np.arange(outputs)
    for dy in range(layer["sizeX"]):
        for dx in range(layer["sizeX"]):
            rows, columns = ((first + d >= 0) & (first + d < size) for d in (dy, dx))
            window = images[:, (first + dy)[rows]][:, :, (first + dx)[columns]]
            equal = window == maps[:, rows][:, :, columns]
            yield equal.reshape(-1, x.shape[1])
