"""Image operations: nailbed, blur, href, resize, rscale, rgb2yuv, rgb2lab (spec 2.3, 3.4)."""

from __future__ import annotations

import numpy as np

from convnet_py.layers.base import ImageLayer, Net, layer_type
from convnet_py.layers.keys import Keys


class NoStorageOfItsOwn(ImageLayer):
    """Operations whose gradients need neither inputs nor outputs (spec 2.2)."""

    uses_acts = uses_inputs = force_own_acts = False


class BelowWeights(NoStorageOfItsOwn):
    """Operations without gradients, which cannot stand over layers with weights."""

    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape_image(layer, keys, net)
        if layer["gradConsumer"]:
            keys.problem(f"a {layer['type']} layer has no gradient and cannot stand over layers with weights", "inputs")


@layer_type("nailbed")
class NailbedLayer(NoStorageOfItsOwn):
    def read_definition(self, layer: dict, keys: Keys) -> None:
        super().read_definition(layer, keys)
        keys.integer("stride", minimum=1)

    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        if net.dialect.tiling and layer["stride"] == 1:
            keys.bad("stride", "at least 2", layer["stride"])
        layer["outputsX"] = -(-layer["imgSize"] // layer["stride"])
        layer["start"] = (layer["imgSize"] - layer["stride"] * (layer["outputsX"] - 1)) // 2
        layer["outputs"] = layer["channels"] * layer["outputsX"] ** 2


@layer_type("blur")
class BlurLayer(NoStorageOfItsOwn):
    def read_definition(self, layer: dict, keys: Keys) -> None:
        super().read_definition(layer, keys)
        keys.integer("filterSize", minimum=1)
        keys.number("stdev")

    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape_image(layer, keys, net)
        size = layer["filterSize"]
        if net.dialect.tiling and size not in (3, 5, 7, 9):
            keys.bad("filterSize", "one of 3, 5, 7, 9", size)
        elif size % 2 == 0:
            keys.bad("filterSize", "odd", size)
        elif size > layer["imgSize"]:
            keys.bad("filterSize", f"at most the image's size {layer['imgSize']}", size)
        if layer["stdev"] <= 0:
            keys.bad("stdev", "above 0", layer["stdev"])
        if not keys.failed:
            layer["filter"] = gaussian(size // 2, layer["stdev"])


def gaussian(radius: int, stdev: float) -> np.ndarray:
    """float32, (1, 2 radius + 1): a Gaussian around the middle, of sum 1 (spec 3.4)."""
    # A tiny stdev drives the exponent to -inf, rightly: the filter is then the identity.
    with np.errstate(over="ignore", divide="ignore"):
        weights = np.exp(-(np.square(np.arange(-radius, radius + 1) / stdev) / 2))
    return np.float32(weights / weights.sum()).reshape(1, -1)


@layer_type("href")
class HorizontalReflectionLayer(ImageLayer):
    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape_image(layer, keys, net)
        if net.dialect.tiling and layer["channels"] > 3:
            keys.bad("channels", "between 1 and 3", layer["channels"])


@layer_type("resize")
class ResizeLayer(BelowWeights):
    def read_definition(self, layer: dict, keys: Keys) -> None:
        super().read_definition(layer, keys)
        keys.number("scale", minimum=0.5, maximum=2)

    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape_image(layer, keys, net)
        layer["tgtSize"] = int(layer["imgSize"] / layer["scale"])
        layer["tgtPixels"] = layer["tgtSize"] ** 2
        layer["outputs"] = layer["channels"] * layer["tgtPixels"]
        if layer["tgtSize"] < 1:
            keys.bad("scale", f"small enough to leave a pixel of the image's {layer['imgSize']}", layer["scale"])


@layer_type("rscale")
class RandomScaleLayer(BelowWeights):
    def read_definition(self, layer: dict, keys: Keys) -> None:
        super().read_definition(layer, keys)
        keys.number("maxScale", minimum=1, maximum=2)
        keys.integer("tgtSize", minimum=1)

    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape_image(layer, keys, net)
        smallest = int(layer["imgSize"] / layer["maxScale"])
        if not smallest <= layer["tgtSize"] <= layer["imgSize"]:
            keys.bad("tgtSize", f"between {smallest} and {layer['imgSize']}", layer["tgtSize"])
        layer["tgtPixels"] = layer["tgtSize"] ** 2
        layer["outputs"] = layer["channels"] * layer["tgtPixels"]


@layer_type("rgb2yuv")
class RgbToYuvLayer(BelowWeights):
    def read_definition(self, layer: dict, keys: Keys) -> None:
        layer["channels"] = 3


@layer_type("rgb2lab")
class RgbToLabLayer(RgbToYuvLayer):
    def read_definition(self, layer: dict, keys: Keys) -> None:
        super().read_definition(layer, keys)
        keys.boolean("center", False)
