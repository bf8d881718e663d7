"""How a device operation is held against its oracle: drawn values, poisoned targets, thread counts, error bounds.

Spec 3 in general: scaleTargets 0 must not read the target, and one seed gives the same bits with any number
of threads, and from call to call. An operation's arrays are given in the order of ``_device.pyi``, those that it
writes being named by index. With CONVNET_TEST_DEVICE=cuda in the environment the device is a GPU, or its emulation
where CONVNET_CUDA_LIBRARY names that (tests/cuda); with tf32, that GPU's products are in TensorFloat-32.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from convnet_py import _device as device

Array = np.ndarray

#: Spacing of float32 at 1: twice the largest relative error of one rounded operation.
EPS = 2.0**-23

PLACE = os.environ.get("CONVNET_TEST_DEVICE", "cpu")
ON_GPU = PLACE != "cpu"
if ON_GPU:
    device.use_gpu(0, tf32={"cuda": False, "tf32": True}[PLACE])

#: Relative error of a product whose factors keep 10 bits of their fractions: each may be rounded or cut off.
TF32_ERROR = 2.0**-9 if PLACE == "tf32" else 0.0

#: The settings of every drawn test: always the same examples (fewer where threads are emulated, which is slow), no
#: time limit on a shared machine.
drawn = settings(deadline=None, derandomize=True, max_examples=int(os.environ.get("CONVNET_TEST_EXAMPLES", 100)))

#: Case counts at and beside every vector and tile width of 4 to 128.
case_counts = st.sampled_from([1, 2, 3, 5, 7, 8, 12, 15, 16, 17, 24, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129])
few_cases = st.sampled_from([1, 2, 5, 8, 15, 16, 17, 31, 33, 48])
seeds = st.integers(0, 2**32 - 1)
#: (scale_targets, scale_output). All are exact in float32.
scales = st.sampled_from([(0.0, 1.0), (0.0, -0.5), (1.0, 1.0), (-0.75, 2.0), (1.0, 0.0)])


def values(rng: np.random.Generator, *shape: int) -> Array:
    """float32 values: most often standard normal, else small integers (so that ties and zeros come up) or large."""
    style = rng.integers(4)
    if style == 0:
        return rng.integers(-2, 3, size=shape).astype(np.float32)
    factor = 1e3 if style == 1 else 1.0
    return (rng.standard_normal(shape) * factor).astype(np.float32)


def normals(rng: np.random.Generator, *shape: int) -> Array:
    """float32 standard normal values."""
    return rng.standard_normal(shape).astype(np.float32)


def empty_targets(*shape: int) -> Array:
    """Targets whose old content must not matter: NaN everywhere."""
    return np.full(shape, np.nan, dtype=np.float32)


def wide(array: Any) -> Any:
    """The same values in float64, for the oracle."""
    if isinstance(array, list):
        return [wide(a) for a in array]
    return array.astype(np.float64)


def _copy(array: Any) -> Any:
    return [_copy(a) for a in array] if isinstance(array, list) else array.copy()


def _bits(array: Any) -> bytes:
    return b"".join(_bits(a) for a in array) if isinstance(array, list) else array.tobytes()


def _on_thread_counts(
    operation: Callable[..., Any], arrays: tuple[Any, ...], keywords: dict[str, Any]
) -> Iterator[Any]:
    """(number of threads, the value that ``operation`` returns, the copies of ``arrays`` it worked on)."""
    if ON_GPU:
        for _ in range(2):
            copies = [_copy(a) for a in arrays]
            yield 0, operation(*copies, **keywords), copies
        return
    before = device.get_threads()
    try:
        for threads in (1, 2, 3):
            device.use_cpu(threads)
            copies = [_copy(a) for a in arrays]
            yield threads, operation(*copies, **keywords), copies
    finally:
        device.use_cpu(before)


def run(operation: Callable[..., Any], *arrays: Any, written: tuple[int, ...] = (-1,), **keywords: Any) -> list[Array]:
    """Run ``operation`` with 1, 2 and 3 threads on copies of ``arrays``; return those at ``written``.

    Fails where another thread count gives other bits, or where an array that is only read has changed.
    """
    written = tuple(index % len(arrays) for index in written)
    first: list[Array] = []
    for threads, _, copies in _on_thread_counts(operation, arrays, keywords):
        for index, array in enumerate(arrays):
            assert index in written or _bits(copies[index]) == _bits(array), f"input {index} was written to"
        outcome = [copies[index] for index in written]
        first = first or outcome
        assert _bits(outcome) == _bits(first), f"{threads} threads give other bits than 1"
    return first


def run_cost(operation: Callable[..., Any], *arrays: Array, **keywords: Any) -> tuple[float, ...]:
    """The values that ``operation`` returns, which must be the same with 1, 2 and 3 threads; it writes nothing."""
    first = None
    for threads, returned, copies in _on_thread_counts(operation, arrays, keywords):
        assert _bits(copies) == _bits(list(arrays)), "an input was written to"
        first = first or returned
        assert np.array_equal(returned, first, equal_nan=True), f"{threads} threads: {returned}, 1 thread: {first}"
    return tuple(first)


def assert_close(actual: Array, expected: Array, bound: Array | float) -> None:
    """Fail unless |actual - expected| <= bound in every element; NaN and infinities must stand in the same places."""
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    bound = np.broadcast_to(bound, expected.shape)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    wrong = np.zeros(expected.shape, dtype=bool)
    wrong[finite] = ~(np.abs(actual[finite] - expected[finite]) <= bound[finite])
    if wrong.any():
        where = tuple(int(i[0]) for i in np.nonzero(wrong))
        raise AssertionError(
            f"{wrong.sum()} of {wrong.size} elements beyond their bound; first at {where}: "
            f"{actual[where]!r}, expected {expected[where]!r} within {bound[where]:.3g}"
        )


def check(operation: Callable[..., Any], *inputs: Any, result: Array, bound: Array | float, **keywords: Any) -> None:
    """Check an operation that overwrites its last array: the oracle's ``result`` within ``bound``."""
    [actual] = run(operation, *inputs, empty_targets(*result.shape), **keywords)
    assert_close(actual, result, bound)


