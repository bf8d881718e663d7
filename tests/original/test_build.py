"""``convnet original build`` on the stand-in for the historic sources, and what a user then does with the engine."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from slots import convnet, silent
from small_engine import HERE

from convnet_py.original.build import _NOTE, BuildError, _explanation, _origin, build, find_extension
from convnet_py.original.slot import Slot, SlotError

DEFINITION = """
[data]
type=data
dataIdx=0
[labels]
type=data
dataIdx=1
[zconv]
type=conv
inputs=data
channels=3
filters=16
filterSize=3
padding=1
stride=1
neuron=logistic
initW=0.3
partialSum=0
gpu=0
[pool]
type=pool
pool=avg
inputs=zconv
channels=16
sizeX=2
stride=2
gpu=1
[fc]
type=fc
inputs=pool
outputs=10
initW=0.1
[probs]
type=softmax
inputs=fc
[cost]
type=cost.logreg
inputs=labels,probs
gpu=1
"""
LEARNING = "epsW=0.01\nepsB=0.01\nmomW=0.9\nmomB=0.9\nwc=0.01\n"
PARAMS = f"[zconv]\n{LEARNING}[fc]\n{LEARNING}[cost]\ncoeff=1\ntopk=2\n"


@pytest.fixture
def net(tmp_path: Path) -> list[str]:
    """A net on two logical devices, its layers not named in the alphabet's order."""
    (tmp_path / "layers.cfg").write_text(DEFINITION)
    (tmp_path / "params.cfg").write_text(PARAMS)
    files = [f"--layer-def={tmp_path}/layers.cfg", f"--layer-params={tmp_path}/params.cfg", "--num-gpus=2"]
    return [*files, "--data-provider=dummy-lr-192", "--dummy-cases=24", "--mini=24", "--threads=1", "--seed=3"]


@pytest.fixture
def small_slot(tmp_path: Path, extension: Path) -> Slot:
    """A slot with the small tree, which fails on request, built by g++ alone."""
    slot = Slot(tmp_path / "small")
    slot.import_tree(HERE / "small_tree", silent)
    (slot.folder / "build" / "cpu").mkdir(parents=True)
    shutil.copy(extension, slot.folder / "build" / "cpu")
    (slot.folder / "build" / "cpu" / _NOTE).write_text(_origin(slot))
    return slot


@pytest.mark.parametrize("transfers", ["peer", "host"])
def test_the_original_and_the_rebuilt_engine_agree(built_slot: Path, net: list[str], transfers: str) -> None:
    result = convnet(
        built_slot, "compare", "--engines=original,rebuilt", "--batches=2", f"--transfers={transfers}",
        "--tolerance-trained=1e-5", *net,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr + result.stdout
    assert "within tolerance" in result.stdout


def test_gradients_are_checked(built_slot: Path, net: list[str]) -> None:
    result = convnet(built_slot, "check-grads", "--engine=original", *net)
    assert result.returncode == 0, result.stderr
    assert "ALL 4 TESTS PASSED" in result.stdout


def test_training_is_the_same_under_the_same_seed_and_goes_on_from_a_checkpoint(
    built_slot: Path, net: list[str], tmp_path: Path
) -> None:
    def train(*more: str) -> list[str]:
        result = convnet(built_slot, "train", "--engine=original", "--test-freq=1", *more)
        assert result.returncode == 0, result.stderr
        return [line for line in result.stdout.splitlines() if line.startswith(("cost: ", "Layer '"))]

    ranges = ["--train-range=1-2", "--test-range=3"]
    once, again = (train(*net, *ranges, "--epochs=1", f"--save-path={tmp_path}/{name}") for name in ("once", "again"))
    assert once == again and len(once) == 2 * (2 + 4)
    (folder,) = (tmp_path / "once").iterdir()
    further = train("-f", str(folder), "--epochs=2")
    assert len(further) == 2 * (2 + 4) and further[:6] != once[-6:]


def test_a_process_that_dies_is_one_line_and_the_checkpoint_stays(small_slot: Slot, tmp_path: Path) -> None:
    for number in range(1, 4):
        # The small tree is asked to exit(3) in batch 2.
        data = np.zeros((3072, 4), np.uint8)
        data[0, 0] = 2 if number == 2 else 0
        batch = {"data": data, "labels": [0, 1, 2, 3]}
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"data_batch_{number}").write_bytes(pickle.dumps(batch, 2))
    meta = {"num_vis": 3072, "data_mean": np.zeros((3072, 1), np.float32), "label_names": list("abcdefghij")}
    (tmp_path / "data" / "batches.meta").write_bytes(pickle.dumps(meta, 2))
    (tmp_path / "layers.cfg").write_text(DEFINITION)
    (tmp_path / "params.cfg").write_text(PARAMS)
    result = convnet(
        small_slot.folder, "train", "--engine=original", f"--data-path={tmp_path}/data", "--data-provider=cifar",
        "--train-range=1-2", "--test-range=3", "--num-gpus=2", "--test-freq=1", "--epochs=1",
        f"--layer-def={tmp_path}/layers.cfg", f"--layer-params={tmp_path}/params.cfg", f"--save-path={tmp_path}/runs",
    )  # fmt: skip
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("convnet: the original sources: ") and "exit(3); it said: the net is bad" in line
    (folder,) = (tmp_path / "runs").iterdir()
    assert [path.name for path in folder.iterdir()] == ["1.1"]


