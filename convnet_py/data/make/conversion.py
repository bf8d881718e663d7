"""Turning many images into batches, so that a conversion that was stopped, however, goes on where it was (spec 5.4).

While it runs, everything is in ``OUT.partial``: finished batches in its folder ``batches``, and beside them what the
means are made of. Every file is written in one step, and what goes into a batch follows from the settings alone: so a
conversion that goes on gives the same bytes as one that was never stopped.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convnet_py.checkpoint.folder import partial
from convnet_py.data import safe_pickle
from convnet_py.data.make.images import PIXEL_LIMIT, Source, SquareImage, Unusable, pillows_limit_off, square_image
from convnet_py.data.make.writer import check_free, write_errors, write_meta, write_pickle
from convnet_py.errors import DataError, UsageError
from convnet_py.progress import ProgressBar

#: Number of the first test batch.
FIRST_TEST_BATCH = 1000
_LEFT_OUT = "left_out.txt"


@dataclass(frozen=True)
class Settings:
    """How images are stored. ``jpeg``: as JPEGs of ``quality``, else as plain pixels."""

    size: int
    batch_size: int
    seed: int = 0
    jpeg: bool = True
    quality: int = 95
    pixel_limit: int = PIXEL_LIMIT
    threads: int = 1


@dataclass
class ImageSet:
    """What is converted. ``meta``: more entries for batches.meta."""

    train: list[Source]
    test: list[Source]
    label_names: list[str]
    meta: dict[str, Any] = field(default_factory=dict)


def convert(images: ImageSet, out: Path, settings: Settings, warn: Callable[[str], None]) -> list[str]:
    """Make the batch folder ``out``; ``warn`` hears of each image left out, up to a few. Returns all of them.

    Raises DataError, also for a conversion into ``out`` that was begun with other images or settings.
    """
    batches = _plan(images, settings)
    total = sum(map(len, batches.values()))
    with write_errors(out), _workplace(out.absolute(), _description(batches, settings)) as work:
        with pillows_limit_off(), ProgressBar(total, "converting") as bar:
            _convert_all(work, batches, settings, bar)
        left_out = _finish(work, images, batches, settings)
        os.rename(work / "batches", out)
    for line in left_out[:10]:
        warn(f"left out: {line}")
    if left_out:
        warn(f"{len(left_out)} of {total} images are left out; {out / _LEFT_OUT} names all")
    return left_out


def _plan(images: ImageSet, settings: Settings) -> dict[int, list[Source]]:
    """The images of each batch: training ones shuffled, from 1; test ones in their order, from FIRST_TEST_BATCH."""
    order = np.random.RandomState(settings.seed).permutation(len(images.train))
    train = [images.train[index] for index in order]
    plan = {}
    for first_number, sources in ((1, train), (FIRST_TEST_BATCH, images.test)):
        for index, first in enumerate(range(0, len(sources), settings.batch_size)):
            plan[first_number + index] = sources[first : first + settings.batch_size]
    needed = -(-len(train) // settings.batch_size)
    if needed >= FIRST_TEST_BATCH:
        least = -(-len(train) // (FIRST_TEST_BATCH - 1))
        raise UsageError(f"--batch-size: got {settings.batch_size}, {len(train)} training images need at least {least}")
    return plan


def _description(batches: dict[int, list[Source]], settings: Settings) -> dict[str, Any]:
    """What a conversion is, to tell whether one that was begun is the same."""
    files = sorted({source.file for sources in batches.values() for source in sources})
    contents = [(file.name, file.stat().st_size) for file in files] if len(files) < 100 else len(files)
    return {
        "size": settings.size,
        "batch-size": settings.batch_size,
        "seed": settings.seed,
        "format": "jpeg" if settings.jpeg else "raw",
        "quality": settings.quality,
        "pixel-limit": settings.pixel_limit,
        "images": sum(map(len, batches.values())),
        "files": json.loads(json.dumps(contents)),
    }


@contextmanager
def _workplace(out: Path, description: dict[str, Any]) -> Iterator[Path]:
    """``OUT.partial``, new or left by a conversion that was stopped; removed when the block ends well."""
    work = out.with_name(out.name + ".partial")
    if out.exists() and work.is_dir() and not (work / "batches").exists():
        shutil.rmtree(work)  # stopped after its very last step but this
    check_free(out)
    (work / "batches").mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"{work}: another process is at work here") from None
        _check_same(work, description)
        yield work
    shutil.rmtree(work)


def _check_same(work: Path, description: dict[str, Any]) -> None:
    path = work / "settings.json"
    if not path.exists():
        with partial(path) as beside:
            beside.write_text(json.dumps(description, indent=1))
        return
    try:
        before = json.loads(path.read_text())
        differs = [key for key in description if before[key] != description[key]]
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise DataError(f"{path}: damaged; remove {work} to begin anew") from None
    if differs:
        key = differs[0]
        raise DataError(
            f"{work}: a conversion was begun here with {key} {before[key]}, now {description[key]}; go on with the "
            "same, or remove that folder"
        )


def _convert_all(work: Path, batches: dict[int, list[Source]], settings: Settings, bar: ProgressBar) -> None:
    """Convert the batches that are not there yet."""
    done = 0
    with ThreadPoolExecutor(settings.threads, "convert") as pool:
        for number, sources in batches.items():
            if not (work / "batches" / f"data_batch_{number}").exists():
                _convert_batch(work, number, sources, settings, pool, lambda more, done=done: bar.update(done + more))
            done += len(sources)
            bar.update(done)


def _convert_batch(
    work: Path,
    number: int,
    sources: Sequence[Source],
    settings: Settings,
    pool: ThreadPoolExecutor,
    progress: Callable[[int], None],
) -> None:
    """Convert and write one batch; the numbers that means are made of go first."""
    stored, originals, kept, left_out = [], [], [], []
    total = np.zeros((settings.size, settings.size, 3), np.int64)
    products = np.zeros((3, 3), np.int64)
    results = pool.map(lambda source: _convert_image(source, settings), sources)
    for index, (source, result) in enumerate(zip(sources, results, strict=True)):
        progress(index)
        if isinstance(result, Unusable):
            left_out.append(f"{source.name}: {result}")
            continue
        image, encoded, moments = result
        total += image.pixels
        products += moments
        stored.append(encoded if settings.jpeg else image.pixels)
        originals.append(image.original)
        kept.append(source)
    if not kept:
        raise DataError(f"none of the {len(sources)} images of batch {number} can be used; the first: {left_out[0]}")
    statistics = {"total": total, "products": products, "count": len(kept), "left_out": left_out}
    write_pickle(work / f"statistics_{number}", statistics)
    write_pickle(work / "batches" / f"data_batch_{number}", _batch(stored, originals, kept, settings))


def _convert_image(source: Source, settings: Settings) -> tuple[SquareImage, bytes, np.ndarray] | Unusable:
    try:
        image = square_image(source.read(), settings.size, settings.pixel_limit)
    except Unusable as reason:
        return reason
    pixels = image.pixels.reshape(-1, 3).astype(np.float64)
    # Exact: sums of products of bytes stay far below 2**53.
    moments = (pixels.T @ pixels).astype(np.int64)
    return image, image.jpeg(settings.quality) if settings.jpeg else b"", moments


def _batch(stored: list, originals: list[tuple[int, int]], kept: list[Source], settings: Settings) -> Any:
    """The content of a batch file (spec 5.1)."""
    if settings.jpeg:
        return stored, originals, [(source.name, source.label) for source in kept]
    data = np.stack(stored).transpose(3, 1, 2, 0).reshape(-1, len(stored))
    return {
        "data": np.ascontiguousarray(data),
        "labels": [source.label for source in kept],
        "filenames": [source.name for source in kept],
    }


def _finish(work: Path, images: ImageSet, batches: dict[int, list[Source]], settings: Settings) -> list[str]:
    """Write batches.meta, and the list of images left out; return that."""
    total = np.zeros((settings.size, settings.size, 3), np.int64)
    products, count, left_out = np.zeros((3, 3), np.int64), 0, []
    for number in batches:
        statistics = safe_pickle.load(work / f"statistics_{number}")
        left_out += statistics["left_out"]
        if number < FIRST_TEST_BATCH:
            total += statistics["total"]
            products += statistics["products"]
            count += statistics["count"]
    mean = (total / count).transpose(2, 0, 1)
    if left_out:
        with partial(work / "batches" / _LEFT_OUT) as beside:
            beside.write_text("".join(f"{line}\n" for line in left_out), encoding="utf-8", errors="surrogateescape")
    meta = {
        "num_cases_per_batch": settings.batch_size,
        "batch_size": settings.batch_size,
        "color_pca": color_pca(total.sum(axis=(0, 1)), products, count * settings.size**2),
        **images.meta,
    }
    provider = "inet-lr-cropped-jpeg" if settings.jpeg else "cifar-cropped"
    write_meta(work / "batches", mean, images.label_names, provider, **meta)
    return left_out


def color_pca(sums: np.ndarray, products: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalue roots (3, descending) and eigenvectors (3 x 3, columns) of the colours' covariance.

    ``sums``: of each channel's values; ``products``: of each two channels' values, over all ``pixels``.
    """
    mean = sums / pixels
    values, vectors = np.linalg.eigh(products / pixels - np.outer(mean, mean))
    values, vectors = values[::-1], vectors[:, ::-1]
    # An eigenvector's sign is arbitrary: its largest component is positive here.
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), range(3)])
    return np.sqrt(np.maximum(values, 0)), np.ascontiguousarray(vectors * signs)
