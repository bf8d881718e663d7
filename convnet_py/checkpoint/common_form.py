"""Layer dictionaries of the historic releases in the common form, that of 2012 with everything in it (spec 2.7, 2.9).

2011: a list, inputs by position, one value where 2012 has a list with one per input. 2014: other names of types,
devices as lists, rates with their schedules. What has no counterpart is refused by name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convnet_py.checkpoint.state import Checkpoint, LayerReference
from convnet_py.errors import CheckpointError
from convnet_py.layers.base import find_type
from convnet_py.layers.dialects import RENAMED_2014

_PER_INPUT = (
    "numInputs", "weights", "weightsInc", "initW", "epsW", "momW", "wc", "wball", "wballNormed", "wcNormMax",
    "wcNormMin", "weightSourceLayers", "weightSourceMatrixIndices", "weightsPerFilter", "channels", "padding",
    "stride", "filterSize", "filterPixels", "filterChannels", "imgPixels", "imgSize", "groups", "randSparse",
    "overSample",
)  # fmt: skip
#: Layer types whose channels and the like are lists.
_LISTED = ("conv", "local", "fc", "treefc")


def to_common_form(saved: Checkpoint, path: Path) -> Checkpoint:
    """``saved`` with layers that this program can run, and without what only its file needs.

    Raises CheckpointError, one line, where there is no common form.
    """
    if saved.origin is None:
        return saved
    try:
        layers = _in_order(_with_names_of_inputs(saved.layers))
        for layer in layers.values():
            _complete(layer, layers, saved.origin.release)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        missing = f": it lacks {error}" if isinstance(error, KeyError) else ""
        raise CheckpointError(f"{path}: a layer is not one of {saved.origin.release}{missing}") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return replace(saved, layers=layers, origin=None)


def _with_names_of_inputs(layers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Copies without references to other layers, with inputs by name."""
    names = list(layers)
    copies = {}
    for name, layer in layers.items():
        copy = {key: value for key, value in layer.items() if not _has_reference(value)}
        copy["inputs"] = [
            item if isinstance(item, str) else names[_position(item, len(names))] for item in layer.get("inputs", [])
        ]
        if any(item not in layers for item in copy["inputs"]):
            raise CheckpointError(f"Layer '{name}': its inputs are not in the net")
        copies[name] = copy
    return copies


def _position(item: Any, count: int) -> int:
    if not 0 <= int(item) < count:
        raise IndexError
    return int(item)


