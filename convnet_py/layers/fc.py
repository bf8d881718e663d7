"""The fully connected layer (spec 2.3, 2.4)."""

from __future__ import annotations

from convnet_py.layers.base import Net, layer_type
from convnet_py.layers.keys import Keys
from convnet_py.layers.weights import Shape, WeightLayer


@layer_type("fc")
class FullyConnectedLayer(WeightLayer):
    order = "F"
    #: 2012 means to have a default, but it is broken there.
    default_init_w = 0.01

    def read_definition(self, layer: dict, keys: Keys) -> None:
        if keys.raw("initW") is None and keys.raw("initWFunc") is None:
            keys.warn(f"Layer '{layer['name']}': no initW given, {self.default_init_w} taken")
        super().read_definition(layer, keys)
        self.read_outputs(layer, keys)

    def read_outputs(self, layer: dict, keys: Keys) -> None:
        keys.integer("outputs", minimum=1)

    def shape_weights(self, layer: dict, keys: Keys, net: Net) -> None:
        layer["weightsPerFilter"] = list(layer["numInputs"])

    def weight_shapes(self, layer: dict) -> list[Shape]:
        return [(rows, layer["outputs"]) for rows in layer["numInputs"]]

    def bias_shape(self, layer: dict) -> Shape:
        return (1, layer["outputs"])
