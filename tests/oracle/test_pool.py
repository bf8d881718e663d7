"""The device's pooling against its oracle (spec 3.2), apart from random pooling.

Tolerance: max and maxabs copy an element, so they must be exact. Averages and the gradients are sums of K terms:
harness.product_sum_bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import pool
from .harness import EPS, case_counts, check, check_scaled, drawn, empty_targets, run, scales, seeds, values, wide


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, int]:
    """Windows that start before the image, overlap or leave gaps, and hang over the end; none is empty."""
    img_size = draw(st.integers(1, 9))
    size_x = draw(st.integers(1, min(img_size, 4)))
    start = draw(st.integers(1 - size_x, min(1, img_size - 1)))
    stride = draw(st.integers(1, size_x + 1))
    covering = -(-(img_size - start) // stride)
    return {
        "channels": draw(st.sampled_from([1, 2, 3, 7, 16, 17])),
        "img_size": img_size,
        "size_x": size_x,
        "start": start,
        "stride": stride,
        "outputs_x": draw(st.integers(max(1, covering - 1), covering)),
    }


def images_for(geometry: dict[str, int], cases: int, rng: np.random.Generator) -> np.ndarray:
    return values(rng, geometry["channels"] * geometry["img_size"] ** 2, cases)


def outputs_shape(geometry: dict[str, int], cases: int) -> tuple[int, int]:
    return geometry["channels"] * geometry["outputs_x"] ** 2, cases


@pytest.mark.parametrize("kind", ["max", "maxabs", "avg"])
@drawn
@given(geometry=geometries(), cases=case_counts, seed=seeds)
def test_forward(kind: str, geometry: dict[str, int], cases: int, seed: int) -> None:
    images = images_for(geometry, cases, np.random.default_rng(seed))

    def average(magnitudes: np.ndarray) -> np.ndarray:
        return pool.pool_forward(magnitudes, kind="avg", **geometry)

    bound = (geometry["size_x"] ** 2 + 2) * EPS * average(np.abs(wide(images))) if kind == "avg" else 0
    result = pool.pool_forward(wide(images), kind=kind, **geometry)
    check(device.pool_forward, images, result=result, bound=bound, kind=kind, **geometry)


@drawn
@given(geometry=geometries(), cases=case_counts, seed=seeds, scaling=scales)
def test_max_gradient(geometry: dict[str, int], cases: int, seed: int, scaling: tuple[float, float]) -> None:
    """With the small integers that values() gives, ties are common: all of them get the gradient."""
    rng = np.random.default_rng(seed)
    images = images_for(geometry, cases, rng)
    gradients = values(rng, *outputs_shape(geometry, cases))
    outputs = pool.pool_forward(wide(images), kind="max", **geometry).astype(np.float32)

    def oracle(upstream: np.ndarray) -> np.ndarray:
        return pool.pool_max_gradient(wide(images), upstream, wide(outputs), **geometry)

    check_scaled(
        device.pool_max_gradient,
        images,
        gradients,
        outputs,
        result=oracle(wide(gradients)),
        bound=(oracle(np.ones(gradients.shape)) + 2) * EPS * oracle(np.abs(wide(gradients))),
        scaling=scaling,
        rng=rng,
        **geometry,
    )


@drawn
@given(geometry=geometries(), cases=case_counts, seed=seeds, scaling=scales)
def test_avg_gradient(geometry: dict[str, int], cases: int, seed: int, scaling: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    gradients = values(rng, *outputs_shape(geometry, cases))
    windows_per_pixel = geometry["size_x"] ** 2
    magnitudes = pool.pool_avg_gradient(np.abs(wide(gradients)), **geometry)
    check_scaled(
        device.pool_avg_gradient,
        gradients,
        result=pool.pool_avg_gradient(wide(gradients), **geometry),
        bound=(windows_per_pixel + 3) * EPS * magnitudes,
        scaling=scaling,
        rng=rng,
        **geometry,
    )


WHOLE: dict[str, Any] = {"channels": 1, "img_size": 2, "size_x": 2, "start": 0, "stride": 1, "outputs_x": 1}


@pytest.mark.parametrize("cases", [1, 16, 33])
def test_max_ignores_nan(cases: int) -> None:
    images = np.tile(np.array([[np.nan], [-3], [-1], [np.nan]], dtype=np.float32), (1, cases))
    [outputs] = run(device.pool_forward, images, empty_targets(1, cases), kind="max", **WHOLE)
    np.testing.assert_array_equal(outputs, -1)


def test_max_of_nothing_but_nan() -> None:
    images = np.full((4, 17), np.nan, dtype=np.float32)
    [outputs] = run(device.pool_forward, images, empty_targets(1, 17), kind="max", **WHOLE)
    np.testing.assert_array_equal(outputs, np.float32(-2e38))


def test_max_of_values_below_the_base() -> None:
    """The base value takes part: nothing lower than -2e38 comes out (spec 3.2)."""
    images = np.full((4, 3), -np.inf, dtype=np.float32)
    [outputs] = run(device.pool_forward, images, empty_targets(1, 3), kind="max", **WHOLE)
    np.testing.assert_array_equal(outputs, np.float32(-2e38))


def test_maxabs_prefers_the_later_of_equals() -> None:
    images = np.repeat(np.array([[3], [-3], [1], [2]], dtype=np.float32), 17, axis=1)
    for sign, expected in ((1, -3), (-1, 3)):
        [outputs] = run(device.pool_forward, sign * images, empty_targets(1, 17), kind="maxabs", **WHOLE)
        np.testing.assert_array_equal(outputs, expected)
