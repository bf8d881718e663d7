"""hs layers, dropout without rescaling in training, in the torch engine (spec 3.6)."""

from __future__ import annotations

import numpy as np
import torch

from convnet_py.engines.torch.base import Pass, Tensor, layer_type
from convnet_py.engines.torch.philox import uniform


@layer_type("hs")
def dropout(layer: dict, inputs: list[Tensor], run: Pass) -> Tensor:
    [x] = inputs
    keep = np.float32(layer["keep"])
    if not (layer["enable"] and run.train):
        return x * float(keep)
    # Elements are numbered in the protocol's order, cases fastest.
    mask = uniform(run.key(layer), x.numel()).reshape(x.shape[1], x.shape[0]) < keep
    return x * torch.as_tensor(mask.T).float()
