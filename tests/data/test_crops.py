"""The compiled crops refuse what does not fit; what they compute is tested through the providers (spec 5.3)."""

from __future__ import annotations

import numpy as np
import pytest

from convnet_py._crops import BYTES_BEYOND, CHUNK, crop, crop_decoded


def arguments(**changed):
    """Good arguments of crop: two images of 3 x 4 x 5, cropped to 3 x 2 x 3, but for what is changed."""
    good = {
        "images": np.zeros((3, 4, 5, 2), np.uint8),
        "placements": [(2, 2, False)],
        "chunk": 2,
        "target": np.full((3, 2, 3, 2), 7, np.float32),
        "mean": np.zeros((3, 2, 3), np.float32),
        "shift": np.zeros((3, 2), np.float32),
        "scale": 1.0,
    }
    return {**good, **changed}.values()


def test_what_fits_is_taken():
    changed = np.full((3, 2, 3, 2), 7, np.float32)
    crop(*arguments(target=changed))
    assert not changed.any()


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        ("would leave the image", {"placements": [(3, 0, False)]}),
        ("would leave the image", {"placements": [(0, -1, True)]}),
        ("one for each 1 of 2 cases", {"chunk": 1}),
        ("one for each 0 of 2 cases", {"chunk": 0}),
        ("as many channels and cases", {"images": np.zeros((3, 4, 5, 3), np.uint8)}),
        ("mean: expected the shape", {"mean": np.zeros((3, 3, 2), np.float32)}),
        ("shift: expected channels x cases", {"shift": np.zeros((3, 3), np.float32)}),
        ("target: expected columns", {"target": np.zeros((3, 3, 2, 2), np.float32).swapaxes(1, 2)}),
        ("target: expected at least one value", {"target": np.zeros((3, 2, 0, 2), np.float32)}),
    ],
)
def test_what_does_not_fit_is_refused(message, changed):
    with pytest.raises(ValueError, match=message):
        crop(*arguments(**changed))


def test_decoded_images_are_checked():
    target, mean, shift = (
        np.zeros((3, 2, 2, 4), np.float32),
        np.zeros((3, 2, 2), np.float32),
        np.zeros((3, 4), np.float32),
    )
    good = np.zeros((CHUNK, 4 * 4 * 3 + BYTES_BEYOND), np.uint8)
    crop_decoded(good, 4, 4, (2, 2, True), target, mean, shift, 1.0)
    with pytest.raises(ValueError, match="bytes more"):
        crop_decoded(good[:, :-1].copy(), 4, 4, (2, 2, True), target, mean, shift, 1.0)
    with pytest.raises(ValueError, match="would leave the image"):
        crop_decoded(good, 4, 4, (3, 2, True), target, mean, shift, 1.0)
    wide = np.zeros((3, 2, 2, CHUNK + 1), np.float32)
    with pytest.raises(ValueError, match="at most 32 cases"):
        crop_decoded(good, 4, 4, (2, 2, True), wide, mean, np.zeros((3, CHUNK + 1), np.float32), 1.0)
