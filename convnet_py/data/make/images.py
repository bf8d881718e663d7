"""Images of any size and kind as square ones (spec 5.4): shorter side to the size asked for, the centre, RGB."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

#: Larger images are left out: decoding one takes three bytes a pixel and more.
PIXEL_LIMIT = 80_000_000


class Unusable(Exception):
    """An image that cannot be read, decoded or is too large; the reason in a few words."""


@dataclass(frozen=True)
class Source:
    """Where an image is: ``length`` bytes of a file from ``offset``. ``label``: its class, None where unknown."""

    name: str
    label: int | None
    file: Path
    offset: int
    length: int

    def read(self) -> bytes:
        """The encoded image. Raises Unusable."""
        try:
            with self.file.open("rb") as file:
                file.seek(self.offset)
                content = file.read(self.length)
        except OSError as error:
            raise Unusable(f"cannot be read: {error.strerror or error}") from None
        if len(content) < self.length:
            raise Unusable("cut off")
        return content


@dataclass(frozen=True)
class SquareImage:
    """``pixels``: uint8 (size, size, 3). ``original``: width and height before."""

    pixels: np.ndarray
    original: tuple[int, int]

    def jpeg(self, quality: int) -> bytes:
        """The image as a JPEG."""
        stream = io.BytesIO()
        Image.fromarray(self.pixels).save(stream, "JPEG", quality=quality)
        return stream.getvalue()


@contextmanager
def pillows_limit_off() -> Iterator[None]:
    """Within the block our limit counts, not Pillow's, of which it would print a warning."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def square_image(encoded: bytes, size: int, pixel_limit: int = PIXEL_LIMIT) -> SquareImage:
    """The centre of an image (of any kind that Pillow knows) whose shorter side becomes ``size``. Raises Unusable."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            width, height = image.size
            if width * height > pixel_limit:
                raise Unusable(f"{width} x {height} pixels, more than {pixel_limit}")
            # A JPEG much larger than needed is decoded at a fraction of its size.
            image.draft("RGB", (2 * size, 2 * size))
            return SquareImage(_square(image, size), (width, height))
    except (Unusable, MemoryError):
        raise
    except Exception as error:
        # Damaged images make decoders raise nearly anything.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unusable("not an image" if "cannot identify" in reason else f"damaged: {reason}") from None


def _square(image: Image.Image, size: int) -> np.ndarray:
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    square = image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
    return np.asarray(square)
