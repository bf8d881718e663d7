"""Training and testing on crops, views and predictions with the rebuilt engine, end to end (spec 4.1, 5.2, 5.3)."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from small_data import write_pickle

from convnet_py import checkpoint

LAYERS = """
[data]
type=data
dataIdx=0
[labels]
type=data
dataIdx=1
[fc]
type=fc
inputs=data
outputs=3
initW=0.001
gpu=0
[probs]
type=softmax
inputs=fc
[logprob]
type=cost.logreg
inputs=labels,probs
gpu=0
"""


@pytest.fixture
def arguments(tmp_path: Path, net) -> list[str]:
    """Images of 8 x 8 with three channels, whose class is the channel that is brightest."""
    net[0].write_text(LAYERS)
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.RandomState(0)
    meta = {"num_vis": 192, "data_mean": np.full(192, 90.0), "label_names": list("rgb"), "dp_type": "inet-lr-cropped",
            "color_pca": (np.array([9.0, 4.0, 1.0]), np.eye(3))}  # fmt: skip
    write_pickle(folder / "batches.meta", meta)
    for number, cases in enumerate((70, 40, 33, 50), 1):
        labels = rng.randint(0, 3, cases)
        data = rng.randint(0, 120, (3, 64, cases))
        data[labels, :, np.arange(cases)] += 100
        write_pickle(
            folder / f"data_batch_{number}", {"data": data.reshape(192, cases).astype(np.uint8), "labels": labels}
        )
    return [f"--data-path={folder}", "--train-range=1-2", "--test-range=3-4", f"--save-path={tmp_path / 'save'}",
            f"--layer-def={net[0]}", f"--layer-params={net[1]}", "--epochs=6", "--test-freq=2", "--mini=16",
            "--crop-border=2", "--color-noise=0.1", "--pca-noise=0.1", "--threads=2"]  # fmt: skip


def test_a_run_learns_and_writes_predictions_of_ten_views(arguments, historic, tmp_path):
    result = historic(*arguments)
    assert result.returncode == 0, result.stderr
    (run,) = (tmp_path / "save").iterdir()
    out = tmp_path / "predictions"
    tested = historic(f"-f{run}", "--test-only=1", "--multiview-test=1", f"--test-out={out}")
    assert tested.returncode == 0, tested.stderr
    assert "batches 3-4, 83 cases" in tested.stdout
    for number, cases in ((3, 33), (4, 50)):
        written = pickle.loads((out / f"test_preds_{number}").read_bytes(), encoding="latin1")
        assert written["data"].shape == (cases, 3) and written["data"].dtype == np.float32
        np.testing.assert_allclose(written["data"].sum(axis=1), 1, rtol=1e-5)
        assert (written["data"].argmax(axis=1) == written["labels"]).mean() > 0.9


def test_views_are_averaged(arguments, historic, tmp_path):
    assert historic(*arguments).returncode == 0
    (run,) = (tmp_path / "save").iterdir()
    out = tmp_path / "predictions"
    assert historic(f"-f{run}", "--test-only=1", "--multiview-test=1", f"--test-out={out}").returncode == 0
    layers = checkpoint.load(checkpoint.find(run)).layers["fc"]
    from convnet_py.data.providers import ProviderSettings, make_provider
    from convnet_py.options import BatchRange

    folder = Path(arguments[0].removeprefix("--data-path="))
    settings = ProviderSettings(folder, BatchRange(3, 3), True, np.random.RandomState(0), multiview=True, crop_border=2)
    data = make_provider("inet-lr-cropped", settings).get_batch(3)[0]
    scores = data.T @ layers["weights"][0] + layers["biases"]
    probs = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    written = pickle.loads((out / "test_preds_3").read_bytes(), encoding="latin1")["data"]
    np.testing.assert_allclose(written, probs.reshape(10, 33, 3).mean(axis=0), rtol=1e-3, atol=1e-6)


def test_resumed_equals_uninterrupted_with_all_noise(arguments, historic, tmp_path):
    def weights(folder: Path) -> bytes:
        (run,) = folder.iterdir()
        return checkpoint.load(checkpoint.find(run)).layers["fc"]["weights"][0].tobytes()

    whole = [item for item in arguments if not item.startswith(("--save", "--epochs"))]
    assert historic(*whole, "--epochs=4", f"--save-path={tmp_path / 'a'}").returncode == 0
    assert historic(*whole, "--epochs=2", f"--save-path={tmp_path / 'b'}").returncode == 0
    (run,) = (tmp_path / "b").iterdir()
    assert historic(f"-f{run}", "--epochs=4").returncode == 0
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_mistakes_are_one_line(arguments, historic, tmp_path):
    for more, message in (
        (
            ["--test-out=x", "--multiview-test=1", "--logreg-name=fc"],
            "--logreg-name: got 'fc', this net's",
        ),
        (["--test-out=x"], "--test-out: needs --multiview-test=1"),
        (["--data-provider=labeled", "--multiview-test=1"], "'labeled' gives a single view of each image"),
    ):
        result = historic(*arguments, *more)
        assert result.returncode == 2 and message in result.stderr and len(result.stderr.splitlines()) <= 7, (
            result.stderr
        )
        assert "Traceback" not in result.stderr and not (tmp_path / "save").exists()
