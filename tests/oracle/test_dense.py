"""The device's products, softmax, elementwise maximum and dropout against their oracle (spec 3.6).

Tolerance: sums of K products as in harness.product_sum_bound; softmax: the relative errors of the exponentials
(harness.exp_error, spec 3.5) and of their sum; random numbers, masks and maxima are exact.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import dense
from .harness import (
    EPS,
    TINY,
    assert_close,
    case_counts,
    check,
    check_scaled,
    drawn,
    empty_targets,
    exp_error,
    normals,
    product_sum_bound,
    run,
    scales,
    seeds,
    values,
    wide,
)

lengths = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 11, 12, 13, 16, 17, 31, 32, 33, 48, 49, 100])
class_counts = st.sampled_from([1, 2, 3, 10, 17, 100])


@drawn
@given(lengths, case_counts, lengths, st.booleans(), st.booleans(), seeds, scales)
def test_multiply(
    rows: int, columns: int, inner: int, transpose_a: bool, transpose_b: bool, seed: int, scaling: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    a = values(rng, *((inner, rows) if transpose_a else (rows, inner)))
    b = values(rng, *((columns, inner) if transpose_b else (inner, columns)))
    keywords = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    check_scaled(
        device.multiply,
        a,
        b,
        result=dense.multiply(wide(a), wide(b), **keywords),
        bound=product_sum_bound(dense.multiply, wide(a), wide(b), **keywords),
        scaling=scaling,
        rng=rng,
        **keywords,
    )


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_multiply_large(transpose_a: bool, transpose_b: bool) -> None:
    """Large enough for every level of blocking and for all threads."""
    rng = np.random.default_rng(0)
    a = normals(rng, *((1030, 130) if transpose_a else (130, 1030)))
    b = normals(rng, *((257, 1030) if transpose_b else (1030, 257)))
    keywords = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    bound = product_sum_bound(dense.multiply, wide(a), wide(b), **keywords)
    check(device.multiply, a, b, result=dense.multiply(wide(a), wide(b), **keywords), bound=bound, **keywords)


@drawn
@given(lengths, case_counts, seeds, scales)
def test_add(rows: int, cases: int, seed: int, scaling: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    inputs = values(rng, rows, cases)
    check_scaled(device.add, inputs, result=dense.add(wide(inputs)), bound=0, scaling=scaling, rng=rng)


@drawn
@given(lengths, case_counts, seeds, scales)
def test_multiply_elementwise(rows: int, cases: int, seed: int, scaling: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    a, b = values(rng, rows, cases), values(rng, rows, cases)
    result = dense.multiply_elementwise(wide(a), wide(b))
    check_scaled(device.multiply_elementwise, a, b, result=result, bound=EPS * np.abs(result), scaling=scaling, rng=rng)


@drawn
@given(class_counts, case_counts, st.sampled_from([1.0, 10.0, 1000.0]), seeds)
def test_softmax(classes: int, cases: int, spread: float, seed: int) -> None:
    inputs = values(np.random.default_rng(seed), classes, cases) * np.float32(spread)
    result = dense.softmax(wide(inputs))
    power_errors = exp_error(wide(inputs) - wide(inputs).max(axis=0))
    sum_error = (result * power_errors).sum(axis=0) + classes * EPS
    check(device.softmax, inputs, result=result, bound=result * (power_errors + sum_error + 2 * EPS) + TINY)


def test_softmax_of_large_inputs() -> None:
    """The maximum is subtracted first: no overflow, and equal inputs share."""
    inputs = np.full((4, 19), 3e38, dtype=np.float32)
    [outputs] = run(device.softmax, inputs, empty_targets(4, 19))
    np.testing.assert_array_equal(outputs, 0.25)


def test_softmax_keeps_nan_in_its_case() -> None:
    inputs = np.zeros((5, 33), dtype=np.float32)
    inputs[3, 31] = np.nan
    [outputs] = run(device.softmax, inputs, empty_targets(5, 33))
    assert np.isnan(outputs[:, 31]).all()
    assert not np.isnan(np.delete(outputs, 31, axis=1)).any()


@drawn
@given(class_counts, case_counts, seeds, scales)
def test_softmax_gradient(classes: int, cases: int, seed: int, scaling: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    outputs = dense.softmax(wide(normals(rng, classes, cases))).astype(np.float32)
    arrays = [values(rng, classes, cases), outputs]
    gradients, probs = wide(arrays)
    mean_sizes = (np.abs(gradients) * probs).sum(axis=0)
    check_scaled(
        device.softmax_gradient,
        *arrays,
        result=dense.softmax_gradient(gradients, probs),
        bound=probs * (3 * np.abs(gradients) + (classes + 3) * mean_sizes) * EPS,
        scaling=scaling,
        rng=rng,
    )


@drawn
@given(st.integers(2, 4), lengths, case_counts, seeds)
def test_elementwise_max(count: int, rows: int, cases: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = [values(rng, rows, cases) for _ in range(count)]
    check(device.elementwise_max, inputs, result=dense.elementwise_max(wide(inputs)), bound=0)


@drawn
@given(lengths, case_counts, seeds, scales)
def test_elementwise_max_gradient(rows: int, cases: int, seed: int, scaling: tuple[float, float]) -> None:
    """Inputs that tie with another one get the whole gradient, each."""
    rng = np.random.default_rng(seed)
    inputs = rng.integers(-2, 3, (rows, cases)).astype(np.float32)
    outputs = np.maximum(inputs, rng.integers(-2, 3, (rows, cases))).astype(np.float32)
    arrays = [values(rng, rows, cases), inputs, outputs]
    result = dense.elementwise_max_gradient(*wide(arrays))
    check_scaled(device.elementwise_max_gradient, *arrays, result=result, bound=0, scaling=scaling, rng=rng)


keys = st.fixed_dictionaries(
    {
        "seed": st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**64 - 1, 0x0123456789ABCDEF]),
        "layer": st.sampled_from([0, 1, 77, 2**32 - 1]),
        "update": st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**40 + 3]),
    }
)


@drawn
@given(lengths, case_counts, keys)
def test_philox_uniform(rows: int, cases: int, key: dict[str, int]) -> None:
    [uniform] = run(device.philox_uniform, empty_targets(rows, cases), **key)
    np.testing.assert_array_equal(uniform, dense.philox_uniform((rows, cases), **key))
    assert (uniform >= 0).all() and (uniform < 1).all()


@drawn
@given(lengths, case_counts, st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0]), keys)
def test_dropout_mask(rows: int, cases: int, keep: float, key: dict[str, int]) -> None:
    [mask] = run(device.dropout_mask, empty_targets(rows, cases), keep=keep, **key)
    np.testing.assert_array_equal(mask, dense.dropout_mask((rows, cases), keep=keep, **key))


def test_many_random_numbers() -> None:
    """Enough for several threads, and not a multiple of a block."""
    [uniform] = run(device.philox_uniform, empty_targets(1001, 301), seed=5, layer=6, update=7)
    assert_close(uniform, dense.philox_uniform((1001, 301), seed=5, layer=6, update=7), 0)
