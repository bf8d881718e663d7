"""How the CUDA device deals with CUDA itself (house plan, "The CUDA device"): memory, waiting, and calls that fail.

The calls are counted, and made to fail, by witness.cpp.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DIGITS = HERE.parents[1] / "layer_defs" / "digits"
TRAIN = (
    "train", "--device=cuda", "--data-provider=digits", "--train-range=1-2", "--test-range=6", "--test-freq=2",
    f"--layer-def={DIGITS}/layers.cfg", f"--layer-params={DIGITS}/params.cfg",
)  # fmt: skip


@pytest.mark.parametrize(("net", "gpus", "mini"), [("digits", "0", 4), ("digits", "0,1", 4), ("cifar-quick", "0", 2)])
def test_training_allocates_nothing_and_waits_for_nothing_new(net: str, gpus: str, mini: int, run) -> None:
    """After the first minibatch; a shorter one, a test and a checkpoint change nothing in that.

    Waits are for events alone: two for the host memory that data and labels leave through, one for the cost of the
    minibatch before.
    """
    done = run("watched", net, gpus, mini, PYTHONPATH=str(HERE), CONVNET_WITNESS_MEMORY=str(2**30))
    assert done.returncode == 0, done.stderr
    _, first, *later = [json.loads(line) for line in done.stdout.splitlines()]
    assert first[2]["cudaMalloc"] > 0
    assert first[2]["cudaHostAlloc"] == 4  # two to stage data, two to report costs
    assert len(later) == 8
    for what, cases, calls, free in later:
        assert free == first[3], what
        peers = calls.pop("cudaMemcpyPeer", 0)
        if what == "checkpoint":
            assert calls.keys() == {"cudaMemcpy"}
            continue
        assert calls == {"cudaEventSynchronize": 3 * -(-cases // mini)}, what
        assert (peers > 0) == ("," in gpus)


@pytest.fixture(scope="module")
def saved(run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run's first epoch."""
    folder = tmp_path_factory.mktemp("saved")
    done = run("convnet_py.cli", *TRAIN, f"--save-path={folder}", "--epochs=1", "--mini=64")
    assert done.returncode == 0, done.stderr
    [checkpoint] = folder.glob("*/1.2")
    return checkpoint


def failed(done) -> str:
    """The one line that a command failed with."""
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    return done.stderr.removeprefix("convnet: ").rstrip("\n")


# Launches, copies to the host (of costs; of weights, for a checkpoint), copies of data, and the wait for them.
@pytest.mark.parametrize("call", ["cudaGetLastError:400", "cudaMemcpyAsync:40", "cudaMemcpy:30",
                                  "cudaMemcpy:45", "cudaEventSynchronize:40", "cudaSetDevice:700"])  # fmt: skip
def test_a_sticky_error_is_one_line_and_the_checkpoint_stays(call: str, run, saved: Path) -> None:
    before = saved.read_bytes()
    done = run("convnet_py.cli", "train", "-f", saved, "--epochs=9", CONVNET_WITNESS_FAIL=f"{call}:700")
    assert re.fullmatch(
        r"CUDA: [a-z][\w -]+: an illegal memory access was encountered; the fault may be that of an operation before "
        "it, which CUDA_LAUNCH_BLOCKING=1 in the environment names",
        failed(done),
    )
    latest = max(saved.parent.iterdir(), key=lambda path: path.stat().st_mtime)
    assert latest == saved or int(latest.name.split(".")[0]) > 1
    if latest == saved:
        assert saved.read_bytes() == before
    assert run("convnet_py.cli", "test", "-f", latest).returncode == 0


def test_out_of_memory_in_mid_training(run, saved: Path, tmp_path: Path) -> None:
    """The run ends, its checkpoint stays, and it goes on with smaller minibatches."""
    before = saved.read_bytes()
    memory = {"CONVNET_WITNESS_MEMORY": str(5 * 2**20)}
    line = failed(run("convnet_py.cli", "train", "-f", saved, "--epochs=2", "--mini=1000", **memory))
    asked = re.fullmatch(r"CUDA: GPU 0 is out of memory: asked for \d+ [KM]iB, \d+ [KM]iB of 5 MiB are free", line)
    assert asked, line
    assert saved.read_bytes() == before
    done = run("convnet_py.cli", "train", "-f", saved, "--epochs=2", "--mini=16", **memory)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CONVNET_WITNESS_FAIL": "cudaGetLastError:1:209"},
         r"GPU 0 \(CUDA emulation on the CPU, virtual device 0\) has compute capability 7\.5, this build is for the "
         r"emulation: build with -DCMAKE_CUDA_ARCHITECTURES for it, or use --device cpu"),
        ({"CONVNET_WITNESS_DRIVER": "0"}, "there is no NVIDIA driver: install one for this GPU, or use --device cpu"),
        ({"CONVNET_WITNESS_DRIVER": "11080", "CONVNET_WITNESS_FAIL": "cudaGetDeviceCount:1:35"},
         r"the NVIDIA driver knows CUDA up to 11\.8, this build needs 13: install a newer driver, or use --device cpu"),
        ({"CONVNET_WITNESS_FAIL": "cudaGetDeviceCount:1:100"}, "there is no NVIDIA GPU: use --device cpu"),
        ({"CONVNET_CUDA_LIBRARY": "/nowhere/libconvnet_cuda.so"},
         r"the CUDA device is not built: there is no /nowhere/libconvnet_cuda.so \(README, \"On a GPU\"\); or use "
         "--device cpu"),
    ],
    ids=["an old GPU", "no driver", "an old driver", "no GPU", "no library"],
)  # fmt: skip
def test_what_is_missing_for_a_gpu(environment: dict[str, str], message: str, run, tmp_path: Path) -> None:
    """One line that says which. Where nobody asked for a GPU the CPU computes; one that is there is not passed over."""
    train = ("convnet_py.cli", *TRAIN, "--epochs=1", f"--save-path={tmp_path}")
    line = failed(run(*train, **environment))
    assert re.fullmatch(message, line), line
    unasked = run(*(option for option in train if option != "--device=cuda"), **environment)
    if "compute capability" in message:
        assert failed(unasked) == line
    else:
        assert unasked.returncode == 0, unasked.stderr
        assert unasked.stdout.startswith("computing on: CPU (")
