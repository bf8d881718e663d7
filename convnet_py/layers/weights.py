"""What layers with weights have in common: learning parameters, sharing, initial values (spec 2.4, 2.5)."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np

from convnet_py.layers.base import LayerType, Net
from convnet_py.layers.dialects import Dialect
from convnet_py.layers.init import check_init_function, init_function
from convnet_py.layers.keys import REQUIRED, Keys
from convnet_py.layers.schedule import parse_schedule

Shape = tuple[int, int]

_SOURCE = re.compile(r"(.*)\[([0-9]{1,9})\]", re.DOTALL)


class WeightLayer(LayerType):
    """A layer with one weight matrix per input and one vector of biases.

    ``order`` is the memory order of its arrays, ``sharing`` whether it may use matrices of other layers.
    """

    uses_acts = False
    has_weights = True
    order: Literal["C", "F"] = "C"
    sharing = True
    default_init_w: Any = REQUIRED

    def weight_shapes(self, layer: dict) -> list[Shape]:
        """Rows and columns of each weight matrix (spec 2.4)."""
        raise NotImplementedError

    def bias_shape(self, layer: dict) -> Shape:
        """Rows and columns of the biases (spec 2.4)."""
        raise NotImplementedError

    def read_definition(self, layer: dict, keys: Keys) -> None:
        keys.numbers("initW", self.default_init_w)
        keys.number("initB", 0.0)
        for key in self.init_functions():
            check_init_function(keys, key)
        if self.sharing:
            keys.strings("weightSource", "")
        elif keys.inputs is not None:
            layer["weightSource"] = [""] * keys.inputs

    def init_functions(self) -> tuple[str, ...]:
        """The keys that may name an init function."""
        return ("initWFunc", "initBFunc")

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        self.shape_weights(layer, keys, net)
        if not keys.failed:
            self._link_sources(layer, keys, net)

    def shape_weights(self, layer: dict, keys: Keys, net: Net) -> None:
        """As ``shape``, but for the sharing of weights; sets ``weightsPerFilter`` too."""
        raise NotImplementedError

    def read_params(self, layer: dict, keys: Keys) -> None:
        keys.numbers("epsW")
        keys.number("epsB")
        keys.numbers("momW")
        keys.number("momB")
        keys.numbers("wc", 0.0)
        keys.numbers("wball", 0.0)
        keys.number("superEps", 0.0)
        keys.number("superMom", 0.0)
        for key in ("schedW", "schedB"):
            self._read_schedule(layer, keys, key)

    def _read_schedule(self, layer: dict, keys: Keys, key: str) -> None:
        def warn(message: str) -> None:
            keys.warn(f"Layer '{layer['name']}': {key}: {message}")

        keys.parsed(key, lambda text: parse_schedule(text, warn), {"type": "default", "params": {}})

    def apply_params(self, layer: dict, keys: Keys, dialect: Dialect) -> None:
        rows = layer["weightsPerFilter"] if dialect.wball_per_weight else [1] * len(layer["wball"])
        layer["wballNormed"] = [norm * number for norm, number in zip(layer["wball"], rows, strict=True)]

    # Sharing

    def _link_sources(self, layer: dict, keys: Keys, net: Net) -> None:
        """Find the owner of each matrix: in the dictionaries, sources are never shared themselves."""
        layer["weightSourceLayers"] = [""] * keys.inputs
        layer["weightSourceMatrixIndices"] = [-1] * keys.inputs
        if keys.raw("initWFunc") is not None:
            if any(layer["weightSource"]):
                net.warn(f"Layer '{layer['name']}': initWFunc takes precedence, its weightSource is ignored")
            return
        for index, text in enumerate(layer["weightSource"]):
            if text:
                self._link_source(layer, keys, net, index, text)

    def _link_source(self, layer: dict, keys: Keys, net: Net, index: int, text: str) -> None:
        match = _SOURCE.fullmatch(text)
        name, matrix = (match[1], int(match[2])) if match else (text, 0)
        source = layer if name == layer["name"] else net.layers.get(name)
        if name in net.broken:
            return
        if source is None and name in net.definition:
            keys.problem(f"weight source '{text}' is not defined above", "weightSource", index)
        elif source is None:
            keys.problem(f"weight source '{text}' is unknown", "weightSource", index)
        elif mismatch := self._mismatch(layer, index, source, matrix):
            keys.problem(f"weight source '{text}' {mismatch}", "weightSource", index)
        else:
            owner = source["weightSourceLayers"][matrix]
            layer["weightSourceLayers"][index] = owner or name
            layer["weightSourceMatrixIndices"][index] = source["weightSourceMatrixIndices"][matrix] if owner else matrix

    def _mismatch(self, layer: dict, index: int, source: dict, matrix: int) -> str | None:
        """Why input ``index`` cannot use that matrix of ``source``, or None."""
        if source["type"] != layer["type"]:
            return f"is a {source['type']} layer, not a {layer['type']} layer"
        if source["gpu"] != layer["gpu"]:
            return f"is on device {source['gpu']}, not {layer['gpu']}"
        if matrix >= len(source["inputs"]):
            return f"has only {len(source['inputs'])} weight matrices, counted from 0"
        if source is layer and matrix >= index:
            return "is not an earlier input of this layer"
        if mismatch := self.connections_mismatch(layer, index, source, matrix):
            return mismatch
        theirs, ours = self.weight_shapes(source)[matrix], self.weight_shapes(layer)[index]
        if theirs != ours:
            return f"has weights of {theirs[0]} x {theirs[1]}, not {ours[0]} x {ours[1]}"
        return None

    def connections_mismatch(self, layer: dict, index: int, source: dict, matrix: int) -> str | None:
        """Why the connections of the two differ, or None."""
        return None

    # Initial values

    def initialise(self, layer: dict, keys: Keys, net: Net) -> None:
        """Set weights, biases and their increments (zeros); shared matrices are the owner's very arrays."""
        function = init_function(layer, keys, net, "initWFunc")
        layer["weights"] = []
        layer["weightsInc"] = []
        for index, shape in enumerate(self.weight_shapes(layer)):
            owner = layer["weightSourceLayers"][index]
            if owner:
                source = layer if owner == layer["name"] else net.layers[owner]
                matrix = layer["weightSourceMatrixIndices"][index]
                layer["weights"].append(source["weights"][matrix])
                layer["weightsInc"].append(source["weightsInc"][matrix])
                continue
            weights = function(shape, index) if function else self.random_weights(layer, index, shape, net)
            layer["weights"].append(self.ordered(weights))
            layer["weightsInc"].append(self.ordered(np.zeros(shape)))
        self._initialise_biases(layer, keys, net)

    def random_weights(self, layer: dict, index: int, shape: Shape, net: Net) -> np.ndarray:
        """initW[index] x standard normal, one legacy ``randn`` per matrix, multiplied in double."""
        return layer["initW"][index] * net.rng.randn(*shape)

    def _initialise_biases(self, layer: dict, keys: Keys, net: Net) -> None:
        function = init_function(layer, keys, net, "initBFunc")
        shape = self.bias_shape(layer)
        biases = function(shape) if function else np.full(shape, layer["initB"])
        layer["biases"] = self.ordered(biases)
        layer["biasesInc"] = self.ordered(np.zeros(shape))

    def ordered(self, values: np.ndarray) -> np.ndarray:
        """A float32 copy with the strides of this type's order, also where a dimension is 1 (spec 6.2)."""
        # A float that does not fit float32 becomes inf; the stop rule of the run reports it.
        with np.errstate(over="ignore"):
            return np.array(np.asarray(values, dtype=np.float32), order=self.order)
