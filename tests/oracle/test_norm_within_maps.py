"""The device's response and contrast normalization within maps against their oracles (spec 3.3).

Tolerance: as in test_norm, with the window's size^2 terms; in contrast normalization the errors of the mean
and of the differences are carried into the denominators.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import norm
from .harness import (
    EPS,
    assert_close,
    case_counts,
    check_scaled,
    drawn,
    empty_targets,
    normals,
    power_error,
    run,
    scales,
    seeds,
    values,
    wide,
)


@st.composite
def within_maps(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    """(keywords, rows of the images)."""
    channels, side = draw(st.sampled_from([1, 2, 3, 5, 16])), draw(st.integers(1, 8))
    keywords = {
        "channels": channels,
        "size": draw(st.integers(1, side)),
        "scale": draw(st.sampled_from([0.25, 1e-4, 0.03])),
        "pow": draw(st.sampled_from([0.75, 0.5, 1.0, 0.3])),
    }
    return keywords, channels * side**2


@drawn
@given(within_maps(), case_counts, seeds)
def test_response_norm(problem: tuple[dict[str, Any], int], cases: int, seed: int) -> None:
    keywords, rows = problem
    images = values(np.random.default_rng(seed), rows, cases)
    targets = [empty_targets(*images.shape), empty_targets(*images.shape)]
    actual = run(device.response_norm, images, *targets, written=(-2, -1), **keywords)
    denoms, outputs = norm.response_norm(wide(images), **keywords)
    denom_error = (keywords["size"] ** 2 + 4) * EPS
    assert_close(actual[0], denoms, denom_error * denoms)
    output_error = keywords["pow"] * denom_error + power_error(denoms, keywords["pow"]) + 2 * EPS
    assert_close(actual[1], outputs, output_error * np.abs(outputs))


@drawn
@given(within_maps(), case_counts, seeds, scales)
def test_response_norm_gradient(
    problem: tuple[dict[str, Any], int], cases: int, seed: int, scaling: tuple[float, float]
) -> None:
    keywords, rows = problem
    rng = np.random.default_rng(seed)
    images = values(rng, rows, cases)
    denoms, outputs = (a.astype(np.float32) for a in norm.response_norm(wide(images), **keywords))
    inputs = [normals(rng, rows, cases), denoms, images, outputs]
    sizes = [np.abs(a) for a in wide(inputs)]
    magnitudes = norm.response_norm_gradient(sizes[0], sizes[1], -sizes[2], sizes[3], **keywords)
    error = power_error(wide(denoms), keywords["pow"]).max() + (keywords["size"] ** 2 + 8) * EPS
    check_scaled(
        device.response_norm_gradient,
        *inputs,
        result=norm.response_norm_gradient(*wide(inputs), **keywords),
        bound=error * magnitudes,
        scaling=scaling,
        rng=rng,
        **keywords,
    )


@drawn
@given(within_maps(), case_counts, seeds)
def test_contrast_norm(problem: tuple[dict[str, Any], int], cases: int, seed: int) -> None:
    keywords, rows = problem
    images = values(np.random.default_rng(seed), rows, cases)
    targets = [empty_targets(*images.shape) for _ in range(3)]
    actual = run(device.contrast_norm, images, *targets, written=(-3, -2, -1), **keywords)
    mean_diffs, denoms, outputs = norm.contrast_norm(wide(images), **keywords)
    sizes = np.abs(wide(images))
    mean_sizes = sizes - norm.contrast_norm(sizes, **keywords)[0]
    terms = keywords["size"] ** 2
    diff_bound = (terms + 3) * EPS * (sizes + mean_sizes)
    assert_close(actual[0], mean_diffs, diff_bound)
    squares_bound = 2 * np.abs(mean_diffs) * diff_bound + diff_bound**2
    sums_bound = norm.response_norm(np.sqrt(squares_bound), **keywords)[0] - 1
    denom_bound = sums_bound + (terms + 4) * EPS * denoms
    assert_close(actual[1], denoms, denom_bound)
    output_error = keywords["pow"] * denom_bound / denoms + power_error(denoms, keywords["pow"]) + 2 * EPS
    assert_close(actual[2], outputs, output_error * np.abs(outputs))


@pytest.mark.parametrize("exact", [False, True])
@drawn
@given(problem=within_maps(), cases=case_counts, seed=seeds, scaling=scales)
def test_contrast_norm_gradient(
    exact: bool, problem: tuple[dict[str, Any], int], cases: int, seed: int, scaling: tuple[float, float]
) -> None:
    keywords, rows = problem
    rng = np.random.default_rng(seed)
    images = values(rng, rows, cases)
    mean_diffs, denoms, outputs = (a.astype(np.float32) for a in norm.contrast_norm(wide(images), **keywords))
    inputs = [normals(rng, rows, cases), denoms, mean_diffs, outputs, images]
    sizes = [np.abs(a) for a in wide(inputs)]
    sizes[2] *= -1  # both terms positive, so that their magnitudes add up
    magnitudes = norm.contrast_norm_gradient(*sizes, **keywords)
    magnitudes += magnitudes - norm.contrast_norm_gradient(*sizes, exact=True, **keywords)
    error = power_error(wide(denoms), keywords["pow"]).max() + (2 * keywords["size"] ** 2 + 10) * EPS
    check_scaled(
        device.contrast_norm_gradient,
        *inputs,
        result=norm.contrast_norm_gradient(*wide(inputs), exact=exact, **keywords),
        bound=error * magnitudes,
        scaling=scaling,
        rng=rng,
        exact=exact,
        **keywords,
    )
