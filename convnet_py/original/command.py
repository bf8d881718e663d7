"""``convnet original import | info | verify | build | remove``: the slot from the command line (spec 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from convnet_py.errors import UsageError
from convnet_py.options import Kind, convert, split_arguments
from convnet_py.original.build import DEVICES, PLATFORM_LIBS, build, remove_builds
from convnet_py.original.releases import RELEASES, Recognition
from convnet_py.original.slot import Slot, default_folder

USAGE = """usage: convnet original import PATH    copy a folder, zip or tar archive of the sources into the slot
       convnet original info           which release it is, and what it holds
       convnet original verify         whether every file is still as imported
       convnet original build [--device=cpu|cuda] [--platform-libs=auto|rebuilt] [-DNAME=VALUE]
                                       compile them, for --engine=original; cuda: by nvcc, for this machine's GPU or
                                       -DCMAKE_CUDA_ARCHITECTURES=75 (80, 90, ...); rebuilt: with this project's matrix
                                       and convolution libraries even where the tree has its own; -D: for CMake
       convnet original remove         empty the slot"""


def _one_of(*names: str) -> Kind:
    return Kind("one of " + ", ".join(names), lambda text: names[names.index(text)])


_BUILD_OPTIONS = {"device": _one_of(*DEVICES), "platform-libs": _one_of(*PLATFORM_LIBS)}


def original(arguments: Sequence[str], warn: Callable[[str], None]) -> int:
    """Run one of the slot's commands; the exit status. Raises ConvnetError."""
    slot = Slot(default_folder())
    match list(arguments):
        case ["import", path]:
            found = slot.import_tree(Path(path), warn)
            print(f"{len(slot.locked_files())} files in {slot.tree}")
            print(describe(found))
        case ["info"]:
            files = slot.locked_files()
            print(f"{slot.tree}: {len(files)} files, {sum(file.size for file in files):,} bytes")
            print(describe(slot.recognise()))
            differences = slot.differences()
            print(f"not as it was imported ({differences})" if differences else "every file is as it was imported")
        case ["verify"]:
            slot.verify()
            print(f"{slot.tree}: all {len(slot.locked_files())} files are as they were imported")
        case ["build", *rest]:
            print(f"built: {build(slot, **_build_options(rest))}")
        case ["remove"]:
            slot.remove()
            remove_builds(slot)
            print(f"{slot.folder}: empty")
        case ["--help" | "-h"]:
            print(USAGE)
        case _:
            got = " ".join(arguments) or "nothing"
            raise UsageError(f"convnet original: takes import PATH, info, verify, build or remove, got {got}")
    return 0


def _build_options(arguments: Sequence[str]) -> dict[str, Any]:
    """Arguments of ``build``. Raises UsageError."""
    definitions = [text for text in arguments if text.startswith("-D")]
    for text in definitions:
        # The project's own settings say which tree is compiled: the one that was verified.
        if "=" not in text or text.startswith("-DCONVNET_"):
            raise UsageError(f"convnet original build: got {text}, takes -DNAME=VALUE of CMake's own settings")
    texts = split_arguments([text for text in arguments if text not in definitions], list(_BUILD_OPTIONS))
    values = {name: convert(name, text, _BUILD_OPTIONS[name]) for name, text in texts.items()}
    return {
        "device": values.get("device", "cpu"),
        "platform_libs": values.get("platform-libs", "auto"),
        "definitions": definitions,
    }


def describe(found: Recognition) -> str:
    """One or two lines: the release, or what the tree lacks of the nearest one."""
    if found.known:
        return f"release: {found.release.name}, {found.release.title}"
    known = ", ".join(release.name for release in RELEASES)
    lacking = ", ".join(found.missing)
    return f"release: unknown (known: {known}); nearest: {found.release.name}, of which it lacks: {lacking}"
