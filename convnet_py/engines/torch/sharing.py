"""From layer dictionaries to weight matrices and their users in the torch engine (spec 2.4, 3.8)."""

from __future__ import annotations

import numpy as np
import torch

from convnet_py.engines.torch.base import Tensor
from convnet_py.engines.torch.fc import leaves_below
from convnet_py.engines.torch.weights import Rule, User, Weights
from convnet_py.errors import EngineError

#: Draws of the schedules' noise are told from the layer's masks, and from each other, by these bits of the key.
_INPUT_BIT = 20
_BIASES = 0xFFF << _INPUT_BIT


class WeightsOfNet:
    """Every matrix of a net, and the tensors that its layers compute with, by layer name.

    ``index``: each layer's place in the definition; ``seed`` keys the noise of schedules.
    """

    def __init__(self, layers: dict[str, dict], index: dict[str, int], seed: int):
        self.weights: dict[str, list[Tensor]] = {}
        self.biases: dict[str, Tensor] = {}
        self._owned: dict[tuple[str, int | None], Weights] = {}
        self._seed = seed
        for name, layer in layers.items():
            if "weights" in layer:
                key = index[name]
                self.weights[name] = [self._input_weights(layer, i, key) for i in range(len(layer["inputs"]))]
                self.biases[name] = self._biases_of(layer, key)

    @property
    def matrices(self) -> list[Weights]:
        """Each matrix once, in definition order."""
        return list(self._owned.values())

    def _input_weights(self, layer: dict, i: int, key: int) -> Tensor:
        source = layer["weightSourceLayers"][i]
        place = (source, layer["weightSourceMatrixIndices"][i]) if source else (layer["name"], i)
        if not source:
            arrays = layer["weights"][i], layer["weightsInc"][i]
            self._own(place, arrays, _weight_rule(layer, i), key | (i + 1) << _INPUT_BIT)
        elif place not in self._owned:
            raise EngineError(f"Layer '{layer['name']}': it shares a matrix of '{source}' that is not defined yet")
        return self._owned[place].add_user(User(layer["name"], i, layer["epsW"][i], layer["schedW"]))

    def _biases_of(self, layer: dict, key: int) -> Tensor:
        rule = Rule(layer["momB"], super_eps=layer["superEps"])
        place = (layer["name"], None)
        self._own(place, (layer["biases"], layer["biasesInc"]), rule, key | _BIASES)
        return self._owned[place].add_user(User(layer["name"], None, layer["epsB"], layer["schedB"]))

    def _own(self, place: tuple, arrays: tuple, rule: Rule, noise_layer: int) -> None:
        values, increments = (torch.as_tensor(np.array(array, order="C")) for array in arrays)
        self._owned[place] = Weights(values, increments, rule, self._seed, noise_layer)


def _weight_rule(layer: dict, i: int) -> Rule:
    momentum, decay = layer["momW"][i], layer["wc"][i]
    if layer["type"] == "treefc":
        return Rule(momentum, decay, leaves=leaves_below(layer).sum(dim=1))
    bounds = (layer["wcNormMin"][i], layer["wcNormMax"][i]) if "wcNormMax" in layer else (0.0, 0.0)
    return Rule(
        momentum,
        decay,
        super_eps=layer["superEps"],
        column_norm=layer["wballNormed"][i],
        zero_mean_min=bounds[0],
        zero_mean_max=bounds[1],
        modules=layer["modules"] if layer["type"] == "local" else 1,
        sums_gradients=layer["type"] == "conv" or layer["superEps"] > 0,
    )
