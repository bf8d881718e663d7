"""Providers and batch folders: matrices as the net takes them, and one line for data that cannot be used (spec 5)."""

from __future__ import annotations

import gzip
import pickle

import numpy as np
import pytest
from small_data import make_batch, write_pickle

from convnet_py.data.batch_folder import BatchFolder
from convnet_py.data.providers import ProviderSettings, make_provider, needs_path, own_provider
from convnet_py.errors import DataError, UsageError
from convnet_py.options import BatchRange


def make(name, path=None, batches=None, test=True, seed=0, **more):
    return make_provider(name, ProviderSettings(path, batches, test, np.random.RandomState(seed), **more))


def check_matrices(provider, matrices):
    assert [matrix.shape[0] for matrix in matrices] == provider.data_dims
    assert len({matrix.shape[1] for matrix in matrices}) == 1
    for index, matrix in enumerate(matrices):
        assert matrix.dtype == np.float32 and matrix.flags.c_contiguous and matrix.flags.writeable
        assert provider.get_data_dims(index) == matrix.shape[0]


@pytest.mark.parametrize(
    ("name", "dims"), [("default", [12]), ("memory", [12]), ("labeled", [12, 1]), ("labeled-memory", [12, 1])]
)
def test_plain_providers(data_folder, name, dims):
    provider = make(name, data_folder, BatchRange(1, 5))
    matrices = provider.get_batch(2)
    check_matrices(provider, matrices)
    expected = make_batch(2)
    assert provider.data_dims == dims and provider.num_classes == 4
    assert (matrices[0] == expected["data"]).all()
    if len(dims) == 2:
        assert matrices[1].tolist() == [expected["labels"]]


def test_memory_providers_read_a_batch_once_and_keep_it_unchanged(data_folder):
    provider = make("labeled-memory", data_folder, BatchRange(1, 1))
    first = provider.get_batch(1)
    (data_folder / "data_batch_1").unlink()
    first[0] += 1
    assert (provider.get_batch(1)[0] == make_batch(1)["data"]).all()


@pytest.fixture
def cifar_folder(tmp_path):
    rng = np.random.RandomState(1)
    mean = rng.rand(3072, 1) * 255
    names = [f"class{number}" for number in range(10)]
    write_pickle(tmp_path / "batches.meta", {"num_vis": 3072, "data_mean": mean, "label_names": names})
    data = rng.randint(0, 256, (3072, 7)).astype(np.uint8)
    write_pickle(tmp_path / "data_batch_1", {"data": data, "labels": [0, 9, 3, 3, 1, 5, 8]})
    return tmp_path, mean, data


def test_cifar(cifar_folder):
    path, mean, data = cifar_folder
    provider = make("cifar", path, BatchRange(1, 1))
    matrices = provider.get_batch(1)
    check_matrices(provider, matrices)
    assert provider.data_dims == [3072, 1, 10]
    np.testing.assert_allclose(matrices[0], data - mean, atol=1e-4)
    assert matrices[2].argmax(axis=0).tolist() == [0, 9, 3, 3, 1, 5, 8]
    assert matrices[2].sum(axis=0).tolist() == [1] * 7


def test_scalar_mean(cifar_folder):
    path, mean, data = cifar_folder
    provider = make("cifar", path, BatchRange(1, 1), scalar_mean=1)
    np.testing.assert_allclose(provider.get_batch(1)[0], data - mean.mean(), atol=1e-4)


def test_cifar_wants_cifar(data_folder):
    with pytest.raises(DataError, match="num_vis is 12, provider 'cifar' takes 3072"):
        make("cifar", data_folder)


def test_split_and_zipped_batches(data_folder):
    batch = make_batch(9, 10)
    for part, columns in ((1, slice(0, 4)), (2, slice(4, 9)), (10, slice(9, 10))):
        piece = {"data": batch["data"][:, columns], "labels": batch["labels"][columns]}
        (data_folder / f"data_batch_9.{part}").write_bytes(gzip.compress(pickle.dumps(piece, 2)))
    joined = BatchFolder(data_folder).batch(9)
    assert (joined.data == batch["data"]).all()
    assert joined.labels.tolist() == [batch["labels"]]


@pytest.mark.parametrize(
    ("name", "dims"),
    [("dummy-12", [12]), ("dummy-labeled-12", [12, 1]), ("dummy-lr-12", [12, 1, 1, 10]), ("dummy-ce-12", [12, 16])],
)
def test_dummy_providers(name, dims):
    provider = make(name)
    matrices = provider.get_batch(1)
    check_matrices(provider, matrices)
    assert provider.data_dims == dims
    assert matrices[0].shape[1] == (16 if "ce" in name else 512)
    assert matrices[0].min() >= 0 and matrices[0].max() < 1
    assert not (provider.get_batch(1)[0] == matrices[0]).all()
    assert (make(name).get_batch(1)[0] == matrices[0]).all()
    assert not (make(name, seed=1).get_batch(1)[0] == matrices[0]).all()


def test_dummy_sizes_and_tree():
    provider = make("dummy-lr-5", dummy_cases=30, dummy_classes=4)
    _, labels, _, targets = provider.get_batch(1)
    assert labels.shape == (1, 30) and labels.max() == 3
    assert (targets.argmax(axis=0) == labels).all() and targets.sum() == 30
    assert "tree" not in provider.batch_meta
    meta = make("dummy-lr-5").batch_meta
    assert len(meta["tree"]) == 17 and meta["tree"][16] == [14, 15] and meta["all_wnids"]["gproot"] == 16


