"""Providers of images against slow oracles written from spec 5.2 and 5.3, over drawn shapes and settings."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_folders import centre, crop_one, decode, expected_training, jpeg, meta, plain_folder, provider, save
from PIL import Image

from convnet_py.data.batch_folder import BatchFolder
from convnet_py.data.verify import verify
from convnet_py.errors import DataError, UsageError

few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TOLERANCE = {"rtol": 1e-4, "atol": 2e-3}


def images_of(made: dict) -> list[np.ndarray]:
    return [made["images"][..., case].astype(float) for case in range(made["images"].shape[3])]


@few
@given(
    channels=st.sampled_from([1, 3]),
    border=st.integers(0, 3),
    cases=st.integers(1, 70),
    scalar=st.booleans(),
    dtype=st.sampled_from([np.uint8, np.float32, np.float64]),
    seed=st.integers(0, 99),
)
def test_cifar_cropped_draws_for_each_case(tmp_path, channels, border, cases, scalar, dtype, seed):
    made = plain_folder(tmp_path, channels, 9, cases, dtype)
    mean = centre(made["meta"]["data_mean"], channels, 9, border, scalar)
    train = provider("cifar-cropped", tmp_path, False, seed, crop_border=border, scalar_mean=float(scalar))
    for rng in [np.random.RandomState(seed)]:
        for _ in range(2):
            data, labels, targets = train.get_batch(1)
            np.testing.assert_allclose(data, expected_training(images_of(made), mean, border, 1, rng), **TOLERANCE)
    assert labels.tolist() == [made["labels"]]
    assert targets.argmax(axis=0).tolist() == made["labels"] and targets.sum() == cases
    assert train.data_dims == [channels * (9 - 2 * border) ** 2, 1, 5]
    assert data.flags.c_contiguous and data.dtype == np.float32


def test_cifar_cropped_tests_in_the_centre_or_nine_views(tmp_path):
    made = plain_folder(tmp_path, 3, 8, 5)
    mean = centre(made["meta"]["data_mean"], 3, 8, 2, False)
    one, labels, _ = provider("cifar-cropped", tmp_path, True, crop_border=2).get_batch(1)
    expected = np.stack([(crop_one(image, 2, 2, 4, False) - mean).ravel() for image in images_of(made)], axis=1)
    np.testing.assert_allclose(one, expected, **TOLERANCE)
    tested = provider("cifar-cropped", tmp_path, True, crop_border=2, multiview=True)
    views, labels, targets = tested.get_batch(1)
    assert tested.num_views == 9 and labels.tolist() == [made["labels"] * 9] and targets.shape == (5, 45)
    for view in range(9):
        top, left = 2 * (view // 3), 2 * (view % 3)
        crops = [(crop_one(image, top, left, 4, False) - mean).ravel() for image in images_of(made)]
        np.testing.assert_allclose(views[:, view * 5 : view * 5 + 5], np.stack(crops, axis=1), **TOLERANCE)


@few
@given(
    border=st.integers(0, 3),
    cases=st.sampled_from([1, 31, 32, 33, 70]),
    color=st.sampled_from([0.0, 0.5]),
    scalar=st.booleans(),
    dtype=st.sampled_from([np.uint8, np.float32]),
)
def test_inet_cropped_draws_for_32_cases(tmp_path, border, cases, color, scalar, dtype):
    made = plain_folder(tmp_path, 3, 8, cases, dtype)
    mean = centre(made["meta"]["data_mean"], 3, 8, border, scalar)
    train = provider(
        "inet-lr-cropped", tmp_path, False, 7, crop_border=border, color_noise=color, scalar_mean=float(scalar)
    )
    rng = np.random.RandomState(7)
    for _ in range(2):
        data, labels = train.get_batch(1)
        expected = expected_training(images_of(made), mean, border, 32, rng, color, made["meta"]["color_pca"])
        np.testing.assert_allclose(data, expected, **TOLERANCE)
    assert labels.tolist() == [made["labels"]]


def ten_views(border: int) -> list[tuple[int, int, bool]]:
    b = border
    five = [(0, 0), (0, 2 * b), (b, b), (2 * b, 0), (2 * b, 2 * b)]
    return [(*place, False) for place in five] + [(*place, True) for place in five]


def test_inet_cropped_has_ten_views_and_no_noise_in_tests(tmp_path):
    made = plain_folder(tmp_path, 3, 9, 34)
    mean = centre(made["meta"]["data_mean"], 3, 9, 2, False)
    tested = provider("inet-lr-cropped", tmp_path, True, crop_border=2, multiview=True, color_noise=1.0, pca_noise=1.0)
    state = tested.get_state()[1].tolist()
    data, labels = tested.get_batch(1)
    assert tested.num_views == 10 and data.shape[1] == 340 and labels.tolist() == [made["labels"] * 10]
    for view, place in enumerate(ten_views(2)):
        crops = [(crop_one(image, place[0], place[1], 5, place[2]) - mean).ravel() for image in images_of(made)]
        np.testing.assert_allclose(data[:, view * 34 : view * 34 + 34], np.stack(crops, axis=1), **TOLERANCE)
    assert tested.get_state()[1].tolist() == state


def test_inet_lr_is_whole_with_wordpres(tmp_path):
    made = plain_folder(tmp_path, 3, 6, 4)
    data, labels, wordpres = provider("inet-lr", tmp_path, False).get_batch(1)
    np.testing.assert_allclose(data, made["images"].reshape(108, 4) - made["meta"]["data_mean"], **TOLERANCE)
    assert labels.tolist() == [made["labels"]] and wordpres.shape == (100, 4) and wordpres.dtype == np.float32
    save(tmp_path / "data_batch_1", {"data": made["images"].reshape(108, 4), "labels": made["labels"]})
    with pytest.raises(DataError, match=r"batch 1 has no wordpres .*inet-lr-cropped --crop-border=0"):
        provider("inet-lr", tmp_path, False).get_batch(1)


def test_inet_full_mirrors_alone_and_its_views_lie_in_the_middle(tmp_path):
    made = plain_folder(tmp_path, 3, 8, 40)
    images, scalar = images_of(made), made["meta"]["data_mean"].mean()
    train = provider("inet-rs-lr-cropped", tmp_path, False, 3, crop_border=2)
    rng = np.random.RandomState(3)
    assert train.data_dims == [192, 1]
    expected = expected_training(images, np.full((3, 8, 8), scalar), 0, 32, rng, mirror_only=True)
    np.testing.assert_allclose(train.get_batch(1)[0], expected, **TOLERANCE)
    whole = provider("inet-rs-lr-cropped", tmp_path, True, crop_border=2).get_batch(1)[0]
    np.testing.assert_allclose(whole, made["images"].reshape(192, 40) - scalar, **TOLERANCE)
    views = provider("inet-rs-lr-cropped", tmp_path, True, crop_border=2, multiview=True).get_batch(1)[0]
    for view, place in enumerate(ten_views(2)):
        for case, image in enumerate(images):
            expected = np.zeros((3, 8, 8))
            expected[:, 2:6, 2:6] = crop_one(image, place[0], place[1], 4, place[2]) - scalar
            np.testing.assert_allclose(views[:, view * 40 + case].reshape(3, 8, 8), expected, **TOLERANCE)


def jpeg_folder(path, sizes, labels, **more):
    """A triple of lists, as 2012's."""
    jpegs = [jpeg(height, width, seed) for seed, (height, width) in enumerate(sizes)]
    described = meta(3 * 16**2, **more)
    save(path / "batches.meta", described)
    names = [(f"image{index}.JPEG", label) for index, label in enumerate(labels)]
    save(path / "data_batch_1", (jpegs, sizes, names))
    return [decode(item) for item in jpegs], described


