"""What device operations do with arguments that do not fit: a ValueError that says what was expected.

The message must read ``argument: expected ...``, and the arrays must be left as they were. One valid call of each
operation is listed; the tests spoil one argument of it at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convnet_py import _device as device

CASES = 6
MESSAGE = r"^[\w\[\]]+: expected .+"
CONV = {"channels": 4, "img_size": 3, "filter_size": 2, "modules": 2, "groups": 2}
POOL = {"channels": 2, "img_size": 4, "size_x": 2, "start": 0, "stride": 2, "outputs_x": 2}
NORM = {"channels": 4, "size": 3, "scale": 0.1, "pow": 0.75}
NAILS = {"channels": 2, "img_size": 4, "start": 0, "stride": 2}
TREE: dict[str, Any] = {"tree": [[], [], [], [0, 1], [3, 2]], "root": 4}
KEY = {"seed": 1, "layer": 2, "update": 3}
STEP = {"momentum": 0.9, "gradient_scale": 0.1, "decay": 0.1}


def rows(*counts: int) -> list[tuple[int, int]]:
    """Shapes of batch matrices."""
    return [(count, CASES) for count in counts]


#: operation -> (shapes of its arrays, keywords)
CALLS: dict[str, tuple[list[tuple[int, int]], dict[str, Any]]] = {
    "conv_forward": ([(36, CASES), (8, 6), (24, CASES)], CONV),
    "conv_image_gradient": ([(24, CASES), (8, 6), (36, CASES)], CONV),
    "conv_weight_gradient": ([(36, CASES), (24, CASES), (8, 6)], CONV),
    "local_forward": ([(36, CASES), (32, 6), (24, CASES)], CONV),
    "local_image_gradient": ([(24, CASES), (32, 6), (36, CASES)], CONV),
    "local_weight_gradient": ([(36, CASES), (24, CASES), (32, 6)], CONV),
    "add_bias": ([(3, 1), (12, CASES)], {"modules": 4}),
    "bias_gradient": ([(12, CASES), (3, 1)], {"modules": 4}),
    "normalize_local_weights": ([(12, 5)], {"modules": 4, "norm": 1.0}),
    "pool_forward": (rows(32, 8), {"kind": "max", **POOL}),
    "pool_max_gradient": (rows(32, 8, 8, 32), POOL),
    "pool_avg_gradient": (rows(8, 32), POOL),
    "cross_map_norm": (rows(16, 16, 16), NORM),
    "cross_map_norm_gradient": (rows(16, 16, 16, 16, 16), NORM),
    "neuron_forward": (rows(5, 5), {"kind": "relu"}),
    "neuron_gradient": (rows(5, 5, 5, 5), {"kind": "relu"}),
    "multiply": ([(4, 5), (5, CASES), (4, CASES)], {}),
    "add": (rows(5, 5), {}),
    "multiply_elementwise": (rows(5, 5, 5), {}),
    "softmax": (rows(5, 5), {}),
    "softmax_gradient": (rows(5, 5, 5), {}),
    "elementwise_max_gradient": (rows(5, 5, 5, 5), {}),
    "dropout_mask": (rows(5), {"keep": 0.5, **KEY}),
    "philox_uniform": (rows(5), KEY),
    "logreg_cost": (rows(1, 5), {}),
    "logreg_gradient": (rows(1, 5, 5), {"coeff": 1.0}),
    "logreg_softmax_gradient": (rows(1, 5, 5), {"coeff": 1.0}),
    "update_weights": ([(5, 4)] * 3, STEP),
    "adaptive_update": ([(5, 4)] * 5, {"rate": 0.1, "super_eps": 0.1, **STEP}),
    "pool_rand_forward": (rows(32, 8), {**KEY, **POOL}),
    "response_norm": (rows(36, 36, 36), NORM),
    "response_norm_gradient": (rows(36, 36, 36, 36, 36), NORM),
    "contrast_norm": (rows(36, 36, 36, 36), NORM),
    "contrast_norm_gradient": (rows(36, 36, 36, 36, 36, 36), NORM),
    "blur": ([(36, CASES), (1, 3), (36, CASES)], {"channels": 4}),
    "bed_of_nails": (rows(32, 8), NAILS),
    "bed_of_nails_gradient": (rows(8, 32), NAILS),
    "reflect_horizontal": (rows(32, 32), {"img_size": 4}),
    "resize_bilinear": (rows(32, 18), {"img_size": 4, "tgt_size": 3, "scale": 1.25}),
    "crop": (rows(32, 18), {"img_size": 4, "tgt_size": 3, "start_y": 0, "start_x": 1}),
    "rgb_to_yuv": (rows(12, 12), {}),
    "rgb_to_lab": (rows(12, 12), {"center": True}),
    "round_to_half": (rows(5, 5), {}),
    "crossent_cost": (rows(5, 5), {}),
    "crossent_gradient": (rows(5, 5, 5), {"coeff": 1.0}),
    "crossent_softmax_gradient": (rows(5, 5, 5), {"coeff": 1.0}),
    "crossent2_cost": (rows(5, 5), {}),
    "crossent2_gradient": (rows(5, 5, 5), {"coeff": 1.0}),
    "crossent2_logistic_gradient": (rows(5, 5, 5), {"coeff": 1.0}),
    "rflickr_cost": (rows(5, 5), {}),
    "rflickr_gradient": (rows(5, 5, 5), {"coeff": 1.0}),
    "sum2_cost": (rows(5), {}),
    "sum2_gradient": (rows(5, 5), {"coeff": 1.0}),
    "gsum2_cost": (rows(1, 5), {}),
    "gsum2_gradient": (rows(1, 5, 5), {"coeff": 1.0}),
    "gsum2_gate_gradient": (rows(5, 1), {"coeff": 1.0}),
    "msm_probs": (rows(5, 5), {"set_size": 2}),
    "msm_cost": (rows(1, 5), {"set_size": 2}),
    "msm_gradient": (rows(1, 5, 5), {"set_size": 2, "coeff": 1.0}),
    "tica_forward": (rows(36, 36), {"channels": 4, "size": 2}),
    "tica_cost": (rows(36), {"channels": 4, "size": 2}),
    "tica_gradient": (rows(36, 36, 36), {"channels": 4, "size": 2, "coeff": 1.0}),
    "treefc_class_weights": ([(4, 5), (4, 3)], TREE),
    "treefc_node_gradients": ([(4, 3), (4, 5)], TREE),
    "treefc_update": ([(4, 5)] * 3, {"momentum": 0.9, "rate": 0.1, "decay": 0.1, "gradient_scale": 0.1, **TREE}),
    "bound_column_norms": ([(5, 4)], {"norm": 1.0}),
    "bound_zero_mean_norms": ([(5, 4)], {"min": 0.1, "max": 1.0}),
}

ARRAYS = [(name, index) for name, (shapes, _) in CALLS.items() for index in range(len(shapes))]
#: Arrays of one row or column, which are contiguous in either order.
VECTORS = {(name, index) for name, index in ARRAYS if 1 in CALLS[name][0][index]}
#: Arrays whose shape is free: nothing else says what it should be. (Extra rows of probabilities are classes.)
FREE_SHAPES = {
    ("dropout_mask", 0),
    ("philox_uniform", 0),
    ("bound_column_norms", 0),
    ("bound_zero_mean_norms", 0),
    ("logreg_cost", 1),
    ("msm_cost", 1),
    ("gsum2_cost", 1),
    ("gsum2_gate_gradient", 0),
    ("sum2_cost", 0),
    ("tica_cost", 0),
}

#: Arrays that may have any number of columns: filters or cases that no other array shares.
FREE_COLUMNS = {("normalize_local_weights", 0), ("add_bias", 1), ("bias_gradient", 0)}


def arrays_for(name: str) -> list[np.ndarray]:
    return [np.ones(shape, dtype=np.float32) for shape in CALLS[name][0]]


def refuse(name: str, arrays: list[Any], keywords: dict[str, Any]) -> str:
    """The message of the ValueError that the call must raise, leaving every array as it was."""
    before = [np.array(a, copy=True) for a in arrays]
    with pytest.raises(ValueError, match=MESSAGE) as error:
        getattr(device, name)(*arrays, **keywords)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)
    return str(error.value)


@pytest.mark.parametrize("name", CALLS)
def test_the_listed_calls_are_valid(name: str) -> None:
    getattr(device, name)(*arrays_for(name), **CALLS[name][1])


@pytest.mark.parametrize(("name", "index"), ARRAYS)
@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.float16])
def test_dtype(name: str, index: int, dtype: type) -> None:
    arrays = arrays_for(name)
    arrays[index] = arrays[index].astype(dtype)
    assert "float32" in refuse(name, arrays, CALLS[name][1])


def _fortran(array: np.ndarray) -> np.ndarray:
    return np.asfortranarray(array)


def _strided(array: np.ndarray) -> np.ndarray:
    return np.repeat(array, 2, axis=1)[:, ::2]


def _reversed(array: np.ndarray) -> np.ndarray:
    return array[::-1]


@pytest.mark.parametrize(("name", "index"), [a for a in ARRAYS if a not in VECTORS])
@pytest.mark.parametrize("spoil", [_fortran, _strided, _reversed])
def test_order(name: str, index: int, spoil: Callable[[np.ndarray], np.ndarray]) -> None:
    arrays = arrays_for(name)
    arrays[index] = spoil(arrays[index])
    assert "C-contiguous" in refuse(name, arrays, CALLS[name][1])


def _more_rows(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, array[:1]])


def _fewer_rows(array: np.ndarray) -> np.ndarray:
    return array[:-1]


@pytest.mark.parametrize(("name", "index"), [a for a in ARRAYS if a not in FREE_SHAPES])
@pytest.mark.parametrize("spoil", [_more_rows, _fewer_rows])
def test_shape(name: str, index: int, spoil: Callable[[np.ndarray], np.ndarray]) -> None:
    arrays = arrays_for(name)
    arrays[index] = spoil(arrays[index])
    refuse(name, arrays, CALLS[name][1])


@pytest.mark.parametrize(("name", "index"), [a for a in ARRAYS if a not in FREE_SHAPES | FREE_COLUMNS])
def test_columns(name: str, index: int) -> None:
    arrays = arrays_for(name)
    arrays[index] = np.concatenate([arrays[index], arrays[index][:, :1]], axis=1)
    refuse(name, arrays, CALLS[name][1])


@pytest.mark.parametrize(("name", "index"), ARRAYS)
def test_not_a_matrix(name: str, index: int) -> None:
    arrays = arrays_for(name)
    for wrong in (arrays[index].ravel(), arrays[index][None]):
        arrays[index] = wrong
        refuse(name, arrays, CALLS[name][1])
    arrays[index] = [1.0, 2.0]
    refuse(name, arrays, CALLS[name][1])


@pytest.mark.parametrize("name", [n for n in CALLS if not n.endswith(("_cost", "_update", "update_weights"))])
def test_read_only_targets(name: str) -> None:
    arrays = arrays_for(name)
    arrays[-1].flags.writeable = False
    refuse(name, arrays, CALLS[name][1])


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        *[("conv_forward", {key: 0}) for key in ("channels", "img_size", "filter_size", "modules", "stride", "groups")],
        ("conv_forward", {"padding": -1}),
        ("conv_forward", {"groups": 3}),
        ("conv_forward", {"img_size": (3, 3, 3)}),
        ("conv_forward", {"connections": np.array([[0, 1], [2, 4]], dtype=np.int32)}),
        ("conv_forward", {"connections": np.array([[0, 1], [2, -1]], dtype=np.int32)}),
        ("conv_forward", {"connections": np.array([[0, 1], [2, 2]], dtype=np.int32)}),
        ("conv_forward", {"connections": np.array([0, 1, 2, 3], dtype=np.int32)}),
        ("conv_weight_gradient", {"partial_sum": 3}),
        ("conv_weight_gradient", {"partial_sum": -1}),
        ("add_bias", {"modules": 0}),
        ("normalize_local_weights", {"modules": 5}),
        ("pool_forward", {"kind": "median"}),
        *[("pool_forward", {key: 0}) for key in ("channels", "img_size", "size_x", "stride", "outputs_x")],
        ("pool_forward", {"start": -2}),
        ("pool_forward", {"start": 2}),
        ("cross_map_norm", {"channels": 3}),
        ("cross_map_norm", {"size": 0}),
        ("neuron_gradient", {"kind": "step"}),
        ("pool_rand_forward", {"stride": 0}),
        ("response_norm", {"channels": 5}),
        ("response_norm", {"channels": 3}),
        ("response_norm", {"size": 0}),
        ("contrast_norm", {"size": 0}),
        ("blur", {"channels": 5}),
        ("bed_of_nails", {"stride": 0}),
        ("bed_of_nails", {"start": -1}),
        ("bed_of_nails", {"start": 4}),
        ("reflect_horizontal", {"img_size": 5}),
        ("resize_bilinear", {"scale": 0.0}),
        ("resize_bilinear", {"img_size": 1}),
        ("crop", {"start_x": 2}),
        ("crop", {"start_y": -1}),
        ("msm_probs", {"set_size": 0}),
        ("msm_probs", {"set_size": 5}),
        ("tica_forward", {"size": 0}),
        ("treefc_class_weights", {"root": 5}),
        ("treefc_class_weights", {"tree": [[], [], [], [0, 1], [3, 7]]}),
        ("treefc_class_weights", {"tree": [[], [], [], [0, 1], [4, 2]]}),
        ("logreg_cost", {"topk": 0}),
        ("logreg_cost", {"topk": 6}),
    ],
)
def test_keywords(name: str, changed: dict[str, Any]) -> None:
    refuse(name, arrays_for(name), {**CALLS[name][1], **changed})


def test_elementwise_max_inputs() -> None:
    good, targets = np.ones((3, 4), dtype=np.float32), np.zeros((3, 4), dtype=np.float32)
    for inputs in ([], [good, good[:2]], [good, good.astype(np.float64)], [good, np.asfortranarray(good)]):
        with pytest.raises(ValueError, match=MESSAGE):
            device.elementwise_max(inputs, targets)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads(threads: int) -> None:
    before = device.get_threads()
    with pytest.raises(ValueError, match=r"threads.* at least 1"):
        device.use_cpu(threads)
    assert device.get_threads() == before
