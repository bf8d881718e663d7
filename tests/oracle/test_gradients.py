"""Every differentiable oracle's gradient against central differences of its forward oracle, in float64.

With step h the truncation error is about h^2 and the rounding error about 1e-16 / h: 1e-5 leaves both near 1e-10
of the values, so that 1e-6 of the largest element separates right from wrong. Inputs stay clear of bends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from . import conv, cost, dense, image, neuron, norm, pool, update

STEP = 1e-5
TOLERANCE = 1e-6
RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def differences(value: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """The gradient of ``value`` by central differences, one element of ``at`` at a time."""
    result = np.zeros(at.shape)
    for index in np.ndindex(at.shape):
        moved = at.copy()
        moved[index] = at[index] + STEP
        above = value(moved)
        moved[index] = at[index] - STEP
        result[index] = (above - value(moved)) / (2 * STEP)
    return result


def assert_gradient(actual: np.ndarray, value: Callable[[np.ndarray], float], at: np.ndarray) -> None:
    expected = differences(value, at)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * max(1, np.abs(expected).max()))


SPARSE = {
    "channels": 4,
    "img_size": (4, 3),
    "filter_size": 2,
    "modules": (3, 2),
    "padding": 1,
    "stride": 2,
    "groups": 4,
    "connections": np.array([[2, 0], [3, 1], [1, 2], [0, 3]], dtype=np.int32),
}
DENSE = {"channels": 2, "img_size": 4, "filter_size": 3, "modules": 3, "padding": 1, "stride": 2}


@pytest.mark.parametrize("geometry", [DENSE, SPARSE])
@pytest.mark.parametrize("family", ["conv", "local"])
def test_convolution(family: str, geometry: dict[str, Any]) -> None:
    geo = conv.Geometry(**geometry)
    forward, image_gradient, weight_gradient = (
        getattr(conv, f"{family}_{name}") for name in ("forward", "image_gradient", "weight_gradient")
    )
    images = normal(geo.channels * geo.size_y * geo.size_x, 2)
    weights = normal(geo.filter_rows * (geo.modules if family == "local" else 1), 4)
    gradients = normal(4 * geo.modules, 2)
    rounds = image_gradient(gradients, weights, **geometry).reshape(geo.over_sample, *images.shape)
    assert_gradient(rounds.sum(axis=0), lambda x: (gradients * forward(x, weights, **geometry)).sum(), images)
    actual = weight_gradient(images, gradients, **geometry)
    assert_gradient(actual, lambda w: (gradients * forward(images, w, **geometry)).sum(), weights)
    if family == "conv":
        for partial_sum in (1, 3):
            parts = weight_gradient(images, gradients, partial_sum=partial_sum, **geometry)
            np.testing.assert_allclose(parts.reshape(-1, *weights.shape).sum(axis=0), actual, atol=1e-12)


def test_bias() -> None:
    biases, outputs, gradients = normal(3, 1), normal(12, 2), normal(12, 2)
    actual = conv.bias_gradient(gradients, modules=4)
    assert_gradient(actual, lambda b: (gradients * conv.add_bias(b, outputs, modules=4)).sum(), biases)


@pytest.mark.parametrize("kind", ["max", "maxabs", "avg"])
def test_pool(kind: str) -> None:
    geometry = {"channels": 2, "img_size": 5, "size_x": 3, "start": -1, "stride": 2, "outputs_x": 3}
    images, gradients = normal(50, 2), normal(18, 2)
    if kind == "avg":
        actual = pool.pool_avg_gradient(gradients, **geometry)
    else:
        outputs = pool.pool_forward(images, kind=kind, **geometry)
        actual = pool.pool_max_gradient(images, gradients, outputs, **geometry)
    assert_gradient(actual, lambda x: (gradients * pool.pool_forward(x, kind=kind, **geometry)).sum(), images)


def test_random_pool() -> None:
    """With the draws fixed, a small step changes none of the choices."""
    geometry = {"channels": 2, "img_size": 4, "size_x": 2, "start": 0, "stride": 2, "outputs_x": 2}
    keywords = {"seed": 1, "layer": 2, "update": 3, **geometry}
    images, gradients = normal(32, 2), normal(8, 2)
    actual = pool.pool_max_gradient(images, gradients, pool.pool_rand_forward(images, **keywords), **geometry)
    assert_gradient(actual, lambda x: (gradients * pool.pool_rand_forward(x, **keywords)).sum(), images)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("blocked", [False, True])
def test_cross_map_norm(size: int, blocked: bool) -> None:
    images, gradients = normal(5 * 4, 2), normal(5 * 4, 2)
    keywords = {"channels": 5, "size": size, "scale": 0.3, "pow": 0.75, "blocked": blocked}
    denoms, outputs = norm.cross_map_norm(images, min_div=2, **keywords)
    actual = norm.cross_map_norm_gradient(gradients, denoms, images, outputs, **keywords)
    assert_gradient(actual, lambda x: (gradients * norm.cross_map_norm(x, min_div=2, **keywords)[1]).sum(), images)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_response_norm(size: int) -> None:
    images, gradients = normal(2 * 16, 2), normal(2 * 16, 2)
    keywords = {"channels": 2, "size": size, "scale": 0.3, "pow": 0.75}
    denoms, outputs = norm.response_norm(images, **keywords)
    actual = norm.response_norm_gradient(gradients, denoms, images, outputs, **keywords)
    assert_gradient(actual, lambda x: (gradients * norm.response_norm(x, **keywords)[1]).sum(), images)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_contrast_norm(size: int) -> None:
    """The exact gradient; and the historic one, for which the means are constants."""
    images, gradients = normal(2 * 16, 2), normal(2 * 16, 2)
    keywords = {"channels": 2, "size": size, "scale": 0.3, "pow": 0.75}
    mean_diffs, denoms, outputs = norm.contrast_norm(images, **keywords)
    inputs = gradients, denoms, mean_diffs, outputs, images
    exact = norm.contrast_norm_gradient(*inputs, exact=True, **keywords)
    assert_gradient(exact, lambda x: (gradients * norm.contrast_norm(x, **keywords)[2]).sum(), images)

    def with_constant_means(x: np.ndarray) -> float:
        diffs = x - (images - mean_diffs)
        sums = norm.response_norm(diffs, **keywords)[0]
        return (gradients * x * sums ** -keywords["pow"]).sum()

    assert_gradient(norm.contrast_norm_gradient(*inputs, **keywords), with_constant_means, images)


@pytest.mark.parametrize("name", ["blur", "reflect_horizontal", "bed_of_nails"])
def test_image_operations(name: str) -> None:
    if name == "blur":
        keywords = {"filter": image.blur_filter(5, 1.3), "channels": 2}
        forward = backward = image.blur
    elif name == "reflect_horizontal":
        keywords = {"img_size": 5}
        forward = backward = image.reflect_horizontal
    else:
        keywords = {"channels": 2, "img_size": 5, "start": 1, "stride": 3}
        forward, backward = image.bed_of_nails, image.bed_of_nails_gradient
    images = normal(50, 2)
    gradients = normal(*forward(images, **keywords).shape)
    assert_gradient(backward(gradients, **keywords), lambda x: (gradients * forward(x, **keywords)).sum(), images)


@pytest.mark.parametrize("kind", neuron.FORWARD)
def test_neurons(kind: str) -> None:
    a, b = {"drelu": (0.7, 0), "brelu": (1.5, 0)}.get(kind, (1.7, 0.6))
    inputs, gradients = normal(20, 4) * 3, normal(20, 4)
    for bend in (0, 1.5, 4):
        inputs[np.abs(inputs - bend) < 0.01] += 0.05
    if kind == "sqrt":
        inputs = np.abs(inputs) + 0.1
    outputs = neuron.neuron_forward(inputs, kind=kind, a=a, b=b)
    actual = neuron.neuron_gradient(gradients, inputs, outputs, kind=kind, a=a, b=b)
    assert_gradient(actual, lambda x: (gradients * neuron.neuron_forward(x, kind=kind, a=a, b=b)).sum(), inputs)


def test_products() -> None:
    """The two gradients of a b are products again, as fc layers take them."""
    a, b, gradients = normal(3, 4), normal(4, 5), normal(3, 5)
    assert_gradient(
        dense.multiply(gradients, b, transpose_b=True), lambda x: (gradients * dense.multiply(x, b)).sum(), a
    )
    assert_gradient(
        dense.multiply(a, gradients, transpose_a=True), lambda x: (gradients * dense.multiply(a, x)).sum(), b
    )


def test_softmax() -> None:
    inputs, gradients = normal(5, 3), normal(5, 3)
    actual = dense.softmax_gradient(gradients, dense.softmax(inputs))
    assert_gradient(actual, lambda x: (gradients * dense.softmax(x)).sum(), inputs)


def test_elementwise_max() -> None:
    first, second, gradients = normal(4, 3), normal(4, 3), normal(4, 3)
    outputs = dense.elementwise_max([first, second])
    actual = dense.elementwise_max_gradient(gradients, first, outputs)
    assert_gradient(actual, lambda x: (gradients * dense.elementwise_max([x, second])).sum(), first)


CLASSES, CASES, COEFF = 5, 4, 1.3
LABELS = RNG.integers(0, CLASSES, (1, CASES)).astype(float)
TARGETS = RNG.random((CLASSES, CASES)) * 0.8 + 0.1
ENERGIES = normal(CLASSES, CASES)
PROBS = dense.softmax(ENERGIES)
LOGISTIC = neuron.neuron_forward(ENERGIES, kind="logistic")
SETS = {"set_size": 3}
IMAGES, GATES = normal(2 * 9, CASES), np.abs(normal(1, CASES))


def logistic(x: np.ndarray) -> np.ndarray:
    return neuron.neuron_forward(x, kind="logistic")


@pytest.mark.parametrize(
    ("actual", "value", "at"),
    [
        (cost.logreg_gradient(LABELS, PROBS, coeff=COEFF), lambda p: cost.logreg_cost(LABELS, p), PROBS),
        (
            cost.logreg_softmax_gradient(LABELS, PROBS, coeff=COEFF),
            lambda x: cost.logreg_cost(LABELS, dense.softmax(x)),
            ENERGIES,
        ),
        (cost.crossent_gradient(TARGETS, PROBS, coeff=COEFF), lambda p: cost.crossent_cost(TARGETS, p), PROBS),
        (
            cost.crossent_softmax_gradient(TARGETS, PROBS, coeff=COEFF),
            lambda x: cost.crossent_cost(TARGETS, dense.softmax(x)),
            ENERGIES,
        ),
        (
            cost.crossent2_gradient(TARGETS, LOGISTIC, coeff=COEFF),
            lambda y: cost.crossent2_cost(TARGETS, y),
            LOGISTIC,
        ),
        (
            cost.crossent2_logistic_gradient(TARGETS, LOGISTIC, coeff=COEFF),
            lambda x: cost.crossent2_cost(TARGETS, logistic(x)),
            ENERGIES,
        ),
        (cost.rflickr_gradient(TARGETS, ENERGIES, coeff=COEFF), lambda y: cost.rflickr_cost(TARGETS, y), ENERGIES),
        (cost.sum2_gradient(IMAGES, coeff=COEFF), cost.sum2_cost, IMAGES),
        (cost.gsum2_gradient(GATES, IMAGES, coeff=COEFF), lambda x: cost.gsum2_cost(GATES, x), IMAGES),
        (cost.gsum2_gate_gradient(IMAGES, coeff=COEFF), lambda z: cost.gsum2_cost(z, IMAGES), GATES),
        (
            cost.msm_gradient(LABELS, ENERGIES, coeff=COEFF, **SETS),
            lambda x: cost.msm_cost(LABELS, x, **SETS),
            ENERGIES,
        ),
    ],
    ids=[
        *["logreg", "logreg over softmax", "crossent", "crossent over softmax", "crossent2", "crossent2 over logistic"],
        *["rflickr", "sum2", "gsum2", "gsum2 gate", "msm"],
    ],
)
def test_costs(actual: np.ndarray, value: Callable[[np.ndarray], tuple[float, ...]], at: np.ndarray) -> None:
    """Gradients are of minus coeff times the first value."""
    assert_gradient(actual, lambda x: -COEFF * value(x)[0], at)


def test_tica() -> None:
    """For odd windows and no 0.001, it is the gradient of -sum sqrt(window sums), as spec 3.7 says."""
    keywords = {"channels": 2, "size": 3}

    def roots(x: np.ndarray) -> float:
        return -COEFF * (1 / cost.tica_forward(x, **keywords) - 0.001).sum()

    roots_only = 1 / (1 / cost.tica_forward(IMAGES, **keywords) - 0.001)
    assert_gradient(cost.tica_gradient(IMAGES, roots_only, coeff=COEFF, **keywords), roots, IMAGES)


def test_tree() -> None:
    """The node gradients are those of the class weights in the nodes' offsets."""
    tree, nodes, gradients = [[], [], [], [0, 1], [3, 2]], normal(3, 5), normal(3, 3)
    actual = update.treefc_node_gradients(gradients, tree=tree, root=4)
    assert_gradient(actual, lambda w: (gradients * update.treefc_class_weights(w, tree=tree, root=4)).sum(), nodes)
