"""Data layers: one of the provider's matrices (spec 2.3)."""

from __future__ import annotations

from convnet_py.errors import ConvnetError
from convnet_py.layers.base import LayerType, Net, layer_type
from convnet_py.layers.keys import Keys


@layer_type("data")
class DataLayer(LayerType):
    min_inputs = max_inputs = 0
    takes_neuron = False

    def read_definition(self, layer: dict, keys: Keys) -> None:
        keys.integer("dataIdx", minimum=0)

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        try:
            layer["outputs"] = int(net.data_dims(layer["dataIdx"]))
        except (LookupError, ValueError, ConvnetError):
            keys.bad("dataIdx", "the index of a matrix that the data provider has", layer["dataIdx"])
