"""What training asks of CUDA, as tests/cuda/witness.cpp counts it: ``python -m watched NET GPUS MINIBATCH``.

Prints a line of JSON for each batch: what it was, its cases, and the calls that it made, by name.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

import numpy as np

from convnet_py import _device
from convnet_py.engines import make_engine
from convnet_py.layers import read_net

LAYER_DEFS = Path(__file__).parents[2] / "layer_defs"
CALLS = ("cudaMalloc", "cudaFree", "cudaHostAlloc", "cudaFreeHost", "cudaMemcpy", "cudaMemcpyPeer",
         "cudaDeviceSynchronize", "cudaStreamSynchronize", "cudaEventSynchronize")  # fmt: skip
ROWS = {"digits": 64, "cifar-quick": 3072}


def main(name: str, gpus: list[int], mini: int) -> None:
    witness = ctypes.CDLL(os.environ["CONVNET_CUDA_LIBRARY"])
    witness.convnet_witness_count.restype = ctypes.c_long
    files = [LAYER_DEFS / name / "layers.cfg", LAYER_DEFS / name / "params.cfg"]
    layers = read_net(*files, data_dims=[ROWS[name], 1], num_gpus=1, num_classes=10, rng=np.random.RandomState(0))
    if len(gpus) > 1:  # half of the net on the second GPU
        for layer in list(layers.values())[len(layers) // 2 :]:
            layer["gpu"] = 1
    net = make_engine("rebuilt", layers, device_ids=gpus, minibatch_size=mini, weight_update_freq=1, seed=0, threads=1,
                      transfers="peer", device="cuda")  # fmt: skip
    rng = np.random.default_rng(0)
    before: dict[str, int] = {}

    def report(what: str, cases: int) -> None:
        counts = {call: witness.convnet_witness_count(call.encode()) for call in CALLS}
        calls = {call: count - before.get(call, 0) for call, count in counts.items() if count != before.get(call, 0)}
        print(json.dumps([what, cases, calls, [gpu["free_bytes"] for gpu in _device.list_gpus()]]))
        before.update(counts)

    def batch(what: str, cases: int) -> None:
        data = [rng.standard_normal((ROWS[name], cases), dtype=np.float32),
                rng.integers(0, 10, (1, cases)).astype(np.float32)]  # fmt: skip
        net.start_batch(data, 0.0, what == "test")
        net.finish_batch()
        report(what, cases)

    report("made", 0)
    many = 200 if name == "digits" else 10
    for what, cases in (("train", mini), ("train", mini), ("train", 10 * mini), ("train", 3 * mini + 1),
                        ("test", 2 * mini), ("train", 2 * mini + 2), ("train", many * mini)):  # fmt: skip
        batch(what, cases)
    net.sync_with_host()
    net.state()
    report("checkpoint", 0)
    batch("train", 2 * mini)


if __name__ == "__main__":
    main(sys.argv[1], [int(gpu) for gpu in sys.argv[2].split(",")], int(sys.argv[3]))