@few
@given(cases=st.sampled_from([1, 32, 45]), border=st.integers(0, 4), color=st.sampled_from([0.0, 0.3]))
def test_inet_jpeg_is_inet_cropped_of_decoded_images(tmp_path, cases, border, color):
    images, described = jpeg_folder(tmp_path, [(16, 16)] * cases, [index % 5 for index in range(cases)])
    mean = centre(described["data_mean"], 3, 16, border, False)
    train = provider("inet-lr-cropped-jpeg", tmp_path, False, 1, crop_border=border, color_noise=color)
    data, labels = train.get_batch(1)
    rng = np.random.RandomState(1)
    expected = expected_training(images, mean, border, 32, rng, color, described["color_pca"])
    # Decoders may differ by one grey level.
    np.testing.assert_allclose(data, expected, atol=1.01)
    assert np.abs(data - expected).mean() < 0.1
    assert labels.tolist() == [[index % 5 for index in range(cases)]]


def test_inet_jpeg_views_and_threads(tmp_path):
    images, described = jpeg_folder(tmp_path, [(16, 16)] * 40, [0] * 40)
    mean = centre(described["data_mean"], 3, 16, 3, False)
    data, labels = provider("inet-lr-cropped-jpeg", tmp_path, True, crop_border=3, multiview=True).get_batch(1)
    assert data.shape == (300, 400) and labels.shape == (1, 400)
    for view, place in enumerate(ten_views(3)):
        crops = [(crop_one(image, place[0], place[1], 10, place[2]) - mean).ravel() for image in images]
        np.testing.assert_allclose(data[:, view * 40 : view * 40 + 40], np.stack(crops, axis=1), atol=1.01)
    one = provider("inet-lr-cropped-jpeg", tmp_path, False, threads=1).get_batch(1)[0]
    assert (provider("inet-lr-cropped-jpeg", tmp_path, False, threads=5).get_batch(1)[0] == one).all()


