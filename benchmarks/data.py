"""How fast data gets ready, as ratios within this run: decoding and augmenting JPEGs, and cropping plain images.

Both are measured as the providers do them, at 256 x 256 pixels with a border of 16 and colour noise. JPEGs
(inet-lr-cropped-jpeg, from their bytes in memory to the matrix of a batch) stand beside simplejpeg's own decode rate,
in as many threads; the same images, cropped, minus their mean (inet-lr-cropped), beside a plain copy of the result.
The two of a pair take turns; each time is the shortest of --repeats. Processor time is the fairer one on a machine
that others use.

    python benchmarks/data.py [--cases 480] [--threads N] [--repeats 7]
"""

from __future__ import annotations

import argparse
import os
import pickle
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import simplejpeg

from convnet_py.data.providers import ProviderSettings, make_provider
from convnet_py.options import BatchRange

SIZE, BORDER = 256, 16
DECODE_TARGET, CROP_TARGET = 0.7, 0.5


def pictures(count: int) -> list[np.ndarray]:
    """Crops of the photographs that scikit-learn and scikit-image ship, all different."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    photographs = [*load_sample_images().images, data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    rng = np.random.RandomState(0)
    crops = []
    for index in range(count):
        photograph = photographs[index % len(photographs)]
        top, left = (rng.randint(length - SIZE + 1) for length in photograph.shape[:2])
        crops.append(np.ascontiguousarray(photograph[top : top + SIZE, left : left + SIZE]))
    return crops


def shortest(repeats: int, runs: list[Callable[[], object]]) -> np.ndarray:
    """Each run's shortest elapsed and processor time, the runs taking turns; the first turn only warms up."""
    best = np.full((len(runs), 2), np.inf)
    for repeat in range(repeats + 1):
        for index, run in enumerate(runs):
            start = time.perf_counter(), time.process_time()
            run()
            taken = time.perf_counter() - start[0], time.process_time() - start[1]
            if repeat:
                best[index] = np.minimum(best[index], taken)
    return best


def provider(name: str, folder: Path, threads: int):
    """A training provider whose batch stays in memory, so that reading the file is not measured."""
    settings = ProviderSettings(
        folder, BatchRange(1, 1), False, np.random.RandomState(0), crop_border=BORDER, color_noise=0.1, threads=threads
    )
    made = make_provider(name, settings)
    if name.endswith("jpeg"):
        batch = made.folder.jpeg_batch(1)
        made.folder.jpeg_batch = lambda number: batch
    else:
        plain = made.folder.batch(1)
        made.folder.batch = lambda number: plain
    return made


def write_folder(folder: Path, batch: object) -> None:
    """A folder of one batch."""
    folder.mkdir()
    meta = {
        "num_vis": 3 * SIZE**2,
        "data_mean": np.full((3 * SIZE**2, 1), 110.0),
        "label_names": ["a"],
        "color_pca": (np.array([60.0, 15.0, 5.0]), np.eye(3)),
    }
    (folder / "batches.meta").write_bytes(pickle.dumps(meta))
    (folder / "data_batch_1").write_bytes(pickle.dumps(batch))


def report(what: str, cases: int, beside: str, times: np.ndarray, target: float) -> None:
    (ours, ours_cpu), (theirs, theirs_cpu) = times
    print(f"{what}: {cases / ours:.0f} images/s; {beside}: {cases / theirs:.0f}; ratio {theirs / ours:.2f}, "
          f"by processor time {theirs_cpu / ours_cpu:.2f}; target {target}")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=480)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    images = pictures(args.cases)
    jpegs = [simplejpeg.encode_jpeg(image, quality=95) for image in images]
    print(f"{args.cases} images, {args.threads} threads, {np.mean([len(jpeg) for jpeg in jpegs]) / 1024:.0f} KB each")
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(args.threads) as pool:
        write_folder(Path(name) / "jpeg", (jpegs, [], [(str(index), 0) for index in range(args.cases)]))
        data = np.stack(images).transpose(3, 1, 2, 0).reshape(-1, args.cases)
        write_folder(Path(name) / "plain", {"data": np.ascontiguousarray(data), "labels": [0] * args.cases})
        from_jpeg = provider("inet-lr-cropped-jpeg", Path(name) / "jpeg", args.threads)
        cropped = provider("inet-lr-cropped", Path(name) / "plain", args.threads)

        chunks = [jpegs[first : first + 32] for first in range(0, args.cases, 32)]

        def decode_all() -> None:
            list(pool.map(lambda chunk: [simplejpeg.decode_jpeg(jpeg) for jpeg in chunk], chunks))

        times = shortest(args.repeats, [lambda: from_jpeg.get_batch(1), decode_all])
        report("decoded and augmented", args.cases, "simplejpeg alone", times, DECODE_TARGET)
        result = cropped.get_batch(1)[0]

        def copy() -> None:
            # In as many threads, into memory that is new each time, as a batch's is.
            target = np.empty_like(result)
            parts = np.array_split(np.arange(len(result)), args.threads)
            list(
                pool.map(lambda part: np.copyto(target[part[0] : part[-1] + 1], result[part[0] : part[-1] + 1]), parts)
            )

        times = shortest(args.repeats, [lambda: cropped.get_batch(1), copy])
        report("cropped, mean subtracted", args.cases, "plain copy", times, CROP_TARGET)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
