"""The device's random pooling against its oracle (spec 3.2).

Tolerance: an element of the window is copied, so there is none; but where the random number falls within
rounding of the border between two elements, either may be drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from convnet_py import _device as device

from . import dense, pool
from .harness import EPS, case_counts, check, drawn, empty_targets, run, seeds, wide
from .test_pool import WHOLE, geometries, images_for

KEY = {"seed": 3, "layer": 1, "update": 4}


@drawn
@given(geometry=geometries(), cases=case_counts, seed=seeds)
def test_rand_forward(geometry: dict[str, int], cases: int, seed: int) -> None:
    images = images_for(geometry, cases, np.random.default_rng(seed))
    channels, outputs_x = geometry["channels"], geometry["outputs_x"]
    [outputs] = run(device.pool_rand_forward, images, empty_targets(channels * outputs_x**2, cases), **KEY, **geometry)
    uniform = dense.philox_uniform(outputs.shape, **KEY).reshape(channels, -1, cases)
    outputs = outputs.reshape(channels, -1, cases)
    maps = wide(images).reshape(channels, geometry["img_size"], geometry["img_size"], cases)
    places = {key: geometry[key] for key in ("img_size", "size_x", "start", "stride", "outputs_x")}
    for o, rows, columns in pool.windows(**places):
        window = maps[:, rows, columns].reshape(channels, -1, cases)
        weights = pool.rand_weights(window)
        above = weights.cumsum(axis=1)
        total = above[:, -1:]
        wanted, slack = uniform[:, None, o] * total, (window.shape[1] + 2) * EPS * total
        possible = (weights > 0) & (wanted >= above - weights - slack) & (wanted <= above + slack)
        assert (possible & (window == outputs[:, None, o])).any(axis=1).all()


def frequencies(window: list[float]) -> dict[float, float]:
    """How often each element of a 2 x 2 window is drawn, in 100,000 cases (standard error below 0.0016)."""
    images = np.repeat(np.array(window, dtype=np.float32)[:, None], 100_000, axis=1)
    [outputs] = run(device.pool_rand_forward, images, empty_targets(1, 100_000), **KEY, **WHOLE)
    elements, counts = np.unique(outputs, return_counts=True)
    return dict(zip(elements.tolist(), counts / 100_000, strict=True))


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ([1, 2, 5, 0], {1: 0.125, 2: 0.25, 5: 0.625}),
        ([-1, -2, -3, 4], {4: 1.0}),
        ([-1, -2, -3, 0], {-1: 0.25, -2: 0.25, -3: 0.25, 0: 0.25}),
    ],
)
def test_rand_frequencies(window: list[float], expected: dict[float, float]) -> None:
    assert frequencies(window) == pytest.approx(expected, abs=0.007)


@drawn
@given(geometry=geometries(), seed=seeds)
def test_rand_gradient_goes_to_the_drawn_element(geometry: dict[str, Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = images_for(geometry, 5, rng)
    shape = geometry["channels"] * geometry["outputs_x"] ** 2, 5
    [outputs] = run(device.pool_rand_forward, images, empty_targets(*shape), **KEY, **geometry)
    gradients = rng.integers(-4, 5, shape).astype(np.float32)  # so that sums are exact
    result = pool.pool_max_gradient(*wide([images, gradients, outputs]), **geometry)
    check(device.pool_max_gradient, images, gradients, outputs, result=result, bound=0, **geometry)
