"""Choosing what computes: --device, --math, ``convnet devices`` (house plan, "Devices are chosen at run time")."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convnet_py.engines import make_engine
from convnet_py.errors import EngineError

TRAIN = ["train", "--data-provider=digits", "--train-range=1", "--test-range=6", "--epochs=1",
         "--layer-def=layer_defs/digits/layers.cfg", "--layer-params=layer_defs/digits/params.cfg"]  # fmt: skip


def convnet(*arguments: str, library: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "convnet_py.cli", *arguments]
    environment = {**os.environ, "CONVNET_CUDA_LIBRARY": library}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_a_library_that_is_not_built_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "libconvnet_cuda.so")
    done = convnet(*TRAIN, f"--save-path={tmp_path}", "--device=cuda", library=missing)
    assert done.returncode == 1
    assert done.stderr.startswith(f"convnet: the CUDA device is not built: there is no {missing} (README")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_library_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "libconvnet_cuda.so"
    broken.write_text("not a library")
    done = convnet("devices", library=str(broken))
    assert done.returncode == 0
    assert "cuda    none: the CUDA device cannot be loaded: " in done.stdout
    assert done.stdout.startswith("cpu     ")


def test_without_a_gpu_the_cpu_computes_and_the_first_line_says_so(tmp_path: Path) -> None:
    done = convnet(*TRAIN, f"--save-path={tmp_path}", "--threads=1", library=str(tmp_path / "none.so"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("computing on: CPU (")
    assert "1 thread" in done.stdout.splitlines()[0]


def test_tf32_is_refused_on_the_cpu(tmp_path: Path) -> None:
    done = convnet(*TRAIN, f"--save-path={tmp_path}", "--math=tf32", library=str(tmp_path / "none.so"))
    assert done.returncode == 2
    assert done.stderr == "convnet: --math: tf32 is for GPUs, and the CPU computes here; --device=cuda says why\n"


def test_devices_takes_no_arguments(tmp_path: Path) -> None:
    done = convnet("devices", "all", library="")
    assert (done.returncode, done.stderr) == (2, "convnet: unexpected argument 'all': convnet devices takes none\n")


LAYERS = {
    "data": {"name": "data", "type": "data", "gpu": -1, "dataIdx": 0, "outputs": 3, "gradConsumer": 0},
    "relu": {"name": "relu", "type": "neuron", "gpu": 0, "inputs": ["data"], "outputs": 3, "gradConsumer": 0,
             "neuron": {"type": "relu", "params": {}}},
}  # fmt: skip


def engine():
    return make_engine("rebuilt", LAYERS, device_ids=[-1], minibatch_size=4, weight_update_freq=1, seed=0, threads=1,
                       transfers="peer")  # fmt: skip


def test_activations_are_seen_without_a_copy() -> None:
    net = engine()
    data = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)
    net.start_batch([data], 0.0, True)
    net.finish_batch()
    array = net.activations("relu")
    seen = np.asarray(array)
    np.testing.assert_array_equal(seen, np.maximum(data, 0))
    assert not hasattr(array, "__cuda_array_interface__")
    # The memory is the engine's own: the next pass writes there.
    net.start_batch([-data], 0.0, True)
    net.finish_batch()
    np.testing.assert_array_equal(seen, np.maximum(-data, 0))


def test_activations_that_are_not_there() -> None:
    with pytest.raises(EngineError, match="Layer 'relu' has no outputs"):
        engine().activations("relu")
    with pytest.raises(EngineError, match="no layer 'other'"):
        engine().activations("other")