def test_a_changed_tree_is_not_built(small_slot: Slot) -> None:
    (small_slot.tree / "src" / "model.cu").write_text("int main() {}")
    with pytest.raises(SlotError, match=r"changed: src/model\.cu"):
        build(small_slot)


def test_what_is_not_built_or_built_from_another_tree_is_said(
    small_slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVNET_ORIGINAL", str(small_slot.folder))
    assert find_extension().name == "_ConvNet.so"
    small_slot.lock.write_text(small_slot.lock.read_text() + " ")
    with pytest.raises(BuildError, match="built from another tree"):
        find_extension()
    shutil.rmtree(small_slot.folder / "build")
    with pytest.raises(BuildError, match="'convnet original build' builds them"):
        find_extension()
    small_slot.remove()
    with pytest.raises(SlotError, match="'convnet original import PATH' brings them"):
        find_extension()


def test_removing_the_tree_removes_what_was_built(small_slot: Slot) -> None:
    assert convnet(small_slot.folder, "original", "remove").returncode == 0
    assert list(small_slot.folder.iterdir()) == []


def test_a_tree_without_sources(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "test.cu").write_text("int main(int argc, char** argv) { return 0; }\n")
    slot = Slot(tmp_path / "slot")
    slot.import_tree(tmp_path / "copy", silent)
    with pytest.raises(BuildError, match=r"no C\+\+ or CUDA sources in .*build\.log") as caught:
        build(slot)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--device=gpu", "takes one of cpu, cuda"),
        ("--platform-libs=x", "auto"),
        ("-DCONVNET_TREE=/", "takes -DNAME=VALUE of CMake's own"),
        ("-Dx", "takes -DNAME=VALUE"),
    ],
)
def test_options_that_are_not(option: str, message: str, tmp_path: Path) -> None:
    result = convnet(tmp_path, "original", "build", option)
    assert result.returncode == 2 and message in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("/t/a.cu:3:10: fatal error: x.h: No such file or directory\n", "a.cu:3: x.h: No such file or directory; a h"),
        ("[1/2] x\n/t/a.cu:3:1: error: one\n/t/a.cu:4:1: error: two\n", "a.cu:3: one (and 1 more); all of it: "),
        ("/t/a.cu(3): error: identifier \"x\" is undefined\n", 'a.cu:3: identifier "x" is undefined; all of it: '),
        ("/t/_ConvNet.copied/src/a.cu:3:1: error: one\n", "src/a.cu:3: one; all of it: "),
        ("nvcc fatal   : Unsupported gpu architecture 'compute_20'\n", "the build failed; give one that nvcc knows: "),
        ("a.cu:9: unsupported by the emulation: textures\n", "a.cu:9: unsupported by the emulation: textures; this"),
        ("nothing known\n", "the build failed; all of it"),
    ],
)  # fmt: skip
def test_errors_are_explained_in_one_line(output: str, expected: str) -> None:
    line = _explanation(output, Path("/t/build.log"), Path("/t"))
    assert line.startswith(expected) and line.endswith("/t/build.log") and "\n" not in line
