"""The device's costs other than logistic regression against their oracles (spec 3.7).

Tolerance: each logarithm adds harness.LOG_ERROR times its factor to a value, each case a few roundings of its
terms; gradients are a few rounded operations; msm is computed in double and rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import cost, norm
from .harness import EPS, LOG_ERROR, case_counts, check, check_scaled, drawn, normals, run_cost, seeds, values, wide
from .test_cost import labels_for, probs_for, target_scales

class_counts = st.sampled_from([1, 2, 3, 10, 17])
coeffs = st.sampled_from([1.0, 0.5, -2.0])


def soft_labels(rng: np.random.Generator, classes: int, cases: int) -> np.ndarray:
    """Targets in 0..1, many of them exactly 0 or 1."""
    return np.clip(rng.uniform(-0.5, 1.5, (classes, cases)), 0, 1).astype(np.float32)


def probs_with_zeros(rng: np.random.Generator, classes: int, cases: int) -> np.ndarray:
    probs = probs_for(rng, classes, cases)
    probs[rng.random(probs.shape) < 0.1] = 0
    return probs


def logistic_outputs(rng: np.random.Generator, classes: int, cases: int) -> np.ndarray:
    """Values in 0..1, some exactly 0 or 1."""
    outputs = (1 / (1 + np.exp(-4 * normals(rng, classes, cases)))).astype(np.float32)
    special = rng.random(outputs.shape) < 0.1
    outputs[special] = rng.integers(0, 2, special.sum())
    return outputs


def check_gradient(
    name: str, *arrays: np.ndarray, bound: Any, scaling: tuple[float], seed: int, **keywords: Any
) -> None:
    result = getattr(cost, name)(*wide(list(arrays)), **keywords)
    rng = np.random.default_rng(seed)
    check_scaled(getattr(device, name), *arrays, result=result, bound=bound, scaling=scaling, rng=rng, **keywords)


@drawn
@given(class_counts, case_counts, seeds)
def test_crossent_cost(classes: int, cases: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, probs = soft_labels(rng, classes, cases), probs_with_zeros(rng, classes, cases)
    actual = run_cost(device.crossent_cost, labels, probs)
    expected = cost.crossent_cost(wide(labels), wide(probs))
    bound = (wide(labels) * (LOG_ERROR + 3 * EPS * np.abs(cost.guarded_log(wide(probs))))).sum()
    assert actual[0] == pytest.approx(expected[0], abs=bound)
    assert actual[1] == pytest.approx(expected[1], abs=cases * EPS)


@drawn
@given(class_counts, case_counts, coeffs, seeds, target_scales)
def test_crossent_gradients(classes: int, cases: int, coeff: float, seed: int, scaling: tuple[float]) -> None:
    rng = np.random.default_rng(seed)
    labels, probs = soft_labels(rng, classes, cases), probs_with_zeros(rng, classes, cases)
    bound = 4 * EPS * np.abs(cost.crossent_gradient(wide(labels), wide(probs), coeff=coeff))
    common = {"scaling": scaling, "seed": seed, "coeff": coeff}
    check_gradient("crossent_gradient", labels, probs, bound=bound, **common)
    sizes = wide(labels) + wide(probs) * wide(labels).sum(axis=0)
    bound = (classes + 3) * EPS * abs(coeff) * sizes
    check_gradient("crossent_softmax_gradient", labels, probs, bound=bound, **common)


@drawn
@given(class_counts, case_counts, seeds)
def test_crossent2_cost(classes: int, cases: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, outputs = soft_labels(rng, classes, cases), logistic_outputs(rng, classes, cases)
    [actual] = run_cost(device.crossent2_cost, labels, outputs)
    [expected] = cost.crossent2_cost(wide(labels), wide(outputs))
    bound = classes * cases * (LOG_ERROR + 2 * EPS) + 3 * EPS * expected
    assert actual == pytest.approx(expected, abs=bound)


@drawn
@given(class_counts, case_counts, coeffs, seeds, target_scales)
def test_crossent2_gradients(classes: int, cases: int, coeff: float, seed: int, scaling: tuple[float]) -> None:
    rng = np.random.default_rng(seed)
    labels, outputs = soft_labels(rng, classes, cases), logistic_outputs(rng, classes, cases)
    t, y = wide(labels), wide(outputs)
    sizes = abs(coeff) * (t / cost.guarded(y) + (1 - t) / cost.guarded(1 - y))
    common = {"scaling": scaling, "seed": seed, "coeff": coeff}
    check_gradient("crossent2_gradient", labels, outputs, bound=5 * EPS * sizes, **common)
    bound = 2 * EPS * abs(coeff) * (t + y)
    check_gradient("crossent2_logistic_gradient", labels, outputs, bound=bound, **common)


@pytest.mark.parametrize("name", ["crossent_cost", "crossent2_cost"])
def test_the_guarded_log_lets_nan_through(name: str) -> None:
    """In 2012 it turned NaN into -50 and so hid it from the stop rule (spec 3.7)."""
    labels, probs = np.full((2, 3), 0.5, dtype=np.float32), np.full((2, 3), 0.5, dtype=np.float32)
    probs[0, 1] = np.nan
    assert np.isnan(run_cost(getattr(device, name), labels, probs)[0])


@drawn
@given(class_counts, case_counts, coeffs, seeds, target_scales)
def test_rflickr(classes: int, cases: int, coeff: float, seed: int, scaling: tuple[float]) -> None:
    rng = np.random.default_rng(seed)
    labels, outputs = soft_labels(rng, classes, cases), normals(rng, classes, cases)
    [actual] = run_cost(device.rflickr_cost, labels, outputs)
    [expected] = cost.rflickr_cost(wide(labels), wide(outputs))
    assert actual == pytest.approx(expected, abs=classes * cases * (LOG_ERROR + 4 * EPS), rel=4 * EPS)
    result = cost.rflickr_gradient(wide(labels), wide(outputs), coeff=coeff)
    bound = 6 * EPS * np.abs(result)
    check_gradient("rflickr_gradient", labels, outputs, bound=bound, scaling=scaling, seed=seed, coeff=coeff)


@drawn
@given(class_counts, case_counts, coeffs, seeds, target_scales)
def test_sum2_and_gsum2(rows: int, cases: int, coeff: float, seed: int, scaling: tuple[float]) -> None:
    rng = np.random.default_rng(seed)
    gates, inputs = values(rng, 1, cases), values(rng, rows, cases)
    z, x = wide(gates), wide(inputs)
    assert run_cost(device.sum2_cost, inputs) == pytest.approx(cost.sum2_cost(x), rel=2 * EPS)
    sizes = (np.abs(z) * x**2).sum()
    assert run_cost(device.gsum2_cost, gates, inputs) == pytest.approx(
        cost.gsum2_cost(z, x), rel=0, abs=3 * EPS * sizes
    )
    common = {"scaling": scaling, "seed": seed, "coeff": coeff}
    check_gradient("sum2_gradient", inputs, bound=2 * EPS * np.abs(coeff * 2 * x), **common)
    check_gradient("gsum2_gradient", gates, inputs, bound=3 * EPS * np.abs(coeff * 2 * z * x), **common)
    bound = (rows + 3) * EPS * abs(coeff) * (x**2).sum(axis=0, keepdims=True)
    check_gradient("gsum2_gate_gradient", inputs, bound=bound, **common)


@drawn
@given(st.data(), st.integers(2, 8), case_counts, st.sampled_from([1.0, 10.0]), seeds, target_scales)
def test_msm(data: st.DataObject, classes: int, cases: int, spread: float, seed: int, scaling: tuple[float]) -> None:
    """Against the sum over all subsets."""
    set_size = data.draw(st.integers(1, classes - 1))
    rng = np.random.default_rng(seed)
    labels, energies = labels_for(rng, classes, cases), normals(rng, classes, cases) * np.float32(spread)
    if rng.random() < 0.3:
        energies = np.round(energies)
    keywords = {"set_size": set_size}
    probs = cost.msm_probs(wide(energies), **keywords)
    check(device.msm_probs, energies, result=probs, bound=2 * EPS * probs + 1e-12, **keywords)
    expected = cost.msm_cost(wide(labels), wide(energies), **keywords)
    assert run_cost(device.msm_cost, labels, energies, **keywords) == pytest.approx(
        expected, rel=1e-6, abs=cases * 1e-6
    )
    check_gradient("msm_gradient", labels, energies, bound=4 * EPS, scaling=scaling, seed=seed, coeff=0.5, **keywords)


@drawn
@given(st.sampled_from([1, 2, 3, 16]), st.integers(1, 7), st.integers(1, 5), case_counts, coeffs, seeds, target_scales)
def test_tica(channels: int, side: int, size: int, cases: int, coeff: float, seed: int, scaling: tuple[float]) -> None:
    rng = np.random.default_rng(seed)
    images = values(rng, channels * side**2, cases)
    keywords = {"channels": channels, "size": min(size, side)}
    ticas = cost.tica_forward(wide(images), **keywords)
    check(device.tica_forward, images, result=ticas, bound=(size**2 + 6) * EPS * ticas, **keywords)
    assert run_cost(device.tica_cost, images, **keywords) == pytest.approx((ticas.sum(),), rel=(size**2 + 6) * EPS)
    arrays = [images, ticas.astype(np.float32)]
    sizes = np.abs(cost.tica_gradient(*wide(arrays), coeff=coeff, **keywords))
    bound = (size**2 + 4) * EPS * sizes
    check_gradient("tica_gradient", *arrays, bound=bound, scaling=scaling, seed=seed, coeff=coeff, **keywords)


def test_tica_windows_are_not_mirrored() -> None:
    """For even sizes the gradient's windows are the forward ones (spec 3.7), unlike those of the norms (3.3)."""
    assert not (norm.window_matrix(3, 2) == norm.window_matrix(3, 2).T).all()
    images, ticas = np.ones((9, 1), dtype=np.float32), np.eye(1, 9, 4, dtype=np.float32).T.copy()
    expected = cost.tica_gradient(wide(images), wide(ticas), channels=1, size=2, coeff=1.0)
    np.testing.assert_array_equal(np.flatnonzero(expected), [4, 5, 7, 8])
    check(device.tica_gradient, images, ticas, result=expected, bound=0, channels=1, size=2, coeff=1.0)
