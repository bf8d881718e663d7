"""What each test of the emulation gets: a compiled runtime, and a place for sources (spec 6.6)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from emulation_toolchain import EMULATION, FLAVOURS, Toolchain

sys.path.insert(0, str(EMULATION))


@pytest.fixture(scope="session", params=list(FLAVOURS))
def toolchain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Toolchain:
    made = Toolchain(tmp_path_factory.mktemp(request.param), FLAVOURS[request.param])
    made.build_runtime()
    return made


@pytest.fixture
def source_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a source into a folder of the test's own."""

    def write(text: str, name: str = "test.cu") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
