"""Oracles of products, softmax, elementwise maximum and dropout (spec 3.6), and Philox-4x32-10.

Philox is written from its definition: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers:
as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

_PHILOX_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_PHILOX_WEYL = (0x9E3779B9, 0xBB67AE85)
_PHILOX_ROUNDS = 10
_WORD = 0xFFFFFFFF


def philox_4x32(counter: Array, key: tuple[int, int]) -> Array:
    """(blocks, 4) 32-bit words for (blocks, 4) counters under one key of two words, all held in uint64."""
    c0, c1, c2, c3 = counter.astype(np.uint64).T
    k0, k1 = key
    word, shift = np.uint64(_WORD), np.uint64(32)
    for _ in range(_PHILOX_ROUNDS):
        product0 = np.uint64(_PHILOX_MULTIPLIERS[0]) * c0
        product1 = np.uint64(_PHILOX_MULTIPLIERS[1]) * c2
        c0, c1, c2, c3 = (
            (product1 >> shift) ^ c1 ^ np.uint64(k0),
            product1 & word,
            (product0 >> shift) ^ c3 ^ np.uint64(k1),
            product0 & word,
        )
        k0, k1 = (k0 + _PHILOX_WEYL[0]) & _WORD, (k1 + _PHILOX_WEYL[1]) & _WORD
    return np.stack([c0, c1, c2, c3], axis=1)


def philox_uniform(shape: tuple[int, ...], *, seed: int, layer: int, update: int) -> Array:
    """u in [0, 1), multiples of 2^-24. Element i of the flattened result is word i % 4 of block i / 4.

    The block's counter is (i / 4, update low, update high, layer), its key (seed low, seed high).
    """
    count = int(np.prod(shape))
    counter = np.zeros((-(-count // 4), 4), dtype=np.uint64)
    counter[:, 0] = np.arange(len(counter))
    counter[:, 1:] = update & _WORD, update >> 32, layer
    words = philox_4x32(counter, (seed & _WORD, seed >> 32))
    return ((words.reshape(-1)[:count] >> np.uint64(8)) * 2.0**-24).reshape(shape)


def dropout_mask(shape: tuple[int, ...], *, keep: float, seed: int, layer: int, update: int) -> Array:
    """1 where u < keep, else 0."""
    return (philox_uniform(shape, seed=seed, layer=layer, update=update) < np.float32(keep)).astype(np.float64)


def multiply(a: Array, b: Array, *, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    """The matrix product of a and b, each as it is or transposed."""
    return (a.T if transpose_a else a) @ (b.T if transpose_b else b)


def add(inputs: Array) -> Array:
    """``inputs`` themselves: the addition is in the scales."""
    return inputs


def multiply_elementwise(a: Array, b: Array) -> Array:
    """a times b, element by element."""
    return a * b


def softmax(inputs: Array) -> Array:
    """(classes, cases): exp over its sum in each column, the column's maximum subtracted first."""
    powers = np.exp(inputs - inputs.max(axis=0))
    return powers / powers.sum(axis=0)


def softmax_gradient(gradients: Array, outputs: Array) -> Array:
    """y_j (g_j - sum_i g_i y_i)."""
    return outputs * (gradients - (gradients * outputs).sum(axis=0))


def elementwise_max(inputs: list[Array]) -> Array:
    """The largest of the inputs, element by element."""
    return np.max(inputs, axis=0)


def elementwise_max_gradient(gradients: Array, inputs: Array, outputs: Array) -> Array:
    """The gradient of one of the inputs: g where it equals the output; tied inputs all get it."""
    return np.where(inputs == outputs, gradients, 0)


def round_to_half(inputs: Array) -> Array:
    """The values as they come out of a transfer in IEEE half precision (spec 3.11): rounded to nearest even."""
    with np.errstate(over="ignore"):
        return inputs.astype(np.float16).astype(np.float64)