def _has_reference(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return isinstance(value, LayerReference) or any(map(_has_reference, items))


def _in_order(layers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Inputs before their users, as in a definition file: a mapping of Python 2 has lost that order."""
    ordered: dict[str, dict[str, Any]] = {}
    waiting = dict(layers)
    while waiting:
        ready = [name for name, layer in waiting.items() if all(item in ordered for item in layer["inputs"])]
        if not ready:
            raise CheckpointError(f"Layer '{next(iter(waiting))}': it is among its own inputs")
        # One at a time, so that layers that are in order stay so.
        ordered[ready[0]] = waiting.pop(ready[0])
    return ordered


def _complete(layer: dict[str, Any], layers: dict[str, dict[str, Any]], release: str) -> None:
    if release == "2014":
        _from_2014(layer)
    family = find_type(layer["type"])
    if family is None:
        raise CheckpointError(f"Layer '{layer['name']}': type '{layer['type']}' has no counterpart in 2012")
    if layer["type"] in _LISTED:
        _complete_weights(layer, release)
    elif "size" not in layer and "sizeX" in layer and layer["type"] in ("rnorm", "cnorm", "cmrnorm"):
        layer["size"] = layer.pop("sizeX")
    inputs = [layers[name] for name in layer["inputs"]]
    for key, value in {
        "gpu": -1 if family.max_inputs == 0 else 0,
        "numInputs": [below["outputs"] for below in inputs],
        "outputs": 1,
        "gradConsumer": family.has_weights or any(below["gradConsumer"] for below in inputs),
        "usesActs": family.uses_acts,
        "usesInputs": family.uses_inputs,
        "forceOwnActs": family.force_own_acts,
        "actsTarget": -1,
        "actsGradTarget": -1,
        "conserveMem": False,
        "requiresParams": family.has_weights,
        "quantF": {"type": "default", "params": {}},
        "quantB": {"type": "default", "params": {}},
        **_DEFAULTS.get(layer["type"], {}),
    }.items():
        layer.setdefault(key, value)
    if isinstance(layer["outputs"], (list, tuple)) or not int(layer["outputs"]) >= 1:
        raise CheckpointError(f"Layer '{layer['name']}': its outputs are {layer['outputs']!r:.40}, not a number")


_DEFAULTS: dict[str, dict[str, Any]] = {
    "pool": {"doMax": False, "pool": "max", "start": 0},
    "cmrnorm": {"minDiv": 1.0, "blocked": False},
    "rnorm": {"minDiv": 1.0},
    "cnorm": {"minDiv": 1.0},
    "cost.logreg": {"topk": 1},
    "neuron": {"src_layer": None},
    "conv": {"sharedBiases": True, "partialSum": 0},
    "hs": {"enable": True},
}


def _complete_weights(layer: dict[str, Any], release: str) -> None:
    count = len(layer["inputs"])
    for key in _PER_INPUT:
        if key in layer and not isinstance(layer[key], (list, tuple)):
            layer[key] = [layer[key]] * count
    for key, value in {
        "groups": 1, "randSparse": False, "overSample": 1, "wc": 0.0, "wball": 0.0, "momW": 0.0, "wcNormMax": 0.0,
        "wcNormMin": 0.0, "initW": 0.0, "weightSource": "",
    }.items():  # fmt: skip
        if layer["type"] not in ("fc", "treefc") or key not in ("groups", "randSparse", "overSample"):
            layer.setdefault(key, [value] * count)
    default = {"type": "default", "params": {}}
    for key, value in {
        "initB": 0.0, "momB": 0.0, "superEps": 0.0, "superMom": 0.0, "schedW": default, "schedB": default,
    }.items():  # fmt: skip
        layer.setdefault(key, value)
    layer.setdefault("weightSourceLayers", [""] * count)
    layer.setdefault("weightSourceMatrixIndices", [-1] * count)
    if "channels" in layer:
        layer.setdefault("filterPixels", [size**2 for size in layer["filterSize"]])
        pairs = zip(layer["channels"], layer["groups"], strict=True)
        layer.setdefault("filterChannels", [channels // groups for channels, groups in pairs])
        layer.setdefault("imgPixels", [size**2 for size in layer["imgSize"]])
        layer.setdefault("modules", layer["modulesX"] ** 2)
        layer.setdefault("filterConns", [[] for _ in range(count)])
        rows = [a * b for a, b in zip(layer["filterPixels"], layer["filterChannels"], strict=True)]
    else:
        rows = [len(matrix) for matrix in layer["weights"]]
    layer.setdefault("weightsPerFilter", rows)
    factors = [1] * count if release == "2014" else layer["weightsPerFilter"]
    layer.setdefault("wballNormed", [a * b for a, b in zip(layer["wball"], factors, strict=True)])
    for key in ("weights", "weightsInc"):
        if len(layer[key]) != count or any(np.ndim(matrix) != 2 for matrix in layer[key]):
            raise CheckpointError(f"Layer '{layer['name']}': its {key} are not a matrix for each input")


def _from_2014(layer: dict[str, Any]) -> None:
    """Names, devices and rates of 2014."""
    layer["type"] = RENAMED_2014.get(layer["type"], layer["type"])
    devices = layer.get("gpu", 0)
    while isinstance(devices, (list, tuple)):
        if len(devices) != 1:
            raise CheckpointError(f"Layer '{layer['name']}': 2014's several devices for one layer have no counterpart")
        devices = devices[0]
    layer["gpu"] = -1 if layer["type"] == "data" else max(0, int(devices))
    if layer["type"] == "conv":
        layer.pop("sumWidth", None)
        layer["partialSum"] = 0
    for rate, schedule in (("epsW", "schedW"), ("epsB", "schedB")):
        if rate in layer:
            rates = layer[rate] if isinstance(layer[rate], list) else [layer[rate]]
            bases = [one["params"]["base"] if isinstance(one, dict) else one for one in rates]
            layer[rate] = bases if rate == "epsW" else bases[0]
            layer.setdefault(schedule, _schedule_2014(rates[0]))


def _schedule_2014(rate: Any) -> dict[str, Any]:
    if not isinstance(rate, dict) or rate["type"] == "const":
        return {"type": "default", "params": {}}
    return {
        "type": rate["type"],
        "params": {"noiseStdev": 0.0, **{key: value for key, value in rate["params"].items() if key != "base"}},
    }