def check_scaled(
    operation: Callable[..., Any],
    *inputs: Any,
    result: Array,
    bound: Array | float,
    scaling: tuple[float, ...],
    rng: np.random.Generator,
    **keywords: Any,
) -> None:
    """Check an operation that accumulates into its last array (spec 3).

    ``scaling``: (scale_targets, scale_output), or (scale_targets,) where the operation has no scale_output.
    The two products and their sum add three roundings to ``bound``.
    """
    scale_targets, scale_output = (*scaling, 1.0)[:2]
    targets = empty_targets(*result.shape) if scale_targets == 0 else normals(rng, *result.shape)
    keywords["scale_targets"] = scale_targets
    if len(scaling) == 2:
        keywords["scale_output"] = scale_output
    [actual] = run(operation, *inputs, targets, **keywords)
    old = scale_targets * wide(targets) if scale_targets else np.zeros(result.shape)
    new = scale_output * result
    with np.errstate(invalid="ignore"):
        assert_close(actual, old + new, abs(scale_output) * bound + 3 * EPS * (np.abs(old) + np.abs(new)))


def product_sum_bound(oracle: Callable[..., Array], *inputs: Array, **keywords: Any) -> Array:
    """Error bound of an operation whose every result is a sum of K products, in whatever order they are added.

    Each product and each partial sum is rounded once, so |error| <= K u sum |a| |b| to first order, u = EPS / 2.
    The operation itself gives K when applied to ones and sum |a| |b| when applied to absolute values.
    """
    terms = oracle(*[np.ones_like(a) for a in inputs], **keywords)
    magnitudes = oracle(*[np.abs(a) for a in inputs], **keywords)
    return ((terms + 2) * EPS + TF32_ERROR) * magnitudes


# What the 2012 kernels' fast functions give (spec 3.5), for results that go through exp, log and pow.


def exp_error(exponents: Array) -> Array:
    """Relative error of exp: 2 + 1.2 |x| ulp, and one ulp of |x| for the rounding of x itself."""
    return (2 + 2.2 * np.abs(exponents)) * EPS


#: Absolute error of log near 1.
LOG_ERROR = 4e-7
#: Results below the smallest normal float32 may be flushed to 0.
TINY = float(np.finfo(np.float32).tiny)


def power_error(bases: Array, exponent: float) -> Array:
    """Relative error of base^exponent, taken as exp(exponent log(base))."""
    return abs(exponent) * LOG_ERROR + exp_error(exponent * np.log(bases))
