"""Images per second of the two-column ImageNet net: this package beside PyTorch on the CPU, in the same run.

Both compute layer_defs/alexnet-2012 on one minibatch of random images: forward with the costs, and a
whole training step (forward, backward, update with momentum and decay). Each figure is from the shortest
of --repeats steps, and the two programs take turns, since machines are shared.

    python benchmarks/step.py [--cases 128] [--threads N] [--repeats 3]

PyTorch is the extra [torch].
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from convnet_py.engines.rebuilt import RebuiltEngine
from convnet_py.layers import read_net

NET = Path(__file__).parent.parent / "layer_defs" / "alexnet-2012"
CLASSES = 1000


class TwoColumns(nn.Module):
    """The same net in PyTorch: two columns as groups, except where the third convolution sees both."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.fc6, self.fc7, self.fc8 = nn.Linear(256 * 6 * 6, 4096), nn.Linear(4096, 4096), nn.Linear(4096, CLASSES)

    def normalized(self, x: torch.Tensor) -> torch.Tensor:
        """Each column normalizes by itself: fold the columns into the cases."""
        columns = x.reshape(2 * len(x), x.shape[1] // 2, *x.shape[2:])
        return functional.local_response_norm(columns, 5, alpha=5e-4, beta=0.75, k=2).reshape(x.shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.pad(x, (0, 3, 0, 3))  # the last window hangs over by three pixels
        x = functional.max_pool2d(self.normalized(functional.relu(self.conv1(x))), 3, 2)
        x = functional.max_pool2d(self.normalized(functional.relu(self.conv2(x))), 3, 2)
        x = functional.relu(self.conv3(x))
        x = functional.relu(self.conv4(x))
        x = functional.max_pool2d(functional.relu(self.conv5(x)), 3, 2).flatten(1)
        x = functional.dropout(functional.relu(self.fc6(x)), 0.5, self.training)
        x = functional.dropout(functional.relu(self.fc7(x)), 0.5, self.training)
        return self.fc8(x)


def read_layers(values: int) -> dict[str, dict]:
    return read_net(
        NET / "layers.cfg",
        NET / "params.cfg",
        data_dims=[values, 1],
        num_gpus=2,
        num_classes=CLASSES,
        rng=np.random.RandomState(0),
    )


def ours(images: np.ndarray, labels: np.ndarray, threads: int) -> dict[str, Callable[[], None]]:
    engine = RebuiltEngine(read_layers(images.shape[0]), [0, 0], minibatch_size=images.shape[1], threads=threads)

    def step(test: bool) -> None:
        engine.start_batch([images, labels], 0.0, test)
        engine.finish_batch()

    return {"forward": lambda: step(True), "training": lambda: step(False)}


def theirs(
    images: np.ndarray,
    labels: np.ndarray,
    threads: int,
    device: str = "cpu",
    channels_last: bool = False,
    compiled: bool = False,
) -> dict[str, Callable[[], None]]:
    torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = TwoColumns().to(device, memory_format=layout)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=0.0005)
    x = torch.from_numpy(np.ascontiguousarray(images.T)).reshape(-1, 3, 224, 224)
    x, target = x.to(device, memory_format=layout), torch.from_numpy(labels[0].astype(np.int64)).to(device)
    if compiled:
        net = torch.compile(net)

    def forward() -> None:
        net.eval()
        with torch.no_grad():
            functional.cross_entropy(net(x), target)

    def training() -> None:
        net.train()
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(net(x), target).backward()
        optimizer.step()

    return {"forward": forward, "training": training}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=128)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    images = rng.standard_normal((3 * 224 * 224, options.cases), dtype=np.float32)
    labels = rng.integers(0, CLASSES, (1, options.cases)).astype(np.float32)
    programs = {
        "convnet-py": ours(images, labels, options.threads),
        f"PyTorch {torch.__version__}": theirs(images, labels, options.threads),
    }
    print(f"alexnet-2012, minibatch {options.cases}, {options.threads} threads: images/s")
    for part in ("forward", "training"):
        shortest = dict.fromkeys(programs, np.inf)
        for repeat in range(options.repeats + 1):
            for name, parts in programs.items():
                start = time.perf_counter()
                parts[part]()
                if repeat:  # the first one only warms up
                    shortest[name] = min(shortest[name], time.perf_counter() - start)
        rates = {name: options.cases / seconds for name, seconds in shortest.items()}
        ratio = next(iter(rates.values())) / list(rates.values())[1]
        print(f"{part:9}", ", ".join(f"{name} {rate:.1f}" for name, rate in rates.items()), f"ratio {ratio:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
