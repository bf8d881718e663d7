"""The device's weight updates, norm constraints and schedules against their oracle (spec 3.8).

Tolerance: a few roundings of the summed magnitudes; column norms are sums of squares, whose relative error
is half the number of roundings. Schedules are computed in double: the result may have been rounded to float32 once.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import conv, update
from .harness import EPS, assert_close, drawn, normals, run, seeds, values, wide

row_counts = st.sampled_from([1, 2, 3, 9, 27, 75, 100])
column_counts = st.sampled_from([1, 2, 3, 8, 15, 16, 17, 33, 48, 64, 100])
rates = st.sampled_from([0.0, 0.5, 0.001, 1.0])


@drawn
@given(row_counts, column_counts, st.sampled_from([0.0, 0.9, 0.5]), rates, rates, seeds)
def test_update_weights(
    rows: int, columns: int, momentum: float, gradient_scale: float, decay: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    arrays = [values(rng, rows, columns) for _ in range(3)]
    keywords = {"momentum": momentum, "gradient_scale": gradient_scale, "decay": decay}
    actual_weights, actual_increments = run(device.update_weights, *arrays, written=(0, 1), **keywords)
    old_weights, old_increments, gradients = wide(arrays)
    weights, increments = update.update_weights(old_weights, old_increments, gradients, **keywords)
    magnitudes = np.abs(momentum * old_increments) + np.abs(gradient_scale * gradients) + np.abs(decay * old_weights)
    assert_close(actual_increments, increments, 5 * EPS * magnitudes)
    assert_close(actual_weights, weights, 5 * EPS * magnitudes + EPS * np.abs(weights))


@drawn
@given(row_counts, column_counts, st.sampled_from([0.0, 0.9, 0.5]), st.sampled_from([0.0, 0.001]), seeds)
def test_adaptive_update(rows: int, columns: int, momentum: float, decay: float, seed: int) -> None:
    """superEps, kept large enough here that the root's argument is not all cancellation."""
    rng = np.random.default_rng(seed)
    weights, increments, gradients, mean = (normals(rng, rows, columns) for _ in range(4))
    mean_square = np.abs(normals(rng, rows, columns)) + mean**2
    keywords = {"momentum": momentum, "rate": 0.02, "gradient_scale": 0.5, "decay": decay, "super_eps": 2.0}
    arrays = [weights, increments, gradients, mean, mean_square]
    actual = run(device.adaptive_update, *arrays, written=(0, 1, 3, 4), **keywords)
    expected = update.adaptive_update(*wide(arrays), **keywords)
    mean_size = momentum * np.abs(wide(mean)) + (1 - momentum) * np.abs(0.5 * wide(gradients))
    assert_close(actual[2], expected[2], 5 * EPS * mean_size)
    assert_close(actual[3], expected[3], 6 * EPS * expected[3])
    argument = expected[3] - expected[2] + 2
    argument_error = 7 * EPS * (expected[3] + mean_size + 2) / argument
    step = np.abs(0.01 * wide(gradients)) / np.sqrt(argument)
    bound = 5 * EPS * (np.abs(wide(increments)) + np.abs(decay * wide(weights))) + (argument_error + 5 * EPS) * step
    assert_close(actual[1], expected[1], bound)
    assert_close(actual[0], expected[0], bound + EPS * np.abs(expected[0]))


def test_a_negative_root_gives_nan() -> None:
    """mean_square - mean + super_eps < 0: NaN in that weight, and in no other (spec 3.8)."""
    zeros, mean = np.zeros((3, 17), dtype=np.float32), np.zeros((3, 17), dtype=np.float32)
    mean[1, 5] = 1
    ones = np.ones_like(zeros)
    keywords = {"momentum": 0.9, "rate": 0.01, "gradient_scale": 1.0, "decay": 0.0, "super_eps": 0.1}
    weights, *_ = run(device.adaptive_update, zeros, zeros, ones * 0.1, mean, zeros, written=(0, 1, 3, 4), **keywords)
    assert np.isnan(weights[1, 5])
    assert np.isnan(weights).sum() == 1


