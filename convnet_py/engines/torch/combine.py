"""eltsum, eltmax and concat in the torch engine (spec 3.6)."""

from __future__ import annotations

from functools import reduce

import torch

from convnet_py.engines.torch.base import Pass, Tensor, layer_type


@layer_type("eltsum")
def eltsum(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    return sum(coeff * x for coeff, x in zip(layer["coeffs"], inputs, strict=True))


class _Maximum(torch.autograd.Function):
    """The largest input; every input that equals it gets the whole gradient, where autograd would divide it."""

    @staticmethod
    def forward(ctx, *inputs: Tensor) -> Tensor:
        largest = reduce(torch.maximum, inputs)
        ctx.save_for_backward(largest, *inputs)
        return largest

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, ...]:
        largest, *inputs = ctx.saved_tensors
        return tuple(gradient * (x == largest) for x in inputs)


@layer_type("eltmax")
def eltmax(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    return _Maximum.apply(*inputs)


@layer_type("concat")
def concat(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    return torch.cat(inputs, dim=1)
