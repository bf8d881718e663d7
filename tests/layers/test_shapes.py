"""Output shapes, memory flags and keys of every layer type (spec 2.2, 2.3, 2.9)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convnet_py.layers.image import gaussian

WEIGHTS = "epsW=0.1 epsB=0.2 momW=0.9 momB=0.8"
NORM = "scale=2 pow=0.75"


def windows(size: int, window: int, stride: int) -> int:
    """How many windows of a row it takes to cover it, counted one by one."""
    number, end = 1, window
    while end < size:
        number, end = number + 1, end + stride
    return number


@pytest.mark.parametrize(
    ("keys", "params", "outputs", "holds"),
    [
        ("type=data dataIdx=3", None, 1024, {"dataIdx": 3, "gpu": -1, "inputs": [], "gradConsumer": False}),
        (
            "type=conv inputs=img gpu=0 channels=3 filters=32 filterSize=5 padding=2 stride=4 initW=0 partialSum=3",
            WEIGHTS,
            32 * 9,
            {
                "padding": [-2],
                "modulesX": 3,
                "modules": 9,
                "filters": 32,
                "filterPixels": [25],
                "imgSize": [8],
                "imgPixels": [64],
                "filterChannels": [3],
                "weightsPerFilter": [75],
                "overSample": [1],
                "filterConns": [[]],
                "randSparse": [False],
                "sharedBiases": True,
                "partialSum": 3,
                "gradConsumer": True,
                "usesActs": False,
            },
        ),
        (
            "type=local inputs=maps gpu=0 channels=16 filters=16 groups=2 filterSize=3 initW=0",
            WEIGHTS,
            32 * 36,
            {"filters": 32, "groups": [2], "filterChannels": [8], "weightsPerFilter": [72], "modules": 36},
        ),
        ("type=fc inputs=img,labels gpu=0 outputs=7 initW=0,0", "epsW=1,1 epsB=1 momW=1,1 momB=1 wball=2,0.5", 7,
         {"numInputs": [192, 1], "weightsPerFilter": [192, 1], "wballNormed": [384, 0.5], "wc": [0, 0]}),
        ("type=softmax inputs=img gpu=0", None, 192, {"usesActs": True, "usesInputs": True, "forceOwnActs": True}),
        ("type=neuron inputs=img gpu=0 neuron=abs", None, 192,
         {"usesActs": False, "usesInputs": True, "forceOwnActs": False, "src_layer": None}),
        ("type=neuron inputs=img gpu=0 neuron=ident", None, 192, {"usesActs": False, "usesInputs": False}),
        ("type=eltsum inputs=img,img gpu=0", None, 192, {"coeffs": [1, 1], "forceOwnActs": False}),
        ("type=eltmax inputs=img,img gpu=0", None, 192, {"forceOwnActs": True}),
        ("type=concat inputs=img,labels,targets gpu=0", None, 203, {"copyOffsets": [0, 192, 193]}),
        ("type=pool inputs=maps gpu=0 channels=16 sizeX=3 stride=2 pool=avg", None, 16 * 16,
         {"outputsX": 4, "start": 0, "pool": "avg", "doMax": False, "imgSize": 8}),
        ("type=pool inputs=maps gpu=0 channels=16 sizeX=3 stride=2 start=-1 outputsX=3 pool=max", None, 16 * 9,
         {"outputsX": 3, "start": -1}),
        ("type=pool inputs=maps gpu=0 channels=16 sizeX=2 stride=2 pool=rand", "doMax=1", 16 * 16, {"doMax": True}),
        ("type=rnorm inputs=maps gpu=0 channels=16 size=4", NORM, 1024, {"scale": 2 / 16, "pow": 0.75}),
        ("type=cnorm inputs=maps gpu=0 channels=16 size=3", NORM, 1024, {"scale": 2 / 9, "usesInputs": False}),
        ("type=cmrnorm inputs=maps gpu=0 channels=16 size=5", NORM, 1024,
         {"scale": 2 / 5, "minDiv": 1, "blocked": False}),
        ("type=nailbed inputs=maps gpu=0 channels=16 stride=3", None, 16 * 9,
         {"outputsX": 3, "start": 1, "forceOwnActs": False}),
        ("type=blur inputs=maps gpu=0 channels=16 filterSize=5 stdev=2", None, 1024, {"stdev": 2}),
        ("type=href inputs=img gpu=0 channels=3", None, 192, {"imgSize": 8}),
        ("type=resize inputs=img gpu=0 channels=3 scale=1.5", None, 75, {"tgtSize": 5, "tgtPixels": 25}),
        ("type=rscale inputs=img gpu=0 channels=3 maxScale=1.5 tgtSize=5", None, 75, {"maxScale": 1.5}),
        ("type=rgb2yuv inputs=img gpu=0", None, 192, {"usesActs": False}),
        ("type=rgb2lab inputs=img gpu=0 center=yes", None, 192, {"center": True}),
        ("type=hs inputs=img gpu=0 keep=0.25", "enable=off", 192, {"keep": 0.25, "enable": False}),
    ],
)  # fmt: skip
def test_shape(net, keys, params, outputs, holds):
    layer = net.layer("x", keys, params).used("x").read()["x"]
    assert layer["outputs"] == outputs
    assert {key: layer[key] for key in holds} == holds
    assert (layer["actsTarget"], layer["actsGradTarget"], layer["conserveMem"]) == (-1, -1, False)
    assert layer["quantF"] == layer["quantB"] == {"type": "default", "params": {}}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 9), window=st.integers(1, 9), stride=st.integers(1, 9), padding=st.integers(0, 3))
def test_modules_and_pools_cover_the_image(empty, size, window, stride, padding):
    stride, pooled, padded = min(stride, window), min(window, size), size + 2 * padding
    window = min(window, padded)
    empty.definition, empty.params = [], []
    empty.layer("d", "type=data dataIdx=0")
    conv = f"type=conv inputs=d gpu=0 channels=1 filters=1 filterSize={window} stride={stride} padding={padding}"
    empty.layer("c", f"{conv} partialSum=0 initW=1", WEIGHTS)
    empty.layer("p", f"type=pool inputs=d gpu=0 channels=1 sizeX={pooled} stride={min(stride, pooled)} pool=max")
    layers = empty.used("c", "p").read(data_dims=[size * size], dialect="relaxed")
    assert layers["c"]["modulesX"] == windows(padded, window, stride)
    assert layers["p"]["outputsX"] == windows(size, pooled, min(stride, pooled))


def test_costs(net):
    net.layer("f", "type=fc inputs=img gpu=0 outputs=10 initW=1", WEIGHTS)
    net.layer("s", "type=softmax inputs=f")
    net.layer("a", "type=cost.logreg inputs=labels,s gpu=0", "coeff=2")
    net.layer("b", "type=cost.msm inputs=labels,f gpu=0", "coeff=1 setSize=9 threads=4")
    net.layer("c", "type=cost.tica inputs=maps gpu=0 channels=16 sizeX=3", "coeff=1")
    layers = net.read()
    assert (layers["a"]["coeff"], layers["a"]["topk"], layers["a"]["requiresParams"]) == (2, 1, True)
    assert {key: layers["b"][key] for key in ("numOut", "setSize", "threads")} == {
        "numOut": 10,
        "setSize": 9,
        "threads": 4,
    }
    assert (layers["c"]["channels"], layers["c"]["sizeX"]) == (16, 3)


def test_blur_filter():
    weights = gaussian(2, 1.5)
    expected = [math.exp(-(distance**2) / (2 * 1.5**2)) for distance in (2, 1, 0, 1, 2)]
    assert weights.shape == (1, 5)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights[0], np.array(expected) / sum(expected), rtol=1e-6)


def test_booleans_in_lists_are_true_1_or_false(net):
    """Not so for single values, where yes and on are true, and any other word is an error."""
    keys = "type=conv inputs=maps,maps,maps gpu=0 channels=16,16,16 filters=16,16,16 groups=4,4,4 filterSize=1,1,1"
    net.layer("x", f"{keys} randSparse=TRUE,yes,no initW=0,0,0 partialSum=0", "epsW=1,1,1 epsB=1 momW=0,0,0 momB=0")
    assert net.used("x").read()["x"]["randSparse"] == [True, False, False]