def test_missing_labels_are_0_and_the_offset_is_added_to_known_ones(tmp_path):
    jpeg_folder(tmp_path, [(16, 16)] * 3, [None, -1, 2], label_offset=1)
    assert provider("inet-lr-cropped-jpeg", tmp_path, True).get_batch(1)[1].tolist() == [[0, 0, 3]]


def test_one_of_several_labels_is_drawn_before_anything_else(tmp_path):
    save(tmp_path / "batches.meta", meta(3 * 16**2))
    jpegs = [jpeg(16, 16, seed) for seed in range(3)]
    save(tmp_path / "data_batch_1", {"data": jpegs, "labels": [[4], [0, 1, 2], [3, 1]]})
    train = provider("inet-lr-cropped-jpeg", tmp_path, False, 9)
    rng = np.random.RandomState(9)
    seen = set()
    for _ in range(10):
        labels = train.get_batch(1)[1][0].tolist()
        expected = [4, [0, 1, 2][rng.randint(3)], [3, 1][rng.randint(2)]]
        rng.randint(9), rng.randint(9), rng.randint(2)
        assert labels == expected
        seen.add(tuple(labels))
    assert len(seen) > 2


def test_broken_jpegs_are_left_out_and_told(tmp_path):
    images, described = jpeg_folder(tmp_path, [(16, 16)] * 40, [index % 5 for index in range(40)])
    jpegs, sizes, names = BatchFolder(tmp_path).jpeg_batch(1), [], []
    broken = list(jpegs.jpegs)
    broken[0], broken[33], broken[35] = broken[0][:100], b"", b"not a JPEG"
    names = [(f"image{index}.JPEG", index % 5) for index in range(40)]
    save(tmp_path / "data_batch_1", (broken, sizes, names))
    told: list[str] = []
    good = [index for index in range(40) if index not in (0, 33, 35)]
    data, labels = provider("inet-lr-cropped-jpeg", tmp_path, True, multiview=True, warn=told.append).get_batch(1)
    assert labels.tolist() == [[index % 5 for index in good] * 10] and data.shape[1] == 370 and data.flags.c_contiguous
    (line,) = told
    assert "batch 1: 3 of 40 JPEGs do not decode and are left out: image0.JPEG, image33.JPEG, image35.JPEG" in line
    trained = provider("inet-lr-cropped-jpeg", tmp_path, False, 2, crop_border=2, warn=told.append).get_batch(1)[0]
    mean = centre(described["data_mean"], 3, 16, 2, False)
    expected = expected_training(images, mean, 2, 32, np.random.RandomState(2))
    np.testing.assert_allclose(trained, expected[:, good], atol=1.01)
    save(tmp_path / "data_batch_1", ([b""] * 2, [], [("a", 0), ("b", 1)]))
    with pytest.raises(DataError, match="batch 1: none of its 2 JPEGs decodes"):
        provider("inet-lr-cropped-jpeg", tmp_path, True).get_batch(1)


def test_images_of_another_size(tmp_path):
    sizes = [(16, 16), (9, 14), (16, 5)]
    images, described = jpeg_folder(tmp_path, sizes, [0, 1, 2])
    with pytest.raises(DataError, match=r"image1.JPEG is 9 x 14 .*should be 16 x 16"):
        provider("inet-lr-cropped-jpeg", tmp_path, True).get_batch(1)
    images, described = jpeg_folder(tmp_path, sizes, [0, 1, 2], no_crop=True)
    data = provider("inet-lr-cropped-jpeg", tmp_path, True, crop_border=1).get_batch(1)[0]
    scalar = described["data_mean"].mean()
    for case, (image, (height, width)) in enumerate(zip(images, sizes, strict=True)):
        canvas = np.full((3, 16, 16), scalar)
        top, left = (16 - height) // 2, (16 - width) // 2
        canvas[:, top : top + height, left : left + width] = image
        np.testing.assert_allclose(data[:, case].reshape(3, 14, 14), canvas[:, 1:15, 1:15] - scalar, atol=1.01)
    jpeg_folder(tmp_path, [(16, 17)], [0], no_crop=True)
    with pytest.raises(DataError, match=r"image0.JPEG is 16 x 17 .*at most 16 x 16"):
        provider("inet-lr-cropped-jpeg", tmp_path, True).get_batch(1)


