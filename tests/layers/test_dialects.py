"""The 2011 and 2014 dialects, read into the common form (spec 2.7)."""

from __future__ import annotations

import pickle

import pytest

from convnet_py.errors import UsageError
from convnet_py.layers import reread_params

WEIGHTS = "epsW=0.1 epsB=0.2 momW=0.9 momB=0.8 wc=0"
FC = "type=fc inputs=data outputs=10 initW=0.1"
DIMS = [192, 1, 10]
CONV = "type=conv inputs=data channels=3 filters=16 filterSize=3 padding=1 initW=0.1"


@pytest.fixture
def classifier(empty):
    """Data below and a cost above layers to be added; ``finish`` adds the cost over the layer of that name."""
    empty.layer("data", "type=data dataIdx=0").layer("labels", "type=data dataIdx=1")

    def finish(below: str):
        empty.layer("probs", f"type=softmax inputs={below}")
        return empty.layer("logprob", "type=cost.logreg inputs=labels,probs", "coeff=1")

    empty.finish = finish
    return empty


def test_2011_is_told_by_the_absence_of_gpu(classifier):
    classifier.layer("conv", CONV + " partialSum=4 neuron=relu", WEIGHTS)
    classifier.layer("norm", "type=rnorm inputs=conv channels=16 sizeX=3 scale=0.5 pow=0.75")
    classifier.layer("fc", FC.replace("data", "norm") + " neuron=ident", WEIGHTS)
    layers = classifier.finish("fc").read(data_dims=DIMS)
    assert {layer["gpu"] for layer in layers.values()} == {-1, 0}
    assert layers["norm"]["size"] == 3
    assert layers["norm"]["scale"] == 0.5 / 9
    assert layers["norm"]["pow"] == 0.75
    assert classifier.warnings == [f"{classifier.folder}/d.cfg: read as a layer file of 2011"]
    before = pickle.dumps(layers)
    reread_params(layers, classifier.folder / "p.cfg", conserve_mem=False)
    assert pickle.dumps(layers) == before


def test_a_forgotten_gpu_is_not_2011(classifier):
    classifier.layer("fc", FC, WEIGHTS)
    line = classifier.definition.index("[fc]") + 1
    assert classifier.finish("fc").problems(data_dims=DIMS)[0] == (
        f"d.cfg:{line}: Layer 'fc': required parameter 'gpu' missing: its first input is a data layer, "
        "which has no device"
    )


def test_2011_requires_neuron_and_wc_and_has_two_pools(classifier):
    classifier.layer("fc", FC, WEIGHTS.replace(" wc=0", ""))
    classifier.layer("pool", "type=pool inputs=data channels=3 sizeX=3 stride=2 pool=maxabs")
    classifier.layer("sum", "type=cost.sum2 inputs=pool", "coeff=1").finish("fc")
    shown = [line.split(": ", 1)[1] for line in classifier.problems(data_dims=DIMS, dialect="2011")]
    assert shown == [
        "Layer 'fc': required parameter 'neuron' missing (2011)",
        "Layer 'pool': parameter 'pool' must be one of max, avg, not 'maxabs'",
        "Layer 'fc': required parameter 'wc' missing (2011)",
    ]


@pytest.fixture
def modern(classifier):
    """A net with what 2014 says otherwise."""
    classifier.layer("conv", CONV + " sumWidth=3 gpu=0", "epsW=dexp[base=0.01;tgtFactor=250;numSteps=4] "
                     "epsB=const[base=0.02] momW=0.9 momB=0.9 wc=0.0005 wball=2")  # fmt: skip
    classifier.layer("norm", "type=cmrnorm inputs=conv channels=16 size=5", "scale=1 pow=0.75 minDiv=2")
    classifier.layer("both", "type=pass inputs=norm,conv")
    classifier.layer("fc", "type=fc inputs=norm,both outputs=10 initW=0.1 neuron=relu",
                     "epsW=exp[base=0.1;tgtFactor=2] "
                     "epsB=0 momW=0.5 momB=0.5")  # fmt: skip
    classifier.layer("drop", "type=dropout inputs=fc", "enable=false keep=0.7")
    classifier.layer("drop2", "type=dropout2 inputs=drop keep=0.4")
    return classifier.finish("drop2")


def test_2014_is_told_by_its_words_and_converted(modern):
    layers = modern.read(data_dims=DIMS)
    conv, fc = layers["conv"], layers["fc"]
    assert modern.warnings == [f"{modern.folder}/d.cfg: read as a layer file of 2014"]
    assert (conv["epsW"], conv["epsB"], conv["partialSum"]) == ([0.01], 0.02, 0)
    assert conv["schedW"] == {"type": "dexp", "params": {"tgtFactor": 250, "noiseStdev": 0, "numSteps": 4}}
    assert conv["schedB"]["type"] == "default"
    assert conv["wballNormed"] == [2]
    assert layers["norm"]["minDiv"] == 2
    assert layers["both"]["type"] == "concat"
    assert (fc["initW"], fc["epsW"], fc["momW"]) == ([0.1, 0.1], [0.1, 0.1], [0.5, 0.5])
    assert fc["schedW"] == {"type": "exp", "params": {"tgtFactor": 2, "noiseStdev": 0}}
    assert (layers["drop"]["type"], layers["drop"]["keep"], layers["drop"]["enable"]) == ("hs", 0.7, False)
    assert (layers["drop2"]["keep"], layers["drop2"]["enable"]) == (0.4, True)


