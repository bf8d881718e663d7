"""What the CUDA device reaches on the GPU that it finds: operations against the GPU's own ceilings, and whole steps.

Operations: GFLOP/s as a fraction of this run's sgemm (8192 x 8192, cuBLAS in fp32), or GB/s as a fraction of this run's
copy rate, counting each array that must be read or written once. Steps: images/s of layer_defs/alexnet-2012, where ours
include the copy of the images from the host, beside PyTorch with cuDNN, whose images lie on the GPU already.

    python benchmarks/gpu.py [--part operations|layers|steps] [--cases 128]
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from typing import Any

import conv
import numpy as np

from convnet_py import _device

#: The five layers of the convnet-benchmarks table: channels, image, filter, padding, stride, filters.
BENCHMARK_LAYERS = [
    ("L1", 3, 128, 11, 0, 1, 96),
    ("L2", 64, 64, 9, 0, 1, 128),
    ("L3", 128, 32, 9, 0, 1, 128),
    ("L4", 128, 16, 7, 0, 1, 128),
    ("L5", 384, 13, 3, 0, 1, 384),
]
SECONDS_PER_FIGURE = 0.2
MATHS = ("fp32", "tf32")


def normals(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def seconds(operation: Callable[..., Any], *arguments: Any, **keywords: Any) -> float:
    """Per call, over about SECONDS_PER_FIGURE."""
    once = _device.seconds(operation, *arguments, repeats=1, **keywords)
    repeats = int(np.clip(SECONDS_PER_FIGURE / max(once, 1e-7), 3, 1000))
    return _device.seconds(operation, *arguments, repeats=repeats, **keywords)


#: What could not be measured.
failures: list[str] = []


def attempt(name: str, measure: Callable[[], None]) -> None:
    """Measure, or say in a line why that failed: what comes after it is measured all the same."""
    try:
        measure()
    except Exception as error:
        failures.append(name)
        print(f"{name}: failed: {type(error).__name__}: {(str(error).splitlines() or ['without a message'])[0][:200]}")


def sgemm_rate(size: int = 8192) -> float:
    a, b = normals(size, size), normals(size, size)
    return 2 * size**3 / seconds(_device.multiply, a, b, np.empty_like(a))


def copy_rate(count: int = 2**26) -> float:
    x = np.zeros((1, count), np.float32)
    return 2 * x.nbytes / seconds(_device.add, x, np.empty_like(x))


def convolutions(layers: list[tuple], cases: int, sgemm: float) -> None:
    def figure(title: str, arrays: tuple) -> None:
        taken = seconds(*arrays, **geometry)
        rate = 2 * weights.size * modules**2 * cases / taken
        print(f"{title} {taken * 1e3:8.3f} {rate / 1e9:9.0f} {rate / sgemm:8.2f}")

    print(f"{'layer':6} {'operation':16} {'ms':>8} {'GFLOP/s':>9} {'of sgemm':>8}")
    for name, channels, size, filter_size, padding, stride, filters in layers:
        modules = 1 + -(-(2 * padding + size - filter_size) // stride)
        geometry = {"channels": channels, "img_size": size, "filter_size": filter_size, "modules": modules,
                    "padding": padding, "stride": stride}  # fmt: skip
        images, weights = normals(channels * size**2, cases), normals(channels * filter_size**2, filters)
        outputs = normals(filters * modules**2, cases)
        runs = {
            "forward": (_device.conv_forward, images, weights, outputs),
            "image gradient": (_device.conv_image_gradient, outputs, weights, images),
            "weight gradient": (_device.conv_weight_gradient, images, outputs, weights),
        }
        for operation, arrays in runs.items():
            attempt(f"{name} {operation}", lambda: figure(f"{name:6} {operation:16}", arrays))  # noqa: B023


def memory_bound(cases: int, copy: float) -> None:
    """The other operations of alexnet-2012, at the sizes of its first layers, and the largest matrix's update."""
    maps, weights = normals(48 * 55 * 55, cases), normals(4096, 4096)
    pooled = normals(48 * 27 * 27, cases)
    norm = {"channels": 48, "size": 5, "scale": 1e-4, "pow": 0.75, "min_div": 2.0}
    pool = {"channels": 48, "img_size": 55, "size_x": 3, "start": 0, "stride": 2, "outputs_x": 27}
    like = np.empty_like
    classes, labels = np.abs(normals(1000, cases)), np.zeros((1, cases), np.float32)
    runs: list[tuple[str, list, dict]] = [
        ("cross_map_norm", [maps, like(maps), like(maps)], norm),
        ("cross_map_norm_gradient", [maps, np.abs(maps) + 2, maps.copy(), maps.copy(), like(maps)],
         {key: value for key, value in norm.items() if key != "min_div"}),
        ("pool_forward", [maps, like(pooled)], {"kind": "max", **pool}),
        ("pool_max_gradient", [maps, pooled, pooled.copy(), like(maps)], pool),
        ("neuron_forward", [maps, like(maps)], {"kind": "relu"}),
        ("neuron_gradient", [maps, maps.copy(), maps.copy(), like(maps)], {"kind": "relu"}),
        ("add_bias", [normals(48, 1), like(maps)], {"modules": 55 * 55}),
        ("bias_gradient", [maps, np.empty((48, 1), np.float32)], {"modules": 55 * 55}),
        ("dropout_mask", [like(weights)], {"keep": 0.5, "seed": 1, "layer": 1, "update": 1}),
        ("multiply_elementwise", [maps, maps.copy(), like(maps)], {}),
        ("softmax", [classes, like(classes)], {}),
        ("logreg_cost", [labels, classes], {"topk": 5}),
        ("update_weights", [weights, np.zeros_like(weights), weights.copy()],
         {"momentum": 0.9, "gradient_scale": 1e-6, "decay": 1e-6}),
    ]  # fmt: skip
    print(f"{'operation':24} {'ms':>8} {'GB/s':>7} {'of copy':>7}")
    # An update reads and writes its two first arrays, add_bias its second.
    twice = {"update_weights": 2 * weights.nbytes, "add_bias": maps.nbytes}

    def figure(name: str, arrays: list, keywords: dict) -> None:
        taken = seconds(getattr(_device, name), *arrays, **keywords)
        moved = sum(a.nbytes for a in arrays) + twice.get(name, 0)
        print(f"{name:24} {taken * 1e3:8.3f} {moved / taken / 1e9:7.0f} {moved / taken / copy:7.2f}")

    for run in runs:
        attempt(run[0], lambda: figure(*run))  # noqa: B023


