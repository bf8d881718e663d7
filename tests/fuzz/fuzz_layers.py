"""``make fuzz``: coverage-guided fuzzing of the layer language (spec 2) for some seconds, on demand.

Whatever the two files hold, reading them ends in a net or in a LayerFileError of clear single lines. Inputs that
end otherwise are kept in build/fuzz/; give such a file as the argument to run it alone.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import atheris
import numpy as np

from convnet_py.errors import LayerFileError, UsageError
from convnet_py.layers import link, read_net, reread_params
from convnet_py.layers.base import type_names
from convnet_py.layers.data_dims import deduce
from convnet_py.layers.draw import svg
from convnet_py.layers.ini import read_ini
from convnet_py.layers.neuron import NEURONS
from convnet_py.layers.report import as_data, table
from convnet_py.layers.schedule import SCHEDULES

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "fuzz"
#: an input: definition, parameters and the number of the dialect, separated by this.
SEPARATOR = b"\n#####\n"
DIALECTS = ("auto", "2012", "relaxed", "2011", "2014")
DATA_DIMS = (3 * 8 * 8, 1, 10, 16 * 4 * 4)
#: files of a few bytes can ask for weights of many gigabytes; reading must then say so.
MEMORY_BYTES = 4 * 2**30
LARGEST_MATRIX = 10**6
MESSAGE = re.compile(r".*/(def|params)\.cfg(:[1-9]\d*)?: \S")


class SmallRandomState(np.random.RandomState):
    """Random numbers that run out of memory early, so that the fuzzer does not spend its time on large matrices."""

    def randn(self, *shape: int) -> np.ndarray:
        if np.prod(shape, dtype=float) > LARGEST_MATRIX:
            raise MemoryError
        return super().randn(*shape)


def read_input(content: bytes, folder: Path) -> None:
    """Read the two files of an input in every way that the program does. Raises AssertionError where one goes wrong."""
    definition, _, rest = content.partition(SEPARATOR)
    params, _, dialect = rest.partition(SEPARATOR)
    layer_def, layer_params = folder / "def.cfg", folder / "params.cfg"
    layer_def.write_bytes(definition)
    layer_params.write_bytes(params)
    warnings: list[str] = []
    options = {"dialect": DIALECTS[sum(dialect) % len(DIALECTS)], "warn": warnings.append}
    try:
        deduce(read_ini(layer_def))
    except (LayerFileError, UsageError) as error:
        assert str(error)
    try:
        layers = read_net(layer_def, layer_params, data_dims=DATA_DIMS, num_gpus=2, rng=SmallRandomState(0), **options)
    except LayerFileError as error:
        check_messages(error)
        return
    assert all(line.isprintable() for line in warnings)
    json.dumps(as_data(layers))
    assert all(line.isprintable() for line in table(layers).split("\n"))
    ElementTree.fromstring(svg(layers))
    link(layers)
    try:
        reread_params(layers, layer_params, conserve_mem=False, **options)
    except LayerFileError as error:
        check_messages(error)


def check_messages(error: LayerFileError) -> None:
    """One line for each problem, saying where it is."""
    lines = str(error).split("\n")
    assert len(lines) == len(error.problems) > 0, lines
    assert all(MESSAGE.match(line) and line.isprintable() for line in lines), lines


def write_seeds(folder: Path) -> None:
    """Write the project's own nets as the inputs to start from."""
    folder.mkdir(parents=True, exist_ok=True)
    for net in sorted((ROOT / "layer_defs").iterdir()):
        pair = [(net / name).read_bytes() for name in ("layers.cfg", "params.cfg")]
        (folder / net.name).write_bytes(SEPARATOR.join([*pair, b""]))


def write_dictionary(path: Path) -> None:
    """Write the words of the language, for the fuzzer to put in."""
    words = {*type_names(), *NEURONS, *SCHEDULES, "[DEFAULT]", "%(", ")s", "%%", "weightSource=", "initWFunc=", "rem "}
    for seed in sorted((ROOT / "layer_defs").glob("*/*.cfg")):
        words |= {f"{key}=" for key in re.findall(r"^(\w+)=", seed.read_text(), re.MULTILINE)}
    path.write_text("".join(f'"{word}"\n' for word in sorted(words)))


def main(arguments: list[str]) -> None:
    """Fuzz for the given number of seconds, with libFuzzer's options behind it, or run the input in the given file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    corpus = WORK / "corpus"
    write_seeds(corpus)
    write_dictionary(WORK / "words")
    seconds, *more = arguments or ["600"]
    run = [f"-max_total_time={seconds}", *more, str(corpus)] if seconds.isdecimal() else [seconds]
    limits = ["-max_len=16384", "-len_control=0", "-timeout=20", "-rss_limit_mb=0"]
    options = [f"-artifact_prefix={WORK}/", f"-dict={WORK / 'words'}", *limits]
    with tempfile.TemporaryDirectory() as folder:
        # Not instrument_imports: it sees nothing of a package that is installed in place.
        atheris.instrument_all()
        atheris.Setup([sys.argv[0], *options, *run], lambda content: read_input(content, Path(folder)))
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
