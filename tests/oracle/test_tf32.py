"""Convolutions in TensorFloat-32: exactly the product of the rounded factors (house plan, ``--math tf32``).

Factors are rounded to the nearest with 10 bits of fraction, ties away from zero; products of two such are exact in
fp32. Tensor cores add with sums that are cut off rather than rounded, hence twice the error of fp32 sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import conv
from .harness import EPS, PLACE, check, drawn, normals, seeds, wide

pytestmark = pytest.mark.skipif(PLACE != "tf32", reason="CONVNET_TEST_DEVICE is not tf32")


def rounded(values: np.ndarray) -> np.ndarray:
    """To 10 bits of fraction, in float64."""
    bits = (values.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)
    return bits.view(np.float32).astype(np.float64)


@drawn
@given(
    cases=st.sampled_from([4, 12, 32, 60, 128]),
    channels=st.integers(1, 9),
    filters=st.sampled_from([1, 4, 15, 16, 48, 64, 96, 130]),
    filter_size=st.integers(1, 4),
    stride=st.integers(1, 2),
    seed=seeds,
)
def test_products_of_rounded_factors(
    cases: int, channels: int, filters: int, filter_size: int, stride: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    size = 5
    modules = 1 + -(-(2 + size - filter_size) // stride)
    geometry: dict[str, Any] = {"channels": channels, "img_size": size, "filter_size": filter_size,
                                "modules": modules, "padding": 1, "stride": stride}  # fmt: skip
    images, weights = normals(rng, channels * size**2, cases), normals(rng, channels * filter_size**2, filters)
    gradients = normals(rng, filters * modules**2, cases)
    for name, inputs in {
        "conv_forward": (images, weights),
        "conv_image_gradient": (gradients, weights),
        "conv_weight_gradient": (images, gradients),
    }.items():
        oracle = getattr(conv, name)
        terms = oracle(*[wide(np.ones_like(a)) for a in inputs], **geometry)
        magnitudes = oracle(*[np.abs(rounded(a)) for a in inputs], **geometry)
        result = oracle(*map(rounded, inputs), **geometry)
        check(getattr(device, name), *inputs, result=result, bound=2 * (terms + 2) * EPS * magnitudes, **geometry)
