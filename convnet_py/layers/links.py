"""Changes to a whole net in memory: linking it after loading, unsharing weights, conv to local (spec 4.1, 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from convnet_py.errors import CheckpointError, UsageError
from convnet_py.layers.base import type_of

_MATRIX = re.compile(r"(.*)\[([0-9]{1,9})\]", re.DOTALL)


def link(layers: Mapping[str, dict]) -> None:
    """Rebuild what a checkpoint does not hold: ``inputLayers``, memory orders, and that shared matrices are one array.

    Raises CheckpointError where a layer names an input or weight source that the net lacks.
    """
    for layer in layers.values():
        try:
            layer["inputLayers"] = [layers[name] for name in layer.get("inputs", ())]
            _order_arrays(layer)
            _alias_shared(layer, layers)
        except LookupError:
            raise CheckpointError(f"Layer '{layer['name']}': its inputs or weight sources are not in the net") from None


def unshare_weights(layers: Mapping[str, dict], names: Iterable[str]) -> None:
    """Give layers matrices of their own: copies of the shared ones, with zero increments.

    names: ``layer`` (all matrices that it shares) or ``layer[i]``. Raises UsageError, before anything is changed.
    """
    wanted = [(name, index) for text in names for name, index in _shared_matrices(layers, text)]
    for name, index in wanted:
        layer = layers[name]
        family = type_of(layer)
        layer["weights"][index] = family.ordered(layer["weights"][index])
        layer["weightsInc"][index] = family.ordered(np.zeros(layer["weights"][index].shape))
        layer["weightSourceLayers"][index] = ""
        layer["weightSourceMatrixIndices"][index] = -1


def conv_to_local(layers: Mapping[str, dict], names: Iterable[str]) -> None:
    """Turn conv layers, and all that share weights with them, into local layers that compute the same.

    Each filter is repeated for every module, each shared bias too; increments become 0.
    Raises UsageError, before anything is changed.
    """
    converted = {_conv_layer(layers, name)["name"] for name in names}
    while more := _sharers(layers, converted) - converted:
        converted |= more
    for name in converted:
        for source in filter(None, layers[name]["weightSourceLayers"]):
            if layers[source]["modules"] != layers[name]["modules"]:
                raise UsageError(
                    f"conv-to-local: '{name}' shares weights with '{source}', which has another number of modules; "
                    f"unshare them first"
                )
    for name in converted:
        _make_local(layers[name])
    for name in converted:
        _alias_shared(layers[name], layers)


def _order_arrays(layer: dict) -> None:
    if "weights" in layer:
        family = type_of(layer)
        for key in ("weights", "weightsInc"):
            layer[key] = [family.ordered(matrix) for matrix in layer[key]]
        for key in ("biases", "biasesInc"):
            layer[key] = family.ordered(layer[key])


def _alias_shared(layer: dict, layers: Mapping[str, dict]) -> None:
    sources = zip(layer.get("weightSourceLayers", ()), layer.get("weightSourceMatrixIndices", ()), strict=True)
    for index, (source, matrix) in enumerate(sources):
        if source:
            layer["weights"][index] = layers[source]["weights"][matrix]
            layer["weightsInc"][index] = layers[source]["weightsInc"][matrix]


def _shared_matrices(layers: Mapping[str, dict], text: str) -> list[tuple[str, int]]:
    """The shared matrices that ``text`` stands for, as (layer, index)."""
    match = None if text in layers else _MATRIX.fullmatch(text)
    name = match[1] if match else text
    sources = layers.get(name, {}).get("weightSourceLayers")
    if sources is None:
        raise UsageError(f"unshare-weights: '{name}' is not a layer with weights")
    indices = [int(match[2])] if match else range(len(sources))
    shared = [(name, index) for index in indices if index < len(sources) and sources[index]]
    if not shared:
        raise UsageError(f"unshare-weights: '{text}' does not share weights with a source")
    return shared


def _conv_layer(layers: Mapping[str, dict], name: str) -> dict:
    if name not in layers:
        raise UsageError(f"conv-to-local: there is no layer '{name}'")
    if layers[name]["type"] != "conv":
        raise UsageError(f"conv-to-local: '{name}' is a {layers[name]['type']} layer, not a conv layer")
    return layers[name]


def _sharers(layers: Mapping[str, dict], names: set[str]) -> set[str]:
    """The layers that share a matrix with one of ``names``, either way, and these themselves."""
    found = set()
    for layer in layers.values():
        together = {layer["name"], *filter(None, layer.get("weightSourceLayers", ()))}
        if together & names:
            found |= together
    return found


def _make_local(layer: dict) -> None:
    modules = layer["modules"]
    layer["type"] = "local"
    layer["weights"] = [np.tile(weights, (modules, 1)) for weights in layer["weights"]]
    layer["weightsInc"] = [np.zeros_like(weights) for weights in layer["weights"]]
    if layer["sharedBiases"]:
        layer["biases"] = np.repeat(layer["biases"], modules, axis=0)
    layer["biasesInc"] = np.zeros_like(layer["biases"])
    for key in ("sharedBiases", "partialSum", "wcNormMax", "wcNormMin"):
        layer.pop(key, None)
