"""conv and local layers in the torch engine: dense, grouped and random sparse (spec 2.3, 3.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from convnet_py.engines.torch.base import Pass, Tensor, as_images, layer_type


def _padded_groups(layer: dict, index: int, x: Tensor) -> Tensor:
    """(cases, groups * filterChannels, padded size, padded size): what the groups see, channels of each in a row."""
    images = as_images(x, layer["channels"][index])
    before = -layer["padding"][index]
    # The last windows may hang over the image.
    reach = (layer["modulesX"] - 1) * layer["stride"][index] + layer["filterSize"][index]
    after = reach - before - layer["imgSize"][index]
    if layer["randSparse"][index]:
        images = images[:, torch.tensor(layer["filterConns"][index])]
    return F.pad(images, (before, after, before, after))


def _add_biases(layer: dict, outputs: Tensor, biases: Tensor) -> Tensor:
    """Outputs (cases, filters, modules) plus biases, one per filter or one per output, flattened."""
    return (outputs + biases.reshape(layer["filters"], -1)).flatten(1)


@layer_type("conv")
def conv(layer: dict, inputs: list[Tensor], run: Pass) -> Tensor:
    filters = layer["filters"]
    total = 0
    for i, (x, weights) in enumerate(zip(inputs, run.weights[layer["name"]], strict=True)):
        size = layer["filterSize"][i]
        kernel = weights.T.reshape(filters, layer["filterChannels"][i], size, size)
        images = _padded_groups(layer, i, x)
        total = total + F.conv2d(images, kernel, stride=layer["stride"][i], groups=layer["groups"][i])
    return _add_biases(layer, total.flatten(2), run.biases[layer["name"]])


@layer_type("local")
def local(layer: dict, inputs: list[Tensor], run: Pass) -> Tensor:
    filters, modules = layer["filters"], layer["modules"]
    total = 0
    for i, (x, weights) in enumerate(zip(inputs, run.weights[layer["name"]], strict=True)):
        groups, rows = layer["groups"][i], layer["weightsPerFilter"][i]
        patches = F.unfold(_padded_groups(layer, i, x), layer["filterSize"][i], stride=layer["stride"][i])
        patches = patches.reshape(len(x), groups, rows, modules)
        kernels = weights.reshape(modules, rows, groups, filters // groups)
        total = total + torch.einsum("ngrm,mrgf->ngfm", patches, kernels).reshape(len(x), filters, modules)
    return _add_biases(layer, total, run.biases[layer["name"]])
