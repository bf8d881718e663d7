"""Nets to test the layer language with: ``net`` builds small ones around the layer under test (spec 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from convnet_py.errors import LayerFileError
from convnet_py.layers import read_net

#: values per case of the matrices 0..5: RGB 8x8, a label, 10 targets, 16 maps of 8x8, 9 maps of 8x8, 15 maps of 4x4.
DIMS = [192, 1, 10, 1024, 576, 240]

SOURCES = {"img": 0, "labels": 1, "targets": 2, "maps": 3, "nine": 4, "fifteen": 5}

WEIGHTS = "epsW=0.1 epsB=0.2 momW=0.9 momB=0.8"
CONV = "type=conv inputs=img gpu=0 channels=3 filters=16 filterSize=3 initW=0.1 partialSum=0"
LOCAL = "type=local inputs=img gpu=0 channels=3 filters=16 filterSize=3 initW=0.1"
FC = "type=fc inputs=img gpu=0 outputs=10 initW=0.1"
LOGREG = "type=cost.logreg inputs=labels,s gpu=0"


@dataclass
class Files:
    """The two files of a net under construction."""

    folder: Path
    definition: list[str] = field(default_factory=list)
    params: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def layer(self, name: str, keys: str, params: str | None = None) -> Files:
        """Add a layer; ``keys`` and ``params`` are ``key=value`` separated by spaces."""
        self.definition += [f"[{name}]", *keys.split(), ""]
        if params is not None:
            self.params += [f"[{name}]", *params.split(), ""]
        return self

    def used(self, *names: str) -> Files:
        """Add a cost over each of the layers, so that they are used."""
        for name in names:
            self.layer(f"cost_{name}", f"type=cost.sum2 inputs={name} gpu=0", "coeff=1")
        return self

    def read(self, **arguments) -> dict[str, dict]:
        definition, params = self.folder / "d.cfg", self.folder / "p.cfg"
        definition.write_text("\n".join(self.definition) + "\n")
        params.write_text("\n".join(self.params) + "\n")
        defaults = {"data_dims": DIMS, "rng": np.random.RandomState(7), "warn": self.warnings.append}
        return read_net(definition, params, **{**defaults, **arguments})

    def problems(self, **arguments) -> list[str]:
        """What is wrong, as ``file:line: message`` with the file's name only."""
        with pytest.raises(LayerFileError) as caught:
            self.read(**arguments)
        lines = str(caught.value).split("\n")
        assert len(lines) == len(caught.value.problems)
        return [line.replace(f"{self.folder}/", "") for line in lines]


@pytest.fixture
def empty(tmp_path) -> Files:
    """Files without any layer."""
    return Files(tmp_path)


@pytest.fixture
def net(empty) -> Files:
    """Files with the data layers of SOURCES, all of them used."""
    for name, index in SOURCES.items():
        empty.layer(name, f"type=data dataIdx={index}")
    return empty.used(*SOURCES)
