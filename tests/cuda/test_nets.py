"""Whole nets on one and on two emulated GPUs (spec 3.11; house plan, "Decisions")."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convnet_py import checkpoint
from convnet_py.trace import read_trace

LAYER_DEFS = Path(__file__).parents[2] / "layer_defs"


def net(name: str, *more: str) -> list[str]:
    folder = LAYER_DEFS / name
    return [f"--layer-def={folder / 'layers.cfg'}", f"--layer-params={folder / 'params.cfg'}", *more]


GRADCHECK = net("gradcheck", "--data-provider=dummy-lr-192", "--num-gpus=3", "--mini=3", "--dummy-cases=3")
DIGITS = net("digits", "--data-provider=digits", "--mini=5")


def check_same(arrays: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> None:
    assert others.keys() == arrays.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(others[name], values, err_msg=name)


def test_mapping_of_devices_changes_no_bit(tmp_path: Path, run) -> None:
    """Nor does it where one GPU cannot reach the memory of another."""
    traces = []
    for gpus, peers in (("0,0,0", "1"), ("0,1,0", "1"), ("0,1,0", "0"), ("-1,-1,-1", "1")):
        file = tmp_path / f"{gpus}-{peers}.h5"
        done = run("convnet_py.cli", "compare", "--engines=rebuilt:cuda", f"--hdf5={file}", f"--gpu={gpus}", *GRADCHECK,
                   CONVNET_WITNESS_PEERS=peers)  # fmt: skip
        assert done.returncode == 0, done.stderr
        traces.append(read_trace(file).arrays)
    assert len(traces[0]) > 100
    for other in traces[1:]:
        check_same(traces[0], other)


def weights(saved: checkpoint.Checkpoint) -> dict[str, np.ndarray]:
    return {
        f"{name} {key} {i}": values
        for name, layer in saved.layers.items()
        for key in ("weights", "weightsInc", "biases", "biasesInc")
        for i, values in enumerate(layer.get(key, []))
    }


def test_work_that_is_put_off_changes_no_bit(tmp_path: Path, run) -> None:
    """Whenever a GPU gets to its work, copies of data and costs included: what has to wait for it does."""
    saved = []
    for streams in ("eager", "lazy", "shuffled"):
        files = [*DIGITS, "--mini=8", "--train-range=1", "--test-range=6", "--test-freq=1", "--epochs=1"]
        done = run("convnet_py.cli", "train", "--device=cuda", f"--save-path={tmp_path / streams}", *files,
                   CONVNET_EMULATION_STREAMS=streams)  # fmt: skip
        assert done.returncode == 0, done.stderr
        [path] = (tmp_path / streams).glob("*/1.1")
        saved.append(checkpoint.read(path))
    eager, *others = saved
    assert eager.train_outputs[-1].cases > 8 * 8
    for other in others:
        assert other.train_outputs == eager.train_outputs and other.test_outputs == eager.test_outputs
        check_same(weights(eager), weights(other))


def test_devices_are_listed(run) -> None:
    done = run("convnet_py.cli", "devices")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].startswith("cuda 0  CUDA emulation on the CPU, virtual device 0, compute capability 7.5, ")
    assert lines[2].startswith("cuda 1  ")
    assert lines[3] == "        driver for CUDA 13.0, built with 13.0"


def test_a_gpu_that_is_not_there(run, tmp_path: Path) -> None:
    arguments = ("--train-range=1", "--test-range=6", f"--save-path={tmp_path}", "--device=cuda", "--gpu=5")
    done = run("convnet_py.cli", "train", *arguments, *DIGITS)
    assert (done.returncode, done.stderr) == (1, "convnet: there is no GPU 5: this machine has 0 to 1\n")


def test_training_on_a_gpu_by_default_and_on_from_a_checkpoint(run, tmp_path: Path) -> None:
    """The first line names the GPU; a run that is interrupted and goes on ends with the same weights."""
    common = (
        "--train-range=1",
        "--test-range=6",
        "--test-freq=1",
        *net("digits", "--data-provider=digits", "--mini=128"),
    )
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done = run("convnet_py.cli", "train", *common, f"--save-path={whole}", "--epochs=2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("computing on: GPU 0 (CUDA emulation on the CPU, virtual device 0)\n")
    assert run("convnet_py.cli", "train", *common, f"--save-path={parts}", "--epochs=1").returncode == 0
    [folder] = parts.iterdir()
    assert run("convnet_py.cli", "train", "-f", folder, "--epochs=2").returncode == 0
    [one], [other] = whole.glob("*/2.1"), parts.glob("*/2.1")
    check_same(weights(checkpoint.read(one)), weights(checkpoint.read(other)))


SHARED = """
import sys
import numpy as np
from convnet_py.engines import make_engine
from convnet_py.errors import EngineError
from convnet_py.layers import read_net

layers = read_net(*sys.argv[1:3], data_dims=[3], num_gpus=2, dialect="relaxed", rng=np.random.RandomState(0))
layers["other"]["gpu"] = 1
try:
    make_engine("rebuilt", layers, device_ids=[0, int(sys.argv[3])], minibatch_size=4, weight_update_freq=1, seed=0,
                threads=1, transfers="peer", device="cuda")
except EngineError as error:
    sys.exit(str(error))
"""


def test_weights_shared_across_gpus_are_refused(run, tmp_path: Path) -> None:
    """Layer files cannot say it, dictionaries can. On one GPU the same dictionaries make a net."""
    layers = "[data]\ntype=data\ndataIdx=0\n"
    params = ""
    for name, weights in (("one", "initW=0.1"), ("other", "initW=0.1\nweightSource=one")):
        layers += f"[{name}]\ntype=fc\ninputs=data\noutputs=4\ngpu=0\n{weights}\n"
        layers += f"[cost_{name}]\ntype=cost.sum2\ninputs={name}\ngpu=0\n"
        params += f"[{name}]\nepsW=0.1\nepsB=0.1\nmomW=0\nmomB=0\nwc=0\n[cost_{name}]\ncoeff=1\n"
    for file, text in (("layers.cfg", layers), ("params.cfg", params), ("shared.py", SHARED)):
        (tmp_path / file).write_text(text)
    files = (tmp_path / "layers.cfg", tmp_path / "params.cfg")
    refused = run("shared", *files, "1", PYTHONPATH=str(tmp_path))
    message = (
        "Layer 'other': it shares weights with 'one', which is on another physical device: --gpu can put both on one"
    )
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, message)
    made = run("shared", *files, "0", PYTHONPATH=str(tmp_path))
    assert made.returncode == 0, made.stderr
