"""Philox-4x32-10 in NumPy, from its published definition (Salmon, Moraes, Dror, Shaw, SC 2011).

Masks and noise are keyed by (seed, layer, update, element), so that every engine draws the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = 0x9E3779B9, 0xBB67AE85


@dataclass(frozen=True)
class Key:
    """What a draw is named by. ``layer``: 32 bits; ``seed`` and ``update``: 64 bits."""

    seed: int
    layer: int
    update: int


def words(key: Key, count: int) -> np.ndarray:
    """The first ``count`` words of the draw, uint32 values in an uint64 array: word i % 4 of block i // 4."""
    blocks = -(-count // 4)
    c0 = np.arange(blocks, dtype=np.uint64)
    c1, c2, c3 = (
        np.full(blocks, word, dtype=np.uint64) for word in (key.update & 0xFFFFFFFF, key.update >> 32, key.layer)
    )
    k0, k1 = key.seed & 0xFFFFFFFF, key.seed >> 32
    for _ in range(10):
        p0, p1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (p1 >> _HALF) ^ c1 ^ np.uint64(k0),
            p1 & _LOW,
            (p0 >> _HALF) ^ c3 ^ np.uint64(k1),
            p0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).reshape(-1)[:count]


def uniform(key: Key, count: int) -> np.ndarray:
    """float32 numbers in [0, 1): the upper 24 bits of each word."""
    return (words(key, count) >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)


def normal(key: Key, count: int) -> np.ndarray:
    """float64 standard normal numbers (Box and Muller 1958): elements 2j and 2j + 1 from words 2j and 2j + 1."""
    pairs = words(key, count + count % 2).reshape(-1, 2).astype(np.float64)
    radius = np.sqrt(-2 * np.log((pairs[:, 0] + 1) * 2.0**-32))
    angle = 2 * np.pi * (pairs[:, 1] * 2.0**-32)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:count]
