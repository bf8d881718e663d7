"""Test programs, each translated, compiled and run, without and with AddressSanitizer and UBSan (spec 6.6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from emulation_toolchain import EMULATION, SOURCES, Toolchain, gxx

ERRORS = SOURCES / "errors.cu"


def marked_line(mark: str) -> str:
    """``errors.cu:LINE`` of the line that ends with the mark."""
    lines = [n for n, line in enumerate(ERRORS.read_text().splitlines(), 1) if line.endswith(f"// {mark}")]
    assert len(lines) == 1, mark
    return f"{ERRORS}:{lines[0]}"


@pytest.mark.parametrize("program", ["launches", "shared", "device", "host", "tensor"])
def test_program(toolchain: Toolchain, program: str) -> None:
    done = toolchain.run(SOURCES / f"{program}.cu")
    assert (done.returncode, done.stderr) == (0, "")


def test_device_printf_is_ordered_by_block(toolchain: Toolchain) -> None:
    lines = toolchain.run(SOURCES / "device.cu").stdout.splitlines()
    talk = [f"block {block} thread {thread}" for block in range(3) for thread in range(2)]
    assert lines == ["before", *talk, "block 0 thread 0", "text 1.5%", "after"]


def test_historic_cpp(toolchain: Toolchain) -> None:
    done = toolchain.run(SOURCES / "historic.cu")
    assert (done.returncode, done.stdout) == (0, "fc8 100 3\n")


def test_same_results_with_any_number_of_threads(toolchain: Toolchain) -> None:
    outputs = []
    for threads in ("1", "2", "3", "8"):
        done = toolchain.run(SOURCES / "parallel.cu", CONVNET_EMULATION_THREADS=threads)
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append(done.stdout)
    printed = [int(n) for n in re.findall(r"block (\d+)", outputs[0])]
    assert printed[:20] == list(range(0, 200, 10))
    first_launch = [output.splitlines()[:21] for output in outputs]
    assert first_launch == [first_launch[0]] * 4
    assert sorted(outputs[0].splitlines()) == sorted(outputs[3].splitlines())


def outcomes(toolchain: Toolchain, **environment: str) -> dict[str, str]:
    """What each kernel of order.cu gives. One OS thread, so that blocks do run in order."""
    done = toolchain.run(SOURCES / "order.cu", CONVNET_EMULATION_THREADS="1", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(line.split() for line in done.stdout.splitlines())


def test_order_shows_what_lacks_a_barrier(toolchain: Toolchain) -> None:
    """Racing kernels, each by at least one order; the others give the same in all."""
    orders = {order: outcomes(toolchain, CONVNET_EMULATION_ORDER=order) for order in ("forward", "reverse", "shuffled")}
    assert outcomes(toolchain) == orders["forward"]
    assert outcomes(toolchain, CONVNET_EMULATION_ORDER="shuffled") == orders["shuffled"]
    different = {name: len({results[name] for results in orders.values()}) for name in orders["forward"]}
    assert {name for name, count in different.items() if count == 1} == {"right", "right_warps"}
    # Either half of a pair of barriers is missed by one of the two plain orders.
    assert orders["forward"]["write_then_read"] == orders["forward"]["right"] != orders["reverse"]["write_then_read"]
    assert orders["reverse"]["read_then_overwrite"] == orders["reverse"]["right"]
    for name in ("write_then_read", "read_then_overwrite", "warps", "blocks"):
        right = orders["forward"][{"warps": "right_warps", "blocks": "blocks"}.get(name, "right")]
        assert orders["shuffled"][name] != right, name


@pytest.mark.parametrize("order", ["reverse", "shuffled"])
def test_programs_in_another_order(toolchain: Toolchain, order: str) -> None:
    """Poisoned, too: what these programs compute depends on neither."""
    for program in ("launches", "shared", "device", "host"):
        done = toolchain.run(SOURCES / f"{program}.cu", CONVNET_EMULATION_ORDER=order, CONVNET_EMULATION_POISON="1")
        assert (done.returncode, done.stderr) == (0, ""), program


def test_an_error_in_another_order_names_its_block(toolchain: Toolchain) -> None:
    done = toolchain.run(ERRORS, "static_index", CONVNET_EMULATION_ORDER="reverse", CONVNET_EMULATION_THREADS="1")
    message = INDEX.format(64, 0, 64, "(7,0,0)")
    assert message in done.stderr and done.stderr.endswith(", block (2,0,0)\n")


def test_poison(toolchain: Toolchain) -> None:
    one = {"CONVNET_EMULATION_THREADS": "1"}
    plain = toolchain.run(SOURCES / "poison.cu", **one)
    assert plain.stdout.splitlines()[1:] == [
        "block 0: 0.000000 0.000000 0.000000 0",
        "block 1: 1.000000 2.000000 1.000000 1",  # what block 0 left
    ]
    poisoned = toolchain.run(SOURCES / "poison.cu", **one, CONVNET_EMULATION_POISON="1")
    blocks = [f"block {block}: -nan -nan -nan -1" for block in range(2)]
    assert poisoned.stdout.splitlines() == ["cudaMalloc -nan", *blocks]


INDEX = "index {} is outside dimension {} of the shared array 's', whose extent is {}; thread {}"
BARRIER = "only {} of {} threads of the block reach this barrier; thread {} {}"
RUNTIME_ERRORS = {
    "static_index": (INDEX.format(64, 0, 64, "(7,0,0)"), "(1,0,0)"),
    "second_index": (INDEX.format(5, 1, 5, "(0,0,0)"), "(0,0,0)"),
    "extern_index": (INDEX.format(16, 0, 16, "(0,0,0)"), "(0,0,0)"),
    "negative_index": (INDEX.format(-1, 0, 8, "(0,0,0)"), "(0,0,0)"),
    "address": (INDEX.format(9, 0, 8, "(0,0,0)"), "(0,0,0)"),
    "early_return": (BARRIER.format(16, 32, "(0,4,0)", "has ended"), "(0,0,0)"),
}


@pytest.mark.parametrize("name", RUNTIME_ERRORS)
@pytest.mark.parametrize("threads", ["1", "2"])
def test_runtime_error(toolchain: Toolchain, name: str, threads: str) -> None:
    message, block = RUNTIME_ERRORS[name]
    done = toolchain.run(ERRORS, name, CONVNET_EMULATION_THREADS=threads)
    launched = marked_line(f"LAUNCHED({name})")
    where = marked_line(f"ERROR({name})")
    assert done.stderr == f"{where}: {message}; kernel '{name}', launched at {launched}, block {block}\n"
    assert done.returncode == 0


def test_threads_that_wait_are_unwound(toolchain: Toolchain) -> None:
    done = toolchain.run(ERRORS, "ended", CONVNET_EMULATION_THREADS="1")
    *unwound, message = done.stderr.splitlines()
    assert unwound == ["unwound"] * 20
    # The first barrier of the block is already another one for the last threads.
    assert "of 32 threads of the block reach this barrier; thread (20,0,0) waits at" in message


@pytest.mark.parametrize(("name", "here", "threads"), [("two_barriers", 32, 64), ("warp_and_block", 1, 2)])
def test_divergent_barriers(toolchain: Toolchain, name: str, here: int, threads: int) -> None:
    done = toolchain.run(ERRORS, name)
    message = BARRIER.format(here, threads, "(1,0,0)", f"waits at {marked_line(f'OTHER({name})')}")
    launched = marked_line(f"LAUNCHED({name})")
    where = marked_line(f"ERROR({name})")
    assert done.stderr == f"{where}: {message}; kernel '{name}', launched at {launched}, block (0,0,0)\n"


OTHER_ERRORS = {
    "nested": "kernel 'nothing' is launched by a kernel, which is not supported; kernel 'nested', launched at ",
    "unconfigured": "kernel 'unconfigured' is called without <<<grid, block>>>\n",
    "outside": "__syncthreads outside a kernel\n",
}


@pytest.mark.parametrize("name", OTHER_ERRORS)
def test_other_runtime_error(toolchain: Toolchain, name: str) -> None:
    done = toolchain.run(ERRORS, name)
    assert done.stderr.startswith(f"{marked_line(f'ERROR({name})')}: {OTHER_ERRORS[name]}")
    assert done.stderr.count("\n") == 1


def test_an_error_that_nobody_catches_ends_the_process(toolchain: Toolchain) -> None:
    done = toolchain.run(ERRORS, "early_return", "uncaught")
    assert done.returncode != 0
    assert f"{marked_line('ERROR(early_return)')}: only 16 of 32 threads" in done.stderr


def test_sanitizer_sees_the_end_of_extern_memory(toolchain: Toolchain) -> None:
    """A pointer carries no extent, so that its index is AddressSanitizer's to check."""
    done = toolchain.run(ERRORS, "extern_pointer")
    if toolchain.sanitized:
        assert done.returncode != 0
        line = marked_line("ERROR(extern_pointer)").rsplit(":", 1)[1]
        assert "AddressSanitizer: use-after-poison" in done.stderr and f"errors.cu:{line}" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")


