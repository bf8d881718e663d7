"""What the historic sources get of a net: keys, types, names, arrays (spec 6.5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_engine import make_layers

from convnet_py import layers as layer_language
from convnet_py.data.providers import ProviderSettings, make_provider
from convnet_py.errors import EngineError
from convnet_py.original.dictionaries import Names, dictionaries_for_sources

GRADCHECK = Path(__file__).parents[2] / "layer_defs" / "gradcheck"


def handed_over(layers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return dictionaries_for_sources(layers, Names(layers), lambda array, order: (array.shape, order))


def test_the_net_that_uses_everything_is_handed_over() -> None:
    """Every layer type that the language has, as the language makes it, has all keys."""
    provider = make_provider(
        "dummy-lr-192", ProviderSettings(None, None, True, np.random.RandomState(0), 0, None, None)
    )
    layers = layer_language.read_net(
        GRADCHECK / "layers.cfg", GRADCHECK / "params.cfg", data_dims=provider.data_dims, num_gpus=3,
        batch_meta=provider.batch_meta, num_classes=provider.num_classes, rng=np.random.RandomState(0),
        warn=lambda text: None,
    )  # fmt: skip
    given = handed_over(layers)
    assert sorted(given) == list(given)
    assert [layer["type"] for layer in given.values()] == [layer["type"] for layer in layers.values()]
    for layer in given.values():
        assert not {type(value) for value in layer.values()} - {int, float, str, list, dict, tuple}
        assert set(layer["inputs"]) <= set(given)


def test_types_are_exact() -> None:
    fc = handed_over(make_layers())["2_fc"]
    for key, kind in (("gradConsumer", int), ("outputs", int), ("epsB", float), ("superEps", float)):
        assert type(fc[key]) is kind
    assert [type(value) for value in fc["epsW"]] == [float]
    params = fc["schedW"]["params"]
    assert params == {"tgtFactor": 10, "noiseStdev": 0, "numSteps": 2}
    assert [type(value) for value in params.values()] == [float, float, int]


def test_arrays_have_the_order_of_2012_and_shared_ones_stay_one() -> None:
    layers = make_layers()
    layers["fc"]["weights"].append(layers["fc"]["weights"][0])
    given: list[tuple[np.ndarray, str]] = []
    dictionaries_for_sources(layers, Names(layers), lambda array, order: given.append((array, order)))
    assert [order for _, order in given] == ["F"] * 5
    assert given[0][0] is given[1][0]


def test_names_sort_as_they_are_defined_and_come_back() -> None:
    order = [f"layer{i}" for i in range(9, 0, -1)] + ["Z", "a", "0_layer9", "9_Z", "_"]
    names = Names(order)
    given = [names.given(name) for name in order]
    assert sorted(given) == given
    assert [names.own(name) for name in given] == order
    assert names.in_text(" ".join(given) + " 2007_a x09_Z") == " ".join(order) + " 2007_a x09_Z"
    assert names.given("") == ""


@pytest.mark.parametrize(
    ("layer", "key", "value", "message"),
    [
        ("fc", "epsB", None, "key 'epsB' is None, the original sources read a number"),
        ("fc", "epsW", 0.1, "key 'epsW' is 0.1, the original sources read a list of numbers"),
        ("fc", "momB", "0.9", "read a number"),
        ("fc", "outputs", 2.5, "read an integer of 32 bits"),
        ("fc", "outputs", 2**31, "read an integer of 32 bits"),
        ("fc", "outputs", float("inf"), "read an integer of 32 bits"),
        ("fc", "weightSourceMatrixIndices", ["0"], "read a list of integers"),
        ("fc", "biases", np.zeros(2, np.float32), "read a float32 matrix"),
        ("fc", "biases", np.zeros((1, 2)), "read a float32 matrix"),
        ("fc", "schedW", "exp", "read a type with parameters"),
        ("a", "quantF", {"params": {}}, "read a type with parameters"),
        ("a", "type", "pool", "layer 'a': it lacks the key 'channels'"),
        ("a", "type", "dropout", "have no layers of type 'dropout'"),
    ],
)
def test_what_would_be_misread_is_refused(layer: str, key: str, value: object, message: str) -> None:
    layers = make_layers()
    layers[layer][key] = value
    with pytest.raises(EngineError) as caught:
        handed_over(layers)
    assert f"layer '{layer}'" in str(caught.value) and message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named() -> None:
    layers = make_layers()
    del layers["cost"]["topk"]
    with pytest.raises(EngineError, match="layer 'cost': it lacks the key 'topk'"):
        handed_over(layers)
