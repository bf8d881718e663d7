"""Neurons, detached from their layers or layers of their own (spec 2.2, 2.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from convnet_py.layers.base import Net, OneInput, layer_type
from convnet_py.layers.keys import Keys, NotUnderstood


@dataclass(frozen=True)
class Neuron:
    """A neuron: its parameters, its function as shown to users, what its gradient is computed from."""

    params: tuple[str, ...]
    function: str
    uses_acts: bool
    uses_inputs: bool


NEURONS = {
    "ident": Neuron((), "x", False, False),
    "logistic": Neuron((), "1/(1+e^-x)", True, False),
    "abs": Neuron((), "|x|", False, True),
    "relu": Neuron((), "max(0,x)", True, False),
    "nrelu": Neuron((), "max(0,max(0,x)+noise)", True, False),
    "softrelu": Neuron((), "log(1+e^x)", True, False),
    "square": Neuron((), "x^2", False, True),
    "sqrt": Neuron((), "sqrt(x)", True, False),
    "tanh": Neuron(("a", "b"), "a*tanh(b*x)", True, False),
    # The sign of x is lost in y, so that its gradient needs both.
    "abstanh": Neuron(("a", "b"), "a*|tanh(b*x)|", True, True),
    "brelu": Neuron(("a",), "min(a,max(0,x))", True, False),
    "linear": Neuron(("a", "b"), "a*x+b", True, False),
    "drelu": Neuron(("a",), "x-a*tanh(x/a)", False, True),
}

_SYNTAX = re.compile(r"(\w+)(?:\[(.*)\])?", re.DOTALL)
_DECIMAL = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)")


def parse_neuron(text: str) -> dict:
    """``{"type", "params", "usesActs", "usesInputs"}`` of e.g. ``tanh[1.7,0.67]``. Raises NotUnderstood."""
    match = _SYNTAX.fullmatch(text)
    if match is None or match[1] not in NEURONS:
        known = ", ".join(f"{_usage(name)} = {neuron.function}" for name, neuron in NEURONS.items())
        raise NotUnderstood(f"a neuron ({known})")
    name, neuron = match[1], NEURONS[match[1]]
    items = [item.strip() for item in match[2].split(",")] if match[2] is not None else []
    if len(items) != len(neuron.params) or not all(map(_DECIMAL.fullmatch, items)):
        numbers = " with plain decimal numbers" if neuron.params else ""
        raise NotUnderstood(f"{_usage(name)}{numbers}")
    params = {key: float(item) for key, item in zip(neuron.params, items, strict=True)}
    if name == "abstanh":
        params["b"] = abs(params["b"])
    if name == "drelu" and params["a"] == 0:
        raise NotUnderstood("drelu[a] with a other than 0")
    return {"type": name, "params": params, "usesActs": neuron.uses_acts, "usesInputs": neuron.uses_inputs}


def _usage(name: str) -> str:
    params = NEURONS[name].params
    return f"{name}[{','.join(params)}]" if params else name


@layer_type("neuron")
class NeuronLayer(OneInput):
    """``src_layer`` is the layer that it was detached from, None where the definition has it as a layer."""

    force_own_acts = False
    takes_neuron = False

    def read_definition(self, layer: dict, keys: Keys) -> None:
        keys.parsed("neuron", parse_neuron)
        layer["src_layer"] = None

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        layer["outputs"] = layer["numInputs"][0]
        layer["usesActs"] = layer["neuron"]["usesActs"]
        layer["usesInputs"] = layer["neuron"]["usesInputs"]


def detach(source: dict, neuron: dict, name: str) -> dict:
    """The neuron layer that follows ``source`` (all but its quantization)."""
    return {
        "name": name,
        "type": "neuron",
        "inputs": [source["name"]],
        "inputLayers": [source],
        "numInputs": [source["outputs"]],
        "outputs": source["outputs"],
        "gpu": source["gpu"],
        "usesActs": neuron["usesActs"],
        "usesInputs": neuron["usesInputs"],
        "forceOwnActs": NeuronLayer.force_own_acts,
        "gradConsumer": source["gradConsumer"],
        "actsTarget": -1,
        "actsGradTarget": -1,
        "conserveMem": source["conserveMem"],
        "requiresParams": False,
        "neuron": neuron,
        "src_layer": source["name"],
    }
