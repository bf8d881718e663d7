"""A generator of malicious pickles: every way known to the tests of running code from one, or of filling a machine.

``write_corpus`` writes them; run as a program (FOLDER), this file reads all of them with the package's reader within
512 MB and prints what came of each as JSON.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

MB = 2**20

#: Callables and their arguments, of which {canary} is the file that must not come to be.
CALLS: list[tuple[str, str, list]] = [
    ("os", "system", ["touch {canary}"]),
    ("posix", "system", ["touch {canary}"]),
    ("nt", "system", ["touch {canary}"]),
    ("os", "popen", ["touch {canary}"]),
    ("os", "execv", ["/bin/touch", ["touch", "{canary}"]]),
    ("os", "spawnvp", [0, "touch", ["touch", "{canary}"]]),
    ("os", "mkdir", ["{canary}"]),
    ("os", "putenv", ["PICKLE_CANARY", "1"]),
    ("os", "_exit", [77]),
    ("os", "kill", [0, 0]),
    ("subprocess", "Popen", [["touch", "{canary}"]]),
    ("subprocess", "call", [["touch", "{canary}"]]),
    ("subprocess", "run", [["touch", "{canary}"]]),
    ("subprocess", "check_output", [["touch", "{canary}"]]),
    ("subprocess", "getoutput", ["touch {canary}"]),
    ("commands", "getoutput", ["touch {canary}"]),
    ("pty", "spawn", [["touch", "{canary}"]]),
    ("shutil", "rmtree", ["{canary}.not"]),
    ("shutil", "copyfile", ["/etc/hostname", "{canary}"]),
    ("builtins", "exec", ["open('{canary}', 'w')"]),
    ("builtins", "eval", ["open('{canary}', 'w')"]),
    ("builtins", "compile", ["open('{canary}', 'w')", "x", "exec"]),
    ("builtins", "open", ["{canary}", "w"]),
    ("builtins", "__import__", ["antigravity"]),
    ("builtins", "getattr", ["x", "upper"]),
    ("builtins", "setattr", ["x", "y", 1]),
    ("builtins", "globals", []),
    ("builtins", "vars", []),
    ("builtins", "map", ["x", [1]]),
    ("builtins", "type", ["X", [], {}]),
    ("builtins", "range", [2**40]),
    ("builtins", "list", ["xxxx"]),
    ("builtins", "input", []),
    ("builtins", "breakpoint", []),
    ("__builtin__", "eval", ["open('{canary}', 'w')"]),
    ("__builtin__", "execfile", ["{canary}"]),
    ("__builtin__", "file", ["{canary}", "w"]),
    ("__builtin__", "apply", ["x", []]),
    ("io", "open", ["{canary}", "w"]),
    ("io", "FileIO", ["{canary}", "w"]),
    ("codecs", "open", ["{canary}", "w"]),
    ("_io", "open", ["{canary}", "w"]),
    ("pathlib", "Path", ["{canary}"]),
    ("tempfile", "mkstemp", []),
    ("importlib", "import_module", ["antigravity"]),
    ("importlib", "reload", ["x"]),
    ("imp", "load_source", ["x", "{canary}"]),
    ("runpy", "run_path", ["{canary}"]),
    ("runpy", "run_module", ["antigravity"]),
    ("pydoc", "locate", ["antigravity"]),
    ("functools", "partial", ["x"]),
    ("functools", "reduce", ["x", [1, 2]]),
    ("operator", "attrgetter", ["x"]),
    ("operator", "methodcaller", ["upper"]),
    ("operator", "itemgetter", [0]),
    ("operator", "setitem", [{}, "x", 1]),
    ("_operator", "attrgetter", ["system"]),
    ("timeit", "timeit", ["open('{canary}', 'w')"]),
    ("cProfile", "run", ["open('{canary}', 'w')"]),
    ("code", "interact", []),
    ("pdb", "run", ["open('{canary}', 'w')"]),
    ("doctest", "testfile", ["{canary}"]),
    ("webbrowser", "open", ["file://{canary}"]),
    ("socket", "create_connection", [["127.0.0.1", 9]]),
    ("ctypes", "CDLL", ["libc.so.6"]),
    ("multiprocessing.process", "BaseProcess", []),
    ("pickle", "loads", ["cos\nsystem\n(S'touch {canary}'\ntR."]),
    ("cPickle", "loads", ["cos\nsystem\n(S'touch {canary}'\ntR."]),
    ("_pickle", "loads", ["x"]),
    ("marshal", "loads", ["x"]),
    ("types", "FunctionType", ["x"]),
    ("types", "CodeType", []),
    ("copy_reg", "add_extension", ["os", "system", 5]),
    ("copyreg", "__newobj__", ["x"]),
    ("copyreg", "pickle", ["x"]),
    ("sys", "setrecursionlimit", [10**8]),
    ("sys", "exit", [77]),
    ("signal", "raise_signal", [9]),
    ("threading", "Thread", []),
    ("weakref", "finalize", ["x", "y"]),
    ("atexit", "register", ["x"]),
    ("numpy", "load", ["{canary}", None, True]),
    ("numpy", "save", ["{canary}", [1]]),
    ("numpy", "fromfile", ["/etc/hostname"]),
    ("numpy", "memmap", ["{canary}", "u1", "w+", 0, [4]]),
    ("numpy", "zeros", [[2**34]]),
    ("numpy", "fromregex", ["/etc/hostname", "(.)", [["x", "S1"]]]),
    ("numpy", "genfromtxt", ["/etc/hostname"]),
    ("numpy", "vectorize", ["x"]),
    ("numpy", "f2py.main", ["x"]),
    ("numpy.f2py", "compile", ["x"]),
    ("numpy.testing._private.utils", "runstring", ["open('{canary}', 'w')", {}]),
    ("numpy.core.multiarray", "fromfile", ["/etc/hostname"]),
    ("numpy.core.multiarray", "frombuffer", ["x"]),
    ("numpy.core.numeric", "load", ["{canary}"]),
    ("numpy.core.multiarray", "_reconstruct.__globals__", []),
    ("numpy.distutils.exec_command", "exec_command", ["touch {canary}"]),
    ("numpy.lib.npyio", "load", ["{canary}"]),
    ("numpy._core.multiarray", "set_string_function", ["x"]),
    ("numpy.ma.core", "_mareconstruct", []),
    ("numpy.matrixlib.defmatrix", "matrix", ["1"]),
    ("options", "OptionsParser.__init__", []),
    ("options.sub", "OptionsParser", []),
    ("python_util.os", "system", ["touch {canary}"]),
    ("collections", "OrderedDict.fromkeys", [["a"]]),
    ("collections", "namedtuple", ["X", "a"]),
    ("__main__", "os.system", ["touch {canary}"]),
    ("convnet_py.data.safe_pickle", "load", ["{canary}"]),
]  # fmt: skip


def _value(value: object) -> bytes:
    """A plain value in opcodes of protocol 2."""
    if isinstance(value, str):
        raw = value.encode()
        return b"X" + struct.pack("<I", len(raw)) + raw
    if isinstance(value, bool) or value is None:
        return {True: b"\x88", False: b"\x89", None: b"N"}[value]
    if isinstance(value, int):
        raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(raw)]) + raw
    if isinstance(value, list):
        return b"](" + b"".join(map(_value, value)) + b"e"
    return b"}"


def _filled(arguments: list, canary: Path) -> list:
    return [
        _filled(item, canary) if isinstance(item, list) else item.replace("{canary}", str(canary))
        if isinstance(item, str) else item
        for item in arguments
    ]  # fmt: skip


def forms(module: str, name: str, arguments: list) -> Iterator[tuple[str, bytes]]:
    """One call in every way that a pickle can make it."""
    items = b"".join(map(_value, arguments))
    by_line = f"c{module}\n{name}\n".encode()
    by_stack = b"\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93"
    call = by_line + b"(" + items + b"tR"
    yield "reduce", b"\x80\x02" + call + b"."
    yield "stack global", b"\x80\x04" + by_stack + b"(" + items + b"tR."
    yield "inst", b"(" + items + f"i{module}\n{name}\n".encode() + b"."
    yield "obj", b"(" + by_line + items + b"o."
    yield "newobj", b"\x80\x02" + by_line + b"(" + items + b"t\x81."
    yield "newobj_ex", b"\x80\x04" + by_stack + b"(" + items + b"t}\x92."
    yield "in a dictionary", b"\x80\x02}U\x04datar\x00\x00\x00\x00" + call + b"s."
    yield "as a key", b"\x80\x02}" + call + b"K\x01s."
    yield "and thrown away", b"\x80\x02" + call + b"0}."
    yield "as a state", b"\x80\x02(coptions\nOptionsParser\no" + call + b"b."
    yield "of a result", b"\x80\x02" + call + b")R."
    yield "by its name alone", b"\x80\x02" + by_line + b"."
    yield "as a shape", b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + call + b"U\x01btR."


def _calls(folder: Path) -> Iterator[tuple[str, bytes]]:
    for number, (module, name, arguments) in enumerate(CALLS):
        canary = folder / f"canary.{number}"
        for form, pickled in forms(module, name, _filled(arguments, canary)):
            yield f"call {module}.{name} {form}", pickled


_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
_FLOAT = b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
_POLLUTION = b"(N}(U\x08pollutedK\x01utb."


def _states() -> Iterator[tuple[str, bytes]]:
    """BUILD where no state belongs, and states that are not what they should be."""
    for target in ("numpy\nndarray", "numpy\ndtype", "numpy.core.multiarray\n_reconstruct", "collections\nOrderedDict",
                   "options\nOptionsParser", "__builtin__\nobject", "_codecs\nencode", "copy_reg\n_reconstructor",
                   "numpy.core.multiarray\nscalar", "builtins\nbytearray"):  # fmt: skip
        name = target.replace("\n", ".")
        yield f"state of class {name}", b"c" + target.encode() + b"\n" + _POLLUTION
        yield f"state of class {name}, a dictionary", b"c" + target.encode() + b"\n}(U\x08__init__K\x01ub."
    for name, begun in (("list", b"]"), ("dict", b"}"), ("text", b"U\x01x"), ("none", b"N"),
                        ("ordered", b"ccollections\nOrderedDict\n)R")):  # fmt: skip
        yield f"state of {name}", b"\x80\x02" + begun + _POLLUTION
    huge = {
        "length": b"J\xff\xff\xff\x7f", "negative length": b"J\xff\xff\xff\xff",
        "long length": b"\x8a\x09" + bytes(8) + b"\x01", "true length": b"\x88", "text as length": b"U\x01x",
    }  # fmt: skip
    for name, length in huge.items():
        yield f"array of {name}", _ARRAY + b"(K\x01(" + length + b"t" + _FLOAT + b"\x89U\x04abcdtb."
    for code in ("O", "O8", "V8", "S0", "U0", "f4,O", "M8[s]", "(1000000,1000000)f4", "f99", "S999999999"):
        raw = code.encode()
        dtype = b"cnumpy\ndtype\n(U" + bytes([len(raw)]) + raw + b"K\x00K\x01tR(K\x03U\x01|NNNK\x08K\x01K\x00tb"
        yield f"array of {code}", _ARRAY + b"(K\x01(K\x01t" + dtype + b"\x89U\x00tb."
        yield f"scalar of {code}", b"cnumpy.core.multiarray\nscalar\n(" + dtype + b"U\x00tR."
    yield "array of itself", _ARRAY + b"q\x01(K\x01(K\x01t" + _FLOAT + b"\x89h\x01tb."
    yield "array with fields", b"cnumpy\ndtype\n(U\x02V4K\x00K\x01tR(K\x03U\x01|NU\x01x}K\x04K\x01K\x00tb."
    yield "array of a class", b"cnumpy.core.multiarray\n_reconstruct\n(coptions\nX\n(K\x00tU\x01btR."
    yield "reconstructor of a class", b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR."
    yield "codec", b"c_codecs\nencode\n(X\x01\x00\x00\x00xU\x05rot13tR."
    yield "codec of bytes", b"\x80\x03c_codecs\nencode\n(C\x01xX\x06\x00\x00\x00latin1tR."


def _opcodes() -> Iterator[tuple[str, bytes]]:
    for code, size in ((b"\x82", 1), (b"\x83", 2), (b"\x84", 4)):
        for number in (1, 127):
            yield f"extension {code.hex()} {number}", b"\x80\x02" + code + number.to_bytes(size, "little") + b")R."
    yield "persistent id", b"P/etc/hostname\n."
    yield "persistent id on the stack", b"\x80\x02U\x0d/etc/hostnameQ."
    yield "buffer outside", b"\x80\x05\x97."
    yield "read-only buffer", b"\x80\x05]\x98."
    yield "protocol 99", b"\x80\x63N."
    yield "memo far away", b"\x80\x02K\x01r\xff\xff\xff\xff0h\x05."
    yield "memo of nothing", b"\x80\x02h\x07."
    yield "no stack", b"0."
    yield "state of nothing", b"b."
    yield "mark alone", b"(."
    yield "integer of a million digits", b"I" + b"9" * 10**6 + b"\n."
    yield "long of a million digits", b"L" + b"9" * 10**6 + b"L\n."
    yield "name with a line break", b"\x80\x04\x8c\x05os\nxx\x8c\x06systex\x93."
    yield "name of a megabyte", b"\x80\x02c" + b"o" * MB + b"\nsystem\n."


def _allocations() -> Iterator[tuple[str, bytes]]:
    for code, form in ((b"T", "<i"), (b"X", "<I"), (b"B", "<I"), (b"\x8b", "<i"), (b"\x8d", "<Q"), (b"\x8e", "<Q"),
                       (b"\x96", "<Q"), (b"\x95", "<Q")):  # fmt: skip
        for size in (2**31 - 1, 2**30):
            yield f"declared size {code.hex()} {size}", b"\x80\x04" + code + struct.pack(form, size) + b"abc."
    for code in (b"\x8d", b"\x8e", b"\x96", b"\x95"):
        yield f"declared size {code.hex()} of everything", b"\x80\x04" + code + b"\xff" * 7 + b"\x7f."
    for name, item in (("list", b"]"), ("dict", b"}"), ("set", b"\x8f"), ("tuple", b"K\x01\x85"), ("mark", b"("),
                       ("float", b"G" + bytes(8)), ("duplicate", b"2"), ("number", b"J\x00\x00\x01\x00")):  # fmt: skip
        yield f"millions of {name}", b"\x80\x04(" + b"N" + item * (2 * MB // len(item)) + b"l."
    yield "millions of memo entries", b"\x80\x04N" + b"\x94" * (2 * MB) + b"."
    yield "millions of option objects", b"\x80\x02(coptions\nX\nq\x00" + b"h\x00)\x81" * (MB) + b"l."
    yield "millions of begun arrays", (
        b"\x80\x02(cnumpy.core.multiarray\n_reconstruct\nq\x00(cnumpy\nndarray\n(K\x00tU\x01btq\x01"
        + b"h\x00h\x01R" * MB + b"t."
    )  # fmt: skip
    # A text of a megabyte, made into bytes over and over.
    text = b"X" + struct.pack("<I", MB) + b"x" * MB + b"q\x00"
    for name, make in (("_codecs\nencode", b"(h\x00U\x06latin1t"), ("builtins\nbytearray", b"(h\x00U\x06latin1t")):
        start = b"\x80\x02c" + name.encode() + b"\nq\x01"
        yield f"copies by {name.split()[1]}", start + text + b"0(" + (b"h\x01" + make + b"R") * 5000 + b"l."
    yield "copies by OrderedDict", (
        b"\x80\x02ccollections\nOrderedDict\nq\x01](" + b"".join(b"K\x01K\x01\x86" for _ in range(MB // 8))
        + b"eq\x000(" + b"h\x01h\x00\x85R" * 5000 + b"l."
    )  # fmt: skip
    keys = b"".join(b"J" + struct.pack("<i", number) + b"N" for number in range(30000))
    yield "copies by states", (
        b"\x80\x02}(" + keys + b"uq\x000(" + b"(coptions\nX\noh\x00b" * 5000 + b"l."
    )  # fmt: skip
    raw = b"T" + struct.pack("<i", MB) + b"x" * MB + b"q\x02"
    one = _ARRAY + b"(K\x01(J" + struct.pack("<i", MB // 4) + b"t" + _FLOAT + b"\x89h\x02tb"
    yield "copies by arrays", b"\x80\x02" + raw + b"0(" + one * 3000 + b"l."


def _nesting() -> Iterator[tuple[str, bytes]]:
    depth = 300_000
    yield "nested lists", b"]" * depth + b"a" * (depth - 1) + b"."
    yield "nested tuples", b")" + b"\x85" * depth + b"."
    yield "nested tuples as a key", b"\x80\x02}" + b")" + b"\x85" * depth + b"Ns."
    yield "nested tuples in a tuple as a key", b"\x80\x02}" + b"N" + b"\x85" * depth + b"K\x01\x86K\x02s."
    yield "nested dictionaries", b"\x80\x02" + b"}K\x01" * depth + b"}" + b"s" * depth + b"."
    yield "nested option objects", b"\x80\x02" + b"(coptions\nX\no}K\x01" * depth + b"N" + b"sb" * depth + b"."
    yield "a list within itself", b"\x80\x02]q\x00h\x00a."
    yield "a dictionary within itself", b"\x80\x02}q\x00K\x01h\x00s."
    yield "a tuple within itself", b"\x80\x02]q\x00h\x00\x85q\x01a0h\x01."
    laughs = b"]" + b"q\x00" + b"".join(b"](" + b"h" + bytes([n]) * 1 + (b"h" + bytes([n])) * 9 + b"eq" + bytes([n + 1])
                                         for n in range(40))  # fmt: skip
    yield "a billion laughs", b"\x80\x02(" + laughs + b"l."
    tuples = b")q\x00" + b"".join((b"h" + bytes([n])) * 3 + b"\x87q" + bytes([n + 1]) for n in range(60))
    yield "a billion laughs in tuples", b"\x80\x02(" + tuples + b"l."


def _packed() -> Iterator[tuple[str, bytes]]:
    zeros = gzip.compress(bytes(32 * MB), 9)
    yield "gzip bomb", zeros * 16
    yield "gzip within gzip", gzip.compress(gzip.compress(bytes(32 * MB)))
    yield "gzip of a list bomb", gzip.compress(b"(" + b"]" * (16 * MB) + b"l.")
    yield "gzip cut off", zeros[: len(zeros) // 2]
    for name, members in (
        ("zip bomb", {"data": bytes(256 * MB)}),
        ("zip bomb under another name", {"x": bytes(192 * MB)}),
        ("zip of a list bomb", {"data": b"(" + b"]" * (16 * MB) + b"l."}),
        ("zip without data", {"a": b"N.", "b": b"N."}),
        ("zip of many files", {f"{number:06d}": b"" for number in range(20_000)}),
        ("zip that climbs", {"../../data": b"cos\nsystem\n)R."}),
    ):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        yield name, stream.getvalue()
        if name == "zip bomb":
            lying = bytearray(stream.getvalue())
            place = lying.rfind(b"PK\x01\x02") + 24
            lying[place : place + 4] = struct.pack("<I", 10)
            yield "zip bomb that lies about its size", bytes(lying)


def corpus(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every malicious file; their canaries would come to be in ``folder``."""
    for part in (_calls(folder), _states(), _opcodes(), _allocations(), _nesting(), _packed()):
        yield from part


