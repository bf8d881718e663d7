"""Checkpoints: everything comes back, writes are atomic, damage is one line, old ones go first (spec 4.1, 4.3)."""

from __future__ import annotations

import os
import pickle
import signal
from dataclasses import replace

import h5py
import numpy as np
import pytest

from convnet_py import checkpoint
from convnet_py.checkpoint import Checkpoint, Outcome
from convnet_py.errors import CheckpointError


def _make(epoch: int = 1, batch: int = 2, rows: int = 3) -> Checkpoint:
    rng = np.random.RandomState(epoch * 100 + batch)
    layer = {
        "name": "fc/1.a",
        "type": "fc",
        "inputs": ["data"],
        "weights": [rng.randn(rows, 5).astype(np.float32), np.asfortranarray(rng.randn(4, 5))],
        "biases": np.zeros((1, 0), np.float32),
        "tree": {3: [0, 1], 4: [2, 3]},
        "rate": np.float64(0.1),
        "count": np.int32(7),
        "none": None,
        "pair": (1, "x"),
        "inputLayers": [{"a": object()}],
        "$odd/key..": True,
    }
    outcomes = [Outcome({"a": [0.1, 1 / 3], "b": [5.0]}, 7, 1), Outcome({"a": [1e300, np.pi]}, 128, 2)]
    return Checkpoint(
        options={"epochs": "3"},
        layers={"fc/1.a": layer, "data": {"name": "data", "type": "data"}},
        epoch=epoch,
        batch=batch,
        test_batch=4,
        train_outputs=outcomes,
        test_outputs=outcomes[:1],
        train_random=rng.get_state(),
        test_random=None,
        engine="rebuilt",
        engine_state={"updates": np.array([1], np.int64), "scalar": np.array(2.5), "none": np.zeros(0, np.float32)},
    )


@pytest.mark.parametrize("compress", [False, True])
def test_everything_comes_back(tmp_path, compress):
    saved = _make()
    path = checkpoint.save(saved, tmp_path, compress=compress)
    assert path.name == "1.2"
    loaded = checkpoint.load(path)
    assert list(loaded.layers) == ["fc/1.a", "data"]
    before, after = dict(saved.layers["fc/1.a"]), loaded.layers["fc/1.a"]
    del before["inputLayers"]
    assert list(after) == list(before)
    for one, other in zip(before.pop("weights"), after.pop("weights"), strict=True):
        assert one.dtype == other.dtype and one.tobytes() == other.tobytes()
        assert one.flags.f_contiguous == other.flags.f_contiguous and other.flags.writeable
    assert after.pop("biases").shape == before.pop("biases").shape
    assert after == before
    for name in ("options", "test_batch", "train_outputs", "test_outputs", "test_random", "engine"):
        assert getattr(loaded, name) == getattr(saved, name)
    np.random.RandomState().set_state(loaded.train_random)
    assert loaded.train_random[1].tobytes() == saved.train_random[1].tobytes()
    for name, array in saved.engine_state.items():
        assert loaded.engine_state[name].dtype == array.dtype
        assert loaded.engine_state[name].shape == array.shape
        assert (loaded.engine_state[name] == array).all()


def test_compression_makes_it_smaller(tmp_path):
    saved = _make()
    saved.layers["fc/1.a"]["weights"] = [np.zeros((300, 300), np.float32)]
    sizes = []
    for compress in (False, True):
        sizes.append(checkpoint.save(saved, tmp_path, compress=compress).stat().st_size)
    assert sizes[1] < sizes[0] / 5


def test_an_interrupt_waits_for_the_save(tmp_path, monkeypatch):
    replace_file = os.replace

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        replace_file(*arguments)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(_make(), tmp_path)
    assert checkpoint.load(tmp_path / "1.2").epoch == 1
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_a_crash_before_the_rename_leaves_the_old_one(tmp_path, monkeypatch, failing):
    path = checkpoint.save(_make(), tmp_path)
    before = path.read_bytes()

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, failing, crash)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(replace(_make(rows=9)), tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_nothing_that_is_taken_for_a_checkpoint(tmp_path):
    path = checkpoint.save(_make(), tmp_path)
    (tmp_path / ".1.3.partial").write_bytes(path.read_bytes()[:1000])
    assert checkpoint.find(tmp_path) == path


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"1\.2: cannot be written: No space left on device"):
        checkpoint.save(_make(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_natural_order(tmp_path):
    for epoch, batch in ((1, 9), (1, 10), (2, 1), (10, 1), (9, 50)):
        checkpoint.save(_make(epoch, batch), tmp_path)
    (tmp_path / "filters-99.9.png").write_bytes(b"")
    assert [path.name for path in checkpoint.checkpoints_in(tmp_path)] == ["1.9", "1.10", "2.1", "9.50", "10.1"]
    assert checkpoint.find(tmp_path).name == "10.1"


def test_older_files_go_first_and_the_newest_stays(tmp_path):
    for batch in (1, 2, 3):
        path = checkpoint.save(_make(1, batch, rows=50000), tmp_path)
        os.utime(path, (batch, batch))
    size = path.stat().st_size / 2**20
    checkpoint.save(_make(1, 4, rows=50000), tmp_path, limit_mb=2.5 * size)
    assert [path.name for path in checkpoint.checkpoints_in(tmp_path)] == ["1.3", "1.4"]
    checkpoint.save(_make(1, 5, rows=50000), tmp_path, limit_mb=0.001)
    assert [path.name for path in checkpoint.checkpoints_in(tmp_path)] == ["1.5"]


def test_no_folder_is_used_twice(tmp_path):
    folders = {checkpoint.new_folder(tmp_path) for _ in range(3)}
    assert len(folders) == 3


@pytest.mark.parametrize("cut", [0, 10, 600, -1, -1000])
def test_truncated_files_are_one_line(tmp_path, cut):
    path = checkpoint.save(_make(rows=1000), tmp_path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_flipped_bit_in_weights_is_noticed(tmp_path):
    saved = _make(rows=1000)
    path = checkpoint.save(saved, tmp_path)
    content = bytearray(path.read_bytes())
    place = content.find(saved.layers["fc/1.a"]["weights"][0].tobytes()[:64])
    assert place > 0
    content[place + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(path)


def test_an_array_that_declares_more_than_the_file_can_hold(tmp_path):
    path = checkpoint.save(_make(), tmp_path)
    with h5py.File(path, "r+") as file:
        for name in ("run/engine_state/updates", "train_outputs/0/values"):
            del file["arrays"][name]
            file["arrays"].create_dataset(name, (2**20, 2**20), np.float32, chunks=(1024, 1024))
    with pytest.raises(CheckpointError, match=r"1\.2: arrays that take too much memory .CONVNET_MAX_PICKLE_MB"):
        checkpoint.load(path)


def test_foreign_files_are_one_line(tmp_path):
    foreign = tmp_path / "1.1"
    foreign.write_bytes(pickle.dumps({"model_state": {}}))
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        checkpoint.load(foreign)
    with h5py.File(foreign, "w") as file:
        file["x"] = 1
    with pytest.raises(CheckpointError, match="not a checkpoint of this program"):
        checkpoint.load(foreign)


def test_a_newer_format_says_so(tmp_path):
    path = checkpoint.save(_make(), tmp_path)
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 99
    with pytest.raises(CheckpointError, match="newer version"):
        checkpoint.load(path)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        checkpoint.find(tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"has no checkpoints$"):
        checkpoint.find(tmp_path)
    folder = checkpoint.new_folder(tmp_path)
    with pytest.raises(CheckpointError, match=f"give one, such as .*{folder.name}"):
        checkpoint.find(tmp_path)
