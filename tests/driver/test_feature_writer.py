"""``convnet show --write-features``: what is in the folder, what is refused, and that nothing is left half written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convnet_py.data import safe_pickle
from convnet_py.features import read_features


@pytest.fixture
def saved(arguments: list[str], convnet) -> str:
    """A trained net's folder of checkpoints."""
    done = convnet("train", *arguments)
    assert done.returncode == 0, done.stderr
    return str(next(Path(next(a for a in arguments if "save-path" in a).partition("=")[2]).iterdir()))


def test_features_are_the_outputs_of_the_test_range(saved: str, convnet, tmp_path: Path) -> None:
    out = tmp_path / "features"
    done = convnet("show", f"-f={saved}", "--write-features=probs", f"--feature-path={out}")
    assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["batches.meta", "data_batch_4", "data_batch_5"]
    features = read_features(out)
    assert features.values.shape == (80, 4) and features.label_names == list("abcd")
    assert features.source_model.startswith(saved)
    np.testing.assert_allclose(features.values.sum(axis=1), 1, rtol=1e-5)
    # The most probable class is wrong as often as a test of the same net says.
    tested = convnet("test", "-f", saved)
    wrong = float(np.mean(features.values.argmax(axis=1) != features.labels))
    assert f", {wrong:.6f}, " in tested.stdout.splitlines()[-1]
    # What they are for.
    nearest = convnet("features", "nearest", str(out), "--case=4.0", "--count=3")
    assert nearest.returncode == 0 and len(nearest.stdout.splitlines()) == 4


def test_a_range_may_be_given(saved: str, convnet, tmp_path: Path) -> None:
    out = tmp_path / "features"
    done = convnet("show", f"-f={saved}", "--write-features=fc", f"--feature-path={out}", "--test-range=1")
    assert done.returncode == 0, done.stderr
    batch = safe_pickle.load(out / "data_batch_1")
    assert batch["data"].shape == (40, 4) and batch["data"].dtype == np.float32 and len(batch["labels"]) == 40
    assert not (out / "data_batch_4").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--write-features=other"], "--write-features: no layer 'other' with outputs in this net, which has data, "),
        (["--write-features=logprob"], "--write-features: no layer 'logprob' with outputs"),
        (["--write-features=probs", "--test-range=77"], "batch 77"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(options, message, saved: str, convnet, tmp_path: Path) -> None:
    out = tmp_path / "features"
    done = convnet("show", f"-f={saved}", f"--feature-path={out}", *options)
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1
    assert message in done.stderr, done.stderr
    assert not list(tmp_path.glob("*features*"))


def test_an_existing_folder_stays(saved: str, convnet, tmp_path: Path) -> None:
    out = tmp_path / "features"
    out.mkdir()
    (out / "mine").write_text("x")
    done = convnet("show", f"-f={saved}", "--write-features=fc", f"--feature-path={out}")
    assert done.returncode == 1 and "nothing is overwritten" in done.stderr
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_options_that_belong_together(saved: str, convnet) -> None:
    alone = convnet("show", f"-f={saved}", "--write-features=fc")
    assert (alone.returncode, alone.stderr.count("\n")) == (2, 1) and "needs --feature-path" in alone.stderr
    other = convnet("show", f"-f={saved}", "--test-range=4")
    assert other.returncode == 2 and "--test-range: means something with --write-features only" in other.stderr