def write_corpus(folder: Path) -> list[str]:
    """Write each file under its number, and return the names."""
    names = []
    for number, (name, content) in enumerate(corpus(folder)):
        (folder / f"{number:05d}").write_bytes(content)
        names.append(name)
    return names


def _read_all(folder: Path) -> None:
    """Read every file of ``folder`` within 512 MB more than at the start; print the outcome of each, and the peak."""
    import resource

    import numpy

    from convnet_py.data import safe_pickle
    from convnet_py.errors import DataError

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 512 * MB, used + 512 * MB))
    outcomes = []
    for path in sorted(folder.glob("[0-9]*")):
        try:
            safe_pickle.load(path)
            outcomes.append("loaded")
        except DataError as error:
            outcomes.append(str(error))
        except BaseException as error:
            outcomes.append(f"!{type(error).__name__}: {error}"[:200])
    classes = (numpy.ndarray, numpy.dtype, safe_pickle.OptionsStandIn, safe_pickle.OptionsClass)
    polluted = [str(cls) for cls in classes if hasattr(cls, "polluted")]
    polluted += [name for name in ("antigravity", "this") if name in sys.modules]
    # Not ru_maxrss, which a process inherits from the one that started it.
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
    print(json.dumps({"outcomes": outcomes, "polluted": polluted, "peak": peak}))


if __name__ == "__main__":
    _read_all(Path(sys.argv[1]))
