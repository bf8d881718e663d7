"""convnet data make imagenet, on small tars of the same form: what comes out, and kills at any moment (spec 5.4)."""

from __future__ import annotations

import io
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytest.importorskip("scipy")

from small_imagenet import TRUTH, make_tars

from convnet_py.data.batch_folder import BatchFolder
from convnet_py.data.make import conversion
from convnet_py.data.make.images import square_image
from convnet_py.layers.treefc import class_tree


@pytest.fixture(scope="module")
def tars(tmp_path_factory):
    return make_tars(tmp_path_factory.mktemp("tars"))


def arguments(tars, out: Path, *more: str) -> list[str]:
    train, val, kit = tars
    sizes = ["--size=64", "--batch-size=6", "--seed=3"]
    return ["make", "imagenet", f"--train={train}", f"--val={val}", f"--devkit={kit}", f"--out={out}", *sizes, *more]


@pytest.fixture(scope="module")
def made(tars, tmp_path_factory):
    from convnet_py.data.command import run_data

    warnings: list[str] = []
    out = tmp_path_factory.mktemp("made") / "out"
    assert run_data(arguments(tars, out), warnings.append) == 0
    return BatchFolder(out), warnings


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_batches_labels_and_names(made):
    folder, _ = made
    assert folder.numbers() == [1, 2, 3, 4, 1000]
    assert folder.meta["label_names"] == ["astronaut, spaceman", "cat", "temple"]
    train = [folder.jpeg_batch(number) for number in range(1, 5)]
    pairs = [(name, labels) for batch in train for name, labels in zip(batch.names, batch.labels, strict=True)]
    assert len(pairs) == 20 and len({name for name, _ in pairs}) == 20
    assert all(labels == [int(name[2]) - 1] for name, labels in pairs)
    assert pairs != sorted(pairs)
    test = folder.jpeg_batch(1000)
    assert test.labels == [[label - 1] for label in TRUTH]
    assert test.names[0] == "ILSVRC2012_val_00000001.JPEG"


def test_images_are_the_centre_of_the_original(made):
    from small_imagenet import encoded, pictures

    folder, _ = made
    batch = folder.jpeg_batch(1000)
    original = Image.open(io.BytesIO(encoded(pictures()["n02"], 11)))
    side = min(original.size)
    left, top = (original.width - side) // 2, (original.height - side) // 2
    expected = original.crop((left, top, left + side, top + side)).resize((64, 64), Image.Resampling.BICUBIC)
    stored = np.asarray(Image.open(io.BytesIO(batch.jpegs[0])), float)
    assert stored.shape == (64, 64, 3)
    assert np.abs(stored - np.asarray(expected, float)).mean() < 6


def test_mean_and_colours(made):
    folder, _ = made
    jpegs = [jpeg for number in range(1, 5) for jpeg in folder.jpeg_batch(number).jpegs]
    images = np.stack([np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), float) for jpeg in jpegs])
    mean = folder.meta["data_mean"].reshape(3, 64, 64).transpose(1, 2, 0)
    assert np.abs(mean - images.mean(axis=0)).mean() < 1
    roots, vectors = folder.meta["color_pca"]
    covariance = np.cov(images.reshape(-1, 3).T, bias=True)
    np.testing.assert_allclose(vectors @ np.diag(roots**2) @ vectors.T, covariance, rtol=0.02, atol=20)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-9)


def test_the_tree_is_one_for_treefc(made):
    folder, _ = made
    tree, root = class_tree(folder.meta)
    # n05's child n02 has a place below n04 already; what no node has is below the root.
    assert tree == [[], [], [], [0, 1], [2], [3, 4]] and root == 5
    assert folder.meta["all_wnids"] == {"n01": 0, "n02": 1, "n03": 2, "n04": 3, "n05": 4, "gproot": 5}


def test_a_broken_image_is_named_and_counted(made):
    folder, warnings = made
    assert warnings[0].startswith("left out: n02_3.JPEG: damaged")
    assert warnings[1].startswith("1 of 26 images are left out")
    assert (folder.path / "left_out.txt").read_text().startswith("n02_3.JPEG: damaged")


