"""Provider flickr-ce-cropped: JPEG batches with tags, several per image (spec 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from convnet_py.data.batch_folder import JpegBatch
from convnet_py.data.providers.base import ProviderSettings
from convnet_py.data.providers.inet_jpeg import InetJpegProvider
from convnet_py.errors import DataError


class FlickrProvider(InetJpegProvider):
    """Images as those of inet-lr-cropped-jpeg, and a 1 in the row of each of an image's tags (classes x cases).

    Tags are lower-cased, stripped of whitespace, and looked up in the metadata's ``freq_to_id``; unknown ones are
    dropped.
    """

    name = "flickr-ce-cropped"

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        ids = self.require("freq_to_id", self.name)
        numbers = ids.values() if isinstance(ids, Mapping) else [None]
        if not all(isinstance(number, (int, np.integer)) and number >= 0 for number in numbers):
            raise DataError(f"{self.folder.meta_path}: freq_to_id should map tags to numbers of at least 0")
        self.ids = {normalised(tag): int(number) for tag, number in ids.items()}
        self.num_classes = max(self.num_classes or 0, max(self.ids.values()) + 1)
        self.data_dims = [self.mean.size, self.num_classes]

    def label_matrix(self, batch: JpegBatch) -> np.ndarray:
        matrix = np.zeros((self.num_classes, len(batch.jpegs)), np.float32)
        for case, tags in enumerate(batch.tags):
            for tag in tag_list(tags):
                if normalised(tag) in self.ids:
                    matrix[self.ids[normalised(tag)], case] = 1
        return matrix


def normalised(tag: Any) -> str:
    """A tag in lower case, without whitespace."""
    text = tag.decode("utf-8", "replace") if isinstance(tag, bytes) else str(tag)
    return "".join(text.lower().split())


def tag_list(tags: Any) -> list[Any]:
    """The tags of an image: a list of them, a single one, or none."""
    if tags is None:
        return []
    return [tags] if isinstance(tags, (str, bytes)) else list(tags)
