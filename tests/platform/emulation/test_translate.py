"""The translator by itself: what it writes, what it refuses and where, and that layout does not matter (spec 6.6)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import translate
from emulation_toolchain import EMULATION, SOURCES, translated
from hypothesis import given, settings
from hypothesis import strategies as st

PROGRAMS = sorted(SOURCES.glob("*.cu"))


def code(text: str) -> list[str]:
    """The tokens of a text, without space; of a macro those of its body, too."""
    words: list[str] = []
    for token in translate.lex(text, "x"):
        if token.kind == "directive":
            rest = translate.lex(token.text.replace("\\\n", " "), "x", directives=False)
            words += [t.text for t in rest if t.kind != "space"]
        elif token.kind != "space":
            words.append(token.text)
    return words


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_the_source_stays_as_it_is(source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    assert translated(source, tmp_path / "deep" / "out.cpp").returncode == 0
    assert source.read_bytes() == before
    assert (tmp_path / "deep" / "out.cpp").read_text().startswith(f'#line 1 "{source}"\n')


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_every_line_but_a_launch_head_stays_where_it_is(source: Path) -> None:
    """Line n of the source is line n + 1 of the result: what stands beyond three lines of a launch shows that."""
    before = source.read_text().splitlines()
    after = translate.translate(source.read_text(), str(source)).splitlines()[1:]
    assert len(after) == len(before)
    compared = 0
    for n, (old, new) in enumerate(zip(before, after, strict=True)):
        if any("<<<" in line or ">>>" in line for line in before[max(n - 3, 0) : n + 4]):
            continue
        words = set(re.findall(r"\w+", old)) - {"__global__", "__shared__", "__noinline__", "extern", "printf"}
        assert words <= set(re.findall(r"\w+", new))
        compared += bool(words)
    assert compared > 10


def test_plain_cpp_is_left_alone() -> None:
    text = 'int x; /* k<<<1, 1>>>(x) */ const char* s = "__shared__ <<<"; auto r = R"x(asm("")"<<<)x";\n// __shfl\n'
    assert translate.translate(text, "a.cu") == f'#line 1 "a.cu"\n{text}'
    nested = "std::vector<std::vector<std::pair<int, int>>>(3); x << y; a >>= 2; operator<<<int>(a, b);\n"
    assert translate.translate(nested, "a.cu") == f'#line 1 "a.cu"\n{nested}'
    assert '\\"' in translate.translate("", 'a".cu')


def test_bytes_that_are_no_utf8_and_line_ends_are_kept(tmp_path: Path) -> None:
    source, target = tmp_path / "a.cu", tmp_path / "b.cpp"
    source.write_bytes(b"// caf\xe9\r\nint x;\r\n#define A \\\r\n  1\r\n")
    assert translated(source, target).returncode == 0
    assert target.read_bytes().split(b"\n", 1)[1] == source.read_bytes()


REFUSED = [
    ("texture<float, 1> t;", "texture (textures and surfaces)"),
    ("float f(int i) { return tex1Dfetch(t, i); }", "tex1Dfetch (textures and surfaces)"),
    ("surface<void, 2> s;", "surface (textures and surfaces)"),
    ("void f() { surf2Dread(&x, s, 1, 2); }", "surf2Dread (textures and surfaces)"),
    ("cudaTextureObject_t t;", "cudaTextureObject_t (textures and surfaces)"),
    ("int f(int x) { return __shfl_down_sync(~0u, x, 1); }", "__shfl_down_sync (warp intrinsics)"),
    ("int f(int x) { return __shfl(x, 1); }", "__shfl (warp intrinsics)"),
    ("int f(int x) { return __ballot(x); }", "__ballot (warp intrinsics)"),
    ("int f(int x) { return __any_sync(~0u, x); }", "__any_sync (warp intrinsics)"),
    ("void f() { asm volatile(\"bar.sync 0;\"); }", "asm (inline assembly)"),
    ("void f() { asm(\"\"); }", "asm (inline assembly)"),
    ("using namespace cooperative_groups;", "cooperative_groups (cooperative groups)"),
    ("#include <cooperative_groups.h>", "the header cooperative_groups.h"),
    ("#  include <thrust/sort.h>", "the header thrust/sort.h"),
    ("#define SHUFFLE(x) __shfl_xor(x, 1)", "__shfl_xor (warp intrinsics)"),
    ("__global__ void k() { k<<<1, 1>>>(); }", "a launch in a kernel (dynamic parallelism)"),
    ("#define KERNEL __global__ void", "__global__ without a parameter list after it"),
    ("#define KERNEL(n) __global__ void n(int x)", "__global__ in a macro without the kernel's body"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "what"), REFUSED)
def test_unsupported(line: str, what: str, source_file: Callable[[str], Path], tmp_path: Path) -> None:
    before = "\n\n" if line[0] == "#" else "/* two\n lines */\n  "
    source = source_file(f"{before}{line}\nint after;\n")
    done = translated(source, tmp_path / "out.cpp")
    assert done.returncode == 1
    assert done.stderr == f"{source}:3: unsupported by the emulation: {what}\n"
    assert not (tmp_path / "out.cpp").exists()


WRONG = [
    ("void f() {\n k<<<1, 1>>>; }", 2, "this launch has no argument list after >>>"),
    ("void f() {\n k<<<1, 1; }", 2, "this <<< has no >>> after it"),
    ("void f() {\n k<<<1, 1>>>(1; }", 2, "the arguments of this launch do not end"),
    ("void f() {\n + <<<1, 1>>>(1); }", 2, "this <<< has no kernel before it"),
    ("__global__ void k(int x)\n{ if (x) {", 1, "the body of this kernel does not end"),
    ("void f() {\n __shared__ float x = 3; }", 2, "the __shared__ variable 'x' cannot have an initial value"),
    ("int x;\n/* never", 2, "this comment does not end"),
    ('int x;\nconst char* s = "never;\n', 2, "this quotation does not end"),
]


@pytest.mark.parametrize(("text", "line", "message"), WRONG)
def test_wrong(text: str, line: int, message: str) -> None:
    with pytest.raises(translate.TranslationError) as error:
        translate.translate(text, "k.cu")
    assert str(error.value) == f"k.cu:{line}: {message}"


def test_every_error_is_named() -> None:
    with pytest.raises(translate.TranslationError) as error:
        translate.translate("int f() { return __shfl(1, 2); }\n\n__shared__ int x = 2;\nsurface<int> s;", "k.cu")
    assert [line.split(": ")[0] for line in str(error.value).splitlines()] == ["k.cu:1", "k.cu:3", "k.cu:4"]


LEFT_OUT = [
    "#if 0",
    "#ifndef CONVNET_EMULATION",
    "#ifdef __CUDA_ARCH__",
    "#if defined(__CUDACC__)  // why",
    "#if !defined CONVNET_EMULATION",
]


@pytest.mark.parametrize("guard", LEFT_OUT)
def test_what_the_preprocessor_leaves_out_is_not_refused(guard: str) -> None:
    text = f"{guard}\nint f() {{ return __shfl(1, 2); }}\n#else\nint f();\n#endif\n__shared__ int s;\n"
    assert "__shfl" in translate.translate(text, "k.cu")
    with pytest.raises(translate.TranslationError):
        translate.translate(text.replace("#else\n", "#else\nint g() { return __shfl(1, 2); }\n"), "k.cu")


def test_branches_with_unequal_braces() -> None:
    text = (
        "__global__ void k(int x) {\n__shared__ int s[2];\n#ifdef A\nif (x) {\n#else\nif (!x) {\n#endif\n"
        "s[x] = 1;\n}\n}\n"
        "void f() { s[1] = 2; k<<<1, 1>>>(1); }\n"
    )
    after = translate.translate(text, "k.cu")
    assert after.count("});}") == 1 and after.count("checked") == 1 and after.count("configure") == 1


def test_command_line_errors_are_one_line(tmp_path: Path) -> None:
    done = translated(tmp_path / "missing.cu", tmp_path / "out.cpp")
    assert (done.returncode, done.stderr) == (1, f"{tmp_path / 'missing.cu'}: No such file or directory\n")
    source = tmp_path / "a.cu"
    source.write_text("int x;")
    assert translated(source, source).returncode == 2
    assert source.read_text() == "int x;"
    done = subprocess.run([sys.executable, EMULATION / "translate.py"], capture_output=True, text=True)
    assert done.returncode == 2


#: What may stand between two tokens outside a directive.
SPACES = [" ", "\t", "\n", "\n\n  ", "/* k<<<1, 1>>>(s[3]) */", '// __shared__ "\n', " /*\n*/ ", "\\\n"]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.sampled_from(PROGRAMS), st.data())
def test_layout_does_not_matter(source: Path, data: st.DataObject) -> None:
    """Space between tokens, exchanged for other space, changes the translation in its space alone."""
    tokens = translate.lex(source.read_text(), "k.cu")
    # Directives keep the line ends around them, launches with directives in them being refused.
    spaces = [
        i
        for i, token in enumerate(tokens)
        if token.kind == "space" and not any(t.kind == "directive" for t in tokens[max(i - 1, 0) : i + 2])
    ]
    for i in data.draw(st.lists(st.sampled_from(spaces), max_size=40, unique=True)):
        tokens[i].text = data.draw(st.sampled_from(SPACES))
    changed = "".join(token.text for token in tokens)
    assert code(translate.translate(changed, "k.cu")) == code(translate.translate(source.read_text(), "k.cu"))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.sampled_from(PROGRAMS), st.data())
def test_any_cut_is_translated_or_refused(source: Path, data: st.DataObject) -> None:
    """No text makes the translator fail otherwise than by a TranslationError."""
    text = source.read_text()
    start = data.draw(st.integers(0, len(text)))
    part = text[start : data.draw(st.integers(start, len(text)))]
    try:
        assert translate.translate(part, "k.cu").startswith('#line 1 "k.cu"\n')
    except translate.TranslationError as error:
        assert all(line.startswith("k.cu:") for line in str(error).splitlines())
