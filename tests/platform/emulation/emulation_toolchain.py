"""How the tests build and run CUDA programs: translate.py, then g++, with and without sanitizers (spec 6.6)."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

EMULATION = Path(__file__).resolve().parents[3] / "platform" / "emulation"
SOURCES = Path(__file__).parent / "sources"
FLAVOURS = {
    "plain": ["-O2"],
    "sanitized": ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}


def gxx(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["g++", *map(str, arguments)], capture_output=True, text=True)


def translated(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Runs translate.py as a build does."""
    command = [sys.executable, str(EMULATION / "translate.py"), str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True)


@dataclass
class Toolchain:
    """The runtime's objects in one flavour, and the programs built with them so far."""

    folder: Path
    flags: list[str]
    programs: dict[Path, Path] = field(default_factory=dict)

    @property
    def sanitized(self) -> bool:
        return self.flags is FLAVOURS["sanitized"]

    def build_runtime(self) -> None:
        for part in EMULATION.glob("*.cpp"):
            done = gxx("-std=c++17", "-Wall", "-Wextra", "-Werror", *self.flags, "-c", part,
                       "-o", self.folder / f"{part.stem}.o")  # fmt: skip
            assert done.returncode == 0, done.stderr

    def compile(self, source: Path, *, standard: str = "c++17") -> subprocess.CompletedProcess[str]:
        """Translates and compiles a program; its path afterwards is in ``programs``."""
        copy, program = self.folder / f"{source.stem}.cpp", self.folder / source.stem
        done = translated(source, copy)
        assert done.returncode == 0, done.stderr
        flags = [*self.flags, *(EMULATION / "flags.txt").read_text().split()]
        include = ["-I", EMULATION / "include", "-I", SOURCES]
        done = gxx(f"-std={standard}", "-pthread", *flags, *include, "-x", "c++", copy,
                   "-x", "none", *self.folder.glob("*.o"), "-o", program)  # fmt: skip
        if done.returncode == 0:
            self.programs[source] = program
        return done

    def run(self, source: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs the program of ``source``, built when first asked for."""
        if source not in self.programs:
            done = self.compile(source)
            assert done.returncode == 0, done.stderr
        return subprocess.run(
            [self.programs[source], *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | environment,
        )
