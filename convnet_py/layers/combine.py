"""Layers that combine their inputs: eltsum, eltmax, concat (spec 2.3, 3.6)."""

from __future__ import annotations

from itertools import accumulate

from convnet_py.layers.base import LayerType, Net, layer_type
from convnet_py.layers.keys import Keys


class Elementwise(LayerType):
    """Inputs of equal size, combined value by value."""

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        sizes = layer["numInputs"]
        if len(set(sizes)) > 1:
            keys.problem(f"its inputs have different numbers of outputs: {', '.join(map(str, sizes))}", "inputs")
        layer["outputs"] = sizes[0]


@layer_type("eltsum")
class ElementwiseSumLayer(Elementwise):
    uses_acts = uses_inputs = force_own_acts = False

    def read_definition(self, layer: dict, keys: Keys) -> None:
        keys.numbers("coeffs", 1.0)


@layer_type("eltmax")
class ElementwiseMaxLayer(Elementwise):
    min_inputs = 2


@layer_type("concat")
class ConcatLayer(LayerType):
    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        *layer["copyOffsets"], layer["outputs"] = accumulate(layer["numInputs"], initial=0)
