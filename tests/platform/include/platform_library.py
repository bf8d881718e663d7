"""Builds the cases against the platform and the emulation, and calls them through their C interface."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import sysconfig
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import convnet_py._device

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
BUILD = ROOT / "build" / "platform-tests"
DEVICE_LIBRARY = Path(convnet_py._device.__file__).parent / "libconvnet_device.so"
SOURCES = [
    *sorted((ROOT / "platform/source").glob("*.cpp")),
    *sorted((ROOT / "platform/emulation").glob("*.cpp")),
    *sorted((HERE / "cases").glob("*.cpp")),
]
HEADERS = [
    *(path for path in sorted((ROOT / "platform").rglob("*")) if path.suffix in {".h", ".cuh"}),
    *sorted((HERE / "cases").glob("*.h")),
    *sorted((ROOT / "device").glob("*.h")),
]
INCLUDES = [
    ROOT / "platform/include",
    ROOT / "platform/emulation/include",
    ROOT,
    Path(sysconfig.get_path("include")),
    Path(np.get_include()),
    Path(np.get_include()) / "numpy",
]
#: `make sanitize` sets it.
SANITIZED = os.environ.get("CONVNET_TEST_SANITIZERS", "").split()
FLAGS = ["-std=c++17", "-O2", "-fPIC", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror", "-DNUMPY_INTERFACE"]
FLAGS += SANITIZED


def compiler_options() -> list[str]:
    """What compiles one source of a historic tree for the CPU."""
    own = [f"-I{path}" for path in INCLUDES[:3]]
    return [*FLAGS, *own, *(option for path in INCLUDES[3:] for option in ("-isystem", str(path)))]


def compile_source(source: Path) -> Path:
    """The object file of ``source``, made anew where it, a header or an option has changed."""
    content = [*(str(option).encode() for option in compiler_options()), source.read_bytes()]
    content += [path.read_bytes() for path in HEADERS]
    key = hashlib.sha256(b"\0".join(content)).hexdigest()[:16]
    compiled = BUILD / f"{source.parent.name}-{source.stem}-{key}.o"
    if not compiled.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        part = compiled.with_suffix(".part")
        subprocess.run(["g++", *compiler_options(), "-c", str(source), "-o", str(part)], check=True)
        part.rename(compiled)
    return compiled


def build() -> Path:
    """The shared library of all cases."""
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_source, SOURCES))
    key = hashlib.sha256("".join(path.name for path in objects).encode()).hexdigest()[:16]
    library = BUILD / f"cases-{key}.so"
    if not library.exists():
        part = library.with_suffix(".part")
        command = ["g++", "-shared", *SANITIZED, "-Wl,-Bsymbolic", *map(str, objects), str(DEVICE_LIBRARY), "-lpthread"]
        subprocess.run([*command, f"-Wl,-rpath,{DEVICE_LIBRARY.parent}", "-o", str(part)], check=True)
        part.rename(library)
    return library


class Described(ctypes.Structure):
    """An input as harness.h describes it."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("rows", ctypes.c_int),
        ("cols", ctypes.c_int),
        ("trans", ctypes.c_int),
        ("view", ctypes.c_int),
    )


@dataclass(frozen=True)
class Input:
    """A matrix, its storage flag, and whether it is a slice of a larger one."""

    values: np.ndarray
    trans: bool = False
    view: bool = False


@dataclass(frozen=True)
class Report:
    """A matrix that a case reported."""

    values: np.ndarray
    trans: bool


class CaseFailed(Exception):
    """The case reported a failure of the platform, or a condition that does not hold."""


class Platform:
    """The loaded cases."""

    def __init__(self) -> None:
        # PyDLL: some cases take NumPy arrays as Python objects.
        self.library = ctypes.PyDLL(str(build()))
        self.library.case_name.restype = ctypes.c_char_p
        self.library.failure.restype = ctypes.c_char_p
        self.library.report_values.restype = ctypes.POINTER(ctypes.c_float)

    def names(self) -> list[str]:
        """Every case that is registered."""
        found = []
        while (name := self.library.case_name(len(found))) is not None:
            found.append(name.decode())
        return found

    def run(self, name: str, inputs: Sequence[Input | np.ndarray] = (), numbers: Sequence[float] = ()) -> list[Report]:
        """Run a case; raises CaseFailed with the line that it failed with."""
        described = [given if isinstance(given, Input) else Input(given) for given in inputs]
        arrays = [np.ascontiguousarray(given.values, dtype=np.float32) for given in described]
        structures = (Described * len(described))(
            *(
                Described(array.ctypes.data, *array.shape, given.trans, given.view)
                for array, given in zip(arrays, described, strict=True)
            )
        )
        values = (ctypes.c_double * len(numbers))(*numbers)
        count = self.library.run_case(name.encode(), len(described), structures, len(numbers), values)
        if count < 0:
            raise CaseFailed(self.library.failure().decode())
        return [self._report(index) for index in range(count)]

    def _report(self, index: int) -> Report:
        dims = (ctypes.c_int * 3)()
        self.library.describe_report(index, dims)
        rows, cols, trans = dims
        values = self.library.report_values(index)
        shape = (rows, cols)
        copied = np.ctypeslib.as_array(values, shape=shape).copy() if rows * cols else np.empty(shape, np.float32)
        return Report(copied, bool(trans))