def ours(images: np.ndarray, labels: np.ndarray, mini: int, math: str) -> dict[str, Callable[[], None]]:
    import step

    layers = step.read_layers(images.shape[0])
    engine = step.RebuiltEngine(layers, [0, 0], minibatch_size=mini, threads=1, device="cuda", math=math)

    def run(test: bool) -> None:
        engine.start_batch([images, labels], 0.0, test)
        engine.finish_batch()

    return {"forward": lambda: run(True), "training": lambda: run(False)}


def theirs(images: np.ndarray, labels: np.ndarray, *, tf32: bool, channels_last: bool, compiled: bool) -> dict:
    """One minibatch by PyTorch; the caller waits for the GPU."""
    import step
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    steps = step.theirs(images, labels, 1, device="cuda", channels_last=channels_last, compiled=compiled)

    def waited(run: Callable[[], None]) -> Callable[[], None]:
        def timed() -> None:
            run()
            torch.cuda.synchronize()

        return timed

    return {part: waited(run) for part, run in steps.items()}


def images_per_second(run: Callable[[], None], images: int, seconds_in_all: float = 3.0) -> float:
    for _ in range(3):
        run()
    shortest, start = np.inf, time.perf_counter()
    while time.perf_counter() - start < seconds_in_all:
        before = time.perf_counter()
        run()
        shortest = min(shortest, time.perf_counter() - before)
    return images / shortest


def steps(cases: int, minibatches: int = 16) -> None:
    import step

    print(f"PyTorch {step.torch.__version__}")
    rng = np.random.default_rng(0)
    images = rng.standard_normal((3 * 224 * 224, cases * minibatches), dtype=np.float32)
    labels = rng.integers(0, step.CLASSES, (1, cases * minibatches)).astype(np.float32)
    print(f"alexnet-2012, minibatch {cases}: images/s{'forward':>22} {'training':>9}")
    rates: dict[str, list[float]] = {}

    def own(math: str) -> None:
        parts = ours(images, labels, cases, math)
        rates[math] = [images_per_second(parts[part], images.shape[1]) for part in ("forward", "training")]
        print(f"  {'convnet-py ' + math:40} {rates[math][0]:9.0f} {rates[math][1]:9.0f}")

    def other(name: str, math: str, setting: dict[str, bool]) -> None:
        parts = theirs(*first, tf32=math == "tf32", **setting)
        forward, training = (images_per_second(parts[part], cases) for part in ("forward", "training"))
        mine = rates.get(math, [np.nan, np.nan])
        ratios = f"ours: {mine[0] / forward:.2f}, {mine[1] / training:.2f} of it"
        print(f"  {name:40} {forward:9.0f} {training:9.0f}   {ratios}")

    for math in MATHS:
        attempt(f"convnet-py {math}", lambda: own(math))  # noqa: B023
    first = np.ascontiguousarray(images[:, :cases]), np.ascontiguousarray(labels[:, :cases])
    # What takes longest to begin, the compiled ones, at the end.
    for compiled, math, channels_last in itertools.product((False, True), MATHS, (False, True)):
        setting = {"channels_last": channels_last, "compiled": compiled}
        name = " ".join(["PyTorch", math, *(word for word, wanted in setting.items() if wanted)])
        attempt(name, lambda: other(name, math, setting))  # noqa: B023


def operations(math: str, parts: list[str], cases: int) -> None:
    _device.use_gpu(0, tf32=math == "tf32")
    sgemm, copy = sgemm_rate(), copy_rate()
    print(f"{_device.device_name()}, {math}: products {sgemm / 1e9:.0f} GFLOP/s, copy {copy / 1e9:.0f} GB/s")
    if "operations" in parts:
        print(f"\nalexnet-2012, minibatch {cases}")
        convolutions(conv.LAYERS, cases, sgemm)
        if math == "fp32":
            memory_bound(cases, copy)
    if "layers" in parts:
        print("\nthe five layers of convnet-benchmarks, 128 cases")
        convolutions(BENCHMARK_LAYERS, 128, sgemm)
    print()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=["operations", "layers", "steps"])
    parser.add_argument("--cases", type=int, default=128)
    options = parser.parse_args()
    parts = [options.part] if options.part else ["operations", "layers", "steps"]
    sys.stdout.reconfigure(line_buffering=True)  # what has been measured is seen, whatever comes after it
    if parts != ["steps"]:
        for math in MATHS:
            attempt(f"operations in {math}", lambda: operations(math, parts, options.cases))  # noqa: B023
    _device.use_cpu(1)  # gives the GPU's memory back
    if "steps" in parts:
        attempt("steps", lambda: steps(options.cases))
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
