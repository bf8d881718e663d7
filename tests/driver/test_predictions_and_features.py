"""The tools of the release: averaged predictions, their errors, as text; nearest features (spec 4.5)."""

from __future__ import annotations

import numpy as np
import pytest
from small_data import make_batch, write_pickle

from convnet_py import features, predictions
from convnet_py.data import safe_pickle


@pytest.fixture
def folders(tmp_path):
    """Two nets' predictions for batches 4 and 5 of the small data: 40 cases, 4 classes."""
    made = []
    for seed, name in enumerate("ab"):
        folder = tmp_path / name
        folder.mkdir()
        for number in (4, 5):
            probs = np.random.RandomState(10 * number + seed).dirichlet(np.ones(4), 40).astype(np.float32)
            value = {"data": probs, "labels": make_batch(number)["labels"]} if name == "a" else probs
            write_pickle(folder / f"test_preds_{number}", value)
        made.append(folder)
    return made


def _probs(folder, number):
    return predictions.read_predictions(folder / f"test_preds_{number}").probabilities


def test_average_with_coefficients(folders, convnet, tmp_path):
    out = tmp_path / "new" / "out"
    result = convnet("predictions", "average", *map(str, folders), f"--out={out}", "--coeffs=3,1")
    assert result.returncode == 0, result.stderr
    for number in (4, 5):
        expected = (3 * _probs(folders[0], number) + _probs(folders[1], number)) / 4
        np.testing.assert_allclose(_probs(out, number), expected, rtol=1e-6)
        assert safe_pickle.load(out / f"test_preds_{number}")["labels"] == make_batch(number)["labels"]
    again = convnet("predictions", "average", *map(str, folders), f"--out={out}")
    assert again.returncode == 1 and "exists already" in again.stderr


def test_error(folders, convnet, data_folder):
    result = convnet("predictions", "error", str(folders[1]), f"--data-path={data_folder}", "--top-k=2")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["batch 4", "batch 5", "all"]
    probs = np.concatenate([_probs(folders[1], number) for number in (4, 5)])
    labels = np.concatenate([make_batch(number)["labels"] for number in (4, 5)])
    order = np.argsort(-probs, axis=1)
    first, second = np.mean(order[:, 0] != labels), 1 - np.mean((order[:, :2] == labels[:, None]).any(axis=1))
    logprob = -np.log(probs[np.arange(80), labels]).mean()
    assert lines[-1] == f"all, 80 cases: logprob {logprob:.6f}, top-1 error {first:.6f}, top-2 error {second:.6f}"
    # With the labels in the files, no data is needed.
    alone = convnet("predictions", "error", str(folders[0]), "--top-k=2")
    assert alone.returncode == 0 and alone.stdout.startswith("batch 4, 40 cases: logprob ")


def test_ties_count_in_part():
    tied = predictions.errors(np.full((3, 4), 0.25), np.array([0, 1, 3]), 2)
    np.testing.assert_allclose(tied, [3 * np.log(4), 3 * 3 / 4, 3 / 2])


