"""The device's image operations against their oracles (spec 3.4).

Tolerance: copies are exact; blur and YUV are sums of products; resizing adds the rounding of the source
coordinate times the steepest slope; L*a*b* takes its powers' error (harness.power_error, spec 3.5) times 500.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import image
from .harness import (
    EPS,
    assert_close,
    case_counts,
    check,
    check_scaled,
    drawn,
    empty_targets,
    power_error,
    run,
    scales,
    seeds,
    values,
    wide,
)

channel_counts = st.sampled_from([1, 2, 3, 5, 16])


@drawn
@given(channel_counts, st.integers(1, 9), st.sampled_from([3, 5, 7, 9]), case_counts, seeds, scales)
def test_blur(channels: int, side: int, size: int, cases: int, seed: int, scaling: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    images = values(rng, channels * side**2, cases)
    blur_filter = image.blur_filter(size, rng.uniform(0.5, 3)).astype(np.float32)
    blur_filter[0, size // 2 + 1 :] = blur_filter[0, : size // 2][::-1]
    magnitudes = image.blur(np.abs(wide(images)), wide(blur_filter), channels=channels)
    check_scaled(
        device.blur,
        images,
        blur_filter,
        result=image.blur(wide(images), wide(blur_filter), channels=channels),
        bound=(2 * size + 4) * EPS * magnitudes,
        scaling=scaling,
        rng=rng,
        channels=channels,
    )


@st.composite
def nail_beds(draw: st.DrawFn) -> dict[str, int]:
    img_size, stride = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    start = (img_size - stride * (-(-img_size // stride) - 1)) // 2
    if draw(st.booleans()):
        start = draw(st.integers(0, img_size - 1))
    assume(start < img_size)
    return {"channels": draw(channel_counts), "img_size": img_size, "start": start, "stride": stride}


@drawn
@given(nail_beds(), case_counts, seeds, scales)
def test_bed_of_nails(geometry: dict[str, int], cases: int, seed: int, scaling: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    images = values(rng, geometry["channels"] * geometry["img_size"] ** 2, cases)
    result = image.bed_of_nails(wide(images), **geometry)
    check_scaled(device.bed_of_nails, images, result=result, bound=0, scaling=scaling, rng=rng, **geometry)


@drawn
@given(nail_beds(), case_counts, seeds, scales)
def test_bed_of_nails_gradient(geometry: dict[str, int], cases: int, seed: int, scaling: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    kept = len(image.nails(geometry["img_size"], geometry["start"], geometry["stride"]))
    gradients = values(rng, geometry["channels"] * kept**2, cases)
    result = image.bed_of_nails_gradient(wide(gradients), **geometry)
    check_scaled(device.bed_of_nails_gradient, gradients, result=result, bound=0, scaling=scaling, rng=rng, **geometry)


@drawn
@given(channel_counts, st.integers(1, 9), case_counts, seeds, scales)
def test_reflect_horizontal(channels: int, side: int, cases: int, seed: int, scaling: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    images = values(rng, channels * side**2, cases)
    result = image.reflect_horizontal(wide(images), img_size=side)
    check_scaled(device.reflect_horizontal, images, result=result, bound=0, scaling=scaling, rng=rng, img_size=side)


def resize_bound(images: np.ndarray, img_size: int, tgt_size: int, scale: float) -> np.ndarray:
    """(1, cases): a coordinate's rounding moves each of two interpolations by at most twice the largest pixel."""
    coordinate_error = 4 * EPS * (1.5 * tgt_size * scale + img_size)
    return (4 * coordinate_error + 8 * EPS) * np.abs(images).max(axis=0, keepdims=True)


@drawn
@given(channel_counts, st.integers(2, 12), st.sampled_from([0.5, 0.7, 1.0, 1.3, 1.9, 2.0]), case_counts, seeds)
def test_resize(channels: int, img_size: int, scale: float, cases: int, seed: int) -> None:
    images = values(np.random.default_rng(seed), channels * img_size**2, cases)
    geometry = {"img_size": img_size, "tgt_size": int(img_size / scale), "scale": scale}
    result = image.resize_bilinear(wide(images), **geometry)
    bound = np.broadcast_to(resize_bound(wide(images), **geometry), result.shape)
    check(device.resize_bilinear, images, result=result, bound=bound, **geometry)


@drawn
@given(st.data(), channel_counts, st.integers(1, 9), case_counts, seeds)
def test_crop(data: st.DataObject, channels: int, img_size: int, cases: int, seed: int) -> None:
    images = values(np.random.default_rng(seed), channels * img_size**2, cases)
    tgt_size = data.draw(st.integers(1, img_size))
    offsets = st.integers(0, img_size - tgt_size)
    geometry = {
        "img_size": img_size,
        "tgt_size": tgt_size,
        "start_y": data.draw(offsets),
        "start_x": data.draw(offsets),
    }
    check(device.crop, images, result=image.crop(wide(images), **geometry), bound=0, **geometry)


@pytest.mark.parametrize(("resized", "scale"), [(7, 9 / 7), (9, 1.0)])
def test_rscale_is_resize_and_crop(resized: int, scale: float) -> None:
    """Not resized at all where the size stays (spec 3.4)."""
    images = values(np.random.default_rng(0), 3 * 81, 33)
    step = images
    if resized != 9:
        geometry = {"img_size": 9, "tgt_size": resized, "scale": scale}
        [step] = run(device.resize_bilinear, images, empty_targets(3 * resized**2, 33), **geometry)
    crop = {"tgt_size": 5, "start_y": 1, "start_x": 2}
    [actual] = run(device.crop, step, empty_targets(75, 33), img_size=resized, **crop)
    result = image.rscale(wide(images), img_size=9, resized=resized, scale=scale, **crop)
    assert_close(actual, result, resize_bound(wide(images), 9, resized, scale))


@drawn
@given(st.sampled_from([1, 2, 9, 16]), case_counts, seeds)
def test_rgb_to_yuv(pixels: int, cases: int, seed: int) -> None:
    images = values(np.random.default_rng(seed), 3 * pixels, cases)
    sizes = np.abs(wide(images)).reshape(3, pixels, cases).sum(axis=0)
    check(device.rgb_to_yuv, images, result=image.rgb_to_yuv(wide(images)), bound=5 * EPS * np.tile(sizes, (3, 1)))


@drawn
@given(st.sampled_from([1, 2, 9, 16]), case_counts, st.booleans(), seeds)
def test_rgb_to_lab(pixels: int, cases: int, center: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.choice([rng.random((3 * pixels, cases)), rng.random((3 * pixels, cases)) * 0.02]).astype(np.float32)
    images[rng.random(images.shape) < 0.1] = rng.choice([0, 1])
    xyz = image.to_xyz(wide(images))
    powers = np.maximum(xyz, image.LAB_THRESHOLD)
    error = powers**0.3333 * (power_error(powers, 0.3333) + 4 * EPS)
    error += np.where(np.abs(xyz - image.LAB_THRESHOLD) < 1e-7, 1e-4, 0)  # the two branches differ there
    bound = np.stack([116 * error[1] + 70 * EPS, 500 * (error[0] + error[1]), 200 * (error[1] + error[2])])
    result = image.rgb_to_lab(wide(images), center=center)
    check(device.rgb_to_lab, images, result=result, bound=bound.reshape(result.shape), center=center)
