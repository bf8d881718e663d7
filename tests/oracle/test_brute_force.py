"""The oracles themselves against the formulas of spec 3 written out element by element, and known answers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from . import conv, cost, dense, image, norm, pool, update

RNG = np.random.default_rng(0)


def test_convolution_element_by_element() -> None:
    """out[f, m, n] = sum over (c, ky, kx) of image * weight, for sparse groups, padding and overhanging windows."""
    channels, size_y, size_x, filter_size, modules_y, modules_x, padding, stride, cases = 4, 5, 4, 3, 3, 2, 2, 3, 2
    connections = np.array([[2, 0], [3, 1], [1, 2], [0, 3]], dtype=np.int32)
    images = RNG.standard_normal((channels, size_y, size_x, cases))
    weights = RNG.standard_normal((2, filter_size, filter_size, 8))
    local_weights = RNG.standard_normal((modules_y, modules_x, 2, filter_size, filter_size, 8))
    expected = np.zeros((2, 8, modules_y, modules_x, cases))
    every = itertools.product(range(8), range(modules_y), range(modules_x), range(cases))
    for f, my, mx, n in every:
        for c, ky, kx in itertools.product(range(2), range(filter_size), range(filter_size)):
            y, x = my * stride - padding + ky, mx * stride - padding + kx
            if 0 <= y < size_y and 0 <= x < size_x:
                pixel = images[connections[f // 2, c], y, x, n]
                expected[0, f, my, mx, n] += pixel * weights[c, ky, kx, f]
                expected[1, f, my, mx, n] += pixel * local_weights[my, mx, c, ky, kx, f]
    geometry = {
        "channels": channels,
        "img_size": (size_y, size_x),
        "filter_size": filter_size,
        "modules": (modules_y, modules_x),
        "padding": padding,
        "stride": stride,
        "groups": 4,
        "connections": connections,
    }
    images = images.reshape(-1, cases)
    shared = conv.conv_forward(images, weights.reshape(-1, 8), **geometry)
    local = conv.local_forward(images, local_weights.reshape(-1, 8), **geometry)
    np.testing.assert_allclose(shared, expected[0].reshape(-1, cases), atol=1e-12)
    np.testing.assert_allclose(local, expected[1].reshape(-1, cases), atol=1e-12)


def test_a_round_of_the_sparse_image_gradient_holds_its_own_groups_only() -> None:
    connections = np.array([[1, 0], [2, 3], [3, 0], [1, 2]], dtype=np.int32)
    geometry = {"channels": 4, "img_size": 2, "filter_size": 2, "modules": 1, "groups": 4, "connections": connections}
    gradients = np.array([[0.0], [0.0], [0.0], [1.0]])
    images = conv.conv_image_gradient(gradients, np.ones((8, 4)), **geometry).reshape(2, 4, 4)
    np.testing.assert_array_equal(images[0], 0)
    np.testing.assert_array_equal(images[1].sum(axis=1), [0, 4, 4, 0])


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        (0x0, 0x0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (0xFFFFFFFF, 0xFFFFFFFF, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ],
)
def test_philox_known_answers(counter: int, key: int, words: str) -> None:
    """The known-answer vectors published with the generator."""
    [block] = dense.philox_4x32(np.full((1, 4), counter, dtype=np.uint64), (key, key))
    assert [f"{int(w):08x}" for w in block] == words.split()


def test_philox_known_answer_of_pi() -> None:
    counter = np.array([[0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]], dtype=np.uint64)
    [block] = dense.philox_4x32(counter, (0xA4093822, 0x299F31D0))
    assert [f"{int(w):08x}" for w in block] == ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"]


def test_pool_windows() -> None:
    """A negative start and an overhanging end are clipped; averages are over what is left."""
    images = np.arange(9.0)[:, None]
    pooled = pool.pool_forward(images, kind="avg", channels=1, img_size=3, size_x=2, start=-1, stride=2, outputs_x=2)
    np.testing.assert_array_equal(pooled[:, 0], [0, 1.5, (3 + 6) / 2, (4 + 5 + 7 + 8) / 4])


def test_maxabs_prefers_the_later_of_equals() -> None:
    images = np.array([[3.0], [-3.0], [1.0], [2.0]])
    keywords = {"kind": "maxabs", "channels": 1, "img_size": 2, "size_x": 2, "start": 0, "stride": 1, "outputs_x": 1}
    assert pool.pool_forward(images, **keywords) == -3
    assert pool.pool_forward(-images, **keywords) == 3


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_cross_map_norm_element_by_element(size: int) -> None:
    images = RNG.standard_normal((5, 2))
    for blocked in (False, True):
        denoms, outputs = norm.cross_map_norm(
            images, channels=5, size=size, scale=0.3, pow=0.75, min_div=2, blocked=blocked
        )
        for f in range(5):
            first = f // size * size if blocked else f - size // 2
            window = [g for g in range(first, first + size) if 0 <= g < 5]
            expected = 2 + 0.3 * (images[window] ** 2).sum(axis=0)
            np.testing.assert_allclose(denoms[f], expected)
            np.testing.assert_allclose(outputs[f], images[f] / expected**0.75)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_contrast_and_response_norm_element_by_element(size: int) -> None:
    side = 4
    images = RNG.standard_normal((2, side, side, 3))
    flat = images.reshape(-1, 3)
    means, contrast_denoms, response_denoms = (np.zeros_like(images) for _ in range(3))

    def window(p: int) -> slice:
        return slice(max(0, p - size // 2), min(side, p - size // 2 + size))

    for y, x in itertools.product(range(side), repeat=2):
        means[:, y, x] = images[:, window(y), window(x)].mean(axis=(1, 2))
        response_denoms[:, y, x] = 1 + 0.3 * (images[:, window(y), window(x)] ** 2).sum(axis=(1, 2))
    diffs = images - means
    for y, x in itertools.product(range(side), repeat=2):
        contrast_denoms[:, y, x] = 1 + 0.3 * (diffs[:, window(y), window(x)] ** 2).sum(axis=(1, 2))
    keywords = {"channels": 2, "size": size, "scale": 0.3, "pow": 0.5}
    for actual, expected in zip(
        [*norm.contrast_norm(flat, **keywords), *norm.response_norm(flat, **keywords)],
        [diffs, contrast_denoms, images / contrast_denoms**0.5, response_denoms, images / response_denoms**0.5],
        strict=True,
    ):
        np.testing.assert_allclose(actual, expected.reshape(-1, 3), atol=1e-13)


def test_image_operations_by_hand() -> None:
    images = np.arange(16.0)[:, None]
    np.testing.assert_array_equal(image.reflect_horizontal(images, img_size=4)[:4, 0], [3, 2, 1, 0])
    np.testing.assert_array_equal(
        image.crop(images, img_size=4, tgt_size=2, start_y=1, start_x=2)[:, 0], [6, 7, 10, 11]
    )
    nailed = image.bed_of_nails(images, channels=1, img_size=4, start=1, stride=2)
    np.testing.assert_array_equal(nailed[:, 0], [5, 7, 13, 15])
    resized = image.resize_bilinear(images, img_size=4, tgt_size=2, scale=1.5)
    np.testing.assert_allclose(resized[:, 0], [2.5, 4, 8.5, 10])
    blurred = image.blur(np.eye(1, 9, 4).T, np.array([[0.25, 0.5, 0.25]]), channels=1)
    np.testing.assert_allclose(blurred.reshape(3, 3), np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25]))
    blur_filter = image.blur_filter(5, 1.5)
    assert blur_filter.sum() == pytest.approx(1)
    assert blur_filter[0, 1] / blur_filter[0, 2] == pytest.approx(math.exp(-1 / 4.5))


def test_ties_share_the_places() -> None:
    """Spec 3.7: 1 / ties for the best, slots / ties for the best k."""
    probs = np.array([[0.25, 0.4, 0.1], [0.25, 0.2, 0.2], [0.25, 0.2, 0.2], [0.25, 0.2, 0.5]])
    labels = np.array([[2.0, 3.0, 0.0]])
    for topk, correct in [(1, 1 / 4 + 0 + 0), (2, 2 / 4 + 1 / 3 + 0), (3, 3 / 4 + 2 / 3 + 0), (4, 3)]:
        value, top1, topk_value = cost.logreg_cost(labels, probs, topk=topk)
        assert value == pytest.approx(-math.log(0.25 * 0.2 * 0.1))
        assert top1 == pytest.approx(3 - 1 / 4)
        assert topk_value == pytest.approx(3 - correct)


def test_crossent_counts_a_maximum_with_a_positive_target() -> None:
    probs = np.array([[0.4, 0.0], [0.4, 1.0], [0.2, 0.0]])
    labels = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    value, wrong = cost.crossent_cost(labels, probs)
    assert value == pytest.approx(-math.log(0.4) + 50)
    assert wrong == pytest.approx(2 - 1 / 2)


def test_multisoftmax_sets() -> None:
    """Marginals add up to the set's size, and a set of one is a softmax."""
    inputs = RNG.standard_normal((6, 4))
    np.testing.assert_allclose(cost.msm_probs(inputs, set_size=3).sum(axis=0), 3)
    np.testing.assert_allclose(cost.msm_probs(inputs, set_size=1), dense.softmax(inputs))


