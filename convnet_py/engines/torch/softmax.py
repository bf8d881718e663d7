"""The softmax layer in the torch engine (spec 3.6). Fusion with the cost above it: cost.py."""

from __future__ import annotations

import torch

from convnet_py.engines.torch.base import Pass, Tensor, layer_type


@layer_type("softmax")
def softmax(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    return torch.softmax(inputs[0], dim=1)