def test_digits():
    pytest.importorskip("sklearn")
    train, test = (make("digits", batches=BatchRange(1, 5), test=test) for test in (False, True))
    cases = [train.get_batch(number)[0].shape[1] for number in range(1, 6)]
    assert sum(cases) == 1438 and max(cases) - min(cases) <= 1
    images, labels = test.get_batch(6)
    check_matrices(test, [images, labels])
    assert images.shape == (64, 359)
    from sklearn.datasets import load_digits

    digits = load_digits()
    expected = digits.images[4] / 16 - np.delete(digits.images, np.arange(4, 1797, 5), axis=0).mean(axis=0) / 16
    np.testing.assert_allclose(images[:, 0], expected.ravel(), atol=1e-6)
    assert labels[0].tolist() == digits.target[4::5].tolist()
    assert not np.array_equal(train.get_batch(1)[0], train.get_batch(1)[0])
    assert np.array_equal(test.get_batch(6)[0], images)


def test_state_goes_on():
    provider = make("dummy-4")
    provider.get_batch(1)
    state = provider.get_state()
    expected = provider.get_batch(1)[0]
    provider.set_state(state)
    assert (provider.get_batch(1)[0] == expected).all()


@pytest.mark.parametrize("name", ["cifer", "dummy-", "dummy-x", "dummy-0", "dummy-lr-", "../x"])
def test_unknown_providers(name):
    with pytest.raises(UsageError, match=r"takes one of default, memory, .*dummy-lr-N"):
        make(name)


def test_own_provider(data_folder):
    assert own_provider(data_folder) == "labeled-memory"
    write_pickle(data_folder / "batches.meta", {"num_vis": 12})
    with pytest.raises(DataError, match="names no provider"):
        own_provider(data_folder)
    assert needs_path("cifar") and not needs_path("dummy-3")


BAD_BATCHES = {
    "should be a dictionary": [1, 2],
    "with an array 'data'": {"labels": [0]},
    "data is 40 x 12 of uint8, should be 12 .num_vis. x cases; its transpose would fit": {
        **make_batch(1),
        "data": make_batch(1)["data"].T,
    },
    "data is 11 x 40": {**make_batch(1), "data": make_batch(1)["data"][1:]},
    "has no cases": {"data": np.zeros((12, 0), np.uint8), "labels": []},
    "data holds nan .first at value 3 of case 5.": {
        **make_batch(1),
        "data": np.where(np.arange(480).reshape(12, 40) == 125, np.nan, 1.0),
    },
    "data holds inf": {**make_batch(1), "data": np.full((12, 40), np.inf, np.float32)},
    "has 39 labels for 40 cases": {**make_batch(1), "labels": [0] * 39},
    "label 4 of case 2 is out of range, should be from 0 to 3": {**make_batch(1), "labels": [0, 3, 4] + [0] * 37},
    "label -1 of case 0 is out of range": {**make_batch(1), "labels": [-1] + [0] * 39},
    "label 0.5 of case 0": {**make_batch(1), "labels": [0.5] + [0] * 39},
    "label nan of case 0": {**make_batch(1), "labels": [np.nan] + [0] * 39},
    "labels are not numbers": {**make_batch(1), "labels": ["a"] * 40},
    "has no labels": {"data": make_batch(1)["data"]},
}


@pytest.mark.parametrize("message", BAD_BATCHES)
def test_bad_batches_are_one_line(data_folder, message):
    write_pickle(data_folder / "data_batch_1", BAD_BATCHES[message])
    provider = make("labeled-memory", data_folder, BatchRange(1, 1))
    with pytest.raises(DataError, match=message) as caught:
        provider.get_batch(1)
    assert "\n" not in str(caught.value)


BAD_META = {
    "holds a list, should be a dictionary": [],
    "num_vis is None": {},
    "num_vis is 'x'": {"num_vis": "x"},
    "num_vis is 0": {"num_vis": 0},
    "data_mean has 3 values, should have num_vis = 12": {"num_vis": 12, "data_mean": np.zeros(3)},
    "data_mean is not numeric": {"num_vis": 12, "data_mean": ["a"] * 12},
    "data_mean holds NaN": {"num_vis": 12, "data_mean": np.full(12, np.nan)},
    "label_names should be a list": {"num_vis": 12, "label_names": "abcd"},
}


@pytest.mark.parametrize("message", BAD_META)
def test_bad_metadata_is_one_line(data_folder, message):
    write_pickle(data_folder / "batches.meta", BAD_META[message])
    with pytest.raises(DataError, match=message):
        make("default", data_folder)


def test_folders_that_are_none(tmp_path, data_folder):
    with pytest.raises(DataError, match="no such data folder"):
        make("default", tmp_path / "none")
    with pytest.raises(DataError, match="not a folder"):
        make("default", data_folder / "data_batch_1")
    with pytest.raises(DataError, match=r"no batches\.meta in this folder"):
        make("default", tmp_path)


def test_missing_batches_are_named_before_anything_starts(data_folder):
    with pytest.raises(DataError, match=r"--train-range 4-8: .* has no batch 6, 7, 8 \(it has 1, 2, 3, 4, 5\)"):
        make("default", data_folder, BatchRange(4, 8), test=False)
