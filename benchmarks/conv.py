"""The five convolutions of the two-column ImageNet net against this machine's own sgemm rate.

Prints GFLOP/s of the forward pass, the weight gradient and the image gradient (not the first layer's,
whose image nobody asks for), each as a ratio to the sgemm rate of the same run. The sgemm rate is the
better of NumPy's BLAS and this package's, on square matrices, measured again beside every layer, since
machines are shared. The two take turns; each time is the shortest of --repeats.

    python benchmarks/conv.py [--cases 128] [--threads N] [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np

from convnet_py import _device

# name, channels, image, filter, padding, stride, filters: one column; conv3 sees both.
LAYERS = [
    ("conv1", 3, 224, 11, 0, 4, 48),
    ("conv2", 48, 27, 5, 2, 1, 128),
    ("conv3", 256, 13, 3, 1, 1, 192),
    ("conv4", 192, 13, 3, 1, 1, 192),
    ("conv5", 192, 13, 3, 1, 1, 128),
]
TARGET = 0.7


def sgemm_runs(size: int = 2048) -> tuple[int, list[Callable[[], None]]]:
    """A square product by NumPy's BLAS and by ours, and its floating-point operations."""
    a, b = (np.random.default_rng(0).standard_normal((size, size), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)
    return 2 * size**3, [lambda: np.matmul(a, b, out=out), lambda: _device.multiply(a, b, out)]


def shortest(repeats: int, runs: list[Callable[[], None]]) -> list[float]:
    """Each run's shortest time, the runs taking turns; the first turn only warms up."""
    best = [np.inf] * len(runs)
    for repeat in range(repeats + 1):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            run()
            if repeat:
                best[i] = min(best[i], time.perf_counter() - start)
    return best


def operations(
    channels: int, size: int, filter_size: int, padding: int, stride: int, filters: int, cases: int
) -> tuple[int, dict]:
    """The three products of one convolution on random values, and the floating-point operations of each."""
    modules = 1 + -(-(2 * padding + size - filter_size) // stride)
    geometry = {
        "channels": channels,
        "img_size": size,
        "filter_size": filter_size,
        "modules": modules,
        "padding": padding,
        "stride": stride,
    }
    rng = np.random.default_rng(1)
    images = rng.standard_normal((channels * size**2, cases), dtype=np.float32)
    weights = rng.standard_normal((channels * filter_size**2, filters), dtype=np.float32)
    outputs = rng.standard_normal((filters * modules**2, cases), dtype=np.float32)
    return 2 * weights.size * modules**2 * cases, {
        "forward": lambda: _device.conv_forward(images, weights, outputs, **geometry),
        "weight gradient": lambda: _device.conv_weight_gradient(images, outputs, weights, **geometry),
        "image gradient": lambda: _device.conv_image_gradient(outputs, weights, images, **geometry),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=128)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    _device.use_cpu(options.threads)
    sgemm_flops, sgemm = sgemm_runs()
    print(f"{_device.device_name()}, {options.threads} threads, minibatch {options.cases}; target {TARGET} of sgemm")
    print(f"{'layer':6} {'operation':16} {'GFLOP/s':>8} {'sgemm':>8} {'ratio':>6}")
    lowest = np.inf
    for name, *shape in LAYERS:
        flops, runs = operations(*shape, options.cases)
        if name == "conv1":
            del runs["image gradient"]
        for operation, run in runs.items():
            seconds, *sgemm_seconds = shortest(options.repeats, [run, *sgemm])
            rate, sgemm_rate = flops / seconds, sgemm_flops / min(sgemm_seconds)
            lowest = min(lowest, rate / sgemm_rate)
            print(f"{name:6} {operation:16} {rate / 1e9:8.1f} {sgemm_rate / 1e9:8.1f} {rate / sgemm_rate:6.2f}")
    print(f"lowest ratio: {lowest:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
