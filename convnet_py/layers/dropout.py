"""Dropout, named hs in 2012 (spec 2.3, 3.6)."""

from __future__ import annotations

from convnet_py.layers.base import Net, OneInput, layer_type
from convnet_py.layers.keys import Keys


@layer_type("hs")
class DropoutLayer(OneInput):
    uses_acts = uses_inputs = force_own_acts = False

    def read_definition(self, layer: dict, keys: Keys) -> None:
        keys.number("keep", minimum=0, maximum=1)

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        layer["outputs"] = layer["numInputs"][0]

    def requires_params(self, layer: dict) -> bool:
        return True

    def read_params(self, layer: dict, keys: Keys) -> None:
        keys.boolean("enable")
