"""The device's tree operations against their oracles (spec 3.8, treefc).

Tolerance: class weights and node gradients are sums of at most as many terms as there are nodes, the update is a
few rounded operations.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import update
from .harness import EPS, assert_close, check, check_scaled, drawn, run, scales, seeds, values, wide


@st.composite
def trees(draw: st.DrawFn) -> tuple[update.Tree, int]:
    """(children of each node, root): leaves first, every inner node with one to four children."""
    leaves = draw(st.integers(1, 9))
    children: update.Tree = [[] for _ in range(leaves)]
    roots = draw(st.permutations(range(leaves)))
    while len(roots) > 1 or len(children) == leaves:
        count = draw(st.integers(1 if len(children) < leaves + 4 else 2, 4))
        children.append(list(roots[:count]))
        roots = [*roots[count:], len(children) - 1]
    return children, roots[0]


@drawn
@given(trees(), st.sampled_from([1, 2, 17, 33]), seeds)
def test_class_weights(problem: tuple[update.Tree, int], inputs: int, seed: int) -> None:
    tree, root = problem
    weights = values(np.random.default_rng(seed), inputs, len(tree))
    sizes = update.treefc_class_weights(np.abs(wide(weights)), tree=tree, root=root)
    result = update.treefc_class_weights(wide(weights), tree=tree, root=root)
    check(device.treefc_class_weights, weights, result=result, bound=len(tree) * EPS * sizes, tree=tree, root=root)


@drawn
@given(trees(), st.sampled_from([1, 2, 17, 33]), seeds, scales)
def test_node_gradients(problem: tuple[update.Tree, int], inputs: int, seed: int, scaling: tuple[float, float]) -> None:
    tree, root = problem
    rng = np.random.default_rng(seed)
    gradients = values(rng, inputs, sum(not children for children in tree))
    keywords = {"tree": tree, "root": root}
    bound = len(tree) * EPS * update.treefc_node_gradients(np.abs(wide(gradients)), **keywords)
    result = update.treefc_node_gradients(wide(gradients), **keywords)
    check_scaled(
        device.treefc_node_gradients, gradients, result=result, bound=bound, scaling=scaling, rng=rng, **keywords
    )


@drawn
@given(trees(), st.sampled_from([1, 2, 17, 33]), st.sampled_from([0.0, 0.9]), st.sampled_from([0.0, 0.1]), seeds)
def test_update(problem: tuple[update.Tree, int], inputs: int, momentum: float, decay: float, seed: int) -> None:
    tree, root = problem
    rng = np.random.default_rng(seed)
    arrays = [values(rng, inputs, len(tree)) for _ in range(3)]
    keywords = {"momentum": momentum, "rate": 0.01, "decay": decay, "gradient_scale": 1 / 128}
    actual = run(device.treefc_update, *arrays, written=(0, 1), tree=tree, root=root, **keywords)
    weights, increments = update.treefc_update(*wide(arrays), tree=tree, root=root, **keywords)
    sizes = [np.abs(a) for a in wide(arrays)]
    bound = 6 * EPS * (momentum * sizes[1] + 0.01 * (sizes[2] / 128 + decay * sizes[0]))
    assert_close(actual[1], increments, bound)
    assert_close(actual[0], weights, bound + EPS * np.abs(weights))
