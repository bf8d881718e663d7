"""``convnet data info``: what is in a batch folder, as text and as one picture (spec 5.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from convnet_py.data.batch_folder import BatchFolder
from convnet_py.data.images import as_picture, image_shape, sample_images

SAMPLES = 10
_SIDE, _GAP, _TEXT = 96, 8, 14
_SHOWN_CLASSES = 20


@dataclass(frozen=True)
class Contents:
    """``cases``: of each batch. ``labels``: how many cases each class has (empty without labels)."""

    text: str
    cases: dict[int, int]
    labels: np.ndarray


def _count(folder: BatchFolder, number: int) -> tuple[str, int, list[int]]:
    """Kind, cases and labels of a batch. Raises DataError."""
    if folder.is_jpeg(number):
        batch = folder.jpeg_batch(number)
        return "JPEG", len(batch.jpegs), [label for labels in batch.labels for label in labels]
    plain = folder.batch(number)
    labels = [] if plain.labels is None else plain.labels[0].tolist()
    return str(plain.data.dtype), plain.data.shape[1], labels


def describe(folder: BatchFolder) -> Contents:
    """Read all batches and count. Raises DataError."""
    names = folder.meta.get("label_names", [])
    num_vis = folder.meta["num_vis"]
    shape = image_shape(num_vis)
    cases, every = {}, []
    rows = [f"{'batch':>7} {'cases':>8}  {'kind':8} {'MB':>8}"]
    for number in folder.numbers():
        kind, count, labels = _count(folder, number)
        cases[number] = count
        every += labels
        size = sum(file.stat().st_size for file in folder.files(number)) / 2**20
        rows.append(f"{number:>7} {count:>8}  {kind:8} {size:>8.1f}")
    balance = np.bincount(every, minlength=len(names)) if every else np.zeros(len(names), int)
    images = f", images of {shape[0]} x {shape[1]} x {shape[1]}" if shape else ""
    head = [
        f"{folder.path}: {len(cases)} batches, {sum(cases.values())} cases of {num_vis} values{images}",
        f"provider: {folder.meta.get('dp_type', 'not named')}",
        f"mean: {_mean_text(folder)}",
    ]
    return Contents("\n".join([*head, *rows, *_balance_rows(balance, names)]), cases, balance)


def _mean_text(folder: BatchFolder) -> str:
    mean = folder.meta.get("data_mean")
    return "none" if mean is None else f"{mean.mean():.3f} over all values, from {mean.min():.3f} to {mean.max():.3f}"


def _balance_rows(balance: np.ndarray, names: list) -> list[str]:
    if not balance.any():
        return ["no labels"]
    rows = [f"classes: {len(balance)}, with {balance.min()} to {balance.max()} cases each"]
    rows += [f"{count:>16}  {_name(names, label)}" for label, count in enumerate(balance[:_SHOWN_CLASSES])]
    return rows + (["             ..."] if len(balance) > _SHOWN_CLASSES else [])


def _name(names: list, label: int) -> str:
    return str(names[label]) if label < len(names) else f"class {label}"


def draw(folder: BatchFolder, contents: Contents) -> Image.Image:
    """The mean and the class balance in one row, ten images with their labels below. Raises DataError."""
    width = (SAMPLES // 2) * (_SIDE + _GAP) + _GAP
    height = 3 * (_SIDE + _TEXT + _GAP) + _GAP
    picture = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(picture)
    shape, mean = image_shape(folder.meta["num_vis"]), folder.meta.get("data_mean")
    if mean is not None and shape is not None:
        _paste(picture, pen, as_picture(mean, shape), _GAP, _GAP, "mean")
    _draw_balance(pen, contents.labels, (_SIDE + 3 * _GAP, _GAP, width - _GAP, _GAP + _SIDE))
    names = folder.meta.get("label_names", [])
    if shape is not None and contents.cases:
        for index, (image, labels) in enumerate(sample_images(folder, min(contents.cases), SAMPLES)):
            left = _GAP + index % 5 * (_SIDE + _GAP)
            top = _GAP + (1 + index // 5) * (_SIDE + _TEXT + _GAP)
            _paste(picture, pen, image, left, top, ", ".join(_name(names, label) for label in labels) or "no label")
    return picture


def _paste(picture: Image.Image, pen: ImageDraw.ImageDraw, image: np.ndarray, left: int, top: int, text: str) -> None:
    scale = _SIDE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BICUBIC
    picture.paste(Image.fromarray(image).resize(size, method), (left, top))
    # Pillow's own font knows latin-1 alone.
    shown = text.encode("latin-1", "replace").decode("latin-1")
    while shown and pen.textlength(shown) > _SIDE:
        shown = shown[:-1]
    pen.text((left, top + _SIDE + 1), shown, fill="black")


def _draw_balance(pen: ImageDraw.ImageDraw, balance: np.ndarray, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    pen.text((left, bottom + 1), f"cases per class ({len(balance)} classes)", fill="black")
    if not balance.any():
        return
    step = (right - left) / len(balance)
    for label, count in enumerate(balance):
        bar = (left + label * step, bottom - (bottom - top) * count / balance.max())
        pen.rectangle((*bar, bar[0] + 0.8 * step, bottom), fill="steelblue")
