"""Image operations in the torch engine: nailbed, blur, href, resize, rscale, rgb2yuv, rgb2lab (spec 3.4)."""

from __future__ import annotations

import numpy as np
import torch

from convnet_py.engines.torch.base import Pass, Tensor, along_both_axes, as_images, layer_type
from convnet_py.engines.torch.philox import uniform

_YUV = torch.tensor([[0.2126, 0.7152, 0.0722], [-0.09991, -0.33609, 0.436], [0.615, -0.55861, -0.05639]])
_XYZ = torch.tensor([[0.49, 0.31, 0.2], [0.17697, 0.8124, 0.01063], [0.0, 0.01, 0.99]])
_LAB_THRESHOLD = 0.0088564517


@layer_type("nailbed")
def nailbed(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    start, stride = layer["start"], layer["stride"]
    nails = slice(start, start + stride * (layer["outputsX"] - 1) + 1, stride)
    return as_images(inputs[0], layer["channels"])[:, :, nails, nails].flatten(1)


@layer_type("blur")
def blur(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    taps = torch.as_tensor(np.ascontiguousarray(layer["filter"], dtype=np.float32)).flatten()
    radius, size = len(taps) // 2, layer["imgSize"]
    offsets = torch.arange(size)[None, :] - torch.arange(size)[:, None] + radius
    inside = (offsets >= 0) & (offsets <= 2 * radius)
    matrix = torch.where(inside, taps[offsets.clamp(0, 2 * radius)], 0.0)
    return along_both_axes(as_images(inputs[0], layer["channels"]), matrix).flatten(1)


@layer_type("href")
def href(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    return as_images(inputs[0], layer["channels"]).flip(3).flatten(1)


def _resized(images: Tensor, size: int, scale: float) -> Tensor:
    """(cases, channels, size, size): bilinear, target pixel t at source t * scale, centred."""
    source = images.shape[-1]
    coordinates = np.clip(np.arange(size) * scale + source / 2 - size * scale / 2, 0, source - 1.01)
    below = np.floor(coordinates).astype(int)
    matrix = np.zeros((size, source), dtype=np.float32)
    matrix[np.arange(size), below] = 1 - (coordinates - below)
    # A single source pixel has none above it, and then the coordinate is below 0.
    matrix[np.arange(size), np.minimum(below + 1, source - 1)] += coordinates - below
    return along_both_axes(images, torch.as_tensor(matrix))


@layer_type("resize")
def resize(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    return _resized(as_images(inputs[0], layer["channels"]), layer["tgtSize"], layer["scale"]).flatten(1)


@layer_type("rscale")
def rscale(layer: dict, inputs: list[Tensor], run: Pass) -> Tensor:
    images, target = as_images(inputs[0], layer["channels"]), layer["tgtSize"]
    if run.train:
        images, start_y, start_x = _randomly_scaled(layer, images, run)
    elif run.multiview:
        return inputs[0]  # views come cropped already
    else:
        start_y = start_x = (layer["imgSize"] - target) // 2
    return images[:, :, start_y : start_y + target, start_x : start_x + target].flatten(1)


def _randomly_scaled(layer: dict, images: Tensor, run: Pass) -> tuple[Tensor, int, int]:
    """The images at a random scale, and the start of a random crop: one of each for the minibatch.

    Drawn by the first four uniforms of the layer's key: scale, factor, y, x.
    """
    draw = [float(u) for u in uniform(run.key(layer), 4)]
    source, target = layer["imgSize"], layer["tgtSize"]
    smallest = int(source / layer["maxScale"])
    odds = np.cumsum(np.arange(1, source - smallest + 2, dtype=np.float64) ** 2)
    size = target + int(np.argmax(odds > draw[0] * odds[-1]))
    if size != source:
        least, most = max(1.0, source / (size + 1)), source / size
        images = _resized(images, size, least + draw[1] * (most - least))
    start_y, start_x = (int(u * (size - target + 1)) for u in draw[2:])
    return images, start_y, start_x


def _colours(x: Tensor, matrix: Tensor) -> Tensor:
    """``matrix`` (3, 3) applied to the colours of (cases, 3 * pixels): (cases, 3, pixels)."""
    return matrix @ x.reshape(len(x), 3, -1)


@layer_type("rgb2yuv")
def rgb_to_yuv(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    return _colours(inputs[0], _YUV).flatten(1)


@layer_type("rgb2lab")
def rgb_to_lab(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    xyz = _colours(inputs[0], _XYZ)
    roots = xyz.clamp(min=_LAB_THRESHOLD) ** 0.3333
    x, y, z = torch.where(xyz > _LAB_THRESHOLD, roots, 7.787037 * xyz + 0.13793103).unbind(1)
    lightness = 116 * y - 16 - (50 if layer["center"] else 0)
    return torch.stack([lightness, 500 * (x - y), 200 * (y - z)], dim=1).flatten(1)
