"""Oracles of pooling (spec 3.2): max, maxabs, average and random pooling and their gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .dense import philox_uniform

Array = np.ndarray

#: What a maximum over nothing but NaN is.
MAX_BASE = -2e38


def windows(
    *, img_size: int, size_x: int, start: int, stride: int, outputs_x: int
) -> Iterator[tuple[int, slice, slice]]:
    """(output position, rows, columns) of every window, clipped to the image, in row-major order."""
    for output in range(outputs_x**2):
        first_y, first_x = (start + o * stride for o in divmod(output, outputs_x))
        rows = slice(max(0, first_y), min(img_size, first_y + size_x))
        columns = slice(max(0, first_x), min(img_size, first_x + size_x))
        yield output, rows, columns


def _maps(images: Array, channels: int, img_size: int) -> Array:
    return images.reshape(channels, img_size, img_size, -1)


def _flat_window(maps: Array, rows: slice, columns: slice) -> Array:
    """(channels, elements of the window in row-major order, cases)."""
    window = maps[:, rows, columns]
    return window.reshape(window.shape[0], -1, window.shape[-1])


def _largest(window: Array) -> Array:
    return np.where(np.isnan(window), MAX_BASE, window).max(axis=1, initial=MAX_BASE)


def _largest_magnitude(window: Array) -> Array:
    """The element of largest magnitude; of several equal ones the last."""
    last = window.shape[1] - 1 - np.abs(window[:, ::-1]).argmax(axis=1)
    return np.take_along_axis(window, last[:, None], axis=1)[:, 0]


def _average(window: Array) -> Array:
    return window.mean(axis=1)


_POOLERS = {"max": _largest, "maxabs": _largest_magnitude, "avg": _average}


def pool_forward(
    images: Array, *, kind: str, channels: int, img_size: int, size_x: int, start: int, stride: int, outputs_x: int
) -> Array:
    """(channels * outputs_x^2, cases): kind 'max', 'maxabs' or 'avg' (over the clipped window)."""
    maps = _maps(images, channels, img_size)
    outputs = np.zeros((channels, outputs_x**2, images.shape[1]))
    for o, rows, columns in windows(img_size=img_size, size_x=size_x, start=start, stride=stride, outputs_x=outputs_x):
        outputs[:, o] = _POOLERS[kind](_flat_window(maps, rows, columns))
    return outputs.reshape(channels * outputs_x**2, -1)


def rand_weights(window: Array) -> Array:
    """Unnormalised probabilities of a window's elements: max(0, x), or 1 each where all of these are 0."""
    weights = np.where(window > 0, window, 0)
    return np.where(weights.sum(axis=1, keepdims=True) > 0, weights, 1)


def pool_rand_forward(
    images: Array,
    *,
    channels: int,
    img_size: int,
    size_x: int,
    start: int,
    stride: int,
    outputs_x: int,
    seed: int,
    layer: int,
    update: int,
) -> Array:
    """(channels * outputs_x^2, cases): one element of each window, drawn in proportion to ``rand_weights``.

    With u the Philox number of the output element, it is the first element of the window, in row-major
    order, at which the running sum of the weights exceeds u times their total.
    """
    maps = _maps(images, channels, img_size)
    outputs = np.zeros((channels, outputs_x**2, images.shape[1]))
    uniform = philox_uniform(outputs.shape, seed=seed, layer=layer, update=update)
    for o, rows, columns in windows(img_size=img_size, size_x=size_x, start=start, stride=stride, outputs_x=outputs_x):
        window = _flat_window(maps, rows, columns)
        running = rand_weights(window).cumsum(axis=1)
        drawn = (running > uniform[:, None, o] * running[:, -1:]).argmax(axis=1)
        outputs[:, o] = np.take_along_axis(window, drawn[:, None], axis=1)[:, 0]
    return outputs.reshape(channels * outputs_x**2, -1)


def pool_max_gradient(
    images: Array,
    gradients: Array,
    outputs: Array,
    *,
    channels: int,
    img_size: int,
    size_x: int,
    start: int,
    stride: int,
    outputs_x: int,
) -> Array:
    """(channels * img_size^2, cases): every input that equals its window's output gets that output's gradient.

    For max, maxabs and rand pooling.
    """
    maps = _maps(images, channels, img_size)
    gradients = gradients.reshape(channels, outputs_x**2, -1)
    outputs = outputs.reshape(channels, outputs_x**2, -1)
    result = np.zeros(maps.shape)
    for o, rows, columns in windows(img_size=img_size, size_x=size_x, start=start, stride=stride, outputs_x=outputs_x):
        chosen = maps[:, rows, columns] == outputs[:, None, None, o]
        result[:, rows, columns] += np.where(chosen, gradients[:, None, None, o], 0)
    return result.reshape(images.shape)


def pool_avg_gradient(
    gradients: Array, *, channels: int, img_size: int, size_x: int, start: int, stride: int, outputs_x: int
) -> Array:
    """(channels * img_size^2, cases): every input of a window gets the output's gradient over the clipped area."""
    gradients = gradients.reshape(channels, outputs_x**2, -1)
    result = np.zeros((channels, img_size, img_size, gradients.shape[-1]))
    for o, rows, columns in windows(img_size=img_size, size_x=size_x, start=start, stride=stride, outputs_x=outputs_x):
        area = (rows.stop - rows.start) * (columns.stop - columns.start)
        result[:, rows, columns] += gradients[:, None, None, o] / area
    return result.reshape(channels * img_size**2, -1)