def test_work_on_streams_that_lacks_a_wait_gives_other_results(toolchain: Toolchain) -> None:
    """What is right gives the same whenever the work is done; what is not differs in one way of putting it off."""
    results = {}
    for mode in ("eager", "lazy", "shuffled"):
        arguments = ["putting off"] if mode == "lazy" else []
        done = toolchain.run(SOURCES / "streams.cu", *arguments, CONVNET_EMULATION_STREAMS=mode)
        assert (done.returncode, done.stderr) == (0, "")
        results[mode] = dict(line.split() for line in done.stdout.splitlines())
    eager, lazy, shuffled = results.values()
    for name, value in eager.items():
        assert ((lazy[name], shuffled[name]) == (value, value)) == name.startswith("right"), name
    assert eager["right"] == eager["copy_overwrites"]


@pytest.mark.parametrize("value", ["0", "-3", "two", "", "1x", "5000"])
def test_bad_thread_count(toolchain: Toolchain, value: str) -> None:
    done = toolchain.run(ERRORS, "second_index", CONVNET_EMULATION_THREADS=value)
    expected = f"CONVNET_EMULATION_THREADS={value}: this must be a whole number from 1 to 4096"
    assert expected in done.stderr


@pytest.mark.parametrize(
    ("name", "values"),
    [("ORDER", "forward, reverse or shuffled"), ("POISON", "0 or 1"), ("STREAMS", "eager, lazy or shuffled")],
    ids=["order", "poison", "streams"],
)
@pytest.mark.parametrize("value", ["", "2", "Reverse"])
def test_bad_choice(toolchain: Toolchain, name: str, values: str, value: str) -> None:
    done = toolchain.run(ERRORS, "second_index", **{f"CONVNET_EMULATION_{name}": value})
    assert f"CONVNET_EMULATION_{name}={value}: this must be {values}\n" in done.stderr


