"""The cases, built once (cached under build/) and loaded once a session."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from platform_library import Platform


@pytest.fixture(scope="session")
def platform() -> Platform:
    return Platform()
