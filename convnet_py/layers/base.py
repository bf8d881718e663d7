"""What every layer type has: the interface of a type, the factory by type name, the net under construction (spec 2.2).

A layer type is one class, registered under its name with ``layer_type``; the reader knows no type by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from convnet_py.errors import CheckpointError
from convnet_py.layers.dialects import Dialect
from convnet_py.layers.ini import IniFile
from convnet_py.layers.keys import Keys, NotUnderstood

QUANTIZATIONS = ("default", "half")


@dataclass
class Net:
    """A net while it is read: what was given, and the layers that are sound so far.

    ``layers`` holds their dictionaries in definition order. ``broken`` holds the names of layers with
    mistakes: what needs their outputs is not checked, so that one mistake is reported once.
    """

    definition: IniFile
    data_dims: Callable[[int], int]
    num_gpus: int
    num_classes: int | None
    batch_meta: Mapping
    rng: np.random.RandomState
    dialect: Dialect
    allow_init_functions: bool
    warn: Callable[[str], None]
    layers: dict[str, dict] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)


class LayerType:
    """One layer type. Its methods are called in the order in which they stand here.

    Only ``read_definition`` and ``read_params`` are called where inputs or parameters have mistakes.
    """

    #: how many inputs it takes (None: any number).
    min_inputs: int = 1
    max_inputs: int | None = None
    has_weights = False
    has_output = True
    #: whether the key ``neuron`` puts a neuron layer over it.
    takes_neuron = True
    #: memory flags (spec 2.2).
    uses_acts = True
    uses_inputs = True
    force_own_acts = True

    def read_definition(self, layer: dict, keys: Keys) -> None:
        """Read this type's keys of the definition file into ``layer``."""

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        """Check against the inputs; set ``outputs`` and what follows from the shapes. All of its keys are sound."""

    def requires_params(self, layer: dict) -> bool:
        """Whether the parameter file must have a section for it."""
        return self.has_weights

    def read_params(self, layer: dict, keys: Keys) -> None:
        """Read this type's keys of the parameter file into ``layer``, also on resume."""

    def apply_params(self, layer: dict, keys: Keys, dialect: Dialect) -> None:
        """Check the parameters against the shapes, and set what follows from them, also on resume."""

    def initialise(self, layer: dict, keys: Keys, net: Net) -> None:
        """Make the weights. Called once every layer of the net is sound."""


class OneInput(LayerType):
    """A layer type with exactly one input."""

    max_inputs = 1


class ImageLayer(OneInput):
    """One input, made of ``channels`` square images (spec 2.3)."""

    def read_definition(self, layer: dict, keys: Keys) -> None:
        keys.integer("channels", minimum=1)

    def shape(self, layer: dict, keys: Keys, net: Net) -> None:
        size = image_size(layer["numInputs"][0], layer["channels"], keys)
        if size is not None:
            layer["imgSize"] = size
            layer["imgPixels"] = size * size
            self.shape_image(layer, keys, net)

    def shape_image(self, layer: dict, keys: Keys, net: Net) -> None:
        """As ``shape``, once ``imgSize`` and ``imgPixels`` are known. Default: an output like the input."""
        layer["outputs"] = layer["numInputs"][0]


_LayerTypeClass = TypeVar("_LayerTypeClass", bound=type[LayerType])
_types: dict[str, LayerType] = {}


def layer_type(name: str) -> Callable[[_LayerTypeClass], _LayerTypeClass]:
    """Register a class as the layer type ``name`` of the layer files."""

    def register(cls: _LayerTypeClass) -> _LayerTypeClass:
        _types[name] = cls()
        return cls

    return register


def find_type(name: str) -> LayerType | None:
    """The layer type of that name, or None."""
    return _types.get(name)


def type_of(layer: dict) -> LayerType:
    """The layer type of a finished layer dictionary. Raises CheckpointError where there is none of that name."""
    family = find_type(layer["type"])
    if family is None:
        raise CheckpointError(f"Layer '{layer['name']}': unknown type '{layer['type']}'")
    return family


def type_names() -> list[str]:
    """All layer types, sorted."""
    return sorted(_types)


def image_size(num_inputs: int, channels: int, keys: Keys, index: int | None = None) -> int | None:
    """The side of the square images that make up an input, or None after noting why there is none."""
    key = "channels" if keys.raw("channels") is not None else "inputs"
    pixels = num_inputs // channels
    size = math.isqrt(pixels)
    if num_inputs % channels:
        keys.problem(f"its input of {num_inputs} values does not divide into {channels} channels", key, index)
    elif size * size != pixels:
        keys.problem(f"its input of {channels} channels of {pixels} pixels is not square images", key, index)
    else:
        return size
    return None


def read_quantization(layer: dict, keys: Keys) -> None:
    """Read quantF and quantB (spec 2.2) into ``layer``, as ``{"type": ..., "params": {}}``."""
    for key in ("quantF", "quantB"):
        keys.parsed(key, _quantization, {"type": "default", "params": {}})


def _quantization(text: str) -> dict:
    name = text.removesuffix("[]").strip().lower()
    if name not in QUANTIZATIONS:
        raise NotUnderstood(f"one of {', '.join(QUANTIZATIONS)}")
    return {"type": name, "params": {}}
