"""What each header brings by itself, that a tree's names do not get in its way, and docs/platform.md (spec 6.1)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import test_matrix
import test_nvmatrix
import test_semantics
import test_threads
from nvmatrix_table import IN_MEMORY_ORDER, RANDOM, SLICES, case_name
from platform_library import HERE, INCLUDES, ROOT, Platform, compiler_options

PUBLIC = sorted(p.name for p in (ROOT / "platform/include").iterdir() if p.is_file())
#: Spec 6.1: included by the release and by older trees; Python.h, arrayobject.h, cuda.h and cuda_runtime.h are others'.
HISTORIC = {
    *("helper_cuda.h", "helper_timer.h", "queue.h", "thread.h", "sync.h", "matrix.h", "nvmatrix.cuh"),
    *("nvmatrix_operators.cuh", "conv_util.cuh", "cudaconv2.cuh", "cublas.h"),
    *("cutil_inline.h", "cblas.h", "matrix_funcs.h", "nvmatrix_kernels.cuh"),
}
#: Names that a historic tree defines (spec 6.1).
TREE_NAMES = re.compile(
    r"\b(?:INF|PASS_\w+|randf|HAS_FLAG|IS_\w+|GC_\w+|QUOTEME|LOGREG_\w+|SYNC|RESET|Data|Message|Worker|Layer|Cost|Weights)\b"
)


def compiles(source: str, options: list[str], tmp_path: Path) -> None:
    file = tmp_path / "source.cpp"
    file.write_text(source)
    command = ["g++", "-fsyntax-only", *options, "-x", "c++", str(file)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_every_historic_header_is_there() -> None:
    assert set(PUBLIC) == HISTORIC


@pytest.mark.parametrize("header", PUBLIC)
def test_header_alone(header: str, tmp_path: Path) -> None:
    compiles(f"#include <string>\nusing namespace std;\n#include <{header}>\n", compiler_options(), tmp_path)


@pytest.mark.parametrize("header", ["matrix.h", "thread.h"])
def test_header_without_cuda(header: str, tmp_path: Path) -> None:
    options = [option for option in compiler_options() if not option.endswith("emulation/include")]
    compiles(f"#include <{header}>\n", options, tmp_path)


#: header -> a function body that compiles with it alone.
BRINGS = {
    "nvmatrix.cuh": (
        "Matrix m; PyObject* o = 0; HostNVMatrix h; NVMatrixOps::Exp e; NVMatrixBinaryOps::Add a; NVMatrixAggs::Sum s; "
        "int n = 3; size_t z = 2; z = DIVUP(n, z); assert(z); dim3 d(1, 2); ushort2 u = {1, 2}; void* p; "
        "cudaMalloc(&p, 4); (void)o; (void)e; (void)a; (void)s; (void)d; (void)u;"
    ),
    "matrix.h": "PyArrayObject* a = 0; assert(!a && sqrt(4.0) == 2 && abs(-1)); (void)a;",
    "helper_cuda.h": 'uint n = 1; checkCudaErrors(cudaSetDevice(n)); getLastCudaError("kernel");',
    "conv_util.cuh": "NVMatrix a, b; convQuantizeHalf(a, b); convDequantizeHalf(b, a, 3, 0, 1);",
}


@pytest.mark.parametrize("header", BRINGS)
def test_header_brings(header: str, tmp_path: Path) -> None:
    compiles(f"#include <{header}>\nvoid f() {{ {BRINGS[header]} }}\n", compiler_options(), tmp_path)


def test_tree_names_are_free() -> None:
    for path in (ROOT / "platform/include").rglob("*.*h"):
        code = re.sub(r"//.*", "", path.read_text())
        assert not TREE_NAMES.findall(code), path
        assert not re.findall(r"#define (?:min|max)\b", code), path


def test_tree_like_source() -> None:
    source = HERE / "cases/tree_like.cu"
    options = [option for option in compiler_options() if option not in ("-Wextra", "-Werror")]
    command = ["g++", "-fsyntax-only", *options, "-x", "c++", str(source)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="there is no nvcc")
@pytest.mark.parametrize(
    "source", [HERE / "cases/tree_like.cu", *sorted((ROOT / "platform/source").glob("*.cpp"))], ids=lambda p: p.name
)
def test_nvcc(source: Path, tmp_path: Path) -> None:
    includes = [f"-I{path}" for path in INCLUDES if "emulation" not in str(path)]
    command = ["nvcc", "-std=c++17", "-DNUMPY_INTERFACE", "-x", "cu", *includes, "-c", str(source)]
    result = subprocess.run([*command, "-o", str(tmp_path / "compiled.o")], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_failure_without_a_hook(tmp_path: Path) -> None:
    """One line on stderr and exit status 1."""
    source = tmp_path / "fails.cpp"
    source.write_text('#include <thread.h>\nint main() { convnet_platform::fail("no %d", 3); }\n')
    program = tmp_path / "fails"
    sources = [str(source), str(ROOT / "platform/source/failure.cpp")]
    subprocess.run(["g++", f"-I{ROOT / 'platform/include'}", *sources, "-o", str(program)], check=True)
    result = subprocess.run([program], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "no 3\n")


def rows() -> list[tuple[str, str, str]]:
    """(name, implemented in, tested by) of docs/platform.md's tables."""
    found = []
    for line in (ROOT / "docs/platform.md").read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[0].startswith("`"):
            found.append((cells[0].strip("`"), cells[2].strip("`"), cells[3]))
    return found


