"""Convolution: what conv and local layers have in common, and the conv layer, which shares its filters over modules.

Spec 2.3, 2.4, 3.1.
"""

from __future__ import annotations

from convnet_py.layers.base import Net, image_size, layer_type
from convnet_py.layers.dialects import Dialect
from convnet_py.layers.init import init_function
from convnet_py.layers.keys import Keys
from convnet_py.layers.weights import Shape, WeightLayer


class Convolution(WeightLayer):
    """Filters over windows of images; all keys but initB (and those of conv alone) are lists, one item per input."""

    def read_definition(self, layer: dict, keys: Keys) -> None:
        super().read_definition(layer, keys)
        keys.integers("channels", minimum=1)
        keys.integers("filters", minimum=1)
        keys.integers("filterSize", minimum=1)
        keys.integers("padding", 0, minimum=0)
        keys.integers("stride", 1, minimum=1)
        keys.integers("groups", 1, minimum=1)
        keys.booleans("randSparse", False)
        keys.raw("filterChannels")  # known, even where no input is sparse
        if any(layer.get("randSparse", ())):
            keys.integers("filterChannels", 0, minimum=1)

    def init_functions(self) -> tuple[str, ...]:
        return ("initWFunc", "initBFunc", "initCFunc")

    def shape_weights(self, layer: dict, keys: Keys, net: Net) -> None:
        for key in ("imgSize", "imgPixels", "filterPixels", "overSample"):
            layer[key] = []
        layer.setdefault("filterChannels", [0] * keys.inputs)
        for index in range(keys.inputs):
            self._shape_input(layer, keys, net, index)
        if keys.failed:
            return
        layer["padding"] = [-padding for padding in layer["padding"]]
        layer["filterConns"] = [[] for _ in layer["inputs"]]
        layer["weightsPerFilter"] = [a * b for a, b in zip(layer["filterChannels"], layer["filterPixels"], strict=True)]
        self._join_inputs(layer, keys)

    def _shape_input(self, layer: dict, keys: Keys, net: Net, index: int) -> None:
        size = image_size(layer["numInputs"][index], layer["channels"][index], keys, index)
        filter_size, padding = layer["filterSize"][index], layer["padding"][index]
        if size is not None and filter_size > 2 * padding + size:
            keys.bad("filterSize", f"at most the padded image's size {2 * padding + size}", filter_size, index)
        self._count_filter_channels(layer, keys, net, index)
        if net.dialect.tiling and size is not None:
            self._check_tiling(layer, keys, index)
        layer["imgSize"].append(size)
        layer["imgPixels"].append(size and size * size)
        layer["filterPixels"].append(filter_size**2)

    def _count_filter_channels(self, layer: dict, keys: Keys, net: Net, index: int) -> None:
        """Set filterChannels and overSample of one input; how many channels divide into how many groups."""
        channels, groups = layer["channels"][index], layer["groups"][index]
        layer["overSample"].append(1)
        if not layer["randSparse"][index]:
            if groups > 1 and channels % groups:
                keys.bad("channels", f"divisible by the {groups} groups", channels, index)
            layer["filterChannels"][index] = channels // groups
            return
        filter_channels = layer["filterChannels"][index] or max(1, channels // groups)
        layer["filterChannels"][index] = filter_channels
        if groups == 1:
            keys.problem("parameter 'randSparse' needs more than 1 group", "randSparse", index)
        elif channels % filter_channels:
            keys.bad("channels", f"divisible by filterChannels {filter_channels}", channels, index)
        elif groups * filter_channels % channels:
            expected = f"such that groups x filterChannels is divisible by the {channels} channels"
            keys.bad("filterChannels", expected, filter_channels, index)
        elif net.dialect.tiling and filter_channels % 4:
            keys.bad("filterChannels", "divisible by 4", filter_channels, index)
        layer["overSample"][index] = groups * filter_channels // channels

    def _check_tiling(self, layer: dict, keys: Keys, index: int) -> None:
        """What the tiles of the 2012 kernels ask for (spec 2.3, 3.12)."""
        channels, groups = layer["channels"][index], layer["groups"][index]
        if channels > 3 and channels % 4:
            keys.bad("channels", "at most 3 or divisible by 4", channels, index)
        elif groups > 1 and not layer["randSparse"][index] and channels % groups == 0 and channels % (4 * groups):
            keys.bad("channels", f"divisible by 4 x the {groups} groups", channels, index)
        if layer["filters"][index] % 16:
            keys.bad("filters", "divisible by 16 in each group", layer["filters"][index], index)
        if layer["stride"][index] > layer["filterSize"][index]:
            expected = f"at most filterSize {layer['filterSize'][index]}"
            keys.bad("stride", expected, layer["stride"][index], index)

    def _join_inputs(self, layer: dict, keys: Keys) -> None:
        """Set modulesX and the total of filters, in which all inputs must agree."""
        totals = [filters * groups for filters, groups in zip(layer["filters"], layer["groups"], strict=True)]
        sides = [
            1 - (filter_size + 2 * negated - size) // stride
            for negated, size, filter_size, stride in zip(
                layer["padding"], layer["imgSize"], layer["filterSize"], layer["stride"], strict=True
            )
        ]
        for what, values in (("numbers of filters", totals), ("output sizes", sides)):
            if len(set(values)) > 1:
                keys.problem(f"its inputs lead to different {what}: {', '.join(map(str, values))}", "inputs")
        layer["filters"], layer["modulesX"] = totals[0], sides[0]
        layer["modules"] = sides[0] ** 2
        layer["outputs"] = layer["filters"] * layer["modules"]

    def connections_mismatch(self, layer: dict, index: int, source: dict, matrix: int) -> str | None:
        if source["randSparse"][matrix] != layer["randSparse"][index]:
            return "is not sparse" if layer["randSparse"][index] else "is sparse, but this input is not"
        if layer["randSparse"][index]:
            for key in ("groups", "channels", "filterChannels"):
                if source[key][matrix] != layer[key][index]:
                    return f"has {source[key][matrix]} {key}, not {layer[key][index]}"
        return None

    def initialise(self, layer: dict, keys: Keys, net: Net) -> None:
        for index, sparse in enumerate(layer["randSparse"]):
            if sparse:
                rounds = range(layer["overSample"][index])
                drawn = [net.rng.permutation(layer["channels"][index]) for _ in rounds]
                layer["filterConns"][index] = [int(channel) for one in drawn for channel in one]
        function = init_function(layer, keys, net, "initCFunc")
        for index, sparse in enumerate(layer["randSparse"]):
            owner = layer["weightSourceLayers"][index]
            if sparse and owner:
                source = layer if owner == layer["name"] else net.layers[owner]
                layer["filterConns"][index] = list(source["filterConns"][layer["weightSourceMatrixIndices"][index]])
            elif sparse and function:
                layer["filterConns"][index] = function.connections(
                    (layer["groups"][index], layer["channels"][index], layer["filterChannels"][index]), index
                )
        super().initialise(layer, keys, net)


@layer_type("conv")
class ConvLayer(Convolution):
    def read_definition(self, layer: dict, keys: Keys) -> None:
        super().read_definition(layer, keys)
        keys.boolean("sharedBiases", True)
        keys.integer("partialSum", minimum=0)

    def shape_weights(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape_weights(layer, keys, net)
        if not keys.failed and layer["partialSum"] and layer["modules"] % layer["partialSum"]:
            keys.bad("partialSum", f"0 or a divisor of the {layer['modules']} modules", layer["partialSum"])

    def read_params(self, layer: dict, keys: Keys) -> None:
        super().read_params(layer, keys)
        keys.numbers("wcNormMax", 0.0)
        keys.numbers("wcNormMin", 0.0)

    def apply_params(self, layer: dict, keys: Keys, dialect: Dialect) -> None:
        super().apply_params(layer, keys, dialect)
        for index, (smallest, largest) in enumerate(zip(layer["wcNormMin"], layer["wcNormMax"], strict=True)):
            if smallest > largest:
                keys.bad("wcNormMin", f"at most wcNormMax {largest:g}", smallest, index)

    def weight_shapes(self, layer: dict) -> list[Shape]:
        return [(rows, layer["filters"]) for rows in layer["weightsPerFilter"]]

    def bias_shape(self, layer: dict) -> Shape:
        return (layer["filters"] * (1 if layer["sharedBiases"] else layer["modules"]), 1)
