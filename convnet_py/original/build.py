"""Building the extension of the sources in the slot, and finding it again (spec 1, 6.1).

The build goes to ``build/DEVICE`` beside the tree, with its log and a note of what it was built from.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from convnet_py.errors import ConvnetError
from convnet_py.original.process import SourcesProcess
from convnet_py.original.slot import Slot, default_folder
from convnet_py.original.worker import MODULE, Settings

#: What the sources are compiled for: the CPU, or NVIDIA GPUs.
DEVICES = ("cpu", "cuda")

#: Whose matrix and convolution libraries: the tree's own where it has any, or ours in any case.
PLATFORM_LIBS = ("auto", "rebuilt")

_NOTE = "built-from.txt"

#: As g++ says it, FILE:LINE:COLUMN: error: WHAT; and nvcc, FILE(LINE): error: WHAT.
_ERROR = re.compile(
    r"^(?P<file>[^\s:][^:\n]*?)[:(](?P<line>\d+)(?::\d+)?\)?: (?:fatal |catastrophic )?error:? (?P<what>.*)",
    re.MULTILINE,
)
_OTHER_ERROR = re.compile(r"^.*(?:undefined reference to|error:|\.cuh?:\d+: ).*", re.MULTILINE)
_CMAKE_ERROR = re.compile(r"^CMake Error[^\n]*\n(?P<what>.+?)\n\s*\n", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"^\[\s*(?P<step>\d+%|\d+/\d+)\] ?(?P<what>.*)")

#: What an error tells about -> what to do.
_HINTS = (
    (r"No such file or directory", "a header that neither the tree nor the platform has: is the copy complete?"),
    (r"unsupported by the emulation", "this construct needs a GPU: the tree cannot be built for the CPU"),
    (r"undefined (reference|symbol)", "a function that neither the tree nor the platform has: is the copy complete?"),
    (r"nsupported gpu architecture", "give one that nvcc knows: -DCMAKE_CUDA_ARCHITECTURES=75 or newer"),
    (r"Killed|out of memory|internal compiler error", "the compiler ran out of memory"),
)  # fmt: skip


class BuildError(ConvnetError):
    """Sources that cannot be built: what the compiler says first, a hint, and where the rest is."""


def build(slot: Slot, device: str = "cpu", platform_libs: str = "auto", definitions: Sequence[str] = ()) -> Path:
    """Build the sources in the slot for one of DEVICES; the extension. Shows the steps on a terminal.

    ``definitions``: further settings for CMake, -DNAME=VALUE each. Raises SlotError where the tree is not as it was
    imported, BuildError where it, or this project's own side of the build, is not fit for it.
    """
    slot.verify()
    if device == "cuda":
        _check_cuda_library()
    folder = slot.folder / "build" / device
    note = folder / _NOTE
    folder.mkdir(parents=True, exist_ok=True)
    note.unlink(missing_ok=True)
    log = folder / "build.log"
    with open(log, "w", encoding="utf-8") as text:
        commands = _commands(slot.tree.absolute(), folder.absolute(), device, platform_libs, definitions)
        for command in commands:
            _run(command, text, log, slot.tree)
    extension = folder / f"{MODULE}.so"
    try:
        # Without devices: a GPU may be elsewhere.
        SourcesProcess(extension, Settings((), 0, False, 1)).close()
    except ConvnetError as error:
        raise BuildError(f"{error}{_hint(str(error))}") from None
    note.write_text(_origin(slot), encoding="utf-8")
    return extension


def find_extension(device: str = "cpu") -> Path:
    """The extension of the sources in the slot for one of DEVICES.

    Raises ConvnetError where it is not built, or of another tree.
    """
    slot = Slot(default_folder())
    slot.locked_files()
    folder = slot.folder / "build" / device
    note = folder / _NOTE
    command = "convnet original build" + ("" if device == "cpu" else f" --device={device}")
    if not note.exists():
        raise BuildError(f"{slot.folder}: the sources are not built for {device}; '{command}' builds them")
    if note.read_text(encoding="utf-8") != _origin(slot):
        raise BuildError(f"{folder}: built from another tree, or for another Python; '{command}' builds anew")
    return folder / f"{MODULE}.so"


def _origin(slot: Slot) -> str:
    """What an extension is good for: this tree, this Python, this generation of NumPy."""
    lock = hashlib.sha256(slot.lock.read_bytes()).hexdigest()
    return f"{lock} {sys.implementation.cache_tag} numpy {np.__version__.partition('.')[0]}\n"


def remove_builds(slot: Slot) -> None:
    """Remove what was built of the slot's sources."""
    shutil.rmtree(slot.folder / "build", ignore_errors=True)


