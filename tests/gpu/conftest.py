"""Tests on a GPU: all are skipped where the CUDA device finds none. ``tests/gpu/run`` builds it and runs them."""

from __future__ import annotations

import pytest

from convnet_py.devices import gpus
from convnet_py.errors import EngineError


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    try:
        gpus()
    except EngineError as error:
        for item in items:
            if "/tests/gpu/" in str(item.path):
                item.add_marker(pytest.mark.skip(reason=str(error)))
