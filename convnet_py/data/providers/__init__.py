"""Data providers by their historic names: they turn batch numbers into the matrices of a net (spec 5.2).

One module per family; this one finds them by name.
"""

from __future__ import annotations

import re
from pathlib import Path

from convnet_py.data.batch_folder import BatchFolder
from convnet_py.data.providers.base import DataProvider, ProviderSettings
from convnet_py.data.providers.cifar import CifarCroppedProvider, CifarProvider
from convnet_py.data.providers.digits import DigitsProvider
from convnet_py.data.providers.dummy import (
    DummyCrossEntropyProvider,
    DummyLabeledProvider,
    DummyLogregProvider,
    DummyProvider,
)
from convnet_py.data.providers.flickr import FlickrProvider
from convnet_py.data.providers.inet import InetCroppedProvider, InetFullProvider, InetProvider
from convnet_py.data.providers.inet_jpeg import InetJpegProvider
from convnet_py.data.providers.plain import (
    FlatMemoryProvider,
    LabeledMemoryProvider,
    LabeledProvider,
    MemoryProvider,
    PlainProvider,
)
from convnet_py.errors import DataError, UsageError

__all__ = ["PROVIDERS", "DataProvider", "ProviderSettings", "make_provider", "needs_path", "own_provider"]

PROVIDERS: dict[str, type[DataProvider]] = {
    "default": PlainProvider,
    "memory": MemoryProvider,
    "labeled": LabeledProvider,
    "labeled-memory": LabeledMemoryProvider,
    "flatmem": FlatMemoryProvider,
    "cifar": CifarProvider,
    "cifar-cropped": CifarCroppedProvider,
    "inet-lr": InetProvider,
    "inet-lr-cropped": InetCroppedProvider,
    "inet-rs-lr-cropped": InetFullProvider,
    "inet-lr-cropped-jpeg": InetJpegProvider,
    "flickr-ce-cropped": FlickrProvider,
    "digits": DigitsProvider,
}

DUMMY_PROVIDERS: dict[str, type[DummyProvider]] = {
    "dummy": DummyProvider,
    "dummy-labeled": DummyLabeledProvider,
    "dummy-lr": DummyLogregProvider,
    "dummy-ce": DummyCrossEntropyProvider,
}


def _find(name: str) -> tuple[type[DataProvider], tuple[int, ...]]:
    """The class of a provider and the extra arguments in its name. Raises UsageError."""
    if name in PROVIDERS:
        return PROVIDERS[name], ()
    kind, _, dimensions = name.rpartition("-")
    if kind in DUMMY_PROVIDERS and re.fullmatch(r"[1-9][0-9]*", dimensions):
        return DUMMY_PROVIDERS[kind], (int(dimensions),)
    known = ", ".join([*PROVIDERS, *(f"{dummy}-N" for dummy in DUMMY_PROVIDERS)])
    raise UsageError(f"--data-provider: got '{name}', takes one of {known}")


def needs_path(name: str) -> bool:
    """Whether the provider reads a folder. Raises UsageError for an unknown name."""
    return _find(name)[0].needs_path


def own_provider(path: Path) -> str:
    """The provider that a data folder names for itself (``dp_type``). Raises DataError."""
    folder = BatchFolder(path)
    name = folder.meta.get("dp_type")
    if not isinstance(name, str):
        raise DataError(f"{folder.meta_path}: names no provider (dp_type); give one by --data-provider")
    return name


def make_provider(name: str, settings: ProviderSettings) -> DataProvider:
    """The provider ``name``. Raises UsageError for an unknown name, DataError for data it cannot use."""
    cls, extra = _find(name)
    return cls(settings, *extra)
