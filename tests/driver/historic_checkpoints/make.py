# ruff: noqa (this is Python 2)
"""Writes the checkpoints in this folder, as the programs of 2011, 2012 and 2014 did (spec 4.3, 2.7, 2.9).

Run it with Python 2.7 and NumPy 1.16 in this folder; the tests need neither. Beside each checkpoint stands what is
in it, for the tests: its arrays as .npz, its numbers as .json.
"""

from __future__ import division, print_function

import cPickle
import gzip
import json
import pickle
import sys
import types
import zipfile

import numpy as np

assert sys.version_info[0] == 2


def module_with(name, *classes):
    """A module of that name with old-style classes of these names."""
    module = types.ModuleType(name)
    for cls in classes:
        setattr(module, cls, types.ClassType(cls, (), {"__module__": name}))
    sys.modules[name] = module
    return module


PARSERS = ("IntegerOptionParser", "StringOptionParser", "BooleanOptionParser", "RangeOptionParser", "ListOptionParser")
module_with("options", "OptionsParser", "Option", *PARSERS)
module_with("python_util")
module_with("python_util.options", "OptionsParser", "Option", *PARSERS)

OPTIONS = [
    ("data-path", "data_path", "StringOptionParser", "/data/of/then"),
    ("data-provider", "dp_type", "StringOptionParser", "labeled-memory"),
    ("train-range", "train_batch_range", "RangeOptionParser", [1, 2, 3]),
    ("test-range", "test_batch_range", "RangeOptionParser", [4, 5]),
    ("save-path", "save_path", "StringOptionParser", "/checkpoints/of/then/\xc3\xa9"),
    ("epochs", "num_epochs", "IntegerOptionParser", 3),
    ("test-freq", "testing_freq", "IntegerOptionParser", 2),
    ("mini", "minibatch_size", "IntegerOptionParser", 16),
    ("test-one", "test_one", "BooleanOptionParser", True),
    ("gpu", "gpu", "ListOptionParser", [-1]),
    ("layer-def", "layer_def", "StringOptionParser", "/layers/of/then.cfg"),
    ("layer-params", "layer_params", "StringOptionParser", "/params/of/then.cfg"),
    ("conserve-mem", "conserve_mem", "BooleanOptionParser", 0),
    ("logreg-name", "logreg_name", "StringOptionParser", ""),
]


def options_parser(module_name):
    module = sys.modules[module_name]
    parser = module.OptionsParser()
    parser.options = {}
    for letter, name, kind, value in OPTIONS:
        option = module.Option()
        option.__dict__.update(letter=letter, name=name, desc=name, parser=getattr(module, kind), set_once=False,
                               default=None, excuses=[], requires=[], save=True, value=value, value_given=True,
                               prefixed_letter="--" + letter)
        parser.options[name] = option
    return parser


RNG = np.random.RandomState(7)


def weights(rows, cols, order="C"):
    return np.array(RNG.randn(rows, cols) * 0.1, dtype=np.float32, order=order)


def weight_layer(name, kind, inputs, shapes, biases, order, **more):
    layer = dict(
        name=name, type=kind, inputs=inputs, gpu=0, numInputs=[12] * len(inputs), usesActs=0, usesInputs=1,
        forceOwnActs=1, gradConsumer=True, actsTarget=-1, actsGradTarget=-1, conserveMem=0, requiresParams=True,
        quantF={"type": "default", "params": {}}, quantB={"type": "default", "params": {}},
        weights=[weights(rows, cols, order) for rows, cols in shapes],
        weightsInc=[weights(rows, cols, order) for rows, cols in shapes],
        biases=weights(*biases), biasesInc=weights(*biases), initW=[0.1] * len(inputs), initB=0.0,
        epsW=[0.001] * len(inputs), epsB=0.002, momW=[0.9] * len(inputs), momB=0.9, wc=[0.0005] * len(inputs),
        wball=[0.0] * len(inputs), wballNormed=[0.0] * len(inputs), superEps=0.0, superMom=0.0,
        schedW={"type": "default", "params": {}}, schedB={"type": "default", "params": {}},
        weightSourceLayers=[""] * len(inputs), weightSourceMatrixIndices=[-1] * len(inputs),
        weightsPerFilter=[rows for rows, _ in shapes])
    layer.update(more)
    return layer


