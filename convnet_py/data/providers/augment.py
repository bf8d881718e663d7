"""Crops, views and noise of images (spec 5.3). Random numbers are drawn in the order that the specification gives."""

from __future__ import annotations

import numpy as np

#: (top, left, mirror): where a crop begins, and whether it is mirrored left-right.
Placement = tuple[int, int, bool]


def random_placements(rng: np.random.RandomState, cases: int, chunk: int, most: int) -> list[Placement]:
    """One per chunk of consecutive cases: y, x from 0 to ``most``, then a coin (0: mirrored), in this order."""
    return [
        (int(rng.randint(most + 1)), int(rng.randint(most + 1)), int(rng.randint(2)) == 0)
        for _ in range(0, cases, chunk)
    ]


def ten_views(border: int) -> list[Placement]:
    """Corners and centre, plain, then all of them mirrored."""
    offsets = [(0, 0), (0, 2 * border), (border, border), (2 * border, 0), (2 * border, 2 * border)]
    return [(top, left, mirror) for mirror in (False, True) for top, left in offsets]


def nine_views(border: int) -> list[Placement]:
    """3 x 3 positions, row by row, no mirrors."""
    positions = (0, border, 2 * border)
    return [(top, left, False) for top in positions for left in positions]


def color_shifts(rng: np.random.RandomState, color_pca: tuple, cases: int) -> np.ndarray:
    """Eigenvectors (columns) x (N(0,1)^3 x eigenvalue roots), drawn case by case (float32, 3 x cases)."""
    roots, vectors = color_pca
    normals = rng.randn(cases, 3)
    return np.ascontiguousarray((normals * roots @ vectors.T).T, np.float32)


class PixelNoise:
    """Noise along the principal components of whole images (--pca-noise), from a sample of them.

    ``sample``: float32, values x images. Of the components, the ``count`` with the largest eigenvalues are used:
    beyond those of a sample's first few dozen, components are those of the sample, not of the images.
    """

    count = 32
    sample_cases = 512

    def __init__(self, sample: np.ndarray):
        centred = sample.astype(np.float64) - sample.mean(axis=1, dtype=np.float64, keepdims=True)
        # Eigenvectors of the covariance from those of the (much smaller) matrix of inner products.
        values, vectors = np.linalg.eigh(centred.T @ centred / sample.shape[1])
        largest = np.argsort(values)[::-1][: self.count]
        largest = largest[values[largest] > values.max() * 1e-9]
        # centred @ v has the length root(eigenvalue * images): each column is a component times its root.
        self.components = np.ascontiguousarray(centred @ vectors[:, largest] / sample.shape[1] ** 0.5, np.float32)

    def draw(self, rng: np.random.RandomState, cases: int) -> np.ndarray:
        """Noise for ``cases`` images (float32, values x cases): components times N(0,1), drawn case by case."""
        normals = rng.randn(cases, self.components.shape[1]).astype(np.float32)
        return self.components @ normals.T
