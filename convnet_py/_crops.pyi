"""Crops of a batch of images, minus a mean (bindings/crops.pyx; spec 5.3). Both release the GIL.

``target`` (channels, height, width, cases): all or some columns of a C-contiguous matrix; it is filled with
``(crop - mean + shift) * scale``. ``mean``: (channels, height, width). ``shift``: (channels, cases). A placement is
(top, left, mirror): where the crop begins, and whether it is mirrored left-right. Wrong shapes and crops that would
leave the image raise ValueError.
"""

import numpy as np
from numpy.typing import NDArray

CHUNK: int
BYTES_BEYOND: int

Placement = tuple[int, int, bool]
F = NDArray[np.float32]

def crop(
    images: NDArray[np.uint8] | F,
    placements: list[Placement],
    chunk: int,
    target: F,
    mean: F,
    shift: F,
    scale: float,
) -> None:
    """From ``images`` (channels, rows, columns, cases), C-contiguous; ``chunk`` cases share a placement."""

def crop_decoded(
    images: NDArray[np.uint8],
    rows: int,
    columns: int,
    placement: Placement,
    target: F,
    mean: F,
    shift: F,
    scale: float,
) -> None:
    """From CHUNK decoded images, one per row of ``images``: (rows, columns, channels), then BYTES_BEYOND bytes.

    ``target`` may have fewer cases: the first count.
    """
