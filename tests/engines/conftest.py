"""The net that the engines' tests build on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from small_nets import Net


@pytest.fixture
def net(tmp_path: Path) -> Net:
    """The data layers, each used by a cost of coeff 0."""
    base = Net(tmp_path)
    for index, name in enumerate(("img", "labels", "gate")):
        base.layer(name, f"type=data dataIdx={index}")
        base.layer(f"use_{name}", f"type=cost.sum2 inputs={name} gpu=0", "coeff=0")
    return base
