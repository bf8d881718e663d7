"""The device's neurons against their oracle (spec 2.6, 3.5).

Tolerance: exact where nothing is rounded; elsewhere the error of exp, log and tanh as 2 / (1 + e^-2bx) - 1
that spec 3.5 states for the 2012 kernels (harness.exp_error, LOG_ERROR), carried through the formula.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import neuron
from .harness import (
    EPS,
    LOG_ERROR,
    TINY,
    case_counts,
    check,
    check_scaled,
    drawn,
    empty_targets,
    exp_error,
    normals,
    run,
    scales,
    seeds,
    wide,
)

#: kind -> its parameters (a, b), exact in float32.
PARAMETERS = {
    "tanh": (1.75, 0.625),
    "abstanh": (1.75, 0.625),
    "brelu": (1.5, 0.0),
    "linear": (-2.5, 0.75),
    "drelu": (0.75, 0.0),
}
row_counts = st.sampled_from([1, 2, 3, 5, 17])


def neuron_inputs(kind: str, rng: np.random.Generator, rows: int, cases: int) -> np.ndarray:
    """Normal values around the bends, exact zeros and the bends themselves, and far ones."""
    inputs = normals(rng, rows, cases) * np.float32(rng.choice([1, 1, 4, 30]))
    special = np.array([0, -0.0, 4, 1.5, -1.5, 100, -100], dtype=np.float32)
    chosen = rng.random(inputs.shape) < 0.2
    inputs[chosen] = rng.choice(special, size=chosen.sum())
    return np.abs(inputs) if kind == "sqrt" else inputs


def tanh_error(x: np.ndarray) -> np.ndarray:
    """Absolute error of tanh x as 2 / (1 + e^-2x) - 1."""
    power = np.exp(-2 * np.abs(x))
    return 2 * power / (1 + power) ** 2 * exp_error(2 * x) + 4 * EPS


def forward_bound(kind: str, x: np.ndarray, y: np.ndarray, a: float, b: float) -> np.ndarray | float:
    if kind in ("ident", "abs", "relu", "brelu"):
        return 0.0
    if kind in ("square", "sqrt"):
        return 2 * EPS * y
    if kind == "linear":
        return 2 * EPS * (np.abs(a * x) + abs(b))
    if kind == "logistic":
        return y * ((1 - y) * exp_error(x) + 3 * EPS) + TINY
    if kind in ("tanh", "abstanh"):
        return abs(a) * tanh_error(b * x)
    if kind == "drelu":
        return abs(a) * (tanh_error(x / a) + EPS) + EPS * np.abs(x)
    assert kind == "softrelu"
    power = np.exp(np.minimum(x, 4))
    curve = power / (1 + power) * exp_error(x) + EPS + LOG_ERROR + 2 * EPS * y
    return np.where(x > 4, 0, curve)


def gradient_bound(kind: str, g: np.ndarray, x: np.ndarray, y: np.ndarray, a: float, b: float) -> np.ndarray:
    size = np.abs(g)
    if kind == "logistic":
        return 4 * EPS * size * y + TINY * (size + 1)
    if kind in ("tanh", "abstanh"):
        return 4 * EPS * size * abs(b) * (abs(a) + y**2 / abs(a))
    if kind == "drelu":
        slope, error = np.abs(np.tanh(x / a)), tanh_error(x / a)
        return size * (2 * slope * error + error**2 + 3 * EPS * slope**2)
    result = np.abs(neuron.neuron_gradient(g, x, y, kind=kind, a=a, b=b))
    if kind == "softrelu":
        return np.where(x > 4, 0, result * (2 * exp_error(x) + 4 * EPS) + TINY * size)
    return np.where(np.isfinite(result), 3 * EPS * result, 0)


@pytest.mark.parametrize("kind", neuron.FORWARD)
@drawn
@given(rows=row_counts, cases=case_counts, seed=seeds)
def test_forward(kind: str, rows: int, cases: int, seed: int) -> None:
    inputs = neuron_inputs(kind, np.random.default_rng(seed), rows, cases)
    a, b = PARAMETERS.get(kind, (0.0, 0.0))
    result = neuron.neuron_forward(wide(inputs), kind=kind, a=a, b=b)
    bound = forward_bound(kind, wide(inputs), result, a, b)
    check(device.neuron_forward, inputs, result=result, bound=bound, kind=kind, a=a, b=b)


@pytest.mark.parametrize("kind", neuron.GRADIENT)
@drawn
@given(rows=row_counts, cases=case_counts, seed=seeds, scaling=scales)
def test_gradient(kind: str, rows: int, cases: int, seed: int, scaling: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    inputs = neuron_inputs(kind, rng, rows, cases)
    gradients = normals(rng, rows, cases)
    a, b = PARAMETERS.get(kind, (0.0, 0.0))
    forward = "relu" if kind == "nrelu" else kind
    outputs = neuron.neuron_forward(wide(inputs), kind=forward, a=a, b=b).astype(np.float32)
    arrays = [gradients, inputs, outputs]
    if kind == "sqrt":
        scaling = (0.0, 1.0) if scaling[1] == 0 else scaling  # 0 times the infinite slope at 0 is NaN
    check_scaled(
        device.neuron_gradient,
        *arrays,
        result=neuron.neuron_gradient(*wide(arrays), kind=kind, a=a, b=b),
        bound=gradient_bound(kind, *wide(arrays), a, b),
        scaling=scaling,
        rng=rng,
        kind=kind,
        a=a,
        b=b,
    )


@pytest.mark.parametrize("kind", ["relu", "brelu", "nrelu", "logistic", "tanh", "abs", "square", "ident"])
def test_nan_passes_through(kind: str) -> None:
    inputs = np.ones((3, 21), dtype=np.float32)
    inputs[1, ::2] = np.nan
    a, b = PARAMETERS.get(kind, (0.0, 0.0))
    [outputs] = run(device.neuron_forward, inputs, empty_targets(3, 21), kind=kind, a=a, b=b)
    np.testing.assert_array_equal(np.isnan(outputs), np.isnan(inputs))


@pytest.mark.parametrize(
    ("kind", "below", "above"), [("logistic", 0, 1), ("tanh", -1, 1), ("softrelu", 0, np.inf), ("relu", 0, np.inf)]
)
def test_limits(kind: str, below: float, above: float) -> None:
    inputs = np.repeat(np.array([[-np.inf], [-1e30], [1e30], [np.inf]], dtype=np.float32), 9, axis=1)
    [outputs] = run(device.neuron_forward, inputs, empty_targets(4, 9), kind=kind, a=1, b=1)
    np.testing.assert_array_equal(outputs[[0, 1]], below)
    np.testing.assert_array_equal(outputs[3], above)
    np.testing.assert_array_equal(outputs[2], min(above, np.float32(1e30)))


def test_unknown_kind() -> None:
    array = np.ones((2, 2), dtype=np.float32)
    with pytest.raises(ValueError, match="step"):
        device.neuron_forward(array, array.copy(), kind="step")


class TestNoisyRelu:
    """relu(x + N(0, stdev x)) for x > 0, so y / x is max(0, 1 + z) with z standard normal (spec 2.6)."""

    def outputs(self, inputs: np.ndarray, **key: int) -> np.ndarray:
        key = {"seed": 1, "layer": 2, "update": 3, **key}
        [outputs] = run(device.neuron_forward, inputs, empty_targets(*inputs.shape), kind="nrelu", **key)
        return outputs

    def test_distribution(self) -> None:
        """Quantiles of 1 + z, the part below 0 gathered at 0. 200,000 draws: standard error below 0.0012."""
        inputs = np.full((200, 1000), 2.0, dtype=np.float32)
        ratios = np.sort(wide(self.outputs(inputs)).ravel() / 2)
        for point in (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0):
            expected = 0.5 * (1 + math.erf((point - 1) / math.sqrt(2)))
            assert np.searchsorted(ratios, point, side="right") / ratios.size == pytest.approx(expected, abs=0.005)

    def test_neighbours_are_independent(self) -> None:
        """Correlations of 200,000 pairs at small distances have a standard error of 0.0022."""
        noise = wide(self.outputs(np.full((1, 200_000), 1.0, dtype=np.float32))).ravel()
        for distance in range(1, 9):
            assert abs(np.corrcoef(noise[:-distance], noise[distance:])[0, 1]) < 0.011

    def test_nothing_comes_of_negative_inputs(self) -> None:
        inputs = -np.abs(normals(np.random.default_rng(0), 7, 33))
        np.testing.assert_array_equal(self.outputs(inputs), 0)

    def test_the_key_decides(self) -> None:
        inputs = np.ones((9, 33), dtype=np.float32)
        drawn_once = self.outputs(inputs)
        np.testing.assert_array_equal(self.outputs(inputs), drawn_once)
        for key in ({"seed": 2}, {"layer": 5}, {"update": 4}, {"seed": 1 + 2**32}, {"update": 3 + 2**32}):
            assert (self.outputs(inputs, **key) != drawn_once).mean() > 0.5
