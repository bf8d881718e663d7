"""Oracles of the convolution family (spec 3.1): shared, grouped, sparse and local weights, biases.

A shared convolution is a local one that uses the same matrix in every module; everything here is built
on that, module by module and group by group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray
Size = int | tuple[int, int]


def pair(size: Size) -> tuple[int, int]:
    """(y, x) of a size that may be given as one int for both."""
    return (size, size) if isinstance(size, int) else size


class Geometry:
    """The keywords that all convolutions share, and the coordinates that follow from them (spec 3.1)."""

    def __init__(
        self,
        *,
        channels: int,
        img_size: Size,
        filter_size: int,
        modules: Size,
        padding: int = 0,
        stride: int = 1,
        groups: int = 1,
        connections: Array | None = None,
    ):
        self.channels, self.groups, self.filter_size = channels, groups, filter_size
        self.size_y, self.size_x = pair(img_size)
        self.modules_y, self.modules_x = pair(modules)
        self.modules = self.modules_y * self.modules_x
        self.padding, self.stride = padding, stride
        if connections is None:
            self.connections = np.arange(channels).reshape(groups, channels // groups)
            self.over_sample = 1
        else:
            self.connections = np.asarray(connections)
            self.over_sample = self.connections.size // channels
        self.filter_channels = self.connections.shape[1]
        self.filter_rows = self.filter_channels * filter_size**2

    def taps(self, module: int) -> Iterator[tuple[int, int, int, int]]:
        """(ky, kx, y, x) of each pixel of the module's window that lies inside the image."""
        my, mx = divmod(module, self.modules_x)
        for ky in range(self.filter_size):
            for kx in range(self.filter_size):
                y = my * self.stride - self.padding + ky
                x = mx * self.stride - self.padding + kx
                if 0 <= y < self.size_y and 0 <= x < self.size_x:
                    yield ky, kx, y, x

    def window(self, images: Array, module: int, group: int) -> Array:
        """(filter rows, cases): what the filters of the group see in the module; 0 outside the image."""
        cases = images.shape[1]
        images = images.reshape(self.channels, self.size_y, self.size_x, cases)[self.connections[group]]
        window = np.zeros((self.filter_channels, self.filter_size, self.filter_size, cases))
        for ky, kx, y, x in self.taps(module):
            window[:, ky, kx] = images[:, y, x]
        return window.reshape(self.filter_rows, cases)

    def filters_of(self, group: int, filters: int) -> slice:
        """The filters of the group, of the total number ``filters``."""
        return slice(group * filters // self.groups, (group + 1) * filters // self.groups)

    def parts(self, filters: int) -> Iterator[tuple[int, int, slice]]:
        """Every (module, group, filters of the group)."""
        for module in range(self.modules):
            for group in range(self.groups):
                yield module, group, self.filters_of(group, filters)

    def shared(self, weights: Array) -> Array:
        """The local weights that a shared filter matrix stands for."""
        return np.tile(weights, (self.modules, 1))

    def per_module(self, weights: Array) -> Array:
        """Local weights as (modules, filter rows, filters)."""
        return weights.reshape(self.modules, self.filter_rows, -1)


def local_forward(images: Array, weights: Array, **geometry: Any) -> Array:
    """Unshared convolution: (filters * modules, cases), rows filter-major."""
    geo = Geometry(**geometry)
    matrices = geo.per_module(weights)
    filters = weights.shape[1]
    outputs = np.zeros((filters, geo.modules, images.shape[1]))
    for module, group, own in geo.parts(filters):
        outputs[own, module] = matrices[module][:, own].T @ geo.window(images, module, group)
    return outputs.reshape(filters * geo.modules, -1)


def local_image_gradient(gradients: Array, weights: Array, **geometry: Any) -> Array:
    """Adjoint of ``local_forward`` in the images: (over_sample * channels * pixels, cases), round outermost."""
    geo = Geometry(**geometry)
    matrices = geo.per_module(weights)
    filters, cases = weights.shape[1], gradients.shape[1]
    gradients = gradients.reshape(filters, geo.modules, cases)
    images = np.zeros((geo.over_sample, geo.channels, geo.size_y, geo.size_x, cases))
    for module, group, own in geo.parts(filters):
        round_of_group = group // (geo.groups // geo.over_sample)
        window = matrices[module][:, own] @ gradients[own, module]
        window = window.reshape(geo.filter_channels, geo.filter_size, geo.filter_size, cases)
        for ky, kx, y, x in geo.taps(module):
            images[round_of_group, geo.connections[group], y, x] += window[:, ky, kx]
    return images.reshape(-1, cases)


def local_weight_gradient(images: Array, gradients: Array, **geometry: Any) -> Array:
    """Adjoint of ``local_forward`` in the weights: (modules * filter rows, filters), module outermost."""
    geo = Geometry(**geometry)
    filters = gradients.shape[0] // geo.modules
    gradients = gradients.reshape(filters, geo.modules, -1)
    weights = np.zeros((geo.modules, geo.filter_rows, filters))
    for module, group, own in geo.parts(filters):
        weights[module][:, own] = geo.window(images, module, group) @ gradients[own, module].T
    return weights.reshape(-1, filters)


def conv_forward(images: Array, weights: Array, **geometry: Any) -> Array:
    """Convolution with shared filters: (filters * modules, cases), rows filter-major."""
    return local_forward(images, Geometry(**geometry).shared(weights), **geometry)


def conv_image_gradient(gradients: Array, weights: Array, **geometry: Any) -> Array:
    """Adjoint of ``conv_forward`` in the images: (over_sample * channels * pixels, cases), round outermost."""
    return local_image_gradient(gradients, Geometry(**geometry).shared(weights), **geometry)


def conv_weight_gradient(images: Array, gradients: Array, *, partial_sum: int = 0, **geometry: Any) -> Array:
    """Adjoint of ``conv_forward`` in the weights: (modules / partial_sum * filter rows, filters), chunk outermost.

    ``partial_sum`` 0 sums over all modules.
    """
    geo = Geometry(**geometry)
    per_module = geo.per_module(local_weight_gradient(images, gradients, **geometry))
    summed = partial_sum or geo.modules
    chunks = per_module.reshape(geo.modules // summed, summed, geo.filter_rows, -1).sum(axis=1)
    return chunks.reshape(-1, per_module.shape[2])


def add_bias(biases: Array, targets: Array, *, modules: int = 1) -> Array:
    """(filters * modules, cases): each row of ``targets`` plus the bias of its filter."""
    return targets + np.repeat(biases, modules, axis=0)


def bias_gradient(gradients: Array, *, modules: int = 1) -> Array:
    """(filters, 1): the sum of ``gradients`` over the modules and cases of each filter."""
    return gradients.reshape(-1, modules * gradients.shape[1]).sum(axis=1, keepdims=True)


def normalize_local_weights(weights: Array, *, modules: int, norm: float) -> Array:
    """``weights`` with every (module, filter) column that is longer than ``norm`` scaled to it."""
    columns = weights.reshape(modules, -1, weights.shape[1])
    lengths = np.sqrt((columns**2).sum(axis=1, keepdims=True))
    factors = np.where(lengths > norm, norm / np.where(lengths > 0, lengths, 1), 1)
    return (columns * factors).reshape(weights.shape)