@drawn
@given(row_counts, column_counts, st.sampled_from([0.5, 1.0, 3.0, 100.0]), seeds)
def test_bound_column_norms(rows: int, columns: int, bound: float, seed: int) -> None:
    weights = values(np.random.default_rng(seed), rows, columns)
    weights[:, 0] = 0
    [actual] = run(device.bound_column_norms, weights, norm=bound)
    expected = update.bound_column_norms(wide(weights), norm=bound)
    assert_close(actual, expected, (rows + 4) * EPS * np.abs(expected))


@drawn
@given(row_counts, column_counts, st.sampled_from([(0.0, 0.05), (0.1, 0.1), (0.5, 4.0), (0.0, 100.0)]), seeds)
def test_bound_zero_mean_norms(rows: int, columns: int, limits: tuple[float, float], seed: int) -> None:
    """The zero-mean filter's norm is well away from 0 here: offsets of the size of the spread."""
    rng = np.random.default_rng(seed)
    offsets = rng.standard_normal(columns)
    weights = (normals(rng, rows, columns) + offsets).astype(np.float32)
    weights[:, 0] = 0
    if rows == 1:
        weights[:] = 0.5
    keywords = {"min": limits[0], "max": limits[1]}
    [actual] = run(device.bound_zero_mean_norms, weights, **keywords)
    expected = update.bound_zero_mean_norms(wide(weights), **keywords)
    norms = update.zero_mean_norms(wide(weights)) * rows
    cancellation = rows**0.5 * np.abs(wide(weights)).sum(axis=0) / np.where(norms > 0, norms, 1)
    assert_close(actual, expected, (rows + 8) * EPS * (1 + cancellation) * np.abs(expected))


def test_constant_filters_stay() -> None:
    weights = np.tile(np.array([[0.0, 0.1, 1 / 3, -7.7]], dtype=np.float32), (27, 1))
    [actual] = run(device.bound_zero_mean_norms, weights, min=0.5, max=1.0)
    np.testing.assert_array_equal(actual, weights)


@drawn
@given(st.integers(1, 5), st.integers(1, 12), column_counts, st.sampled_from([0.5, 2.0, 100.0]), seeds)
def test_normalize_local_weights(modules: int, rows: int, filters: int, norm: float, seed: int) -> None:
    weights = values(np.random.default_rng(seed), modules * rows, filters)
    [actual] = run(device.normalize_local_weights, weights, modules=modules, norm=norm)
    expected = conv.normalize_local_weights(wide(weights), modules=modules, norm=norm)
    assert_close(actual, expected, (rows + 4) * EPS * np.abs(expected))


@pytest.mark.parametrize("kind", ["default", "linear", "exp", "dexp", "jdexp"])
@drawn
@given(
    st.sampled_from([0.0, 1.0, 0.001, 0.02, 3.0]),
    st.one_of(st.floats(0, 1), st.sampled_from([0.2, 0.25, 1 / 3, 0.375, 0.5, 2 / 3, 0.7, 0.75, 0.9, 1.0])),
    st.sampled_from([10.0, 1000.0, 1.0, 250.0, 0.1]),
    st.integers(1, 7),
)
def test_schedule_rate(kind: str, base: float, progress: float, tgt_factor: float, num_steps: int) -> None:
    keywords = {"kind": kind, "tgt_factor": tgt_factor, "num_steps": num_steps}
    actual = device.schedule_rate(base, progress, **keywords)
    assert actual == pytest.approx(update.schedule_rate(base, progress, **keywords), rel=EPS)


def test_unknown_schedule() -> None:
    with pytest.raises(ValueError, match="cosine"):
        device.schedule_rate(0.1, 0.5, kind="cosine")
