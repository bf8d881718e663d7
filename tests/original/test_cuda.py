"""``convnet original build --device=cuda``: nvcc takes the tree and the platform as they are (issues 4, 5)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from slots import STAND_IN, convnet, silent
from small_engine import make_layers

from convnet_py.engines.original import OriginalEngine
from convnet_py.errors import EngineError
from convnet_py.original.build import BuildError, _commands, find_extension
from convnet_py.original.process import SourcesProcess
from convnet_py.original.slot import Slot
from convnet_py.original.worker import Settings


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="there is no nvcc, of CUDA 12 or newer, on the search path")
def test_tree_and_platform_compile_and_link_unedited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # By the build's own commands: this machine need not have the CUDA device, nor a GPU.
    for command in _commands(STAND_IN, tmp_path / "build", "cuda", "auto", ["-DCMAKE_CUDA_ARCHITECTURES=75"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    for source in STAND_IN.rglob("*.cu*"):
        copy = tmp_path / "build" / "_ConvNet.copied" / source.relative_to(STAND_IN)
        assert source.name == "sketch.cu" or copy.read_bytes() == source.read_bytes()
    # Every function that the sources or the platform call is found when it is loaded.
    extension = tmp_path / "build" / "_ConvNet.so"
    SourcesProcess(extension, Settings((), 0, False, 1)).close()
    # The first use of a GPU says what it lacks; here, the library.
    monkeypatch.setenv("CONVNET_CUDA_LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(EngineError, match=r"the original sources: making devices: the CUDA device is not built"):
        OriginalEngine(make_layers(), [-1], 4, device="cuda", extension=extension)


def test_without_the_cuda_device_nothing_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = Slot(tmp_path / "slot")
    slot.import_tree(STAND_IN, silent)
    monkeypatch.setenv("CONVNET_CUDA_LIBRARY", str(tmp_path / "none.so"))
    result = convnet(slot.folder, "original", "build", "--device=cuda")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"convnet: {tmp_path}/none.so: not there;") and "not built" in line
    assert not (slot.folder / "build").exists()


def test_a_build_for_the_cpu_is_none_for_a_gpu(built_slot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVNET_ORIGINAL", str(built_slot))
    assert find_extension("cpu").parent.name == "cpu"
    with pytest.raises(BuildError, match=r"not built for cuda; 'convnet original build --device=cuda' builds them"):
        find_extension("cuda")