def test_device_count_from_environment(toolchain: Toolchain, source_file: Callable[[str, str], Path]) -> None:
    source = source_file(
        "#include <cuda_runtime.h>\nint main() { int n; return cudaGetDeviceCount(&n) == cudaSuccess ? n : -1; }\n",
        "devices.cu",
    )
    assert toolchain.run(source, CONVNET_EMULATION_DEVICES="5").returncode == 5


def test_compiler_errors_name_the_original(toolchain: Toolchain, source_file: Callable[[str, str], Path]) -> None:
    launch = "  k\n  <<<1,\n  2>>>(1,\n  nowhere);\n"
    text = f"#include <cuda_runtime.h>\n__global__ void k(int x) {{}}\nint main() {{\n{launch}}}\n"
    source = source_file(text, "wrong.cu")
    done = toolchain.compile(source)
    assert f"{source}:7:" in done.stderr and "nowhere" in done.stderr


def test_a_source_that_was_not_translated_does_not_compile(source_file: Callable[[str], Path]) -> None:
    include = EMULATION / "include"
    for text in ("__global__ void k() {}", "__device__ int f() { __shared__ int x; return x; }"):
        source = source_file(f"#include <cuda_runtime.h>\n{text}\n")
        done = gxx("-std=c++17", "-I", include, "-fsyntax-only", "-x", "c++", source)
        assert done.returncode != 0, text


@pytest.mark.parametrize("standard", ["c++17", "c++20"])
def test_headers_are_free_of_warnings(standard: str, source_file: Callable[[str], Path]) -> None:
    source = source_file(
        "#include <device_launch_parameters.h>\n#include <cuda.h>\n#include <cmath>\n#include <math.h>\n"
        "#include <algorithm>\n#include <random>\nint main() {}\n"
    )
    done = gxx(f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I", EMULATION / "include",
               "-fsyntax-only", "-x", "c++", source)  # fmt: skip
    assert done.stderr == ""


def test_headers_leave_the_names_of_the_tree_alone(source_file: Callable[[str], Path]) -> None:
    """Spec 6.1: what the 2012 sources define as macros, enumerators and classes."""
    names = "EXP LOG INF PASS_TRAIN randf HAS_FLAG IS_TRAIN GC_NONE QUOTEME LOGREG_OK SYNC RESET Data Message Worker"
    names += " Layer Cost Weights DIVUP uint_"
    source = source_file(
        "#include <cuda_runtime.h>\nusing namespace std;\n"
        + "".join(f"#ifdef {name}\n#error {name}\n#endif\nclass {name} {{}};\n" for name in names.split())
        + "#if defined(min) || defined(max)\n#error min or max\n#endif\n"
    )
    done = gxx("-std=c++17", "-I", EMULATION / "include", "-fsyntax-only", "-x", "c++", source)
    assert done.stderr == ""