def layers_2012():
    """A net on images of 2 x 2 with 3 channels, with a weight matrix that two layers share; as a plain mapping."""
    common = dict(gpu=0, usesActs=1, usesInputs=1, forceOwnActs=1, gradConsumer=True, actsTarget=-1,
                  actsGradTarget=-1, conserveMem=0, requiresParams=False,
                  quantF={"type": "default", "params": {}}, quantB={"type": "default", "params": {}})
    data = dict(common, name="data", type="data", dataIdx=0, outputs=12, gpu=-1, inputs=[], numInputs=[],
                gradConsumer=False)
    labels = dict(common, name="labels", type="data", dataIdx=1, outputs=1, gpu=-1, inputs=[], numInputs=[],
                  gradConsumer=False)
    conv = weight_layer("conv1", "conv", ["data"], [(3, 16)], (16, 1), "C", outputs=64, channels=[3], filters=16,
                        filterSize=[1], filterPixels=[1], filterChannels=[3], filterConns=[[]], padding=[0],
                        stride=[1], groups=[1], randSparse=[0], overSample=[1], imgSize=[2], imgPixels=[4],
                        modulesX=2, modules=4, partialSum=0, sharedBiases=1, wcNormMax=[0.0], wcNormMin=[0.0])
    neuron = dict(common, name="conv1_neuron", type="neuron", inputs=["conv1"], numInputs=[64], outputs=64,
                  neuron={"type": "relu", "params": {}}, usesInputs=0, forceOwnActs=0, src_layer="conv1")
    fc_a = weight_layer("fc_a", "fc", ["conv1_neuron"], [(64, 4)], (1, 4), "F", outputs=4, numInputs=[64])
    fc_b = weight_layer("fc_b", "fc", ["conv1_neuron"], [(64, 4)], (1, 4), "F", outputs=4, numInputs=[64],
                        weightSourceLayers=["fc_a"], weightSourceMatrixIndices=[0])
    fc_b["weights"][0], fc_b["weightsInc"][0] = fc_a["weights"][0], fc_a["weightsInc"][0]
    both = dict(common, name="sum", type="eltsum", inputs=["fc_a", "fc_b"], numInputs=[4, 4], outputs=4,
                coeffs=[1.0, 0.5])
    probs = dict(common, name="probs", type="softmax", inputs=["sum"], numInputs=[4], outputs=4)
    cost = dict(common, name="logprob", type="cost.logreg", inputs=["labels", "probs"], numInputs=[1, 4], outputs=1,
                coeff=1.0, topk=1, requiresParams=True)
    layers = [data, labels, conv, neuron, fc_a, fc_b, both, probs, cost]
    by_name = dict((layer["name"], layer) for layer in layers)
    for layer in layers:
        layer["inputLayers"] = [by_name[name] for name in layer["inputs"]]
    return by_name


def layers_2011():
    """The same net without the shared matrix, as 2011 kept it: a list, inputs by position, scalars for one input."""
    by_name = layers_2012()
    del by_name["fc_b"], by_name["sum"]
    order = ["data", "labels", "conv1", "conv1_neuron", "fc_a", "probs", "logprob"]
    by_name["probs"]["inputs"] = ["fc_a"]
    layers = [by_name[name] for name in order]
    for layer in layers:
        layer["inputs"] = [order.index(name) for name in layer["inputs"]]
        for key in ("gpu", "inputLayers", "quantF", "quantB", "superEps", "superMom", "schedW", "schedB", "wball",
                    "wballNormed", "weightSourceLayers", "weightSourceMatrixIndices", "weightsPerFilter", "wcNormMax",
                    "wcNormMin", "topk", "src_layer", "groups", "randSparse", "overSample", "filterConns",
                    "filterChannels", "actsGradTarget", "conserveMem", "forceOwnActs"):
            layer.pop(key, None)
        if layer["type"] == "conv":
            for key in ("channels", "padding", "stride", "filterSize", "filterPixels", "imgSize", "imgPixels", "epsW",
                        "momW", "wc", "initW"):
                layer[key] = layer[key][0]
    return layers


def layers_2014():
    """The same net as layers_2011, in the words of 2014: devices as lists, rates with schedules, sumWidth."""
    by_name = layers_2012()
    del by_name["fc_b"], by_name["sum"]
    by_name["probs"]["inputs"] = ["fc_a"]
    by_name["probs"]["inputLayers"] = [by_name["fc_a"]]
    for layer in by_name.values():
        layer["gpu"] = [-1] if layer["type"] == "data" else [0]
        for key in ("quantF", "quantB", "superEps", "superMom", "schedW", "schedB", "randSparse", "overSample",
                    "filterConns", "partialSum"):
            layer.pop(key, None)
        if "epsW" in layer:
            layer["epsW"] = [{"type": "dexp", "params": {"base": 0.001, "tgtFactor": 250.0, "numSteps": 4}}]
            layer["epsB"] = {"type": "const", "params": {"base": 0.002}}
        if layer["type"] == "conv":
            layer["sumWidth"] = 2
    return by_name


def outputs(count, factor):
    cases = 40
    return [({"logprob": [1.25 / (number + 3) * factor, (number % 7) / 11.0 * factor]}, cases)
            for number in range(count)]


def content(release):
    layers = {"2011": layers_2011, "2012": layers_2012, "2014": layers_2014}[release]()
    factor = 40 if release == "2014" else 1
    state = {"epoch": 2, "batchnum": 1, "layers": layers, "train_outputs": outputs(4, factor),
             "test_outputs": outputs(2, factor), "conv_to_local": [], "unshare_weights": []}
    return {"model_state": state, "op": options_parser("python_util.options" if release == "2014" else "options")}


def write_expected(release, value):
    arrays, numbers = {}, {}
    layers = value["model_state"]["layers"]
    for layer in layers if isinstance(layers, list) else layers.values():
        numbers[layer["name"]] = layer["type"]
        for key in ("weights", "weightsInc"):
            for index, array in enumerate(layer.get(key, ())):
                arrays["%s.%s.%d" % (layer["name"], key, index)] = array
        for key in ("biases", "biasesInc"):
            if key in layer:
                arrays["%s.%s" % (layer["name"], key)] = layer[key]
    np.savez_compressed("%s.npz" % release, **arrays)
    state = value["model_state"]
    with open("%s.json" % release, "w") as file:
        json.dump({"layers": numbers, "train_outputs": state["train_outputs"],
                   "test_outputs": state["test_outputs"]}, file, indent=1, sort_keys=True)
        file.write("\n")


def main():
    for release in ("2011", "2012", "2014"):
        value = content(release)
        write_expected(release, value)
        pickled = cPickle.dumps(value, protocol=2)
        with open(release, "wb") as file:
            file.write(pickled)
        if release == "2012":
            with zipfile.ZipFile("2012.zipped", "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("data", pickled)
            with gzip.open("2012.gzipped", "wb") as file:
                file.write(pickled)
            with open("2012.protocol0", "wb") as file:
                pickle.dump(value, file, protocol=0)


if __name__ == "__main__":
    main()
