"""convnet data make cifar10, cifar100, folder, idx, digits; info; verify; bad sources (spec 5.4)."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import pickletools
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from image_folders import jpeg, meta, plain_folder, save
from PIL import Image

from convnet_py.data.batch_folder import BatchFolder

rng = np.random.RandomState(0)


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"folder/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def nothing_left(out: Path) -> bool:
    return not out.exists() and not list(out.parent.glob(f"*{out.name}*partial*"))


# CIFAR

PIXELS = rng.randint(0, 256, (24, 3072)).astype(np.uint8)
LABELS = rng.randint(0, 3, 24)
NAMES = ["plane", "car", "bird"]


def cifar10_python() -> dict[str, bytes]:
    files = {"batches.meta": pickle.dumps({"label_names": NAMES, "num_vis": 3072}, 1), "readme.html": b"<p>"}
    for number in range(6):
        cases = slice(4 * number, 4 * number + 4)
        name = f"data_batch_{number + 1}" if number < 5 else "test_batch"
        files[name] = pickle.dumps({"data": PIXELS[cases], "labels": LABELS[cases].tolist()}, 2)
    return files


def cifar10_binary() -> dict[str, bytes]:
    files = {"batches.meta.txt": "\r\n".join(NAMES).encode() + b"\r\n"}
    for number in range(6):
        cases = slice(4 * number, 4 * number + 4)
        name = f"data_batch_{number + 1}.bin" if number < 5 else "test_batch.bin"
        files[name] = np.hstack([LABELS[cases, None].astype(np.uint8), PIXELS[cases]]).tobytes()
    return files


@pytest.mark.parametrize("files", [cifar10_python(), cifar10_binary()], ids=["python", "binary"])
def test_cifar10(data, tmp_path, files):
    result = data("make", "cifar10", archive(tmp_path / "cifar.tar.gz", files), "--out=out")
    assert result.returncode == 0 and result.stdout == "out: 6 batches, provider cifar\n", result.stderr
    folder = BatchFolder(tmp_path / "out")
    assert folder.numbers() == [1, 2, 3, 4, 5, 6] and folder.meta["label_names"] == NAMES
    for number in folder.numbers():
        batch = folder.batch(number)
        cases = slice(4 * number - 4, 4 * number)
        assert (batch.data == PIXELS[cases].T).all() and batch.data.dtype == np.uint8
        assert batch.labels.tolist() == [LABELS[cases].tolist()]
    np.testing.assert_allclose(folder.meta["data_mean"][:, 0], PIXELS[:20].mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("kind", ["fine", "coarse"])
@pytest.mark.parametrize("binary", [False, True])
def test_cifar100(data, tmp_path, kind, binary):
    coarse, names = LABELS // 2, {"fine": NAMES, "coarse": ["a", "b"]}
    if binary:
        cases = np.hstack([coarse[:, None], LABELS[:, None], PIXELS]).astype(np.uint8)
        files = {f"{key}_label_names.txt": "\n".join(value).encode() for key, value in names.items()}
        files |= {"train.bin": cases[:17].tobytes(), "test.bin": cases[17:].tobytes()}
    else:
        files = {"meta": pickle.dumps({f"{key}_label_names": value for key, value in names.items()}, 2)}
        for name, part in (("train", slice(0, 17)), ("test", slice(17, 24))):
            labels = {"fine_labels": LABELS[part].tolist(), "coarse_labels": coarse[part].tolist()}
            files[name] = pickle.dumps({"data": PIXELS[part], **labels}, 2)
    result = data("make", "cifar100", archive(tmp_path / "x.tgz", files), "--out=out", f"--labels={kind}")
    assert result.returncode == 0, result.stderr
    folder = BatchFolder(tmp_path / "out")
    batches = [folder.batch(number) for number in folder.numbers()]
    assert [batch.data.shape[1] for batch in batches] == [4, 4, 3, 3, 3, 7]
    assert (np.hstack([batch.data for batch in batches]) == PIXELS.T).all()
    expected = LABELS if kind == "fine" else coarse
    assert np.hstack([batch.labels[0] for batch in batches]).tolist() == expected.tolist()
    assert folder.meta["label_names"] == names[kind]


def test_bad_cifar_archives_are_one_line_and_leave_nothing(refused, tmp_path):
    good = cifar10_binary()

    class Attack:
        def __reduce__(self):
            return os.system, ("touch attacked",)

    cases = {
        "not the CIFAR-10 archive: it has no data_batch_1": {"x": b""},
        "it has no test_batch.bin": {name: content for name, content in good.items() if name != "test_batch.bin"},
        "data_batch_2.bin: has 12290 bytes, should be a multiple of 3073": {
            **good,
            "data_batch_2.bin": good["data_batch_2.bin"][:-2],
        },
        "labels should be from 0 to 2": {**good, "data_batch_3.bin": b"\7" + good["data_batch_3.bin"][1:]},
        "data_batch_1: not a pickle": {**cifar10_python(), "data_batch_1": b"nothing"},
        "data_batch_1: refused": {**cifar10_python(), "data_batch_1": pickle.dumps(Attack())},
        "should hold 'labels', one per case": {
            **cifar10_python(),
            "test_batch": pickle.dumps({"data": PIXELS[:4], "labels": [0]}),
        },
    }
    for message, files in cases.items():
        assert message in refused("make", "cifar10", archive(tmp_path / "x.tar.gz", files), "--out=out")
        assert nothing_left(tmp_path / "out") and not (tmp_path / "attacked").exists()
    whole = (tmp_path / "x.tar.gz").read_bytes()
    (tmp_path / "short.tar.gz").write_bytes(whole[: len(whole) // 2])
    assert "short.tar.gz: not a tar archive" in refused("make", "cifar10", "short.tar.gz", "--out=out")
    (tmp_path / "empty").touch()
    assert "empty: not a tar archive" in refused("make", "cifar10", "empty", "--out=out")
    assert "none: no such archive" in refused("make", "cifar10", "none", "--out=out")
    assert nothing_left(tmp_path / "out")


# IDX


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


IMAGES = rng.randint(0, 256, (25, 5, 5))
CLASSES = np.arange(25) % 3


@pytest.fixture
def idx_files(tmp_path):
    folder = tmp_path / "idx"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES[:18])))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(CLASSES[:18]))
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(IMAGES[18:]))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(CLASSES[18:])))
    return folder


def test_idx(data, tmp_path, idx_files):
    result = data("make", "idx", "idx", "--out=out", "--pad=1", "--batch-size=10", "--names=x, y y,z")
    assert result.returncode == 0, result.stderr
    folder = BatchFolder(tmp_path / "out")
    assert [folder.batch(number).data.shape[1] for number in folder.numbers()] == [10, 8, 7]
    assert folder.meta["label_names"] == ["x", "y y", "z"] and folder.meta["dp_type"] == "cifar-cropped"
    images = np.hstack([folder.batch(number).data for number in (1, 2, 3)]).T.reshape(25, 7, 7)
    assert (images[:, 1:6, 1:6] == IMAGES).all() and images.sum() == IMAGES.sum()
    assert folder.batch(2).labels.tolist() == [CLASSES[10:18].tolist()]


def test_bad_idx_files_are_one_line_and_leave_nothing(refused, tmp_path, idx_files):
    labels, images = idx_files / "train-labels-idx1-ubyte", idx_files / "t10k-images-idx3-ubyte"
    good = labels.read_bytes()

    def complaint(*more):
        line = refused("make", "idx", "idx", "--out=out", *more)
        assert nothing_left(tmp_path / "out")
        return line

    for content, message in (
        (idx(IMAGES[:18]), "with 3 axes, should be of type 8 with 1; are images and labels swapped?"),
        (good[:-1], "declares 18 bytes, holds 17; is it truncated?"),
        (good[:6], "truncated: its header ends early"),
        (b"", "not an IDX file"),
        (b"\x89PNG\r\n", "not an IDX file"),
        (gzip.compress(good)[:15], "a damaged or truncated gzip file"),
        (idx(CLASSES[:17]), "has 17 labels for 18 images"),
    ):
        labels.write_bytes(content)
        assert message in complaint()
    labels.write_bytes(good)
    assert "got 2 names, the labels of idx need 3" in complaint("--names=a,b")
    assert "--pad: got '-1', takes an integer" in complaint("--pad=-1")
    images.write_bytes(idx(IMAGES[18:, :4]))
    assert "7 x 4 x 5 pixels, should be square" in complaint()
    images.unlink()
    assert "should have one file *t*-images* of the test images, has none" in complaint()
    assert "no such folder" in refused("make", "idx", "nowhere", "--out=out")


def test_nothing_is_overwritten(refused, tmp_path, idx_files):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    assert "exists already" in refused("make", "idx", "idx", "--out=out")
    assert (tmp_path / "out" / "mine").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    assert "exists already" in refused("make", "idx", "idx", "--out=file")
    assert "cannot be written" in refused("make", "idx", "idx", "--out=file/out")


def test_digits(data, tmp_path):
    pytest.importorskip("sklearn")
    assert data("make", "digits", "--out=out").returncode == 0
    folder = BatchFolder(tmp_path / "out")
    batches = [folder.batch(number) for number in folder.numbers()]
    assert [batch.data.shape[1] for batch in batches] == [288, 288, 288, 287, 287, 359]
    assert batches[0].data.max() == 16 and folder.meta["num_vis"] == 64


# Folders of images


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for label, name in enumerate(["ant", "bee"]):
        (folder / name).mkdir(parents=True)
        for index in range(6):
            (folder / name / f"{index}.jpg").write_bytes(jpeg(20 + index, 30, 10 * label + index))
    Image.new("P", (40, 40)).save(folder / "ant" / "palette.png")
    (folder / "ant" / ".hidden").write_text("x")
    (folder / "bee" / "notes.txt").write_text("not an image\r\n")
    (folder / "bee" / "empty.jpg").touch()
    (folder / "bee" / "cut.jpg").write_bytes(jpeg(60, 60, 3)[:700])
    Image.new("L", (3000, 2000)).save(folder / "bee" / "large.png")
    return folder


def test_folder_as_plain_pixels(data, tmp_path, pictures):
    result = data("make", "folder", "pictures", "--out=out", "--size=12", "--batch-size=5", "--test-percent=25",
                  "--pixel-limit=5000000")  # fmt: skip
    assert result.returncode == 0, result.stderr
    folder = BatchFolder(tmp_path / "out")
    assert folder.numbers() == [1, 2, 3, 1000] and folder.meta["label_names"] == ["ant", "bee"]
    assert folder.meta["num_vis"] == 432 and folder.meta["dp_type"] == "cifar-cropped"
    batches = [folder.batch(number) for number in folder.numbers()]
    stored = {}
    for batch in batches:
        for case, name in enumerate(batch.rest["filenames"]):
            stored[name] = batch.data[:, case].reshape(3, 12, 12)
            assert batch.labels[0, case] == ["ant", "bee"].index(name[:3])
    assert len(stored) == 13
    picture = Image.open(pictures / "ant" / "2.jpg")
    expected = picture.crop((4, 0, 26, 22)).resize((12, 12), Image.Resampling.BICUBIC)
    difference = stored["ant/2.jpg"] - np.asarray(expected, float).transpose(2, 0, 1)
    # At its edges the centre is resampled with what lies beyond it.
    assert np.abs(difference[:, 2:-2, 2:-2]).max() <= 1 and np.abs(difference).mean() < 3
    mean = np.concatenate([batch.data for batch in batches[:3]], axis=1).mean(axis=1)
    np.testing.assert_allclose(folder.meta["data_mean"][:, 0], mean, rtol=1e-6)
    lines = result.stderr.splitlines()
    assert len(lines) == 5 and "4 of 17 images are left out" in lines[-1]
    left_out = (tmp_path / "out" / "left_out.txt").read_text()
    for reason in ("notes.txt: not an image", "empty.jpg: not an image", "cut.jpg: damaged", "large.png: 3000 x 2000"):
        assert f"bee/{reason}" in left_out


def test_folder_as_jpegs_with_a_second_folder_for_tests(data, tmp_path, pictures):
    result = data("make", "folder", "pictures", "--test=pictures", "--out=out", "--size=16", "--format=jpeg")
    assert result.returncode == 0, result.stderr
    folder = BatchFolder(tmp_path / "out")
    assert folder.numbers() == [1, 1000] and folder.meta["dp_type"] == "inet-lr-cropped-jpeg"
    assert len(folder.jpeg_batch(1).jpegs) == len(folder.jpeg_batch(1000).jpegs) == 14
    assert data("verify", "out").returncode == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_without_permission_are_left_out(data, tmp_path, pictures):
    (pictures / "ant" / "0.jpg").chmod(0)
    result = data("make", "folder", "pictures", "--out=out", "--size=12")
    assert "ant/0.jpg: cannot be read: Permission denied" in result.stderr


def test_bad_folders_are_one_line_and_leave_nothing(refused, tmp_path, pictures):
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "x.jpg").write_bytes(jpeg(9, 9, 0))
    (tmp_path / "hollow" / "ant").mkdir(parents=True)
    (tmp_path / "texts" / "a").mkdir(parents=True)
    (tmp_path / "texts" / "a" / "x.txt").write_text("x")
    (tmp_path / "other" / "wasp").mkdir(parents=True)
    for arguments, message in (
        (["flat"], "flat: has no subfolders; images should be in one folder per class"),
        (["hollow"], "hollow: its class folders hold no files"),
        (["flat/x.jpg"], "flat/x.jpg: not a folder"),
        (["nowhere"], "nowhere: no such folder"),
        (["pictures", "--test=other"], "wasp: not a class of the training images (ant, bee"),
        (["pictures", "--size=0"], "--size: got '0', takes an integer from 1 to 4096"),
        (["texts"], "none of the 1 images of batch 1 can be used; the first: a/x.txt: not an image"),
    ):
        assert message in refused("make", "folder", *arguments, "--out=out")
        assert not (tmp_path / "out").exists()


# Files for the 2012 program


def test_batches_are_python_2_pickles(data, tmp_path, pictures):
    assert data("make", "folder", "pictures", "--out=out", "--size=12", "--format=jpeg").returncode == 0
    for name in ("batches.meta", "data_batch_1"):
        opcodes = list(pickletools.genops((tmp_path / "out" / name).read_bytes()))
        assert max(opcode.proto for opcode, _, _ in opcodes) <= 2
        names = {argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"}
        assert all(name.startswith(("numpy.core.multiarray ", "numpy ")) for name in names)


# info and verify


def test_info(data, tmp_path):
    plain_folder(tmp_path / "folder", 3, 8, 30)
    result = data("info", "folder")
    assert result.returncode == 0, result.stderr
    assert "1 batches, 30 cases of 192 values, images of 3 x 8 x 8" in result.stdout
    labels = BatchFolder(tmp_path / "folder").batch(1).labels[0]
    for label, name in enumerate("abcde"):
        assert f"{(labels == label).sum():>16}  {name}" in result.stdout
    picture = np.asarray(Image.open(tmp_path / "folder-info.png"))
    assert picture.shape[0] > 300 and picture.std() > 10


def test_info_never_writes_over_a_batch(refused, tmp_path):
    plain_folder(tmp_path / "folder", 3, 8, 30)
    assert "takes a file name that ends in .png" in refused("info", "folder", "-o", "folder/data_batch_1")
    assert "cannot be written" in refused("info", "folder", "-o", "nowhere/x.png")


def test_verify_names_all_problems(data, tmp_path):
    plain_folder(tmp_path / "folder", 3, 16, 4)
    assert data("verify", "folder").returncode == 0
    whole = (tmp_path / "folder" / "data_batch_1").read_bytes()
    (tmp_path / "folder" / "data_batch_2").write_bytes(whole[:-20])
    (tmp_path / "folder" / "data_batch_3").touch()
    (tmp_path / "folder" / "data_batch_5").mkdir()
    triple = ([jpeg(16, 16, 0), b"x", jpeg(15, 16, 0)], [], [("a", 0), ("b", 1), ("c", 2)])
    save(tmp_path / "folder" / "data_batch_4", triple)
    (tmp_path / "folder" / ".data_batch_9.partial").touch()
    result = data("verify", "folder")
    lines = result.stderr.splitlines()
    assert result.returncode == 1 and "5 problems" in result.stdout and len(lines) == 5
    for problem in ("data_batch_2: not a pickle", "data_batch_3: ", "b does not decode",
                    "c is 16 x 15, which is not num_vis", ".data_batch_9.partial: left"):  # fmt: skip
        assert any(problem in line for line in lines), (problem, lines)


@pytest.mark.parametrize(
    "labels",
    [[1, 2, 0], (1, 2, 0), np.array([1, 2, 0]), np.array([[1.0, 2.0, 0.0]]), [1.0, 2.0, 0.0], [[1], [2], [0]]],
    ids=["list", "tuple", "array", "row of floats", "floats", "lists"],
)
def test_labels_in_any_form(tmp_path, labels):
    save(tmp_path / "batches.meta", meta(12))
    save(tmp_path / "data_batch_1", {"data": np.zeros((12, 3), np.uint8), "labels": labels})
    assert BatchFolder(tmp_path).batch(1).labels.tolist() == [[1, 2, 0]]
