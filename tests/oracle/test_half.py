"""Rounding to half precision on the device against its oracle (spec 3.11): exact."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from convnet_py import _device as device

from . import dense
from .harness import case_counts, check, drawn, seeds, values, wide


@drawn
@given(case_counts, seeds)
def test_round_to_half(cases: int, seed: int) -> None:
    """Subnormal halves, ties to even, overflow to infinity and NaN among them."""
    inputs = values(np.random.default_rng(seed), 9, cases)
    special = [0.0, -0.0, 65504, 65519.99, 65520, 1e-7, 2.0**-24, 2.0**-25, 2.0**-14, 2049, 2051, np.inf, np.nan]
    inputs.ravel()[: len(special)] = np.array(special, dtype=np.float32)[: inputs.size]
    check(device.round_to_half, inputs, result=dense.round_to_half(wide(inputs)), bound=0)
