"""Neurons and their detaching (spec 2.2, 2.6), schedules and quantization (spec 2.2, 2.5)."""

from __future__ import annotations

import pytest

from convnet_py.layers.keys import NotUnderstood
from convnet_py.layers.neuron import NEURONS, parse_neuron
from convnet_py.layers.schedule import parse_schedule

WEIGHTS = "epsW=0.1 epsB=0.2 momW=0.9 momB=0.8"
FC = "type=fc inputs=img gpu=0 outputs=10 initW=0.1"
HALF = {"type": "half", "params": {}}
DEFAULT = {"type": "default", "params": {}}


def test_neuron_becomes_a_layer_and_users_are_linked_to_it(net):
    net.layer("f", FC + " neuron=tanh[1.5,-2]", WEIGHTS)
    net.layer("g", "type=eltsum inputs=f,f").used("g")
    layers = net.read()
    names = list(layers)
    neuron = layers["f_neuron"]
    assert names.index("f_neuron") == names.index("f") + 1
    assert neuron["type"] == "neuron"
    assert neuron["neuron"] == {
        "type": "tanh",
        "params": {"a": 1.5, "b": -2},
        "usesActs": True,
        "usesInputs": False,
    }
    assert (neuron["inputs"], neuron["src_layer"], neuron["outputs"], neuron["gpu"]) == (["f"], "f", 10, 0)
    assert neuron["inputLayers"] == [layers["f"]]
    assert neuron["gradConsumer"] is True
    assert layers["g"]["inputs"] == ["f_neuron", "f_neuron"]
    assert layers["g"]["inputLayers"][0] is neuron
    assert "neuron" not in layers["f"]


def test_detached_neurons_have_the_keys_of_neuron_layers(net):
    net.layer("f", FC + " neuron=relu", WEIGHTS).layer("n", "type=neuron inputs=f neuron=relu")
    layers = net.used("n").read()
    assert set(layers["f_neuron"]) == set(layers["n"])


def test_neuron_name_that_is_taken(net):
    net.layer("f", FC + " neuron=ident", WEIGHTS).used("f")
    net.layer("f_neuron", FC, WEIGHTS).layer("f_neuron.1", FC, WEIGHTS).used("f_neuron", "f_neuron.1")
    layers = net.read()
    assert layers["f_neuron.2"]["neuron"]["type"] == "ident"
    assert layers["cost_f"]["inputs"] == ["f_neuron.2"]
    assert layers["cost_f_neuron"]["inputs"] == ["f_neuron"]


def test_layer_named_like_a_type_and_names_with_hyphens(net):
    net.layer("neuron", FC + " neuron=relu", WEIGHTS).layer("conv-1", "type=softmax inputs=neuron").used("conv-1")
    assert list(net.read())[-4:] == ["neuron", "neuron_neuron", "conv-1", "cost_conv-1"]


@pytest.mark.parametrize(
    ("sections", "of_layer", "of_neuron"),
    [
        ({}, DEFAULT, DEFAULT),
        ({"f": "quantF=half"}, HALF, HALF),
        ({"f": "quantF=HALF[]", "f_neuron": ""}, HALF, DEFAULT),
        ({"f_neuron": "quantF=half"}, DEFAULT, HALF),
        ({"f": "quantF=default[]", "f_neuron": "quantF=half"}, DEFAULT, HALF),
    ],
)
def test_quantization_of_detached_neurons(net, sections, of_layer, of_neuron):
    net.layer("f", FC + " neuron=relu", f"{WEIGHTS} {sections.get('f', '')}").used("f")
    if "f_neuron" in sections:
        net.params += ["[f_neuron]", sections["f_neuron"]]
    layers = net.read()
    assert layers["f"]["quantF"] == of_layer
    assert layers["f_neuron"]["quantF"] == of_neuron
    assert layers["f_neuron"]["quantB"] == DEFAULT
    assert net.warnings == []


@pytest.mark.parametrize("name", NEURONS)
def test_every_neuron_parses(name):
    params = NEURONS[name].params
    text = f"{name}[{','.join(['-.5'] * len(params))}]" if params else name
    parsed = parse_neuron(text)
    assert parsed["type"] == name
    assert parsed["params"] == {key: 0.5 if name == "abstanh" and key == "b" else -0.5 for key in params}


@pytest.mark.parametrize("text", ["", "Relu", "relu[]", "tanh[]", "tanh[1]", "tanh[1,2,3]", "tanh[1,2", "tanh[+1,2]",
                                  "tanh[1,]", "tanh[1,--2]", "brelu[.]", "relu relu"])  # fmt: skip
def test_neurons_that_are_not(text):
    with pytest.raises(NotUnderstood):
        parse_neuron(text)


@pytest.mark.parametrize(
    ("text", "name", "params"),
    [
        ("default", "default", {}),
        ("DEFAULT[]", "default", {}),
        ("linear[tgtFactor=10,noiseStdev=0.5]", "linear", {"tgtFactor": 10, "noiseStdev": 0.5}),
        ("Exp[ tgtfactor = 1e3 , NOISESTDEV=0 ]", "exp", {"tgtFactor": 1000, "noiseStdev": 0}),
        ("dexp[tgtFactor=250,noiseStdev=0,numSteps=4]", "dexp", {"tgtFactor": 250, "noiseStdev": 0, "numSteps": 4}),
        ("jdexp[tgtFactor=2,noiseStdev=1,numSteps=1]", "jdexp", {"tgtFactor": 2, "noiseStdev": 1, "numSteps": 1}),
        ("linear[1,1]", "linear", {"tgtFactor": 1, "noiseStdev": 1}),
    ],
)
def test_schedules(text, name, params):
    warnings = []
    assert parse_schedule(text, warnings.append) == {"type": name, "params": params}
    assert len(warnings) == ("=" not in text and "," in text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "linear",
        "linear[]",
        "linear[tgtFactor=10]",
        "linear[noiseStdev=0,tgtFactor=10]",
        "linear[tgtFactor=10,noiseStdev=0,numSteps=3]",
        "linear[10,noiseStdev=0]",
        "linear[tgtFactor=0,noiseStdev=0]",
        "linear[tgtFactor=inf,noiseStdev=0]",
        "linear[tgtFactor=nan,noiseStdev=0]",
        "linear[tgtFactor=1,noiseStdev=-1]",
        "dexp[tgtFactor=1,noiseStdev=0,numSteps=2.5]",
        "dexp[tgtFactor=1,noiseStdev=0,numSteps=0]",
        "default[1]",
        "cosine[tgtFactor=1,noiseStdev=0]",
        "linear[tgtFactor=10,noiseStdev=0",
    ],
)
def test_schedules_that_are_not(text):
    with pytest.raises(NotUnderstood):
        parse_schedule(text, pytest.fail)
