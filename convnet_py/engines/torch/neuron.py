"""Neuron layers in the torch engine (spec 2.6, 3.5)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from convnet_py.engines.torch.base import Pass, Tensor, layer_type
from convnet_py.engines.torch.philox import normal


class _WithSlope(torch.autograd.Function):
    """Given outputs of ``x`` with a given elementwise derivative, where that is not what autograd would take."""

    @staticmethod
    def forward(ctx, x: Tensor, outputs: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return outputs

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return gradient * ctx.saved_tensors[0], None, None


def _sign(x: Tensor) -> Tensor:
    """1 above 0, else -1, as in 2012."""
    return torch.where(x > 0, 1.0, -1.0)


def _brelu(x: Tensor, a: float) -> Tensor:
    outputs = x.detach().clamp(0, a)
    return _WithSlope.apply(x, outputs, ((outputs > 0) & (outputs < a)).float())


NEURONS: dict[str, Callable[..., Tensor]] = {
    "ident": lambda x: x.clone(),
    "logistic": torch.sigmoid,
    "abs": lambda x: x * _sign(x),
    "relu": torch.relu,
    "softrelu": lambda x: F.softplus(x, threshold=4),
    "square": torch.square,
    "sqrt": torch.sqrt,
    "tanh": lambda x, a, b: a * torch.tanh(b * x),
    "abstanh": lambda x, a, b: a * torch.tanh(b * x) * _sign(x),
    "brelu": _brelu,
    "linear": lambda x, a, b: a * x + b,
    "drelu": lambda x, a: x - a * torch.tanh(x / a),
}


def _noisy_relu(layer: dict, x: Tensor, run: Pass) -> Tensor:
    """relu(relu(x) + relu(x) N(0, 1)), whose gradient passes where the output is above 0."""
    noise = normal(run.key(layer), x.numel()).reshape(x.shape[1], x.shape[0])
    rectified = torch.relu(x.detach())
    outputs = torch.relu(rectified + torch.as_tensor(noise.T).float() * rectified)
    return _WithSlope.apply(x, outputs, (outputs > 0).float())


@layer_type("neuron")
def neuron(layer: dict, inputs: list[Tensor], run: Pass) -> Tensor:
    kind = layer["neuron"]["type"]
    if kind == "nrelu":
        return _noisy_relu(layer, inputs[0], run)
    return NEURONS[kind](inputs[0], **layer["neuron"]["params"])
