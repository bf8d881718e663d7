"""Cost layers (spec 2.3, 3.7)."""

from __future__ import annotations

from convnet_py.layers.base import ImageLayer, LayerType, Net, layer_type
from convnet_py.layers.dialects import Dialect
from convnet_py.layers.keys import Keys, count


class CostLayer(LayerType):
    """A cost: one value per case, for no layer to use, with a coefficient in the parameter file."""

    has_output = False
    takes_neuron = False

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        layer["outputs"] = 1

    def requires_params(self, layer: dict) -> bool:
        return True

    def read_params(self, layer: dict, keys: Keys) -> None:
        keys.number("coeff")


class LabelCost(CostLayer):
    """Inputs labels, x. ``label_per_class``: labels are a value per class instead of one class index."""

    min_inputs = max_inputs = 2
    label_per_class = False
    needs_softmax = False

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape(layer, keys, net)
        labels, predictions = layer["inputLayers"]
        classes = net.num_classes or predictions["outputs"]
        if self.needs_softmax and predictions["type"] != "softmax":
            name, kind = predictions["name"], predictions["type"]
            keys.problem(f"its second input must be a softmax layer, and '{name}' is a {kind} layer", "inputs", 1)
        elif predictions["outputs"] != classes:
            self._must_have(keys, 1, classes, predictions)
        if labels["outputs"] != (classes if self.label_per_class else 1):
            self._must_have(keys, 0, classes if self.label_per_class else 1, labels)

    def _must_have(self, keys: Keys, index: int, outputs: int, found: dict) -> None:
        one_per_class = ", one per class" if index == 1 or self.label_per_class else ""
        expected = f"must have {count(outputs, 'output')}{one_per_class}"
        keys.problem(f"its input '{found['name']}' {expected}, not {found['outputs']}", "inputs", index)


@layer_type("cost.logreg")
class LogisticRegressionCost(LabelCost):
    needs_softmax = True

    def read_params(self, layer: dict, keys: Keys) -> None:
        super().read_params(layer, keys)
        keys.integer("topk", 1, minimum=1)

    def apply_params(self, layer: dict, keys: Keys, dialect: Dialect) -> None:
        if layer["topk"] > layer["numInputs"][1]:
            keys.bad("topk", f"between 1 and the number of classes, {layer['numInputs'][1]}", layer["topk"])


@layer_type("cost.crossent")
class CrossEntropyCost(LabelCost):
    label_per_class = True
    needs_softmax = True


class UnnormalisedCost(LabelCost):
    """Costs over independent probabilities, one per class."""

    label_per_class = True

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape(layer, keys, net)
        predictions = layer["inputLayers"][1]
        if predictions["type"] != "neuron" or predictions["neuron"]["type"] != "logistic":
            name = predictions["name"]
            net.warn(f"Layer '{layer['name']}': {layer['type']} expects a logistic input, and '{name}' is none")


@layer_type("cost.crossent2")
class BinaryCrossEntropyCost(UnnormalisedCost):
    pass


@layer_type("cost.rflickr")
class RobustFlickrCost(UnnormalisedCost):
    pass


@layer_type("cost.msm")
class MultiSoftmaxCost(LabelCost):
    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape(layer, keys, net)
        layer["numOut"] = layer["numInputs"][1]

    def read_params(self, layer: dict, keys: Keys) -> None:
        super().read_params(layer, keys)
        keys.integer("setSize", minimum=1)
        keys.integer("threads", minimum=1, maximum=32)

    def apply_params(self, layer: dict, keys: Keys, dialect: Dialect) -> None:
        if layer["setSize"] >= layer["numOut"]:
            keys.bad("setSize", f"between 1 and the number of classes less 1, {layer['numOut'] - 1}", layer["setSize"])


@layer_type("cost.sum2")
class SumOfSquaresCost(CostLayer):
    max_inputs = 1


@layer_type("cost.gsum2")
class GatedSumOfSquaresCost(CostLayer):
    min_inputs = max_inputs = 2

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape(layer, keys, net)
        gate = layer["inputLayers"][0]
        if gate["outputs"] != 1:
            keys.problem(f"its gate '{gate['name']}' must have 1 output, not {gate['outputs']}", "inputs", 0)


@layer_type("cost.tica")
class TicaCost(CostLayer, ImageLayer):
    """Topographic independent component analysis."""

    max_inputs = 1

    def read_definition(self, layer: dict, keys: Keys) -> None:
        ImageLayer.read_definition(self, layer, keys)
        keys.integer("sizeX", minimum=1)

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        ImageLayer.shape(self, layer, keys, net)

    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        CostLayer.shape(self, layer, keys, net)
        largest = min(5, layer["imgSize"]) if net.dialect.tiling else layer["imgSize"]
        if layer["sizeX"] > largest:
            keys.bad("sizeX", f"between 1 and {largest}", layer["sizeX"])
        if net.dialect.tiling and layer["channels"] % 16:
            keys.bad("channels", "divisible by 16", layer["channels"])