def _commands(
    tree: Path, folder: Path, device: str, platform_libs: str, definitions: Sequence[str] = ()
) -> Iterator[list[str]]:
    checkout = Path(__file__).parent.parent.parent
    if not (checkout / "original" / "CMakeLists.txt").is_file():
        raise BuildError(f"{checkout}: no checkout of this project, whose platform/ the build needs")
    cmake, ninja = _find("cmake"), _find("ninja")
    if cmake is None:
        raise BuildError("cmake: not found; it builds the sources ('pip install cmake ninja' brings it)")
    if _find("g++") is None and _find("c++") is None:
        raise BuildError("g++: not found; it compiles the sources")
    generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja else []
    settings = {
        "CMAKE_BUILD_TYPE": "Release",
        "CONVNET_TREE": tree,
        "CONVNET_DEVICE": device,
        "CONVNET_DEVICE_LIBRARY": _device_library(),
        "CONVNET_PLATFORM_LIBS": platform_libs,
        "Python_EXECUTABLE": sys.executable,
    }
    ours = [f"-D{name}={value}" for name, value in settings.items()]
    yield [cmake, "-S", str(checkout / "original"), "-B", str(folder), *generator, *definitions, *ours]
    yield [cmake, "--build", str(folder), "--parallel"]


def _find(program: str) -> str | None:
    """A program on the search path, or beside the Python that runs, where pip puts it."""
    return shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))


def _device_library() -> Path:
    """This project's devices, beside its compiled modules."""
    from convnet_py import _device

    return Path(_device.__file__).parent / "libconvnet_device.so"


def _check_cuda_library() -> None:
    """Raise BuildError where the library is missing that the sources use a GPU through, before minutes of compiling."""
    library = Path(os.environ.get("CONVNET_CUDA_LIBRARY") or _device_library().with_name("libconvnet_cuda.so"))
    if not library.is_file():
        raise BuildError(
            f"{library}: not there; the sources use a GPU through this project's CUDA device, which is not built"
            ' (README, "On a GPU")'
        )


def _run(command: list[str], text: TextIO, log: Path, tree: Path) -> None:
    """Run a command of the build, to the log. Raises BuildError."""
    on_terminal = sys.stderr.isatty()
    lines = []
    pipes: dict = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    with subprocess.Popen(command, **pipes) as run:
        assert run.stdout is not None
        for line in run.stdout:
            text.write(line)
            lines.append(line)
            if on_terminal and (step := _STEP.match(line)):
                print(f"\r\x1b[K[{step['step']}] {step['what'][-70:]}", end="", file=sys.stderr, flush=True)
    if on_terminal:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if run.returncode:
        raise BuildError(_explanation("".join(lines), log, tree))


def _explanation(output: str, log: Path, tree: Path) -> str:
    """One line: the first error, a hint, and where all of it is."""
    if error := _ERROR.search(output):
        # nvcc compiles copies, in the folder of the log.
        copies = f"{log.parent.absolute()}/{MODULE}.copied/"
        file = error["file"].removeprefix(copies).removeprefix(f"{tree.absolute()}/")
        first = f"{file}:{error['line']}: {error['what']}"
    elif cmake := _CMAKE_ERROR.search(output):
        first = " ".join(cmake["what"].split())
    elif other := _OTHER_ERROR.search(output):
        first = other[0].strip()
    else:
        first = "the build failed"
    count = len(_ERROR.findall(output))
    more = f" (and {count - 1} more)" if count > 1 else ""
    return f"{first}{more}{_hint(output)}; all of it: {log}"


def _hint(text: str) -> str:
    return next((f"; {hint}" for pattern, hint in _HINTS if re.search(pattern, text)), "")
