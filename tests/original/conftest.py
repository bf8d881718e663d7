"""A slot with the stand-in for the historic sources; the small tree of these tests as an extension, and engines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convnet_py.engines.original import OriginalEngine
from convnet_py.original.slot import Slot

sys.path.insert(0, str(Path(__file__).parent))
from slots import STAND_IN, convnet, sanitized, silent
from small_engine import HERE, compile_module, make_layers


@pytest.fixture(scope="session")
def built_slot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in, imported and built by g++ alone."""
    folder = tmp_path_factory.mktemp("slot of spaces")
    Slot(folder).import_tree(STAND_IN, silent)
    result = convnet(folder, "original", "build", *sanitized())
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"built: {folder}/build/cpu/_ConvNet.so\n" and not result.stderr
    return folder


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extension")
    sources = (HERE / "small_tree" / "src" / "model.cu", HERE / "set_devices.cpp")
    return compile_module(folder / "_ConvNet.so", *sources)


@pytest.fixture
def layers() -> dict[str, dict[str, Any]]:
    return make_layers()


@pytest.fixture
def make_engine(extension: Path, layers: dict[str, dict[str, Any]]) -> Callable[..., OriginalEngine]:
    def make(**options: Any) -> OriginalEngine:
        return OriginalEngine(layers, [-1], 4, extension=extension, **{"patience": 1.0, **options})

    return make
