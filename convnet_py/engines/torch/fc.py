"""fc and treefc layers in the torch engine (spec 3.6, 3.8)."""

from __future__ import annotations

import torch

from convnet_py.engines.torch.base import Pass, Tensor, layer_type


@layer_type("fc")
def fc(layer: dict, inputs: list[Tensor], run: Pass) -> Tensor:
    products = (x @ w for x, w in zip(inputs, run.weights[layer["name"]], strict=True))
    return sum(products, run.biases[layer["name"]])


@layer_type("treefc")
def treefc(layer: dict, inputs: list[Tensor], run: Pass) -> Tensor:
    [x], [weights] = inputs, run.weights[layer["name"]]
    return x @ (weights @ leaves_below(layer)) + run.biases[layer["name"]]


def leaves_below(layer: dict) -> Tensor:
    """(nodes, leaves): 1 where the node lies on the path from the root to the leaf, both ends included."""
    tree, below = layer["tree"], torch.zeros(len(layer["tree"]), layer["outputs"])

    def descend(node: int) -> None:
        if not tree[node]:
            below[node, node] = 1
        for child in tree[node]:
            descend(child)
            below[node] += below[child]

    descend(layer["rootLabel"])
    return below
