"""The device's convolution family against its oracle (spec 3.1).

Tolerance: every result is a sum of K products, so harness.product_sum_bound holds for any order of summation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import conv
from .harness import (
    EPS,
    assert_close,
    case_counts,
    check,
    check_scaled,
    drawn,
    empty_targets,
    few_cases,
    normals,
    product_sum_bound,
    run,
    scales,
    seeds,
    values,
    wide,
)

filter_counts = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 11, 12, 13, 15, 16, 17, 24, 31, 32, 33, 47, 48, 49])


@st.composite
def connections_of(draw: st.DrawFn) -> tuple[int, int, np.ndarray | None]:
    """(channels, groups, connections): dense, grouped or sparse, the last with every round a permutation."""
    kind = draw(st.sampled_from(["dense", "grouped", "sparse"]))
    if kind == "dense":
        return draw(st.sampled_from([1, 2, 3, 4, 5, 8, 16, 40])), 1, None
    filter_channels = draw(st.integers(1, 5))
    groups_per_round = draw(st.integers(1 if kind == "sparse" else 2, 4))
    channels = filter_channels * groups_per_round
    if kind == "grouped":
        return channels, groups_per_round, None
    rounds = draw(st.integers(1 if groups_per_round > 1 else 2, 3))
    rng = np.random.default_rng(draw(seeds))
    order = np.concatenate([rng.permutation(channels) for _ in range(rounds)])
    groups = groups_per_round * rounds
    return channels, groups, order.reshape(groups, filter_channels).astype(np.int32)


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, Any]:
    """Odd sizes, rectangles, padding up to the filter size, strides over it, windows that hang over the end."""
    filter_size = draw(st.integers(1, 4))
    padding = draw(st.integers(0, filter_size))
    stride = draw(st.integers(1, filter_size + 1))
    img_size, modules = [], []
    for _ in range(2 if draw(st.booleans()) else 1):
        size = draw(st.integers(max(1, filter_size - 2 * padding), 7))
        covering = 1 + -(-(2 * padding + size - filter_size) // stride)
        img_size.append(size)
        modules.append(min(5, draw(st.sampled_from([covering, covering, max(1, covering - 1)]))))
    channels, groups, connections = draw(connections_of())
    return {
        "channels": channels,
        "img_size": tuple(img_size) if len(img_size) == 2 else img_size[0],
        "filter_size": filter_size,
        "modules": tuple(modules) if len(modules) == 2 else modules[0],
        "padding": padding,
        "stride": stride,
        "groups": groups,
        "connections": connections,
    }


@st.composite
def problems(draw: st.DrawFn, local: bool) -> tuple[dict[str, Any], np.ndarray, np.ndarray, np.ndarray, Any]:
    """(geometry, images, weights, gradients of the outputs, random generator)."""
    geometry = draw(geometries())
    geo = conv.Geometry(**geometry)
    per_group = draw(filter_counts if geo.groups == 1 else st.sampled_from([1, 2, 3, 4, 8, 13]))
    filters = per_group * geo.groups
    cases = draw(case_counts if filters < 20 else few_cases)
    rng = np.random.default_rng(draw(seeds))
    images = values(rng, geo.channels * geo.size_y * geo.size_x, cases)
    weights = values(rng, geo.filter_rows * (geo.modules if local else 1), filters)
    return geometry, images, weights, values(rng, filters * geo.modules, cases), rng


@pytest.mark.parametrize("family", ["conv", "local"])
class TestAgainstOracle:
    """Shared and local weights: the same tests, with the oracle of the same name."""

    @drawn
    @given(data=st.data(), scaling=scales)
    def test_forward(self, family: str, data: st.DataObject, scaling: tuple[float, float]) -> None:
        geometry, images, weights, _, rng = data.draw(problems(family == "local"))
        oracle = getattr(conv, f"{family}_forward")
        inputs = wide(images), wide(weights)
        check_scaled(
            getattr(device, f"{family}_forward"),
            images,
            weights,
            result=oracle(*inputs, **geometry),
            bound=product_sum_bound(oracle, *inputs, **geometry),
            scaling=scaling,
            rng=rng,
            **geometry,
        )

    @drawn
    @given(data=st.data(), scaling=scales)
    def test_image_gradient(self, family: str, data: st.DataObject, scaling: tuple[float, float]) -> None:
        geometry, _, weights, gradients, rng = data.draw(problems(family == "local"))
        oracle = getattr(conv, f"{family}_image_gradient")
        inputs = wide(gradients), wide(weights)
        check_scaled(
            getattr(device, f"{family}_image_gradient"),
            gradients,
            weights,
            result=oracle(*inputs, **geometry),
            bound=product_sum_bound(oracle, *inputs, **geometry),
            scaling=scaling,
            rng=rng,
            **geometry,
        )

    @drawn
    @given(data=st.data(), scaling=scales)
    def test_weight_gradient(self, family: str, data: st.DataObject, scaling: tuple[float, float]) -> None:
        geometry, images, _, gradients, rng = data.draw(problems(family == "local"))
        if family == "conv":
            modules = conv.Geometry(**geometry).modules
            divisors = [p for p in range(modules + 1) if p == 0 or modules % p == 0]
            geometry["partial_sum"] = data.draw(st.sampled_from(divisors))
        oracle = getattr(conv, f"{family}_weight_gradient")
        inputs = wide(images), wide(gradients)
        check_scaled(
            getattr(device, f"{family}_weight_gradient"),
            images,
            gradients,
            result=oracle(*inputs, **geometry),
            bound=product_sum_bound(oracle, *inputs, **geometry),
            scaling=scaling,
            rng=rng,
            **geometry,
        )

    def test_many_channels(self, family: str) -> None:
        """Enough channels, filters and cases for every level of blocking (K = 2304 products)."""
        rng = np.random.default_rng(1)
        geometry = {"channels": 256, "img_size": 3, "filter_size": 3, "modules": 2, "padding": 1, "stride": 2}
        geo = conv.Geometry(**geometry)
        images = normals(rng, 256 * 9, 130)
        weights = normals(rng, geo.filter_rows * (geo.modules if family == "local" else 1), 100)
        gradients = normals(rng, 100 * 4, 130)
        for name, inputs in [
            ("forward", (images, weights)),
            ("image_gradient", (gradients, weights)),
            ("weight_gradient", (images, gradients)),
        ]:
            oracle = getattr(conv, f"{family}_{name}")
            check(
                getattr(device, f"{family}_{name}"),
                *inputs,
                result=oracle(*wide(list(inputs)), **geometry),
                bound=product_sum_bound(oracle, *wide(list(inputs)), **geometry),
                **geometry,
            )

    @pytest.mark.parametrize(
        "filters, img_size, cases",
        [(128, 15, 128), (96, 15, 132), (64, 15, 132), (64, 15, 131), (48, 23, 132), (32, 23, 124), (16, 23, 132)],
    )
    def test_many_positions(self, family: str, filters: int, img_size: int, cases: int) -> None:
        """So many that devices which choose the shape of their tiles choose every one of them."""
        rng = np.random.default_rng(4)
        square = {"img_size": img_size, "filter_size": 2, "modules": img_size, "padding": 1, "stride": 1}
        places = img_size**2
        matrices = places if family == "local" else 1
        forward = normals(rng, 2 * places, cases), normals(rng, 8 * matrices, filters)
        backward = normals(rng, 2 * places, cases), normals(rng, filters * 4 * matrices, 2)
        weights = forward[0], normals(rng, filters * places, cases)
        for name, channels, inputs in [
            ("forward", 2, forward),
            ("image_gradient", filters, backward),
            ("weight_gradient", 2, weights),
        ]:
            oracle = getattr(conv, f"{family}_{name}")
            check(
                getattr(device, f"{family}_{name}"),
                *inputs,
                result=oracle(*wide(list(inputs)), channels=channels, **square),
                bound=product_sum_bound(oracle, *wide(list(inputs)), channels=channels, **square),
                channels=channels,
                **square,
            )

    @pytest.mark.parametrize("filters", [128, 96, 64, 48, 32, 16])
    @pytest.mark.parametrize("channels, cases", [(14, 36), (14, 35), (7, 36), (3, 36)])
    def test_weight_rows_and_filters(self, family: str, filters: int, channels: int, cases: int) -> None:
        """Matrices of weights that fill tiles of every shape."""
        rng = np.random.default_rng(5)
        geometry = {"channels": channels, "img_size": 6, "filter_size": 3, "modules": 5, "padding": 1}
        inputs = normals(rng, channels * 36, cases), normals(rng, filters * 25, cases)
        oracle = getattr(conv, f"{family}_weight_gradient")
        check(
            getattr(device, f"{family}_weight_gradient"),
            *inputs,
            result=oracle(*wide(list(inputs)), **geometry),
            bound=product_sum_bound(oracle, *wide(list(inputs)), **geometry),
            **geometry,
        )

    @pytest.mark.parametrize("cases", [3, 33, 129])
    def test_nan_stays_in_its_case(self, family: str, cases: int) -> None:
        """A NaN pixel reaches the outputs that see it, in its own case and in no other."""
        rng = np.random.default_rng(2)
        geometry = {"channels": 2, "img_size": 5, "filter_size": 3, "modules": 3, "stride": 1}
        images = normals(rng, 50, cases)
        images[0, cases - 2] = np.nan
        weights = normals(rng, 18 * (9 if family == "local" else 1), 5)
        [outputs] = run(getattr(device, f"{family}_forward"), images, weights, empty_targets(45, cases), **geometry)
        expected = np.zeros((5, 9, cases), dtype=bool)
        expected[:, 0, cases - 2] = True
        np.testing.assert_array_equal(np.isnan(outputs).reshape(expected.shape), expected)


def test_partial_sums_add_up_to_the_whole() -> None:
    """Results do not depend on partialSum beyond rounding (spec 3.1)."""
    rng = np.random.default_rng(3)
    geometry = {"channels": 3, "img_size": 6, "filter_size": 3, "modules": 4, "groups": 3}
    images, gradients = normals(rng, 108, 33), normals(rng, 96, 33)
    [whole] = run(device.conv_weight_gradient, images, gradients, empty_targets(9, 6), **geometry)
    bound = 2 * product_sum_bound(conv.conv_weight_gradient, wide(images), wide(gradients), **geometry)
    for partial_sum in (1, 2, 4, 8, 16):
        [parts] = run(
            device.conv_weight_gradient,
            images,
            gradients,
            empty_targets(16 // partial_sum * 9, 6),
            partial_sum=partial_sum,
            **geometry,
        )
        assert_close(wide(parts).reshape(-1, 9, 6).sum(axis=0), wide(whole), bound)


@drawn
@given(case_counts, st.sampled_from([1, 2, 3, 16, 17]), st.sampled_from([1, 4, 9, 25]), seeds)
def test_add_bias(cases: int, filters: int, modules: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    biases, targets = values(rng, filters, 1), values(rng, filters * modules, cases)
    [actual] = run(device.add_bias, biases, targets, modules=modules)
    expected = conv.add_bias(wide(biases), wide(targets), modules=modules)
    assert_close(actual, expected, EPS * np.abs(expected))


@drawn
@given(case_counts, st.sampled_from([1, 2, 3, 16, 17]), st.sampled_from([1, 4, 9, 25]), seeds, scales)
def test_bias_gradient(cases: int, filters: int, modules: int, seed: int, scaling: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    gradients = values(rng, filters * modules, cases)
    check_scaled(
        device.bias_gradient,
        gradients,
        result=conv.bias_gradient(wide(gradients), modules=modules),
        bound=product_sum_bound(conv.bias_gradient, wide(gradients), modules=modules),
        scaling=scaling,
        rng=rng,
        modules=modules,
    )
