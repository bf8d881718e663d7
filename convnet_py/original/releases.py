"""Which historic release a tree is, by the files that it holds (spec 1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

_HEADERS_2012 = """convnet cost cpuCNN data hostmem layer layer_kernels lr messages neuron pipedispenser pyconvnet
quantizer softmaxtree util weights worker"""
_SOURCES_2012 = """convnet cost cpuCNN data hostmem layer layer_kernels lr neuron pyconvnet quantizer softmaxtree util
weights worker"""

#: Suffixes of C++ and CUDA.
_SOURCES = {".cu", ".cpp", ".cc", ".cuh", ".h", ".hpp"}


@dataclass(frozen=True)
class Release:
    """A release: its name, what it is, and paths (files, or folders ending in /) that every copy of it holds."""

    name: str
    title: str
    paths: tuple[str, ...]
    #: Paths that tell another release.
    never: tuple[str, ...] = ()


RELEASES = (
    Release(
        "alexnet-2012",
        "the private tree of 2012-13 that won ILSVRC-2012, published in 2025",
        (
            *(f"include/{name}.cuh" for name in _HEADERS_2012.split()),
            "include/multisoftmax.h",
            *(f"src/{name}.cu" for name in _SOURCES_2012.split()),
            "src/multisoftmax.cpp",
        ),
        never=("cudaconv3/", "include/nvmatrix/"),
    ),
    Release(
        "cuda-convnet-2011",
        "the public cuda-convnet of 2011-12",
        ("include/convnet.cuh", "include/layer.cuh", "include/nvmatrix/", "include/cudaconv2/", "src/convnet.cu"),
        never=("cudaconv3/", "include/softmaxtree.cuh"),
    ),
    Release(
        "cuda-convnet2-2014",
        "cuda-convnet2, the rewrite of 2014",
        ("cudaconv3/", "cudaconvnet/", "nvmatrix/", "python_util/"),
    ),
)


@dataclass(frozen=True)
class Recognition:
    """The release that a tree is, or the nearest one and what the tree lacks of it (or has beyond it)."""

    release: Release
    root: PurePosixPath
    missing: tuple[str, ...]

    @property
    def known(self) -> bool:
        return not self.missing


def recognise(paths: Iterable[PurePosixPath]) -> Recognition:
    """Find the release, in the copy's top folder or one below it (archives wrap a tree in a folder).

    An unknown tree's root is none of its own folders: it holds all sources and headers of the copy.
    """
    files = set(paths)
    roots = {PurePosixPath(".")} | {PurePosixPath(*path.parts[:1]) for path in files if len(path.parts) > 1}
    candidates = [
        Recognition(release, root, _missing(release, root, files)) for release in RELEASES for root in sorted(roots)
    ]
    sources = [path for path in files if path.suffix in _SOURCES]
    possible = [
        found
        for found in candidates
        if found.known or found.root == PurePosixPath(".") or all(found.root in path.parents for path in sources)
    ]
    return min(possible, key=lambda found: (len(found.missing) / len(found.release.paths), len(found.root.parts)))


def _missing(release: Release, root: PurePosixPath, files: set[PurePosixPath]) -> tuple[str, ...]:
    inside = {path.relative_to(root).as_posix() for path in files if root == PurePosixPath(".") or root in path.parents}
    folders = {f"{parent}/" for path in inside for parent in PurePosixPath(path).parents}
    present = inside | folders
    lacks = [path for path in release.paths if path not in present]
    return (*lacks, *(f"no {path}" for path in release.never if path in present))
