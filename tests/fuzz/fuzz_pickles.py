"""``make fuzz``: coverage-guided fuzzing of the pickle reader and of historic checkpoints (spec 4.3, 5.5), for seconds.

Whatever a file holds, reading it ends in plain values or in one of the two errors, without running anything; and what
was read as a checkpoint can be written and read again. Inputs that end otherwise are kept in build/fuzz-pickles/; give
such a file as the argument to run it alone.
"""

from __future__ import annotations

import pickle
import resource
import sys
import tempfile
from collections import OrderedDict
from pathlib import Path

import atheris
import numpy as np

from convnet_py import checkpoint
from convnet_py.data import safe_pickle
from convnet_py.data.pickle_values import MAKERS
from convnet_py.errors import CheckpointError

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "fuzz-pickles"
SEEDS = ROOT / "tests" / "driver" / "historic_checkpoints"
MEMORY_BYTES = 4 * 2**30
#: All that may come out of a pickle.
KINDS = {
    type(None), bool, int, float, str, bytes, bytearray, list, tuple, dict, OrderedDict, np.ndarray,
    safe_pickle.OptionsStandIn, safe_pickle.OptionsClass,
}  # fmt: skip


def check_kinds(value: object) -> None:
    """Raise AssertionError for anything in ``value`` that no pickle may build. Tuples may name classes as such."""
    waiting, seen = [value], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        kind = type(item)
        assert kind in KINDS or isinstance(item, (np.generic, np.dtype)) or kind.__name__ == "Global", kind
        if kind in (dict, OrderedDict):
            waiting += [*item, *item.values()]
        elif kind in (list, tuple):
            waiting += item
        elif kind is safe_pickle.OptionsStandIn:
            waiting.append(item.attributes)


def read_input(content: bytes, folder: Path) -> None:
    """Read an input as a pickle and as a checkpoint. Raises AssertionError where one goes wrong."""
    try:
        check_kinds(safe_pickle.loads(content))
    except (safe_pickle.Refused, safe_pickle.Damaged) as error:
        assert str(error).isprintable()
    path, again = folder / "1.1", folder / "again"
    path.write_bytes(content)
    try:
        saved = checkpoint.read(path)
        checkpoint.write(saved, again, "historic")
    except CheckpointError as error:
        assert str(error).startswith(str(folder)) and str(error).isprintable(), error
        return
    second = checkpoint.read(again)
    assert list(second.layers) == list(saved.layers) and second.options == saved.options
    try:
        checkpoint.load(path)
    except CheckpointError as error:
        assert str(error).startswith(str(folder)) and str(error).isprintable(), error


def write_seeds(folder: Path) -> None:
    """Write small pickles of every protocol, and the historic checkpoints, as the inputs to start from."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS.iterdir():
        if not seed.suffix or seed.suffix == ".protocol0":
            (folder / seed.name).write_bytes(seed.read_bytes())
    value = {
        "a": [1, 2.5, None, "x", b"y", (True, 2**70)],
        "b": np.arange(3),
        "c": np.float32(2),
        "d": OrderedDict(x=1),
    }
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (folder / f"protocol{protocol}").write_bytes(pickle.dumps(value, protocol))


def write_dictionary(path: Path) -> None:
    """Write the names and the keys that mean something, for the fuzzer to put in."""
    words = {f"c{module}\\x0a{name}\\x0a" for module, name in MAKERS}
    words |= {"coptions\\x0aOptionsParser\\x0a", "cos\\x0asystem\\x0a", "ccopy_reg\\x0a_reconstructor\\x0a"}
    words |= {
        "model_state",
        "layers",
        "batchnum",
        "epoch",
        "train_outputs",
        "test_outputs",
        "inputLayers",
        "convnet_py",
    }
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
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        # Not instrument_imports: it sees nothing of a package that is installed in place.
        atheris.instrument_all()
        atheris.Setup([sys.argv[0], *options, *run], lambda content: read_input(content, Path(folder)))
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
