"""Oracles of normalization (spec 3.3): across maps, within maps, and local contrast.

Which element lies in whose window is written down as a matrix of zeros and ones; window sums are products
with it, and the gradients' mirrored windows are its transpose.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def window_matrix(length: int, size: int, blocked: bool = False) -> Array:
    """(length, length): [i, j] is 1 where position j lies in the window of position i, clipped to the ends.

    The window of i starts at i - size // 2; ``blocked``: it is the aligned block of ``size`` that holds i.
    """
    i, j = np.arange(length)[:, None], np.arange(length)[None, :]
    first = i // size * size if blocked else i - size // 2
    return ((first <= j) & (j < first + size)).astype(np.float64)


def _side(images: Array, channels: int) -> int:
    return round((images.shape[0] / channels) ** 0.5)


def _map_sums(images: Array, channels: int, matrix: Array) -> Array:
    """Sums over maps: the matrix applied to the channels."""
    return (matrix @ images.reshape(channels, -1)).reshape(images.shape)


def _square_sums(images: Array, channels: int, matrix: Array) -> Array:
    """Sums over square windows of each map: the matrix applied to rows and to columns."""
    side = len(matrix)
    maps = images.reshape(channels, side, side, -1)
    return np.einsum("yv,xw,cvwn->cyxn", matrix, matrix, maps).reshape(images.shape)


def cross_map_norm(
    images: Array, *, channels: int, size: int, scale: float, pow: float, min_div: float = 1, blocked: bool = False
) -> tuple[Array, Array]:
    """(denoms, outputs), both as ``images``."""
    denoms = min_div + scale * _map_sums(images**2, channels, window_matrix(channels, size, blocked))
    return denoms, images * denoms**-pow


def cross_map_norm_gradient(
    gradients: Array,
    denoms: Array,
    images: Array,
    outputs: Array,
    *,
    channels: int,
    size: int,
    scale: float,
    pow: float,
    blocked: bool = False,
) -> Array:
    """The gradient in the images; ``min_div`` is in the denominators."""
    mirrored = window_matrix(channels, size, blocked).T
    sums = _map_sums(gradients * outputs / denoms, channels, mirrored)
    return gradients * denoms**-pow - 2 * scale * pow * images * sums


def response_norm(images: Array, *, channels: int, size: int, scale: float, pow: float) -> tuple[Array, Array]:
    """(denoms, outputs), both as ``images``."""
    matrix = window_matrix(_side(images, channels), size)
    denoms = 1 + scale * _square_sums(images**2, channels, matrix)
    return denoms, images * denoms**-pow


def response_norm_gradient(
    gradients: Array,
    denoms: Array,
    images: Array,
    outputs: Array,
    *,
    channels: int,
    size: int,
    scale: float,
    pow: float,
) -> Array:
    """The gradient in the images."""
    mirrored = window_matrix(_side(images, channels), size).T
    sums = _square_sums(gradients * outputs / denoms, channels, mirrored)
    return gradients * denoms**-pow - 2 * scale * pow * images * sums


def window_areas(side: int, size: int) -> Array:
    """(side * side, 1): the number of pixels in each pixel's clipped window."""
    lengths = window_matrix(side, size).sum(axis=1)
    return np.outer(lengths, lengths).reshape(-1, 1)


def _means(images: Array, channels: int, size: int) -> Array:
    side = _side(images, channels)
    areas = np.tile(window_areas(side, size), (channels, 1))
    return _square_sums(images, channels, window_matrix(side, size)) / areas


def contrast_norm(images: Array, *, channels: int, size: int, scale: float, pow: float) -> tuple[Array, Array, Array]:
    """(mean_diffs, denoms, outputs), all as ``images``."""
    mean_diffs = images - _means(images, channels, size)
    matrix = window_matrix(_side(images, channels), size)
    denoms = 1 + scale * _square_sums(mean_diffs**2, channels, matrix)
    return mean_diffs, denoms, images * denoms**-pow


def contrast_norm_gradient(
    gradients: Array,
    denoms: Array,
    mean_diffs: Array,
    outputs: Array,
    images: Array,
    *,
    channels: int,
    size: int,
    scale: float,
    pow: float,
    exact: bool = False,
) -> Array:
    """The gradient in the images: the historic one, which takes the means for constants, or the exact one.

    ``images`` gives the shape only: its values are in ``outputs`` and ``denoms``.
    """
    side = _side(images, channels)
    mirrored = window_matrix(side, size).T
    through_diffs = -2 * scale * pow * mean_diffs * _square_sums(gradients * outputs / denoms, channels, mirrored)
    result = gradients * denoms**-pow + through_diffs
    if exact:
        areas = np.tile(window_areas(side, size), (channels, 1))
        result -= _square_sums(through_diffs / areas, channels, mirrored)
    return result