def test_a_hundred_megapixels_are_not_decoded(tmp_path):
    stream = io.BytesIO()
    Image.new("L", (10000, 10000)).save(stream, "JPEG")
    for more in ({}, {"no_crop": True}):
        save(tmp_path / "batches.meta", meta(768, **more))
        save(tmp_path / "data_batch_1", ([jpeg(16, 16, 0), stream.getvalue()], [], [("a", 0), ("large", 1)]))
        with pytest.raises(DataError, match=r"large is 10000 x 10000 .*should be (at most )?16 x 16"):
            provider("inet-lr-cropped-jpeg", tmp_path, True).get_batch(1)
    assert "10000 x 10000 pixels, more than" in verify(tmp_path)[0][0]


def test_flickr_has_a_row_per_tag(tmp_path):
    jpegs = [jpeg(16, 16, seed) for seed in range(4)]
    save(tmp_path / "batches.meta", meta(768, freq_to_id={"newyork": 0, "sea": 2, "sky": 1}))
    save(tmp_path / "data_batch_1", (jpegs, [], [["New York", "SKY"], [" s e\ta "], [], ["unknown", "sky", "sky"]]))
    train = provider("flickr-ce-cropped", tmp_path, False)
    data, tags = train.get_batch(1)
    assert train.data_dims == [192, 5] and data.shape == (192, 4)
    assert tags.T.tolist() == [[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]]


def test_flatmem(tmp_path):
    made = plain_folder(tmp_path, 1, 3, 6)
    data, targets = provider("flatmem", tmp_path, False).get_batch(1)
    assert (data == made["images"].reshape(9, 6)).all()
    assert targets.T.tolist() == np.eye(5)[made["labels"]].tolist()


def test_pca_noise_lies_along_the_components_of_the_images(tmp_path):
    rng = np.random.RandomState(0)
    directions = rng.randn(2, 27)
    data = (100 + rng.randn(400, 2) * [20, 5] @ directions).T
    save(tmp_path / "batches.meta", meta(27))
    save(tmp_path / "data_batch_1", {"data": data.astype(np.float32), "labels": [0] * 400})
    noisy = provider("inet-lr-cropped", tmp_path, False, 4, crop_border=0, pca_noise=0.5)
    plain = provider("inet-lr-cropped", tmp_path, False, 4, crop_border=0)
    noise = (noisy.get_batch(1)[0] * 1.5 - plain.get_batch(1)[0]) / 0.5
    covariance = np.cov(data)
    assert np.linalg.matrix_rank(noise, tol=1) == 2
    assert np.abs(np.cov(noise) - covariance).max() < 0.25 * np.abs(covariance).max()


def test_a_resumed_provider_draws_and_adds_the_same(tmp_path):
    plain_folder(tmp_path, 3, 8, 70)
    noise = {"crop_border": 2, "color_noise": 0.2, "pca_noise": 0.3}
    train = provider("inet-lr-cropped", tmp_path, False, 1, **noise)
    train.get_batch(1)
    state = train.get_state()
    expected = train.get_batch(1)[0]
    again = provider("inet-lr-cropped", tmp_path, False, 8, **noise)
    again.set_state(state)
    assert again.get_batch(1)[0].tobytes() == expected.tobytes()


def test_plottable_data_are_the_images(tmp_path):
    made = plain_folder(tmp_path, 3, 8, 3)
    tested = provider("cifar-cropped", tmp_path, True, crop_border=1)
    shown = tested.get_plottable_data(tested.get_batch(1)[0])
    np.testing.assert_allclose(shown, made["images"][:, 1:7, 1:7].transpose(3, 1, 2, 0) / 255, atol=1e-5)


def test_mistakes_are_one_line(tmp_path):
    plain_folder(tmp_path, 3, 8, 3)
    with pytest.raises(UsageError, match="--crop-border: got 4, which leaves nothing of images of 8 x 8"):
        provider("inet-lr-cropped", tmp_path, True)
    with pytest.raises(DataError, match="should hold JPEGs"):
        provider("inet-lr-cropped-jpeg", tmp_path, True, crop_border=1).get_batch(1)
    save(tmp_path / "batches.meta", {"num_vis": 192})
    with pytest.raises(DataError, match="no data_mean, which provider 'inet-lr-cropped' needs"):
        provider("inet-lr-cropped", tmp_path, True, crop_border=1)
    save(tmp_path / "batches.meta", {**meta(192), "color_pca": 3})
    with pytest.raises(DataError, match="needs a color_pca"):
        provider("inet-lr-cropped", tmp_path, False, crop_border=1, color_noise=0.1).get_batch(1)
    save(tmp_path / "batches.meta", meta(190))
    with pytest.raises(DataError, match="num_vis is 190, provider 'cifar-cropped' takes square images"):
        provider("cifar-cropped", tmp_path, False)
    with pytest.raises(DataError, match="no freq_to_id"):
        save(tmp_path / "batches.meta", meta(192))
        provider("flickr-ce-cropped", tmp_path, False, crop_border=1)
