"""Every function of the convolution library against the oracles, in every storage order (spec 6.4).

Tolerance: the device's own tests bound each operation tightly; here values are of order 1 and sums short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from platform_library import CaseFailed, Input, Platform

from tests.oracle import conv, cost, image, norm, pool

Array = np.ndarray
drawn = settings(deadline=None, derandomize=True, max_examples=15)
SCALES = [(0.0, 1.0), (1.0, 1.0), (-0.75, 2.0)]


class Draw:
    """Drawn arrays, and calls that have their result in a drawn target."""

    def __init__(self, platform: Platform, data: st.DataObject):
        self.platform, self.data = platform, data
        self.rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))

    def values(self, *shape: int) -> Array:
        return self.rng.normal(size=shape).astype(np.float32).astype(np.float64)

    def between(self, least: int, most: int) -> int:
        return self.data.draw(st.integers(least, most))

    def flag(self) -> bool:
        return self.data.draw(st.booleans())

    def lying(self, values: Array) -> Input:
        return Input(values, self.flag(), self.flag())

    def target(self, shape: tuple[int, ...]) -> Input:
        """For what does not read it: without elements, or NaN."""
        return self.lying(np.full(shape, np.nan)) if self.flag() else Input(np.empty((0, 0)), self.flag())

    def check(self, name: str, inputs: list[Array], numbers: list[float], *expected: Array) -> None:
        """The target, then what else is reported."""
        given = [self.lying(x) for x in inputs]
        reports = self.platform.run(name, [*given, self.target(expected[0].shape)], numbers)
        assert len(reports) == len(expected)
        for report, result in zip([reports[-1], *reports[:-1]], expected, strict=True):
            np.testing.assert_allclose(report.values, result, rtol=2e-4, atol=2e-4)

    def check_scaled(
        self, name: str, inputs: list[Array], numbers: list[float], result: Array, after: tuple[float, ...] = ()
    ) -> None:
        """With scaleTargets and scaleOutput, which stand between ``numbers`` and ``after``."""
        scale_targets, scale_output = self.data.draw(st.sampled_from(SCALES))
        target, old = self.target(result.shape), np.zeros(result.shape)
        if scale_targets:
            old = self.values(*result.shape)
            target = self.lying(old)
        given = [self.lying(x) for x in inputs]
        [report] = self.platform.run(name, [*given, target], [*numbers, scale_targets, scale_output, *after])
        expected = scale_targets * old + scale_output * result
        np.testing.assert_allclose(report.values, expected, rtol=2e-4, atol=5e-4)


@pytest.fixture(scope="session")
def draw(platform: Platform) -> Any:
    return lambda data: Draw(platform, data)


@dataclass
class Geometry:
    """A drawn call of the convolution family."""

    oracle: dict[str, Any]
    cases: int
    filters: int
    filter_channels: int

    @property
    def pixels(self) -> int:
        return self.oracle["img_size"][0] * self.oracle["img_size"][1]

    @property
    def modules(self) -> int:
        return self.oracle["modules"][0] * self.oracle["modules"][1]

    @property
    def filter_rows(self) -> int:
        return self.filter_channels * self.oracle["filter_size"] ** 2

    @property
    def rounds(self) -> int:
        return self.oracle["groups"] * self.filter_channels // self.oracle["channels"]


def draw_geometry(d: Draw, sparse: bool) -> Geometry:
    groups, per_group = d.between(1, 3), d.between(1, 2)
    filter_size, padding = d.between(1, 3), d.between(0, 2)
    stride = d.between(1, filter_size)
    size = tuple(d.between(filter_size, 5) for _ in "yx")
    modules = tuple(1 + max(0, -(-(side + 2 * padding - filter_size) // stride)) for side in size)
    channels, filter_channels, connections = groups * per_group, per_group, None
    if sparse:
        # Each round of overSample lists a permutation of all channels.
        groups *= d.between(1, 2)
        connections = np.concatenate([d.rng.permutation(channels) for _ in range(groups * per_group // channels)])
        connections = connections.reshape(groups, filter_channels)
    oracle = {
        "channels": channels,
        "img_size": size,
        "filter_size": filter_size,
        "modules": modules,
        "padding": padding,
        "stride": stride,
        "groups": groups,
        "connections": connections,
    }
    return Geometry(oracle, d.between(1, 5), groups * d.between(1, 3), filter_channels)


def numbers_of(g: Geometry, sparse: bool, sizes: list[int], partial_sum: list[int]) -> list[int]:
    channels = [g.oracle["channels"], *([g.filter_channels] if sparse else [])]
    return [*sizes, -g.oracle["padding"], g.oracle["stride"], *channels, g.oracle["groups"], *partial_sum]


def check_convolution(
    d: Draw, name: str, g: Geometry, inputs: list[Array], numbers: list[int], result: Array, sparse: bool
) -> None:
    indices = tuple(g.oracle["connections"].ravel()) if sparse else ()
    name += "Sparse" if sparse else ""
    d.check(name, inputs, [*numbers, *indices], result)
    d.check_scaled(f"{name}, sT, sO", inputs, numbers, result, indices)


FAMILIES = pytest.mark.parametrize("family", ["conv", "local"])
SPARSE = pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])


@FAMILIES
@SPARSE
@drawn
@given(data=st.data())
def test_filter_acts(draw: Any, family: str, sparse: bool, data: st.DataObject) -> None:
    d = draw(data)
    g = draw_geometry(d, sparse)
    images = d.values(g.oracle["channels"] * g.pixels, g.cases)
    filters = d.values(g.filter_rows * (g.modules if family == "local" else 1), g.filters)
    result = getattr(conv, f"{family}_forward")(images, filters, **g.oracle)
    numbers = numbers_of(g, sparse, [g.oracle["img_size"][0], *g.oracle["modules"]], [])
    check_convolution(d, f"{family}FilterActs", g, [images, filters], numbers, result, sparse)


@FAMILIES
@SPARSE
@drawn
@given(data=st.data())
def test_img_acts(draw: Any, family: str, sparse: bool, data: st.DataObject) -> None:
    d = draw(data)
    g = draw_geometry(d, sparse)
    gradients = d.values(g.filters * g.modules, g.cases)
    filters = d.values(g.filter_rows * (g.modules if family == "local" else 1), g.filters)
    result = getattr(conv, f"{family}_image_gradient")(gradients, filters, **g.oracle)
    numbers = numbers_of(g, sparse, [*g.oracle["img_size"], g.oracle["modules"][0]], [])
    check_convolution(d, f"{family}ImgActs", g, [gradients, filters], numbers, result, sparse)


@FAMILIES
@SPARSE
@drawn
@given(data=st.data())
def test_weight_acts(draw: Any, family: str, sparse: bool, data: st.DataObject) -> None:
    d = draw(data)
    g = draw_geometry(d, sparse)
    images = d.values(g.oracle["channels"] * g.pixels, g.cases)
    gradients = d.values(g.filters * g.modules, g.cases)
    keywords, partial_sum = dict(g.oracle), []
    if family == "conv":
        partial_sum = [data.draw(st.sampled_from([p for p in range(g.modules + 1) if p == 0 or g.modules % p == 0]))]
        keywords["partial_sum"] = partial_sum[0]
    result = getattr(conv, f"{family}_weight_gradient")(images, gradients, **keywords)
    sizes = [g.oracle["img_size"][0], *g.oracle["modules"], g.oracle["filter_size"]]
    numbers = numbers_of(g, sparse, sizes, partial_sum)
    check_convolution(d, f"{family}WeightActs", g, [images, gradients], numbers, result, sparse)


@drawn
@given(data=st.data())
def test_normalize_local_weights(platform: Platform, draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    modules, rows, filters = d.between(1, 4), d.between(1, 5), d.between(1, 4)
    weights = d.values(modules * rows, filters)
    [report] = platform.run("normalizeLocalWeights", [d.lying(weights)], (modules, 1.5))
    expected = conv.normalize_local_weights(weights, modules=modules, norm=1.5)
    np.testing.assert_allclose(report.values, expected, rtol=1e-5)


def draw_pool(d: Draw) -> tuple[dict[str, int], list[int]]:
    """Keywords of the oracle, and what stands between numFilters and the pooler."""
    img_size = d.between(1, 7)
    size_x = d.between(1, min(img_size, 4))
    start, stride = d.between(1 - size_x, 0), d.between(1, size_x)
    outputs = d.between(1, -(-(img_size - start) // stride))
    keywords = {
        "channels": d.between(1, 3),
        "img_size": img_size,
        "size_x": size_x,
        "start": start,
        "stride": stride,
        "outputs_x": outputs,
    }
    return keywords, [size_x, start, stride, outputs]


@pytest.mark.parametrize("pooler", ["MaxPooler", "MaxAbsPooler", "AvgPooler", "Pooler"])
@drawn
@given(data=st.data())
def test_local_pool(draw: Any, pooler: str, data: st.DataObject) -> None:
    d = draw(data)
    keywords, numbers = draw_pool(d)
    channels, img_size = keywords["channels"], keywords["img_size"]
    images = np.rint(2 * d.values(channels * img_size**2, d.between(1, 4)))
    kind = {"MaxPooler": "max", "MaxAbsPooler": "maxabs"}.get(pooler, "avg")
    result = pool.pool_forward(images, kind=kind, **keywords)
    if pooler == "Pooler":  # a tree's own, which sums
        areas = pool.pool_avg_gradient(np.ones((channels * numbers[3] ** 2, 1)), **keywords)
        assert areas.shape == (channels * img_size**2, 1)
        windows = list(pool.windows(**{k: v for k, v in keywords.items() if k != "channels"}))
        sizes = [(rows.stop - rows.start) * (cols.stop - cols.start) for _, rows, cols in windows]
        result = result * np.tile(sizes, channels)[:, None]
    d.check(f"convLocalPool {pooler}", [images], [channels, *numbers], result)


@drawn
@given(data=st.data())
def test_local_random_pool(draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    keywords, numbers = draw_pool(d)
    images = d.values(keywords["channels"] * keywords["img_size"] ** 2, d.between(1, 4))
    result = pool.pool_rand_forward(images.astype(np.float32), seed=7, layer=0, update=0, **keywords)
    d.check("convLocalRandomPool", [images], [keywords["channels"], *numbers, 7], result)


@drawn
@given(data=st.data())
def test_pool_undo(draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    keywords, numbers = draw_pool(d)
    images = np.rint(2 * d.values(keywords["channels"] * keywords["img_size"] ** 2, d.between(1, 4)))
    outputs = pool.pool_forward(images, kind="max", **keywords)
    gradients = d.values(*outputs.shape)
    result = pool.pool_max_gradient(images, gradients, outputs, **keywords)
    d.check("convLocalMaxUndo", [images, gradients, outputs], numbers, result)
    d.check_scaled("convLocalMaxUndo, sT, sO", [images, gradients, outputs], numbers, result)
    result = pool.pool_avg_gradient(gradients, **keywords)
    d.check("convLocalAvgUndo", [gradients], [*numbers, keywords["img_size"]], result)
    d.check_scaled("convLocalAvgUndo, sT, sO", [gradients], [*numbers, keywords["img_size"]], result)


def draw_norm(d: Draw) -> tuple[Array, dict[str, Any]]:
    channels, side = d.between(1, 6), d.between(1, 5)
    keywords = {"channels": channels, "size": d.between(1, 5), "scale": 0.25, "pow": 0.75}
    return d.values(channels * side**2, d.between(1, 4)), keywords


def norm_numbers(keywords: dict[str, Any]) -> list[float]:
    return [keywords[key] for key in ("channels", "size", "scale", "pow")]


@drawn
@given(data=st.data())
def test_response_norm(draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    images, keywords = draw_norm(d)
    denoms, outputs = norm.response_norm(images, **keywords)
    d.check("convResponseNorm", [images], norm_numbers(keywords), outputs, denoms)
    gradients = d.values(*images.shape)
    result = norm.response_norm_gradient(gradients, denoms, images, outputs, **keywords)
    d.check_scaled("convResponseNormUndo", [gradients, denoms, images, outputs], norm_numbers(keywords), result)


@drawn
@given(data=st.data())
def test_contrast_norm(draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    images, keywords = draw_norm(d)
    mean_diffs, denoms, outputs = norm.contrast_norm(images, **keywords)
    d.check("convContrastNorm", [images], norm_numbers(keywords), outputs, mean_diffs, denoms)
    gradients = d.values(*images.shape)
    result = norm.contrast_norm_gradient(gradients, denoms, mean_diffs, outputs, images, **keywords)
    d.check_scaled("convContrastNormUndo", [gradients, denoms, mean_diffs, outputs], norm_numbers(keywords), result)


@drawn
@given(data=st.data())
def test_response_norm_cross_map(draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    images, keywords = draw_norm(d)
    blocked = d.flag()
    numbers = norm_numbers(keywords)
    for name, min_div, more in (("", 1, []), (" minDiv", 2, [2])):
        denoms, outputs = norm.cross_map_norm(images, min_div=min_div, blocked=blocked, **keywords)
        d.check(f"convResponseNormCrossMap{name}", [images], [*numbers, *more, blocked], outputs, denoms)
    gradients = d.values(*images.shape)
    result = norm.cross_map_norm_gradient(gradients, denoms, images, outputs, blocked=blocked, **keywords)
    inputs = [gradients, denoms, images, outputs]
    d.check_scaled("convResponseNormCrossMapUndo", inputs, [*numbers, blocked], result)


@drawn
@given(data=st.data())
def test_gaussian_blur(platform: Platform, draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    channels, side, radius = d.between(1, 3), d.between(1, 6), d.between(0, 3)
    images, taps = d.values(channels * side**2, d.between(1, 4)), d.values(1, 2 * radius + 1)
    maps = np.pad(images.reshape(channels, side, side, -1), [(0, 0), (radius, radius), (radius, radius), (0, 0)])
    down = sum(taps[0, i] * maps[:, i : i + side, radius : radius + side] for i in range(2 * radius + 1))
    across = sum(taps[0, i] * maps[:, radius : radius + side, i : i + side] for i in range(2 * radius + 1))
    for horizontal, result in ((1, across), (0, down)):
        result = result.reshape(images.shape)
        d.check_scaled("convGaussianBlur", [images, taps], [horizontal, channels], result)
        inputs = [d.lying(images), d.lying(taps)]
        [report] = platform.run("convGaussianBlur in place", inputs, (horizontal, channels))
        np.testing.assert_allclose(report.values, result, rtol=1e-4, atol=1e-4)


@drawn
@given(data=st.data())
def test_blur_along_both_axes(platform: Platform, draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    images, taps = d.values(2 * 25, 3), image.blur_filter(3, 1.0)
    half = platform.run("convGaussianBlur in place", [d.lying(images), d.lying(taps)], (1, 2))[0].values
    [report] = platform.run("convGaussianBlur in place", [d.lying(half), d.lying(taps)], (0, 2))
    np.testing.assert_allclose(report.values, image.blur(images, taps, channels=2), rtol=1e-4, atol=1e-4)


@drawn
@given(data=st.data())
def test_bed_of_nails(draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    channels, side = d.between(1, 3), d.between(1, 7)
    keywords = {"channels": channels, "img_size": side, "start": d.between(0, side - 1), "stride": d.between(1, 3)}
    numbers = list(keywords.values())
    images = d.values(channels * side**2, d.between(1, 4))
    outputs = image.bed_of_nails(images, **keywords)
    d.check_scaled("convBedOfNails", [images], numbers, outputs)
    gradients = d.values(*outputs.shape)
    result = image.bed_of_nails_gradient(gradients, **keywords)
    d.check_scaled("convBedOfNailsUndo", [gradients], numbers, result)


@drawn
@given(data=st.data())
def test_images(draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    side = d.between(2, 6)
    images = d.rng.uniform(0.05, 1, size=(3 * side**2, d.between(1, 4))).astype(np.float32).astype(np.float64)
    d.check("convReflectHorizontal", [images], [side], image.reflect_horizontal(images, img_size=side))
    target, scale = d.between(1, 7), data.draw(st.sampled_from([0.75, 1.0, 1.25]))
    result = image.resize_bilinear(images, img_size=side, tgt_size=target, scale=scale)
    d.check("convResizeBilinear", [images], [side, target, scale], result)
    target = d.between(1, side)
    start_y, start_x = d.between(0, side - target), d.between(0, side - target)
    result = image.crop(images, img_size=side, tgt_size=target, start_y=start_y, start_x=start_x)
    d.check("convCrop", [images], [side, target, start_y, start_x], result)
    d.check("convRGBToYUV", [images], [], image.rgb_to_yuv(images))
    center = d.flag()
    d.check("convRGBToLAB", [images], [center], image.rgb_to_lab(images, center=center))


@drawn
@given(data=st.data())
def test_tica(draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    images, keywords = draw_norm(d)
    images = np.sign(images) * (0.25 + np.abs(images))
    channels, size = keywords["channels"], keywords["size"]
    ticas = cost.tica_forward(images, channels=channels, size=size)
    d.check_scaled("convTICA", [images], [channels, size], ticas)
    result = cost.tica_gradient(images, ticas, channels=channels, size=size, coeff=1)
    d.check_scaled("convTICAGrad", [images, ticas], [channels, size], result)


def halves_of(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float16)


@drawn
@given(data=st.data())
def test_quantize_half(platform: Platform, draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    shape = (d.between(1, 5), d.between(1, 40))
    magnitudes = 2.0 ** d.rng.integers(-27, 18, size=shape)
    values = d.values(*shape) * magnitudes
    values.flat[0] = data.draw(st.sampled_from([0.0, -0.0, np.inf, -np.inf, 65519.0, 65520.0, 2.0**-25, 3 * 2.0**-25]))
    given = d.lying(values)
    [report] = platform.run("convQuantizeHalf", [given])
    in_memory = halves_of(values).ravel(order="F" if given.trans else "C")
    expected = np.zeros(2 * -(-values.size // 2))
    expected[: values.size] = in_memory.view(np.uint16)
    np.testing.assert_array_equal(report.values[0], expected)


@drawn
@given(data=st.data())
def test_dequantize_half(platform: Platform, draw: Any, data: st.DataObject) -> None:
    d = draw(data)
    values = d.values(d.between(1, 5), d.between(1, 40)) * 2.0 ** d.between(-20, 10)
    given = d.lying(values)
    rounded = halves_of(values).astype(np.float64).ravel(order="F" if given.trans else "C")[None]
    empty = Input(np.full((3, 2), np.nan), d.flag())
    [report] = platform.run("convDequantizeHalf", [given, empty], (0, -2))
    np.testing.assert_allclose(report.values, -2 * rounded, rtol=1e-6)
    assert not report.trans
    old = d.values(*rounded.shape)
    [report] = platform.run("convDequantizeHalf", [given, Input(old, d.flag())], (0.5, -2))
    np.testing.assert_allclose(report.values, 0.5 * old - 2 * rounded, rtol=1e-5, atol=1e-6)


REFUSED = {
    "convFilterActs": ([(9, 1), (4, 2)], (3, 2, 2, 1, 1, 1, 1), "paddingStart 1"),
    "convCrop": ([(9, 1)], (3, 3, 1, 0), "convCrop: 3 x 3 at 1, 0 of 3 x 3"),
    "convLocalPool MaxPooler": ([(8, 1)], (1, 2, 0, 2, 2), "8 pixels are not square"),
    "convWeightActs": ([(9, 1), (8, 1)], (3, 2, 2, 2, 0, 1, 1, 1, 3), "partialSum 3 does not divide 4 modules"),
    "convFilterActsSparse": ([(9, 1), (4, 2)], (3, 2, 2, 0, 1, 1, 1, 1, 5), "there is no channel 5 of 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(platform: Platform, name: str) -> None:
    shapes, numbers, line = REFUSED[name]
    with pytest.raises(CaseFailed, match=line):
        platform.run(name, [*(np.zeros(shape) for shape in shapes), np.empty((0, 0))], numbers)