def test_2014_resume(modern):
    layers = modern.read(data_dims=DIMS)
    path = modern.folder / "p.cfg"
    path.write_text(path.read_text().replace("base=0.01", "base=0.001").replace("wball=2", "wball=3"))
    reread_params(layers, path, conserve_mem=False, warn=modern.warnings.append)
    assert layers["conv"]["epsW"] == [0.001]
    assert layers["conv"]["wballNormed"] == [3]
    assert layers["fc"]["epsW"] == [0.1, 0.1]


def test_2014_costs_and_coefficients(classifier):
    classifier.layer("targets", "type=data dataIdx=2")
    classifier.layer("f", FC + " neuron=logistic gpu=0", WEIGHTS)
    classifier.layer("s", "type=softmax inputs=f").layer("e", "type=eltsum inputs=f,f", "coeffs=0.5,2")
    classifier.layer("ce", "type=cost.ce inputs=targets,s gpu=0", "coeff=1")
    classifier.layer("bce", "type=cost.bce inputs=targets,f posWeight=1 gpu=0", "coeff=1")
    classifier.layer("sum", "type=cost.sum2 inputs=e", "coeff=1")
    layers = classifier.finish("f").read(data_dims=DIMS, dialect="2014")
    assert layers["ce"]["type"] == "cost.crossent"
    assert layers["bce"]["type"] == "cost.crossent2"
    assert layers["e"]["coeffs"] == [0.5, 2]


@pytest.mark.parametrize(
    ("keys", "params", "key", "message"),
    [
        ("type=sum inputs=data", None, "type", "Layer 'x': 2014's type 'sum' has no counterpart in 2012"),
        ("type=crop inputs=data", None, "type", "Layer 'x': 2014's type 'crop' has no counterpart in 2012"),
        ("type=cmpool inputs=data", None, "type", "Layer 'x': 2014's type 'cmpool' has no counterpart in 2012"),
        ("type=sfc inputs=data", None, "type", "Layer 'x': 2014's type 'sfc' has no counterpart in 2012"),
        (FC + " gpu=0,1", WEIGHTS, "gpu",
         "Layer 'x': 2014's several devices for one layer (data-parallel replicas) has no counterpart in 2012"),
        (FC + " neuron=log[1]", WEIGHTS, "neuron", "Layer 'x': 2014's neuron 'log' has no counterpart in 2012"),
        ("type=cost.bce inputs=labels,data posWeight=2", "coeff=1", "posWeight",
         "Layer 'x': 2014's a posWeight other than 1 has no counterpart in 2012"),
        ("type=cost.sum2 inputs=data children=data", "coeff=1", "children",
         "Layer 'x': 2014's children of costs has no counterpart in 2012"),
        ("type=data dataIdx=0 start=1", None, "start",
         "Layer 'x': 2014's 'start' of data layers has no counterpart in 2012"),
    ],
)  # fmt: skip
def test_2014_without_counterpart(classifier, keys, params, key, message):
    classifier.layer("x", keys, params)
    section = classifier.definition.index("[x]")
    line = next(n for n, text in enumerate(classifier.definition[section:], section + 1) if text.startswith(f"{key}="))
    assert classifier.problems(data_dims=DIMS, dialect="2014") == [f"d.cfg:{line}: {message}"]


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ("epsW=cosine[base=1] epsB=0", "Layer 'x': parameter 'epsW' must be a number or const[base=F], "
         "linear[base=F;tgtFactor=F], exp[...same] or dexp[base=F;tgtFactor=F;numSteps=I], not 'cosine[base=1]'"),
        ("epsW=linear[base=1] epsB=0", "Layer 'x': parameter 'epsW' must be a number or const[base=F], "
         "linear[base=F;tgtFactor=F], exp[...same] or dexp[base=F;tgtFactor=F;numSteps=I], not 'linear[base=1]'"),
        ("epsW=const[base=a] epsB=0", "Layer 'x[0]': parameter 'epsW' must be a float, not 'a'"),
        ("epsW=1 epsB=0 updatePeriod=3", "Layer 'x': 2014's updatePeriod has no counterpart in 2012"),
    ],
)  # fmt: skip
def test_2014_rates(classifier, rates, message):
    classifier.layer("x", FC, f"{rates} momW=0 momB=0").finish("x")
    (line,) = classifier.problems(data_dims=DIMS, dialect="2014")
    assert line.split(": ", 1)[1] == message


def test_2014_one_schedule_per_layer(classifier):
    rates = "epsW=linear[base=1;tgtFactor=2],exp[base=1;tgtFactor=2] epsB=0 momW=0 momB=0"
    classifier.layer("x", FC.replace("data", "data,data"), rates).finish("x")
    (line,) = classifier.problems(data_dims=DIMS, dialect="2014")
    assert line.endswith("Layer 'x': 2014's 'epsW' with several schedules for one layer has no counterpart in 2012")


def test_unknown_dialect(classifier):
    classifier.layer("x", FC, WEIGHTS).finish("x")
    with pytest.raises(UsageError, match="dialect: must be auto or one of 2012, relaxed, 2011, 2014, not '2013'"):
        classifier.read(data_dims=DIMS, dialect="2013")
