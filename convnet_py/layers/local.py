"""The local layer: a convolution with filters and biases of its own for every module (spec 2.3, 2.4, 3.1)."""

from __future__ import annotations

from convnet_py.layers.base import layer_type
from convnet_py.layers.conv import Convolution
from convnet_py.layers.weights import Shape


@layer_type("local")
class LocalLayer(Convolution):
    def weight_shapes(self, layer: dict) -> list[Shape]:
        return [(layer["modules"] * rows, layer["filters"]) for rows in layer["weightsPerFilter"]]

    def bias_shape(self, layer: dict) -> Shape:
        return (layer["filters"] * layer["modules"], 1)