#: test file -> the cases that it runs.
RUN_BY = {
    "test_nvmatrix.py": {
        *map(case_name, [*test_nvmatrix.CASES, *RANDOM]),
        *IN_MEMORY_ORDER,
        *(name.format(target) for name in SLICES for target in ("", ", target")),
    },
    "test_matrix.py": {f"Matrix::{case_name(name)}" for name in [*test_matrix.CASES, *test_matrix.IN_MEMORY_ORDER]},
    "test_semantics.py": set(test_semantics.SEMANTICS),
    "test_threads.py": set(test_threads.THREADS),
}


def runs(file: str, case: str) -> bool:
    """The test file runs the case: from a table, or by its name as a literal."""
    text = (HERE / file).read_text()
    return case in RUN_BY.get(file, ()) or case in text or case.split(", s")[0].removesuffix("Sparse") in text


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_documented_name_is_tested(platform: Platform, row: tuple[str, str, str]) -> None:
    _, implemented_in, tested_by = row
    assert (ROOT / "platform" / implemented_in).is_file()
    file, case = re.fullmatch(r"`(\w+\.py)`: (.*)", tested_by).groups()
    case = case.replace("\\|", "|")
    if case.startswith("test_"):
        assert f"def {case}(" in (HERE / file).read_text()
    else:
        assert case in platform.names()
        assert runs(file, case)


#: header -> what a name that it declares for the historic trees follows.
DECLARED = {
    "nvmatrix.cuh": r"^    (?!return)(?:static |explicit )*(?:[\w:]+[ *&]+)+(\w+)\(",
    "matrix.h": r"^    (?!return)(?:explicit )?(?:[\w:]+[ *&]+)+(\w+)\(",
    "conv_util.cuh": r"^(?:void|struct) (\w+)",
    "cudaconv2.cuh": r"^void (\w+)",
    "nvmatrix_operators.cuh": r"^    struct (\w+)",
    "helper_cuda.h": r"^#define (\w+)|^typedef .* (\w+);",
    "cutil_inline.h": r"^#define (\w+)",
    "helper_timer.h": r"^inline \w+ (\w+)",
}


@pytest.mark.parametrize("header", DECLARED)
def test_declared_names_are_documented(header: str) -> None:
    code = (ROOT / "platform/include" / header).read_text()
    code = re.sub(r"^namespace convnet_platform \{.*?^\}  // namespace", "", code, flags=re.S | re.M)
    code = re.sub(r"^(?:protected|private):.*?^\};", "", code, flags=re.S | re.M)
    names = {"".join(match.groups("")) for match in re.finditer(DECLARED[header], code, re.M)}
    assert len(names) >= 3
    text = " ".join(name for name, _, _ in rows())
    # strided() is this project's own.
    assert {name for name in names - {"strided"} if not re.search(rf"\b{name}\b", text)} == set()
