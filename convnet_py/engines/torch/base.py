"""What the layer functions of the torch engine share: registry by type name, pass, images and windows (spec 3).

Batch matrices are (cases, values) tensors here, the transposes of the protocol's arrays, so that images are
contiguous in the order that PyTorch's operations take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from convnet_py.engines.torch.philox import Key

Tensor = torch.Tensor


@dataclass
class Pass:
    """One pass over one minibatch (spec 3.10). ``minibatch``: training minibatches before this one, over the run.

    ``weights`` and ``biases`` hold the tensors of the layers that have them, by name.
    """

    train: bool
    minibatch: int
    seed: int
    layer_index: Mapping[str, int]
    weights: Mapping[str, list[Tensor]]
    biases: Mapping[str, Tensor]
    multiview: bool = False
    exact_gradients: bool = False
    objectives: list[Tensor] = field(default_factory=list)

    def key(self, layer: dict) -> Key:
        """What the random numbers of a layer in this pass are drawn by."""
        return Key(self.seed, self.layer_index[layer["name"]], self.minibatch)


#: (layer dictionary, inputs (cases, values), pass) -> outputs (cases, outputs).
Forward = Callable[[dict, list[Tensor], Pass], Tensor]

FORWARD: dict[str, Forward] = {}


def layer_type(name: str) -> Callable[[Forward], Forward]:
    """Register a function as the forward pass of the layer type ``name``."""

    def register(function: Forward) -> Forward:
        FORWARD[name] = function
        return function

    return register


def as_images(values: Tensor, channels: int) -> Tensor:
    """(cases, channels, size, size) of (cases, channels * size^2)."""
    size = round((values.shape[1] / channels) ** 0.5)
    return values.reshape(len(values), channels, size, size)


def along_both_axes(images: Tensor, matrix: Tensor) -> Tensor:
    """``matrix`` (outputs, size) applied to the columns and to the rows of (cases, channels, size, size)."""
    return matrix @ images @ matrix.T


def window_matrix(length: int, size: int, *, blocked: bool = False) -> Tensor:
    """(length, length): [i, j] is 1 where j lies in the window of i, which starts at i - size // 2 (spec 3.3).

    Windows are clipped to the ends. ``blocked``: the window of i is the aligned block of ``size`` that holds i.
    """
    i, j = torch.arange(length)[:, None], torch.arange(length)[None, :]
    first = i // size * size if blocked else i - size // 2
    return ((first <= j) & (j < first + size)).float()
