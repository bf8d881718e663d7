"""Oracles of the image operations (spec 3.4): blur, bed of nails, reflection, resizing, cropping, colour.

Signatures beyond ``_device.pyi``: the rscale layer is ``rscale`` below, resize_bilinear followed by crop.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray

_YUV = np.array([[0.2126, 0.7152, 0.0722], [-0.09991, -0.33609, 0.436], [0.615, -0.55861, -0.05639]])
_XYZ = np.array([[0.49, 0.31, 0.2], [0.17697, 0.8124, 0.01063], [0.0, 0.01, 0.99]])
#: Where the cube root of the L*a*b* conversion goes over into a line.
LAB_THRESHOLD = 0.0088564517


def _maps(images: Array, img_size: int) -> Array:
    return images.reshape(-1, img_size, img_size, images.shape[1])


def blur_filter(size: int, stdev: float) -> Array:
    """(1, size): exp(-(r - i)^2 / (2 stdev^2)) for i = 0..2r, normalised to sum 1."""
    radius = size // 2
    weights = np.exp(-((radius - np.arange(size)) ** 2) / (2 * stdev**2))
    return (weights / weights.sum())[None]


def blur(images: Array, filter: Array, *, channels: int) -> Array:
    """Each map under the symmetric ``filter`` (1, 2 radius + 1) along both axes; pixels outside are 0.

    It is its own gradient.
    """
    side = round((len(images) / channels) ** 0.5)
    distance = np.arange(side)[:, None] - np.arange(side)[None, :]
    radius = filter.shape[1] // 2
    taps = np.where(np.abs(distance) <= radius, filter[0, np.clip(distance + radius, 0, 2 * radius)], 0)
    return np.einsum("yv,xw,cvwn->cyxn", taps, taps, _maps(images, side)).reshape(images.shape)


def nails(img_size: int, start: int, stride: int) -> list[int]:
    """The rows (and columns) that a bed of nails keeps."""
    return list(range(start, img_size, stride))


def bed_of_nails(images: Array, *, channels: int, img_size: int, start: int, stride: int) -> Array:
    """(channels * outputs_x^2, cases): the pixels at start + o stride."""
    kept = nails(img_size, start, stride)
    return _maps(images, img_size)[:, kept][:, :, kept].reshape(channels * len(kept) ** 2, -1)


def bed_of_nails_gradient(gradients: Array, *, channels: int, img_size: int, start: int, stride: int) -> Array:
    """(channels * img_size^2, cases): the gradients scattered back, 0 elsewhere."""
    kept = nails(img_size, start, stride)
    result = np.zeros((channels, img_size, img_size, gradients.shape[1]))
    for o_y, y in enumerate(kept):
        for o_x, x in enumerate(kept):
            result[:, y, x] = gradients.reshape(channels, len(kept), len(kept), -1)[:, o_y, o_x]
    return result.reshape(channels * img_size**2, -1)


def reflect_horizontal(images: Array, *, img_size: int) -> Array:
    """Each map mirrored left to right. It is its own gradient."""
    return _maps(images, img_size)[:, :, ::-1].reshape(images.shape)


def source_coordinates(img_size: int, tgt_size: int, scale: float) -> Array:
    """(tgt_size,): where each target pixel reads, clamp(t scale + S/2 - T scale/2, 0, S - 1.01)."""
    return np.clip(np.arange(tgt_size) * scale + img_size / 2 - tgt_size * scale / 2, 0, img_size - 1.01)


def resize_bilinear(images: Array, *, img_size: int, tgt_size: int, scale: float) -> Array:
    """(channels * tgt_size^2, cases): bilinear between the pixels around each source coordinate."""
    taps = np.zeros((tgt_size, img_size))
    for t, coordinate in enumerate(source_coordinates(img_size, tgt_size, scale)):
        below = math.floor(coordinate)
        taps[t, below : below + 2] = 1 - (coordinate - below), coordinate - below
    maps = _maps(images, img_size)
    return np.einsum("yv,xw,cvwn->cyxn", taps, taps, maps).reshape(-1, images.shape[1])


def crop(images: Array, *, img_size: int, tgt_size: int, start_y: int, start_x: int) -> Array:
    """(channels * tgt_size^2, cases): the square with its top-left pixel at (start_y, start_x)."""
    maps = _maps(images, img_size)[:, start_y : start_y + tgt_size, start_x : start_x + tgt_size]
    return maps.reshape(-1, images.shape[1])


def rscale(
    images: Array, *, img_size: int, resized: int, scale: float, tgt_size: int, start_y: int, start_x: int
) -> Array:
    """(channels * tgt_size^2, cases): resized to ``resized`` pixels a side, unless that is img_size, then cropped."""
    if resized != img_size:
        images = resize_bilinear(images, img_size=img_size, tgt_size=resized, scale=scale)
    return crop(images, img_size=resized, tgt_size=tgt_size, start_y=start_y, start_x=start_x)


def rgb_to_yuv(images: Array) -> Array:
    """(3 * pixels, cases): Y, U and V of every pixel."""
    return (_YUV @ images.reshape(3, -1)).reshape(images.shape)


def to_xyz(images: Array) -> Array:
    """(3, pixels, cases): X, Y and Z of RGB in 0..1."""
    return np.einsum("ab,bpn->apn", _XYZ, images.reshape(3, -1, images.shape[1]))


def rgb_to_lab(images: Array, *, center: bool) -> Array:
    """(3 * pixels, cases): L, a and b of RGB in 0..1; ``center`` takes 50 off L."""
    xyz = to_xyz(images)
    x, y, z = np.where(xyz > LAB_THRESHOLD, np.maximum(xyz, LAB_THRESHOLD) ** 0.3333, 7.787037 * xyz + 0.13793103)
    lab = [116 * y - 16 - (50 if center else 0), 500 * (x - y), 200 * (y - z)]
    return np.stack(lab).reshape(images.shape)
