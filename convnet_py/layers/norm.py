"""Normalization: rnorm and cnorm within a map, cmrnorm across maps (spec 2.3, 3.3)."""

from __future__ import annotations

from convnet_py.layers.base import ImageLayer, Net, layer_type
from convnet_py.layers.dialects import Dialect
from convnet_py.layers.keys import Keys


class NormLayer(ImageLayer):
    """What the three have in common; ``terms`` is what the file's scale is divided by."""

    def read_definition(self, layer: dict, keys: Keys) -> None:
        super().read_definition(layer, keys)
        keys.integer("size", minimum=1)

    def requires_params(self, layer: dict) -> bool:
        return True

    def read_params(self, layer: dict, keys: Keys) -> None:
        keys.number("scale")
        keys.number("pow")

    def apply_params(self, layer: dict, keys: Keys, dialect: Dialect) -> None:
        layer["scale"] /= self.terms(layer)

    def terms(self, layer: dict) -> int:
        return layer["size"] ** 2


@layer_type("rnorm")
class ResponseNormLayer(NormLayer):
    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape_image(layer, keys, net)
        channels = layer["channels"]
        if layer["size"] > layer["imgSize"]:
            keys.bad("size", f"between 1 and the image's size {layer['imgSize']}", layer["size"])
        if not net.dialect.tiling:
            return
        if channels > 3 and channels % 4:
            keys.bad("channels", "at most 3 or divisible by 4", channels)
        elif layer["gradConsumer"] and channels % 16:
            keys.bad("channels", "divisible by 16, as there are weights below", channels)
        elif channels > 8 and channels % 16:
            keys.bad("channels", "at most 8 or divisible by 16", channels)


@layer_type("cnorm")
class ContrastNormLayer(ResponseNormLayer):
    uses_inputs = False


@layer_type("cmrnorm")
class CrossMapNormLayer(NormLayer):
    def read_definition(self, layer: dict, keys: Keys) -> None:
        super().read_definition(layer, keys)
        keys.boolean("blocked", False)

    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape_image(layer, keys, net)
        if net.dialect.tiling and layer["channels"] % 16:
            keys.bad("channels", "divisible by 16", layer["channels"])
        smallest = 2 if net.dialect.tiling else 1
        if not smallest <= layer["size"] <= layer["channels"]:
            keys.bad("size", f"between {smallest} and the number of channels, {layer['channels']}", layer["size"])

    def read_params(self, layer: dict, keys: Keys) -> None:
        super().read_params(layer, keys)
        keys.number("minDiv", 1.0)

    def terms(self, layer: dict) -> int:
        return layer["size"]
