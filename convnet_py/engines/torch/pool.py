"""Pooling layers in the torch engine (spec 2.3, 3.2)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from convnet_py.engines.torch.base import Pass, Tensor, along_both_axes, as_images, layer_type
from convnet_py.engines.torch.philox import uniform

#: Where max pooling starts: an empty or all-NaN window gives this.
LEAST = -2e38


@layer_type("pool")
def pool(layer: dict, inputs: list[Tensor], run: Pass) -> Tensor:
    images = as_images(inputs[0], layer["channels"])
    kind = "max" if layer["pool"] == "rand" and layer["doMax"] else layer["pool"]
    if kind == "avg":
        return _average(layer, images).flatten(1)
    before = -layer["start"]
    after = (layer["outputsX"] - 1) * layer["stride"] + layer["sizeX"] - before - layer["imgSize"]
    # Negative where windows leave the border of the image out; F.pad then cuts it off.
    padded = F.pad(images, (before, after, before, after), value=0 if kind == "maxabs" else -torch.inf)
    windows = _Windows(layer["sizeX"], layer["stride"], layer["outputsX"])
    with torch.no_grad():
        if kind == "max":
            outputs = _largest(windows, padded)
        elif kind == "maxabs":
            outputs = _largest_magnitude(windows, padded)
        else:
            outputs = _drawn(windows, padded, layer, run)
    return _Selection.apply(padded, outputs, windows).flatten(1)


class _Windows:
    """Windows of ``size`` x ``size`` pixels, each ``stride`` after the one before, ``outputs`` along each axis."""

    def __init__(self, size: int, stride: int, outputs: int):
        self._size, self._stride, self._outputs = size, stride, outputs

    def elements(self, images: Tensor) -> Iterator[Tensor]:
        """For each place in a window, row by row, a view of the pixels that have it: (..., outputs, outputs)."""
        length = self._stride * (self._outputs - 1) + 1
        for y in range(self._size):
            for x in range(self._size):
                yield images[..., y : y + length : self._stride, x : x + length : self._stride]


class _Selection(torch.autograd.Function):
    """Outputs that are elements of their windows: every element equal to its output gets the whole gradient."""

    @staticmethod
    def forward(ctx, images: Tensor, outputs: Tensor, windows: _Windows) -> Tensor:
        ctx.save_for_backward(images, outputs)
        ctx.windows = windows
        return outputs

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, outputs = ctx.saved_tensors
        target = torch.zeros_like(images)
        for share, x in zip(ctx.windows.elements(target), ctx.windows.elements(images), strict=True):
            share += gradient * (x == outputs)
        return target, None, None


def _largest(windows: _Windows, padded: Tensor) -> Tensor:
    best = torch.tensor(LEAST)
    for x in windows.elements(padded):
        best = torch.where(x > best, x, best)  # never NaN
    return best


def _largest_magnitude(windows: _Windows, padded: Tensor) -> Tensor:
    best = torch.tensor(0.0)
    for x in windows.elements(padded):
        best = torch.where(x.abs() >= best.abs(), x, best)
    return best


def _drawn(windows: _Windows, padded: Tensor, layer: dict, run: Pass) -> Tensor:
    """One element of each window, drawn in proportion to max(0, x); uniformly where all of these are 0."""
    totals = sum(x.clamp(min=0).double() for x in windows.elements(padded))
    inside = [(x > -torch.inf).double() for x in windows.elements(padded)]
    totals_or_areas = torch.where(totals > 0, totals, sum(inside))
    # Outputs are numbered in the protocol's order, cases fastest.
    draws = uniform(run.key(layer), totals.numel()).reshape(-1, len(padded)).T.reshape(totals.shape)
    thresholds = torch.as_tensor(draws.copy()).double() * totals_or_areas
    running = torch.zeros_like(totals)
    outputs, open_yet = torch.empty_like(totals, dtype=torch.float32), torch.ones_like(totals, dtype=torch.bool)
    for x, is_inside in zip(windows.elements(padded), inside, strict=True):
        running += torch.where(totals > 0, x.clamp(min=0).double(), is_inside)
        reached = open_yet & (running > thresholds)
        outputs = torch.where(reached, x, outputs)
        open_yet &= ~reached
    return outputs


def _average(layer: dict, images: Tensor) -> Tensor:
    """Sums over windows clipped to the image, divided by the number of pixels in them."""
    first = layer["start"] + layer["stride"] * torch.arange(layer["outputsX"])[:, None]
    pixels = torch.arange(layer["imgSize"])[None, :]
    windows = ((first <= pixels) & (pixels < first + layer["sizeX"])).float()
    lengths = windows.sum(dim=1)
    return along_both_axes(images, windows) / (lengths[:, None] * lengths)
