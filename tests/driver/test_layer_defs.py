"""The project's own layer files: they read without a warning, and the 2012 net has the paper's sizes."""

from __future__ import annotations

import numpy as np
import pytest

from convnet_py.demo import layer_defs
from convnet_py.layers import read_net


def read(name: str, data_dims: list[int], classes: int, num_gpus: int = 1) -> dict[str, dict]:
    folder = layer_defs() / name
    return read_net(
        folder / "layers.cfg",
        folder / "params.cfg",
        data_dims=data_dims,
        num_gpus=num_gpus,
        num_classes=classes,
        rng=np.random.RandomState(0),
        warn=pytest.fail,
    )


@pytest.mark.parametrize(
    ("name", "pixels"), [("digits", 64), ("fashion", 784), ("cifar-quick", 3072), ("cifar-conv-local", 3072)]
)
def test_small_nets(name, pixels):
    layers = read(name, [pixels, 1], 10)
    assert layers["probs"]["outputs"] == 10
    assert sum(layer["type"] == "local" for layer in layers.values()) == (2 if "local" in name else 0)


def test_the_two_column_net_has_the_sizes_of_the_paper():
    layers = read("alexnet-2012", [3 * 224 * 224, 1], 1000, num_gpus=2)
    neurons = {"conv1": 290400, "conv2": 186624, "conv3": 64896, "conv4": 64896, "conv5": 43264}
    neurons |= {"fc6": 4096, "fc7": 4096}
    for name, number in neurons.items():
        assert layers[f"{name}a"]["outputs"] + layers[f"{name}b"]["outputs"] == number
        assert (layers[f"{name}a"]["gpu"], layers[f"{name}b"]["gpu"]) == (0, 1)
    weights = [array for layer in layers.values() for array in layer.get("weights", [])]
    biases = [layer["biases"] for layer in layers.values() if "biases" in layer]
    # "60 million parameters" (the abstract).
    assert sum(array.size for array in weights + biases) == 60965224
    ones = {name for name, layer in layers.items() if "biases" in layer and layer["biases"].all()}
    assert ones == {f"{name}{column}" for name in ("conv2", "conv4", "conv5", "fc6", "fc7") for column in "ab"}
    assert layers["norm1a"]["scale"] == pytest.approx(1e-4) and layers["norm2b"]["minDiv"] == 2
