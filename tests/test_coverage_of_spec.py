"""Every layer type, cost, neuron, pooling kind and schedule of the layer language has an oracle test (spec 2.3 to 2.6),
and the tests that docs/fidelity.md and docs/not-bugs.md name are there.

Whoever adds one to the language adds a line here, and the test that the line names.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from convnet_py.layers.base import type_names
from convnet_py.layers.neuron import NEURONS
from convnet_py.layers.pool import KINDS
from convnet_py.layers.schedule import SCHEDULES

ROOT = Path(__file__).parents[1]


def _in(family: str, *names: str) -> list[str]:
    """Tests of the file of a family of operations."""
    return [f"test_{family}.py::{name}" for name in names]


def _convolution(kind: str) -> list[str]:
    what = ("forward", "image_gradient", "weight_gradient")
    return _in("conv", *(f"TestAgainstOracle::test_{name}[{kind}]" for name in what))


#: layer type -> the tests in tests/oracle that hold its operations against their oracles, forward and backward.
LAYER_TYPES = {
    "data": [],  # hands on what it gets: no operation
    "conv": _convolution("conv"),
    "local": _convolution("local"),
    "fc": [*_in("dense", "test_multiply"), *_in("conv", "test_add_bias", "test_bias_gradient")],
    "treefc": _in("treefc", "test_class_weights", "test_node_gradients", "test_update"),
    "softmax": _in("dense", "test_softmax", "test_softmax_gradient"),
    "neuron": _in("neuron", "test_forward[ident]", "test_gradient[ident]"),
    "eltsum": _in("dense", "test_add"),
    "eltmax": _in("dense", "test_elementwise_max", "test_elementwise_max_gradient"),
    "concat": _in("dense", "test_add"),
    "pool": _in("pool", "test_forward[max]", "test_max_gradient", "test_avg_gradient"),
    "rnorm": _in("norm_within_maps", "test_response_norm", "test_response_norm_gradient"),
    "cnorm": _in("norm_within_maps", "test_contrast_norm", "test_contrast_norm_gradient[False]",
                 "test_contrast_norm_gradient[True]"),
    "cmrnorm": _in("norm", "test_cross_map", "test_cross_map_gradient"),
    "nailbed": _in("image", "test_bed_of_nails", "test_bed_of_nails_gradient"),
    "blur": _in("image", "test_blur"),
    "href": _in("image", "test_reflect_horizontal"),
    "resize": _in("image", "test_resize"),
    "rscale": _in("image", "test_crop", "test_rscale_is_resize_and_crop"),
    "rgb2yuv": _in("image", "test_rgb_to_yuv"),
    "rgb2lab": _in("image", "test_rgb_to_lab"),
    "hs": _in("dense", "test_dropout_mask", "test_multiply_elementwise"),
    "cost.logreg": _in("cost", "test_logreg_cost", "test_logreg_gradient", "test_logreg_softmax_gradient"),
    "cost.crossent": _in("cost_beyond_logreg", "test_crossent_cost", "test_crossent_gradients"),
    "cost.crossent2": _in("cost_beyond_logreg", "test_crossent2_cost", "test_crossent2_gradients"),
    "cost.rflickr": _in("cost_beyond_logreg", "test_rflickr"),
    "cost.msm": _in("cost_beyond_logreg", "test_msm"),
    "cost.sum2": _in("cost_beyond_logreg", "test_sum2_and_gsum2"),
    "cost.gsum2": _in("cost_beyond_logreg", "test_sum2_and_gsum2"),
    "cost.tica": _in("cost_beyond_logreg", "test_tica"),
}  # fmt: skip

#: what is random cannot be compared value by value; its distribution is.
RANDOM_NEURONS = {"nrelu": _in("neuron", "TestNoisyRelu::test_distribution", "test_gradient[nrelu]")}
RANDOM_POOLING = {"rand": _in("pool_maxabs_rand", "test_rand_forward", "test_rand_frequencies")}


@pytest.fixture(scope="module")
def all_tests() -> set[str]:
    """The tests that pytest finds, with and without their parameters: ``FOLDER/FILE::TEST[PARAMETERS]``."""
    command = [sys.executable, "-m", "pytest", "-o", "addopts=--import-mode=importlib", "--collect-only", "-q", "tests"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    names = {line.removeprefix("tests/") for line in found.splitlines() if "::" in line}
    return names | {name.partition("[")[0] for name in names}


@pytest.fixture(scope="module")
def oracle_tests(all_tests) -> set[str]:
    """Those in tests/oracle, as ``FILE::TEST[PARAMETERS]``."""
    return {name.removeprefix("oracle/") for name in all_tests if name.startswith("oracle/")}


def test_the_table_lists_every_layer_type():
    assert sorted(LAYER_TYPES) == type_names()
    assert [name for name, tests in LAYER_TYPES.items() if not tests] == ["data"]


@pytest.mark.parametrize("name", type_names())
def test_layer_type(name, oracle_tests):
    assert set(LAYER_TYPES[name]) <= oracle_tests


@pytest.mark.parametrize("name", NEURONS)
def test_neuron(name, oracle_tests):
    usual = _in("neuron", f"test_forward[{name}]", f"test_gradient[{name}]")
    assert set(RANDOM_NEURONS.get(name, usual)) <= oracle_tests


@pytest.mark.parametrize("kind", KINDS)
def test_pooling_kind(kind, oracle_tests):
    assert set(RANDOM_POOLING.get(kind, _in("pool", f"test_forward[{kind}]"))) <= oracle_tests


@pytest.mark.parametrize("kind", SCHEDULES)
def test_schedule(kind, oracle_tests):
    assert set(_in("update", f"test_schedule_rate[{kind}]")) <= oracle_tests


@pytest.mark.parametrize("name", ["fidelity.md", "not-bugs.md"])
def test_tests_that_the_documents_name(name, all_tests):
    named = re.findall(r"`([\w/]+\.py::[^`]+)`", (ROOT / "docs" / name).read_text())
    assert named and set(named) <= all_tests
