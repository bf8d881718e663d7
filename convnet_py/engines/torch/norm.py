"""cmrnorm, rnorm and cnorm in the torch engine (spec 3.3). The layer's scale is already divided by its window."""

from __future__ import annotations

from convnet_py.engines.torch.base import Pass, Tensor, along_both_axes, as_images, layer_type, window_matrix


@layer_type("cmrnorm")
def cmrnorm(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    maps = inputs[0].reshape(len(inputs[0]), layer["channels"], -1)
    windows = window_matrix(layer["channels"], layer["size"], blocked=bool(layer["blocked"]))
    denominators = layer["minDiv"] + layer["scale"] * (windows @ maps.square())
    return (maps * denominators.pow(-layer["pow"])).flatten(1)


@layer_type("rnorm")
def rnorm(layer: dict, inputs: list[Tensor], _: Pass) -> Tensor:
    images = as_images(inputs[0], layer["channels"])
    windows = window_matrix(layer["imgSize"], layer["size"])
    denominators = 1 + layer["scale"] * along_both_axes(images.square(), windows)
    return (images * denominators.pow(-layer["pow"])).flatten(1)


@layer_type("cnorm")
def cnorm(layer: dict, inputs: list[Tensor], pass_: Pass) -> Tensor:
    images = as_images(inputs[0], layer["channels"])
    windows = window_matrix(layer["imgSize"], layer["size"])
    means = along_both_axes(images, windows / windows.sum(dim=1, keepdim=True))
    # The historic gradient takes the means for constants.
    differences = images - (means if pass_.exact_gradients else means.detach())
    denominators = 1 + layer["scale"] * along_both_axes(differences.square(), windows)
    return (images * denominators.pow(-layer["pow"])).flatten(1)
