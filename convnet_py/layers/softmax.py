"""The softmax layer (spec 2.3, 3.6)."""

from __future__ import annotations

from convnet_py.layers.base import Net, OneInput, layer_type
from convnet_py.layers.keys import Keys


@layer_type("softmax")
class SoftmaxLayer(OneInput):
    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        layer["outputs"] = layer["numInputs"][0]
