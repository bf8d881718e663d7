"""Pooling layers (spec 2.3, 3.2)."""

from __future__ import annotations

from convnet_py.layers.base import ImageLayer, Net, layer_type
from convnet_py.layers.keys import LARGEST_INT, Keys

KINDS = ("max", "maxabs", "avg", "rand")


@layer_type("pool")
class PoolLayer(ImageLayer):
    def read_definition(self, layer: dict, keys: Keys) -> None:
        super().read_definition(layer, keys)
        keys.integer("sizeX", minimum=1)
        keys.integer("stride", minimum=1)
        keys.integer("start", 0)
        keys.integer("outputsX", 0, minimum=0)
        keys.choice("pool", KINDS)
        layer["doMax"] = False

    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        size, start, stride = layer["sizeX"], layer["start"], layer["stride"]
        if size > layer["imgSize"]:
            keys.bad("sizeX", f"between 1 and the image's size {layer['imgSize']}", size)
        if stride > size:
            keys.bad("stride", f"between 1 and sizeX {size}", stride)
        if net.dialect.tiling and layer["gradConsumer"] and layer["channels"] % 16:
            keys.bad("channels", "divisible by 16, as there are weights below", layer["channels"])
        if not -size < start < layer["imgSize"]:
            keys.bad("start", f"between {1 - size} and {layer['imgSize'] - 1}: windows must meet the image", start)
        if not keys.failed:
            self._count_outputs(layer, keys)

    def _count_outputs(self, layer: dict, keys: Keys) -> None:
        start, stride = layer["start"], layer["stride"]
        covering = 1 - (layer["sizeX"] + start - layer["imgSize"]) // stride
        layer["outputsX"] = layer["outputsX"] or max(1, covering)
        fitting = min(LARGEST_INT, (layer["imgSize"] - 1 - start) // stride + 1)
        if layer["outputsX"] > fitting:
            keys.bad("outputsX", f"between 0 and {fitting}: windows must meet the image", layer["outputsX"])
        layer["outputs"] = layer["channels"] * layer["outputsX"] ** 2

    def requires_params(self, layer: dict) -> bool:
        return layer.get("pool") == "rand"

    def read_params(self, layer: dict, keys: Keys) -> None:
        if layer.get("pool") == "rand":
            keys.boolean("doMax", False)