class TestSchedules:
    """Values worked out by hand from spec 3.8."""

    def test_default_and_linear(self) -> None:
        assert update.schedule_rate(0.5, 0.3) == 0.5
        assert update.schedule_rate(1.0, 0.5, kind="linear", tgt_factor=4) == pytest.approx(0.625)

    def test_exponential_ends_at_the_target(self) -> None:
        for base in (0.25, 4.0):
            assert update.schedule_rate(base, 0, kind="exp", tgt_factor=16) == pytest.approx(base)
            assert update.schedule_rate(base, 0.5, kind="exp", tgt_factor=16) == pytest.approx(base / 4)
            assert update.schedule_rate(base, 1, kind="exp", tgt_factor=16) == pytest.approx(base / 16)

    def test_rates_of_0_and_1_stay(self) -> None:
        for base in (0.0, 1.0):
            assert update.schedule_rate(base, 0.9, kind="exp") == base
            assert update.schedule_rate(base, 0.7, kind="dexp", num_steps=3) == base or base == 1.0
        assert update.schedule_rate(1.0, 0.6, kind="dexp", num_steps=3) == 1.0
        assert update.schedule_rate(1.0, 0.7, kind="dexp", num_steps=3) == pytest.approx(0.1)

    def test_discrete_steps(self) -> None:
        """A boundary belongs to the earlier interval, after rounding the progress to float32."""
        steps = {0: 0.5, 0.25: 0.5, 0.26: 0.5 * 0.001 ** (1 / 3), 0.5: 0.5 * 0.001 ** (1 / 3), 1: 0.0005}
        for progress, rate in steps.items():
            actual = update.schedule_rate(0.5, progress, kind="dexp", tgt_factor=1000, num_steps=4)
            assert actual == pytest.approx(rate)
        rounded_up = float(np.float32(1 / 3))
        assert rounded_up > 1 / 3
        assert update.schedule_rate(0.5, 1 / 3, kind="dexp", num_steps=3) == pytest.approx(0.5 * 0.1**0.5)
        assert update.schedule_rate(0.5, 0.2, kind="dexp", tgt_factor=8, num_steps=1) == 0.5 / 8

    def test_jittered_steps(self) -> None:
        """The geometric mean with the step before, in second halves between 0.2 and 0.9."""
        keywords = {"kind": "jdexp", "tgt_factor": 1000, "num_steps": 4}
        middle, late = 0.5 * 0.1, 0.5 * 0.01
        assert update.schedule_rate(0.5, 0.24, **keywords) == pytest.approx(0.5)
        assert update.schedule_rate(0.5, 0.3, **keywords) == pytest.approx(middle)
        assert update.schedule_rate(0.5, 0.4, **keywords) == pytest.approx(math.sqrt(0.5 * middle))
        assert update.schedule_rate(0.5, 0.7, **keywords) == pytest.approx(math.sqrt(late * middle))
        assert update.schedule_rate(0.5, 0.95, **keywords) == pytest.approx(0.0005)


