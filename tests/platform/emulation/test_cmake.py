"""add_emulated_library: a project of headers and sources in folders, built twice (spec 6.6)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from emulation_toolchain import EMULATION

FILES = {
    "tree/include/kernels.cuh": (
        "#pragma once\n#include <cuda_runtime.h>\n#include <plain.h>\n"
        "template <int n> __global__ void fill(int* x) { __shared__ int s[n]; s[threadIdx.x] = n + plain();"
        " __syncthreads(); x[threadIdx.x] = s[(threadIdx.x + 1) % n]; }\n"
        "inline void fill4(int* x) { fill<4><<<1, 4>>>(x); }\n"
    ),
    "tree/include/plain.h": "#pragma once\ninline int plain() { return 1; }\n",
    "tree/src/use.cu": '#include "../include/kernels.cuh"\nint use() { int x[4]; fill4(x); return x[0]; }\n',
    "tree/src/more.cpp": "int twice(int x) { register int y = x; return 2 * y; }\n",
    "main.cpp": "int use();\nint twice(int);\nint main() { return twice(use()); }\n",
    "CMakeLists.txt": (
        "cmake_minimum_required(VERSION 3.18)\nproject(test LANGUAGES CXX)\n"
        f"include({EMULATION}/emulate.cmake)\n"
        "add_emulated_library(kernels SHARED ROOT tree include/kernels.cuh src/use.cu src/more.cpp)\n"
        "add_executable(main main.cpp)\ntarget_link_libraries(main PRIVATE kernels)\n"
    ),
}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PATH": path})


def test_add_emulated_library(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    cmake = shutil.which("cmake", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert cmake, "cmake is among the tools of the build"
    build = tmp_path / "build"
    done = run(cmake, "-G", "Ninja", "-S", tmp_path, "-B", build, f"-DPython_EXECUTABLE={sys.executable}")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(cmake, "--build", build)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run(build / "main").returncode == 10
    for name, text in FILES.items():
        assert (tmp_path / name).read_text() == text

    # A changed header is translated again; nothing else is.
    header = tmp_path / "tree/include/kernels.cuh"
    header.write_text(header.read_text().replace("n + plain()", "n + 3"))
    done = run(cmake, "--build", build)
    assert "Translating include/kernels.cuh" in done.stdout and "Translating src/use.cu" not in done.stdout
    assert run(build / "main").returncode == 14
    assert "no work to do" in run(cmake, "--build", build).stdout

    # What cannot be translated stops the build, by the line of the original.
    source = tmp_path / "tree/src/use.cu"
    source.write_text(source.read_text() + "\nint f(int x) { return __shfl(x, 0); }\n")
    done = run(cmake, "--build", build)
    assert done.returncode != 0
    assert f"{source}:4: unsupported by the emulation: __shfl (warp intrinsics)\n" in done.stdout
