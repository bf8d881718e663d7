"""Whole nets on a GPU: against PyTorch, against the CPU, twice on one GPU, at length, and out of its memory.

Tolerances of fp32 are those of ``convnet compare`` between CPU engines: a GPU adds in another order, no less exactly.
TF32 keeps 10 bits of a factor: 2^-11 for each of two, over sums of some thousand products with random signs, a few
times that of the largest value; layers follow one another, hence 1e-2.

CONVNET_TEST_CASES gives minibatches fewer cases than the 128 of a GPU, for an emulated one (tests/cuda).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from convnet_py import _device
from convnet_py.engines import make_engine
from convnet_py.layers import read_net

LAYER_DEFS = Path(__file__).parents[2] / "layer_defs"
CASES = int(os.environ.get("CONVNET_TEST_CASES", 128))
TF32 = ["--tolerance-activations=1e-2", "--tolerance-gradients=3e-2", "--tolerance-weights=1e-2"]
NETS = {
    "digits": ["--data-provider=digits"],
    "fashion": ["--data-provider=dummy-labeled-784"],
    "gradcheck": ["--data-provider=dummy-lr-192", "--num-gpus=3", "--gpu=0,0,0"],
    "cifar-quick": ["--data-provider=dummy-labeled-3072"],
    "cifar-conv-local": ["--data-provider=dummy-labeled-1728"],
    "alexnet-2012": ["--data-provider=dummy-labeled-150528", "--dummy-classes=1000", "--num-gpus=2", "--gpu=0,0"],
}


def files(net: str) -> list[str]:
    return [f"--layer-{kind}={LAYER_DEFS / net / name}.cfg" for kind, name in (("def", "layers"), ("params", "params"))]


def convnet(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "convnet_py.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


def torch_place() -> str:
    torch = pytest.importorskip("torch")
    return "torch:cuda" if torch.cuda.is_available() else "torch"


@pytest.mark.parametrize("place", ["cuda", "tf32"])
@pytest.mark.parametrize("net", NETS)
def test_net_agrees_with_torch(net: str, place: str) -> None:
    tolerances = TF32 if place == "tf32" else []
    engines = f"--engines=rebuilt:{place},{torch_place()}"
    cases = (f"--mini={CASES}", f"--dummy-cases={CASES}")
    done = convnet("compare", engines, "--batches=0", *cases, *NETS[net], *files(net), *tolerances)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_gradients_against_differences() -> None:
    cases = min(16, CASES)
    done = convnet("check-grads", "--device=cuda", f"--mini={cases}", f"--dummy-cases={cases}", *NETS["gradcheck"],
                   *files("gradcheck"))  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "ALL 33 TESTS PASSED" in done.stdout


def test_digits_are_learned(tmp_path: Path) -> None:
    arguments = ("--train-range=1-5", "--test-range=6", "--epochs=30", "--test-freq=150", "--mini=32",
                 f"--save-path={tmp_path}", "--data-provider=digits", *files("digits"))  # fmt: skip
    done = convnet("train", "--device=cuda", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("computing on: GPU 0 (")
    tested = convnet("test", "-f", next(tmp_path.iterdir()))
    error = float(tested.stdout.split("logprob:")[-1].split(",")[1].split()[0].strip("()"))
    assert error <= 0.02, tested.stdout[-1000:]


def engine():
    layers = read_net(
        LAYER_DEFS / "cifar-quick" / "layers.cfg", LAYER_DEFS / "cifar-quick" / "params.cfg", data_dims=[3072, 1],
        num_gpus=1, num_classes=10, rng=np.random.RandomState(0),
    )  # fmt: skip
    return layers, make_engine("rebuilt", layers, device_ids=[0], minibatch_size=CASES, weight_update_freq=1, seed=0,
                               threads=1, transfers="peer", device="cuda")  # fmt: skip


def batch(cases: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((3072, cases), dtype=np.float32), rng.integers(0, 10, (1, cases)).astype(np.float32)]


def train(net, data: list[np.ndarray]) -> None:
    net.start_batch(data, 0.0)
    net.finish_batch()


def test_memory_stays_flat() -> None:
    _, net = engine()
    train(net, batch(CASES))
    before = _device.list_gpus()[0]["free_bytes"]
    train(net, batch(CASES * 200))
    assert _device.list_gpus()[0]["free_bytes"] == before


def test_repeats_bit_for_bit() -> None:
    weights = []
    for _ in range(2):
        layers, net = engine()
        train(net, batch(CASES * 8 + 1))
        net.sync_with_host()
        weights.append([a.copy() for layer in layers.values() for a in layer.get("weights", ())])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("library", ["torch", "cupy", "pycuda", "numpy"])
def test_activations_are_seen_without_a_copy(library: str) -> None:
    module = pytest.importorskip(library)
    layers, net = engine()
    net.start_batch(batch(CASES), 0.0, True)
    net.finish_batch()
    name = next(name for name, layer in layers.items() if layer["type"] == "softmax")
    array = net.activations(name)
    if library == "numpy":
        if not _device.list_gpus()[0]["name"].startswith("CUDA emulation"):
            pytest.skip("NumPy sees the memory of emulated GPUs only")
        seen = np.asarray(SimpleNamespace(__array_interface__=array.__cuda_array_interface__))
        sums, pointer = seen.sum(0), seen.ctypes.data
    elif library == "torch":
        if not module.cuda.is_available():
            pytest.skip("this PyTorch has no CUDA")
        seen = module.as_tensor(array, device="cuda")
        sums, pointer = seen.sum(0).cpu().numpy(), seen.data_ptr()
    elif library == "cupy":
        seen = module.asarray(array)
        sums, pointer = module.asnumpy(seen.sum(axis=0)), seen.data.ptr
    else:
        import pycuda.autoprimaryctx  # noqa: F401 (makes the context current in which the engine computes)
        from pycuda.gpuarray import GPUArray

        interface = array.__cuda_array_interface__
        seen = GPUArray(interface["shape"], np.float32, gpudata=interface["data"][0])
        sums, pointer = seen.get().sum(axis=0), int(seen.gpudata)
    assert pointer == array.__cuda_array_interface__["data"][0]
    np.testing.assert_allclose(sums, 1, rtol=1e-5)


def test_out_of_memory_is_one_line_and_the_checkpoint_stays(tmp_path: Path) -> None:
    """A wide layer: 256 KiB for each case of 12 bytes, so that the host needs little memory to fill the GPU's."""
    (tmp_path / "layers.cfg").write_text(
        "[data]\ntype=data\ndataIdx=0\n[wide]\ntype=fc\ninputs=data\noutputs=65536\ninitW=0.01\ngpu=0\n"
        "[cost]\ntype=cost.sum2\ninputs=wide\ngpu=0\n"
    )
    (tmp_path / "params.cfg").write_text("[wide]\nepsW=0\nepsB=0\nmomW=0\nmomB=0\nwc=0\n[cost]\ncoeff=1\n")
    arguments = ("--train-range=1", "--test-range=2", "--test-freq=1", "--device=cuda", f"--save-path={tmp_path}/runs",
                 "--data-provider=dummy-lr-3", "--dummy-cases=16", "--mini=16", f"--layer-def={tmp_path}/layers.cfg",
                 f"--layer-params={tmp_path}/params.cfg")  # fmt: skip
    done = convnet("train", *arguments, "--epochs=1")
    assert done.returncode == 0, done.stderr
    [saved] = tmp_path.glob("runs/*/1.1")
    before = saved.read_bytes()
    cases = int(1.2 * _device.list_gpus()[0]["free_bytes"] / 4 / 65536)
    done = convnet("train", "-f", saved, "--epochs=2", f"--mini={cases}", f"--dummy-cases={cases}")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("convnet: warning: ")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("convnet: CUDA: GPU 0 is out of memory: asked for ")
    assert saved.read_bytes() == before