def batch_files(folder: Path) -> int:
    """How many there are below a folder, whose folders may go while they are looked through: ``os.walk`` minds not."""
    return sum("_batch_" in name for _, _, names in os.walk(folder) for name in names)


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(made, tars, tmp_path, start, data):
    out = tmp_path / "out"
    killed = 0
    for _ in range(30):
        process = start(*arguments(tars, out, "--threads=1"))
        # Each time a file later.
        before = batch_files(tmp_path)
        while process.poll() is None and batch_files(tmp_path) <= before:
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.communicate()
        if out.exists():
            break
        assert not (out / "batches.meta").exists()
    assert killed >= 2
    if not out.exists():
        assert data(*arguments(tars, out)).returncode == 0
    assert contents(out) == contents(made[0].path)


@pytest.mark.parametrize("step", range(1, 40, 3))
def test_stopped_at_each_step_it_goes_on_to_the_same_bytes(made, tars, tmp_path, monkeypatch, step):
    from convnet_py.data.command import run_data

    class Killed(BaseException):
        pass

    out, left = tmp_path / "out", [step]
    real = {"replace": conversion.os.replace, "rename": conversion.os.rename}

    def counted(name):
        def act(*paths):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return real[name](*paths)

        return act

    for name in real:
        monkeypatch.setattr(conversion.os, name, counted(name))
    try:
        run_data(arguments(tars, out), lambda text: None)
        stopped = False
    except Killed:
        stopped = True
        assert not out.exists()
    left[0] = -1
    if stopped:
        run_data(arguments(tars, out), lambda text: None)
    assert contents(out) == contents(made[0].path)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_threads_do_not_change_a_byte(made, tars, tmp_path, data):
    assert data(*arguments(tars, tmp_path / "out", "--threads=3")).returncode == 0
    assert contents(tmp_path / "out") == contents(made[0].path)


def test_other_settings_do_not_go_on(tars, tmp_path, refused, data, monkeypatch):
    from convnet_py.data.command import run_data

    out = tmp_path / "out"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(conversion, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run_data(arguments(tars, out), lambda text: None)
    assert "begun here with seed 3, now 4; go on with the same" in refused(*arguments(tars, out, "--seed=4"))
    assert "out.partial is an unfinished one" in refused("verify", out)
    assert data(*arguments(tars, out)).returncode == 0
    assert "exists already" in refused(*arguments(tars, out))


def cut(path: Path, to: Path, size: int) -> Path:
    to.write_bytes(path.read_bytes()[:size])
    return to


def test_bad_sources_are_one_line_and_leave_nothing(tars, tmp_path, refused):
    train, val, kit = tars
    short = cut(train, tmp_path / "short.tar", train.stat().st_size // 2)
    empty = cut(train, tmp_path / "empty.tar", 0)
    text = tmp_path / "text.tar"
    text.write_text("no tar\n" * 200)
    out = tmp_path / "out"
    cases = [
        ((short, val, kit), "short.tar: (truncated|not an uncompressed tar)"),
        ((empty, val, kit), "empty.tar: not an uncompressed tar"),
        ((text, val, kit), "text.tar: not an uncompressed tar"),
        ((val, train, kit), "ILSVRC2012_val_.* is not the tar of a class"),
        ((train, train, kit), "no number from 1 to 5|has 3 images"),
        ((train, val, train), "not the development kit: it has no meta.mat"),
        ((train, val, text), "not the development kit's tar"),
        ((train, tmp_path / "none", kit), "none: no such file"),
        ((tmp_path, val, kit), "tar|folder|directory"),
    ]
    for sources, message in cases:
        assert re.search(message, refused(*arguments(sources, out)), re.IGNORECASE), message
        assert not out.exists() and not (tmp_path / "out.partial").exists()


def test_an_image_beyond_the_limit_is_left_out_before_it_is_decoded():
    from convnet_py.data.make.images import Unusable, pillows_limit_off

    stream = io.BytesIO()
    Image.new("L", (10000, 10000)).save(stream, "PNG")
    with pillows_limit_off(), pytest.raises(Unusable, match="10000 x 10000 pixels, more than 80000000"):
        square_image(stream.getvalue(), 64)


def test_disk_full_is_one_line(tars, tmp_path, monkeypatch):
    from convnet_py.data.command import run_data
    from convnet_py.errors import DataError

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(conversion, "write_pickle", full)
    with pytest.raises(DataError, match="No space left on device"):
        run_data(arguments(tars, tmp_path / "out"), lambda text: None)
    monkeypatch.undo()
    assert run_data(arguments(tars, tmp_path / "out"), lambda text: None) == 0