def test_tree_paths() -> None:
    """Leaves 0..2, node 3 over 0 and 1, root 4 over 3 and 2."""
    tree = [[], [], [], [0, 1], [3, 2]]
    nodes = np.array([[1.0, 2.0, 4.0, 8.0, 16.0]])
    np.testing.assert_array_equal(update.treefc_class_weights(nodes, tree=tree, root=4), [[25, 26, 20]])
    gradients = np.array([[1.0, 2.0, 4.0]])
    summed = update.treefc_node_gradients(gradients, tree=tree, root=4)
    np.testing.assert_array_equal(summed, [[1, 2, 4, 3, 7]])
    weights, increments = update.treefc_update(
        nodes, np.ones((1, 5)), summed, tree=tree, root=4, momentum=0.5, rate=6.0, decay=0.1, gradient_scale=0.5
    )
    expected = 0.5 + 6 / np.array([1, 1, 1, 2, 3]) * (0.5 * summed - 0.1 / np.array([1, 1, 1, 2, 3]) * nodes)
    np.testing.assert_allclose(increments, expected)
    np.testing.assert_allclose(weights, nodes + expected)


def test_bounds_on_filters() -> None:
    weights = np.array([[3.0, 0.3, 0.0, 1.0], [4.0, 0.4, 0.0, 1.0]])
    bounded = update.bound_column_norms(weights, norm=1.0)
    np.testing.assert_allclose(bounded, [[0.6, 0.3, 0, math.sqrt(0.5)], [0.8, 0.4, 0, math.sqrt(0.5)]])
    norms = update.zero_mean_norms(weights)
    np.testing.assert_allclose(norms, [math.sqrt(0.5) / 2, math.sqrt(0.005) / 2, 0, 0])
    kept = update.bound_zero_mean_norms(weights, min=0.1, max=0.2)
    np.testing.assert_allclose(kept[:, 2:], weights[:, 2:])
    np.testing.assert_allclose(update.zero_mean_norms(kept), [0.2, 0.1, 0, 0])


def test_local_weights_are_bounded_module_by_module() -> None:
    weights = np.array([[3.0], [4.0], [0.3], [0.4]])
    bounded = conv.normalize_local_weights(weights, modules=2, norm=1.0)
    np.testing.assert_allclose(bounded, [[0.6], [0.8], [0.3], [0.4]])
