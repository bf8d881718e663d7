"""The device's normalization across maps against its oracle (spec 3.3).

Tolerance: denominators are sums of positive terms, so their relative error is about the number of roundings;
y = x d^-pow adds pow times that and the error of the power (harness.power_error, from spec 3.5). In the
gradient each of the two terms has its own relative error, and the bound is on their magnitudes, as they may cancel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
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
def across_maps(draw: st.DrawFn) -> dict[str, Any]:
    channels = draw(st.sampled_from([1, 2, 3, 5, 8, 16, 17, 40]))
    return {
        "channels": channels,
        "size": draw(st.integers(1, min(channels, 9))),
        "scale": draw(st.sampled_from([0.25, 1e-4, 0.03])),
        "pow": draw(st.sampled_from([0.75, 0.5, 1.0, 0.3])),
        "blocked": draw(st.booleans()),
    }


pixel_counts = st.sampled_from([1, 4, 9])


@drawn
@given(across_maps(), st.sampled_from([1.0, 2.0, 0.5]), pixel_counts, case_counts, seeds)
def test_cross_map(keywords: dict[str, Any], min_div: float, pixels: int, cases: int, seed: int) -> None:
    images = values(np.random.default_rng(seed), keywords["channels"] * pixels, cases)
    targets = [empty_targets(*images.shape), empty_targets(*images.shape)]
    actual = run(device.cross_map_norm, images, *targets, written=(-2, -1), min_div=min_div, **keywords)
    denoms, outputs = norm.cross_map_norm(wide(images), min_div=min_div, **keywords)
    denom_error = (keywords["size"] + 4) * EPS
    assert_close(actual[0], denoms, denom_error * denoms)
    output_error = keywords["pow"] * denom_error + power_error(denoms, keywords["pow"]) + 2 * EPS
    assert_close(actual[1], outputs, output_error * np.abs(outputs))


@drawn
@given(across_maps(), pixel_counts, case_counts, seeds, scales)
def test_cross_map_gradient(
    keywords: dict[str, Any], pixels: int, cases: int, seed: int, scaling: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    images = values(rng, keywords["channels"] * pixels, cases)
    denoms, outputs = (a.astype(np.float32) for a in norm.cross_map_norm(wide(images), **keywords))
    inputs = [normals(rng, *images.shape), denoms, images, outputs]
    direct = np.abs(wide(inputs[0])) * wide(denoms) ** -keywords["pow"]
    magnitudes = norm.cross_map_norm_gradient(
        np.abs(wide(inputs[0])), wide(denoms), -np.abs(wide(images)), np.abs(wide(outputs)), **keywords
    )
    bound = (power_error(wide(denoms), keywords["pow"]).max() + (keywords["size"] + 8) * EPS) * magnitudes
    assert (magnitudes >= direct).all()  # the sign makes both terms positive
    check_scaled(
        device.cross_map_norm_gradient,
        *inputs,
        result=norm.cross_map_norm_gradient(*wide(inputs), **keywords),
        bound=bound,
        scaling=scaling,
        rng=rng,
        **keywords,
    )
