"""The fully connected layer over a tree of classes (spec 2.3, 2.4, 3.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from convnet_py.layers.base import Net, layer_type
from convnet_py.layers.fc import FullyConnectedLayer
from convnet_py.layers.keys import Keys, NotUnderstood
from convnet_py.layers.weights import Shape

#: the name of the root among the data's WordNet ids.
ROOT = "gproot"


@layer_type("treefc")
class TreeLayer(FullyConnectedLayer):
    """``tree``: the children of each node, by label; leaves are the labels 0..outputs-1."""

    max_inputs = 1
    sharing = False

    def read_outputs(self, layer: dict, keys: Keys) -> None:
        """They are the classes of the data."""

    def shape_weights(self, layer: dict, keys: Keys, net: Net) -> None:
        super().shape_weights(layer, keys, net)
        try:
            layer["tree"], layer["rootLabel"] = class_tree(net.batch_meta)
        except NotUnderstood as error:
            keys.problem(f"a treefc layer needs a tree of classes in the data's batches.meta: {error}", "type")
            return
        layer["outputs"] = sum(not children for children in layer["tree"])
        if net.num_classes not in (None, layer["outputs"]):
            found = f"{layer['outputs']} leaves for {net.num_classes} classes"
            keys.problem(f"the tree of classes in the data's batches.meta has {found}", "type")

    def weight_shapes(self, layer: dict) -> list[Shape]:
        return [(rows, len(layer["tree"])) for rows in layer["numInputs"]]

    def random_weights(self, layer: dict, index: int, shape: Shape, net: Net) -> np.ndarray:
        weights = super().random_weights(layer, index, shape, net)
        weights[:, layer["outputs"] :] = 0
        return weights


def class_tree(batch_meta: Mapping) -> tuple[list[list[int]], int]:
    """The children of each node and the root's label. Raises NotUnderstood unless it is one tree, leaves first."""
    if "tree" not in batch_meta:
        raise NotUnderstood("it has no 'tree'")
    ids = batch_meta.get("all_wnids")
    if not isinstance(ids, Mapping) or not isinstance(ids.get(ROOT), (int, np.integer)):
        raise NotUnderstood(f"it has no label all_wnids['{ROOT}']")
    try:
        tree = _children_by_label(batch_meta["tree"])
    except (TypeError, ValueError, LookupError):
        raise NotUnderstood("its 'tree' is not the children of each node, by label 0..n-1") from None
    root = int(ids[ROOT])
    children = [child for node in tree for child in node]
    if sorted([*children, root]) != list(range(len(tree))) or not _reaches_all(tree, root):
        raise NotUnderstood(f"its 'tree' is not one tree below the root {root}")
    inner = [bool(node) for node in tree]
    if inner != sorted(inner):
        raise NotUnderstood("its 'tree' does not have the leaves first")
    return tree, root


def _children_by_label(tree: Any) -> list[list[int]]:
    return [[int(child) for child in tree[label]] for label in range(len(tree))]


def _reaches_all(tree: list[list[int]], root: int) -> bool:
    # Each node has one parent, so that a node comes up twice only by way of a cycle, which the root is not on.
    found = [root]
    for node in found:
        found += tree[node]
    return len(found) == len(tree)