def test_text(folders, convnet, data_folder):
    result = convnet("predictions", "text", str(folders[1]), f"--data-path={data_folder}", "--top-k=2")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 80
    row, label = _probs(folders[1], 4)[0], make_batch(4)["labels"][0]
    best = np.argsort(-row)[:2]
    expected = ", ".join(f"{'abcd'[place]} {row[place]:.4f}" for place in best)
    assert lines[0] == f"4.0 [{'abcd'[label]}]: {expected}"
    unnamed = convnet("predictions", "text", str(folders[1]), "--top-k=1")
    assert unnamed.stdout.splitlines()[0] == f"4.0: {best[0]} {row[best[0]]:.4f}"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a, b: (b / "test_preds_5").unlink(), "has other batches than"),
        (lambda a, b: (b / "test_preds_5").write_bytes(b""), "test_preds_5: an empty file"),
        (lambda a, b: (b / "test_preds_5").write_bytes((a / "test_preds_5").read_bytes()[:99]), "a damaged one"),
        (lambda a, b: write_pickle(b / "test_preds_5", np.zeros((40, 3))), "is 40 x 3 (cases x classes)"),
        (lambda a, b: write_pickle(b / "test_preds_5", np.full((40, 4), np.nan)), "case 0 are NaN"),
        (lambda a, b: write_pickle(b / "test_preds_5", {"labels": [1]}), "should hold probabilities"),
        (lambda a, b: write_pickle(b / "test_preds_5", {"data": np.zeros((40, 4)), "labels": [9] * 40}), "label 9"),
        (lambda a, b: write_pickle(b / "test_preds_5", {"data": np.zeros((40, 4)), "labels": [0] * 40}), "same images"),
    ],
)
def test_bad_predictions_are_one_line_and_nothing_is_left(spoil, message, folders, convnet, tmp_path):
    spoil(*folders)
    before = sorted(tmp_path.iterdir())
    result = convnet("predictions", "average", *map(str, folders), f"--out={tmp_path / 'out'}")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert message in line
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["error", "{b}"], 1, "has no labels; --data-path names"),
        (["error", "{data}"], 1, "has no predictions (test_preds_N"),
        (["error", "{b}", "--data-path={b}"], 1, "no batches.meta in this folder"),
        (["error", "{a}", "--top-k=5"], 2, "--top-k: got 5, there are 4 classes"),
        (["error", "{a}", "--top-k=0"], 2, "takes an integer of at least 1"),
        (["average", "{a}", "{b}", "--out=x", "--coeffs=1"], 2, "got 1 numbers for 2 folders"),
        (["average", "{a}", "{b}", "--out=x", "--coeffs=1,-1"], 2, "takes numbers of at least 0"),
        (["text", "{a}/none"], 1, "no such folder of predictions"),
    ],
)
def test_mistakes_with_predictions(arguments, status, message, folders, convnet, data_folder):
    names = {"{a}": folders[0], "{b}": folders[1], "{data}": data_folder}
    for name, path in names.items():
        arguments = [word.replace(name, str(path)) for word in arguments]
    result = convnet("predictions", *arguments)
    assert result.returncode == status, result.stderr
    (line,) = result.stderr.splitlines()
    assert message in line


@pytest.fixture
def feature_folder(tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    write_pickle(folder / "batches.meta", {"source_model": "net/9.5", "num_vis": 2, "label_names": ["cat", "dog"]})
    write_pickle(folder / "data_batch_6", {"data": np.float32([[0, 1], [3, 4], [0, 1.5]]), "labels": [0, 1, 0]})
    write_pickle(folder / "data_batch_10", {"data": np.float32([[0, 100], [1, 1]]), "labels": np.array([[1, 1]])})
    return folder


def test_nearest(feature_folder, convnet):
    result = convnet("features", "nearest", str(feature_folder), "--case=6.0", "--count=3")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "6.0  cat, features of net/9.5",
        "  1  0.500000  6.2  cat",
        "  2  1.000000  10.1  dog",
        "  3  4.242641  6.1  dog",
    ]
    by_angle = convnet("features", "nearest", str(feature_folder), "--case=6.0", "--count=2", "--distance=cosine")
    assert [line.split()[1:3] for line in by_angle.stdout.splitlines()[1:]] == [
        ["0.000000", "6.2"],
        ["0.000000", "10.0"],
    ]


def test_features_without_length_are_like_nothing():
    away = features.distances(np.float32([[0, 0], [1, 1]]), np.float32([2, 2]), "cosine")
    np.testing.assert_allclose(away, [1, 0], atol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--case=6.3"], 2, "has cases 6.0 to 10.1"),
        (["--case=6"], 2, "takes batch and case, such as 6.17"),
        (["--case=6.0", "--count=0"], 2, "takes an integer of at least 1"),
        ([], 2, "the following arguments are required: --case"),
    ],
)
def test_mistakes_with_features(arguments, status, message, feature_folder, convnet):
    result = convnet("features", "nearest", str(feature_folder), *arguments)
    assert result.returncode == status
    (line,) = result.stderr.splitlines()
    assert message in line


def test_a_folder_of_images_is_not_one_of_features(data_folder, convnet):
    result = convnet("features", "nearest", str(data_folder), "--case=1.0")
    (line,) = result.stderr.splitlines()
    assert result.returncode == 1 and "its transpose would fit: a batch of images, not of features?" in line
