"""``convnet original build --platform-libs``: a tree with matrix and convolution libraries of its own (issue 4)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from slots import convnet, sanitized, silent
from small_engine import HERE, make_data, make_layers

from convnet_py.engines.original import OriginalEngine
from convnet_py.original.build import BuildError, build
from convnet_py.original.slot import Slot

TREE = HERE / "library_tree"


def slot_of(tree: Path, folder: Path) -> Slot:
    slot = Slot(folder)
    slot.import_tree(tree, silent)
    return slot


def costs(slot: Slot) -> list[float]:
    """Of 4 cases of 3 pixels that sum to 10."""
    extension = slot.folder / "build" / "cpu" / "_ConvNet.so"
    engine = OriginalEngine(make_layers(), [-1], 4, extension=extension)
    engine.start_batch(make_data(), 0.0)
    return engine.finish_batch()[0]["cost"]


def test_the_libraries_of_the_tree_or_ours(tmp_path: Path) -> None:
    slot = slot_of(TREE, tmp_path / "slot")
    for libraries, expected in (
        # Its scale() adds 1 to each of 12 elements, its convolution gives the sum of all pixels for each of them.
        ("auto", [20.0 + 12, 10.0 * 12]),
        ("rebuilt", [20.0, 10.0]),
        ("auto", [20.0 + 12, 10.0 * 12]),
    ):
        result = convnet(slot.folder, "original", "build", f"--platform-libs={libraries}", *sanitized())
        assert result.returncode == 0, result.stderr
        assert costs(slot) == expected, libraries


@pytest.mark.parametrize("missing", ["include/cudaconv2/cudaconv2.cuh", "include/nvmatrix/nvmatrix.cuh"])
def test_half_a_set_of_libraries(missing: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(TREE, copy)
    (copy / missing).unlink()
    (copy / "include" / "common").mkdir()
    (copy / "include" / "common" / "matrix.h").write_text("class Matrix {};\n")
    with pytest.raises(BuildError, match=r"of its own but no .*, and ours cannot stand on it: give --platform-libs="):
        build(slot_of(copy, tmp_path / "slot"))
