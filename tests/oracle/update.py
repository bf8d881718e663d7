"""Oracles of weight updates (spec 3.8): schedules, momentum, superEps, norm constraints, tree nodes.

Signatures beyond ``_device.pyi``. A tree is a list of the children of each node, by label; leaves come first:
    treefc_class_weights(weights, targets, *, tree, root): (inputs, nodes) -> (inputs, leaves);
    treefc_node_gradients(gradients, targets, *, tree, root, scale_targets, scale_output): (inputs, leaves) ->
    (inputs, nodes);
    treefc_update(weights, increments, gradients, *, tree, root, momentum, rate, decay, gradient_scale), in place:
    rate is epsW, decay is wc, gradient_scale is 1 / n.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray
Tree = list[list[int]]


def update_weights(
    weights: Array, increments: Array, gradients: Array, *, momentum: float, gradient_scale: float, decay: float
) -> tuple[Array, Array]:
    """(weights, increments) after the step."""
    increments = momentum * increments + gradient_scale * gradients - decay * weights
    return weights + increments, increments


def adaptive_update(
    weights: Array,
    increments: Array,
    gradients: Array,
    mean: Array,
    mean_square: Array,
    *,
    momentum: float,
    rate: float,
    gradient_scale: float,
    decay: float,
    super_eps: float,
) -> tuple[Array, Array, Array, Array]:
    """(weights, increments, mean, mean_square) after the step. The fixed 0.9 is the 2012 program's.

    ``gradient_scale`` is 1/n: the means are those of the gradient per case, ``momentum`` is theirs. A negative
    mean_square - mean + super_eps gives NaN.
    """
    gradients = gradient_scale * gradients
    mean = momentum * mean + (1 - momentum) * gradients
    mean_square = momentum * mean_square + (1 - momentum) * gradients**2
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = rate * gradients / np.sqrt(mean_square - mean + super_eps)
    increments = 0.9 * increments + steps - decay * weights
    return weights + increments, increments, mean, mean_square


def bound_column_norms(weights: Array, *, norm: float) -> Array:
    """wball: columns longer than ``norm`` are scaled to it."""
    lengths = np.sqrt((weights**2).sum(axis=0))
    return weights * np.where(lengths > norm, norm / np.where(lengths > 0, lengths, 1), 1)


def zero_mean_norms(weights: Array) -> Array:
    """(columns,): the length of each column less its mean, over the number of rows; exactly 0 for constant ones."""
    shifted = weights - weights[0]  # a mean of equal values need not be exact
    return np.sqrt(((shifted - shifted.mean(axis=0)) ** 2).sum(axis=0)) / len(weights)


def bound_zero_mean_norms(weights: Array, *, min: float, max: float) -> Array:
    """wcNormMin, wcNormMax: columns scaled as if to bring ``zero_mean_norms`` between them; constant ones stay."""
    norms = zero_mean_norms(weights)
    bounded = np.clip(norms, min, max)
    return weights * np.where(norms > 0, bounded / np.where(norms > 0, norms, 1), 1)


def _exponential(base: float, factor: float, progress: float) -> float:
    """r0^(1 + p q), q = ln(r0/F) / ln(r0) - 1, where 0 stays 0 and 1 stays 1 as C's pow has it."""
    if base in (0.0, 1.0):
        return base
    return base ** (1 + progress * (math.log(base / factor) / math.log(base) - 1))


def _step(base: float, factor: float, interval: int, num_steps: int) -> float:
    """The rate of one of the ``num_steps`` intervals of dexp; the last is exactly r0 / F."""
    if interval == num_steps - 1:
        return base / factor
    return _exponential(base, factor, interval / (num_steps - 1))


def schedule_rate(
    base: float, progress: float, *, kind: str = "default", tgt_factor: float = 10, num_steps: int = 1
) -> float:
    """The rate at ``progress``, without noise; base, progress and factor are rounded to float32 first."""
    base, progress, factor = (float(np.float32(v)) for v in (base, progress, tgt_factor))
    interval = max(0, math.ceil(progress * num_steps) - 1)  # a boundary belongs to the earlier interval
    if kind == "linear":
        return base * (1 - progress) + base / factor * progress
    if kind == "exp":
        return _exponential(base, factor, progress)
    if kind in ("dexp", "jdexp"):
        rate = _step(base, factor, interval, num_steps)
        second_half = progress * num_steps > interval + 0.5
        if kind == "jdexp" and interval > 0 and second_half and 0.2 < progress < 0.9:
            rate = math.sqrt(rate * _step(base, factor, interval - 1, num_steps))
        return rate
    assert kind == "default"
    return base


def _paths(tree: Tree, root: int) -> dict[int, list[int]]:
    """leaf -> the nodes from the root down to it."""
    paths, pending = {}, [[root]]
    while pending:
        path = pending.pop()
        children = tree[path[-1]]
        if not children:
            paths[path[-1]] = path
        pending.extend([*path, child] for child in children)
    return paths


def _on_path(tree: Tree, root: int) -> Array:
    """(nodes, leaves): 1 where the node lies on the path from the root to the leaf."""
    paths = _paths(tree, root)
    matrix = np.zeros((len(tree), len(paths)))
    for leaf, path in paths.items():
        matrix[path, leaf] = 1
    return matrix


def treefc_class_weights(weights: Array, *, tree: Tree, root: int) -> Array:
    """(inputs, leaves): for each class the sum of its path's columns of ``weights`` (inputs, nodes)."""
    return weights @ _on_path(tree, root)


def treefc_node_gradients(gradients: Array, *, tree: Tree, root: int) -> Array:
    """(inputs, nodes): for each node the sum of the ``gradients`` (inputs, leaves) of the leaves under it."""
    return gradients @ _on_path(tree, root).T


def treefc_update(
    weights: Array,
    increments: Array,
    gradients: Array,
    *,
    tree: Tree,
    root: int,
    momentum: float,
    rate: float,
    decay: float,
    gradient_scale: float,
) -> tuple[Array, Array]:
    """(weights, increments) after the step: inc = mom inc + rate/leaves (grad - decay/leaves w) in each node."""
    leaves = _on_path(tree, root).sum(axis=1)
    increments = momentum * increments + rate / leaves * (gradient_scale * gradients - decay / leaves * weights)
    return weights + increments, increments
