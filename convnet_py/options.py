"""The options of a training or test run: the historic ones and this project's own (spec 4.1).

Every option is declared once, as a field of ``Options``; parsing, the usage table, the printed
values and what a checkpoint stores are all read off that declaration.
"""

# ruff: noqa: RUF009 (the fields of Options are made by a function that returns dataclass fields)

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from convnet_py.errors import UsageError


@dataclass(frozen=True)
class Kind:
    """What an option takes: ``parse`` turns its text into a value and raises ValueError for any other text."""

    takes: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str


@dataclass(frozen=True)
class BatchRange:
    """Consecutive batch numbers, both ends included: ``a-b`` or ``a``."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __iter__(self):
        return iter(range(self.first, self.last + 1))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def _integer(least: int, most: int | None = None) -> Kind:
    def parse(text: str) -> int:
        value = int(text)
        if value < least or (most is not None and value > most):
            raise ValueError(text)
        return value

    takes = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"
    return Kind(takes, parse)


def _parse_number(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


def _parse_boolean(text: str) -> bool:
    return {"0": False, "1": True}[text]


def _parse_range(text: str) -> BatchRange:
    first, dash, last = text.partition("-")
    batches = BatchRange(int(first), int(last if dash else first))
    if batches.first < 0 or len(batches) < 1:
        raise ValueError(text)
    return batches


def _parse_words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    if not all(words):
        raise ValueError(text)
    return words


def _parse_text(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _choice(*names: str) -> Kind:
    return Kind("one of " + ", ".join(names), lambda text: names[names.index(text)])


BOOLEAN = Kind("0 or 1", _parse_boolean, lambda value: str(int(value)))
RANGE = Kind("batch numbers a-b or a, with a <= b", _parse_range)
NUMBER = Kind("a number of at least 0", _parse_number, repr)
TEXT = Kind("a name", _parse_text)
# Stored absolute, so that a run resumes from any working directory.
PATH = Kind("a path", lambda text: Path(_parse_text(text)), lambda path: str(path.absolute()))
WORDS = Kind("names separated by commas", _parse_words, ",".join)
DEVICES = Kind(
    "device numbers separated by commas, one per --num-gpus",
    lambda text: tuple(int(word) for word in _parse_words(text)),
    lambda value: ",".join(map(str, value)),
)


@dataclass(frozen=True)
class Declaration:
    """The part of an option that is not its Python name, type and default."""

    kind: Kind
    help: str
    default_text: str | None = None
    mandatory: bool = False
    once: bool = False
    stored: bool = True


def _option(kind: Kind, default: Any, help: str, **more: Any) -> Any:
    return field(default=default, metadata={"option": Declaration(kind, help, **more)})


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class Options:
    """The values of one run. ``given``: the names (as on the command line) that the user or a checkpoint set."""

    load_file: Path | None = _option(PATH, None, "checkpoint file or folder to go on from", stored=False)
    data_path: Path | None = _option(PATH, None, "folder of the batches", mandatory=True)
    data_provider: str | None = _option(TEXT, None, "which provider reads them", default_text="the data's own")
    train_range: BatchRange | None = _option(RANGE, None, "batches to train on: a-b or a", mandatory=True)
    test_range: BatchRange | None = _option(RANGE, None, "batches to test on: a-b or a", mandatory=True)
    save_path: Path | None = _option(PATH, None, "folder for checkpoints", mandatory=True)
    layer_def: Path | None = _option(PATH, None, "layer definition file", mandatory=True, once=True)
    layer_params: Path | None = _option(PATH, None, "layer parameter file", mandatory=True)
    epochs: int = _option(_integer(1), 50000, "passes over the training range")
    test_freq: int = _option(_integer(1), 50, "test and save every so many training batches")
    mini: int = _option(_integer(1), 128, "cases per minibatch")
    test_one: bool = _option(BOOLEAN, True, "1: each test uses one test batch, in turn")
    test_only: bool = _option(BOOLEAN, False, "1: test on the whole test range and quit", stored=False)
    multiview_test: bool = _option(BOOLEAN, False, "1: test on several views per image", stored=False)
    crop_border: int = _option(_integer(0), 4, "border of the cropping providers", once=True)
    color_noise: float = _option(NUMBER, 0.0, "strength of the colour noise of the cropping providers")
    pca_noise: float = _option(NUMBER, 0.0, "strength of the PCA noise over pixels")
    scalar_mean: float = _option(NUMBER, 0.0, "not 0: subtract the mean of the mean image")
    num_gpus: int = _option(_integer(1, 64), 1, "logical devices")
    gpu: tuple[int, ...] | None = _option(DEVICES, None, "physical device of each logical one", default_text="-1 each")
    check_grads: bool = _option(BOOLEAN, False, "1: check gradients (dummy providers) and quit", stored=False)
    conv_to_local: tuple[str, ...] = _option(
        WORDS, (), "conv layers to turn into local ones", default_text="-", stored=False
    )
    unshare_weights: tuple[str, ...] = _option(
        WORDS, (), "layer or layer[i] to give own weights", default_text="-", stored=False
    )
    conserve_mem: bool = _option(BOOLEAN, False, "1: free activations early")
    wupdate_freq: int = _option(_integer(1), 1, "minibatches per weight update")
    max_filesize: float = _option(NUMBER, 0.0, "MB that checkpoints may take, older ones go first (0: no limit)")
    zip_save: bool = _option(BOOLEAN, False, "1: compress checkpoints")
    checkpoint_format: str = _option(
        _choice("native", "historic"), "native", "native (HDF5) or historic (pickles that the 2012 program reads)"
    )
    test_out: Path | None = _option(PATH, None, "folder for a multiview test's predictions", stored=False)
    logreg_name: str | None = _option(TEXT, None, "logreg layer that --test-out takes", stored=False)
    seed: int = _option(_integer(0, 2**32 - 1), 0, "fixes initial weights, augmentation and dropout", once=True)
    threads: int = _option(_integer(1, 1024), 0, "CPU threads", default_text="usable cores", stored=False)
    device: str | None = _option(
        _choice("cpu", "cuda"), None, "what computes: cpu or cuda", default_text="cuda where it can be had, else cpu"
    )
    math: str = _option(_choice("fp32", "tf32"), "fp32", "tf32: a GPU's products may round factors to TensorFloat-32")
    engine: str = _option(_choice("rebuilt", "original", "torch"), "rebuilt", "which engine computes")
    dialect: str = _option(
        _choice("auto", "2011", "2012", "2014", "relaxed"), "auto", "rules of the layer files", once=True
    )
    allow_init_functions: bool = _option(BOOLEAN, False, "1: layer files may call Python", stored=False)
    dummy_cases: int | None = _option(_integer(1), None, "cases of a dummy batch", default_text="512, dummy-ce 16")
    dummy_classes: int | None = _option(_integer(1), None, "classes of a dummy batch", default_text="10, dummy-ce 16")
    transfers: str | None = _option(_choice("peer", "host"), "peer", "copies between devices: peer or host")
    exact_gradients: bool = _option(BOOLEAN, False, "1: cnorm passes its exact gradient, not the historic one")
    given: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.threads = self.threads or usable_cores()

    @property
    def device_ids(self) -> list[int]:
        """The physical device of each logical one, -1 for any."""
        return list(self.gpu) if self.gpu is not None else [-1] * self.num_gpus

    def stored(self) -> dict[str, str]:
        """The given options as text, for a checkpoint."""
        return {
            name: shown(self, name) for name, option in DECLARATIONS.items() if option.stored and name in self.given
        }


DECLARATIONS: dict[str, Declaration] = {
    "f" if item.name == "load_file" else item.name.replace("_", "-"): item.metadata["option"]
    for item in fields(Options)
    if "option" in item.metadata
}


def attribute(name: str) -> str:
    """The attribute of ``Options`` that holds the option ``name``."""
    return "load_file" if name == "f" else name.replace("-", "_")


def flag(name: str) -> str:
    """The option as a user types it."""
    return "-f" if name == "f" else f"--{name}"


def shown(options: Options, name: str) -> str:
    """The value of an option as a user would type it, or its default's description."""
    value, option = getattr(options, attribute(name)), DECLARATIONS[name]
    if option.default_text is not None and name not in options.given and name != "threads":
        return option.default_text
    return "-" if value is None else option.kind.show(value)


class MissingOptions(UsageError):
    """Mandatory options are missing; ``table`` is the usage table to print below the message."""

    def __init__(self, names: Iterable[str]):
        super().__init__("missing: " + ", ".join(flag(name) for name in names))
        self.table = usage_table()


def usage_table() -> str:
    """Option, description and default of every option, one line each."""
    defaults = Options(threads=1)
    rows = [("OPTION", "DESCRIPTION", "DEFAULT")]
    for name, option in DECLARATIONS.items():
        default = option.default_text or ("must be given" if option.mandatory else shown(defaults, name))
        rows.append((flag(name), option.help + (" (fixed when a run starts)" if option.once else ""), default))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows)


def find_option(text: str, names: Sequence[str]) -> str:
    """The option that ``text`` (without dashes) names, in full or by a unique prefix. Raises UsageError."""
    if text in names:
        return text
    matches = [name for name in names if text and name.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(f"option '--{text}' is short for several: " + ", ".join(flag(name) for name in matches))
    near = difflib.get_close_matches(text, names, 1)
    raise UsageError(f"unknown option '--{text}'" + (f"; did you mean --{near[0]}?" if near else "; see --help"))


def split_arguments(arguments: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Option name -> its text, from ``--name=value``, ``--name value``, ``-f value``. The last of a repeated one wins.

    Raises UsageError for anything else (spec 4.1).
    """
    texts: dict[str, str] = {}
    rest = list(arguments)
    long_names = [name for name in names if len(name) > 1]
    while rest:
        word = rest.pop(0)
        if word.startswith("-f") and "f" in names:
            name, has_value, value = "f", len(word) > 2, word[2:].removeprefix("=")
        elif word.startswith("--"):
            typed, equals, value = word[2:].partition("=")
            name, has_value = find_option(typed, long_names), bool(equals)
        else:
            raise UsageError(f"unexpected argument '{word}'; options are written --name=value")
        if not has_value:
            if not rest:
                raise UsageError(f"{flag(name)} needs a value")
            value = rest.pop(0)
        texts[name] = value
    return texts


def convert(name: str, text: str, kind: Kind) -> Any:
    """The value of option ``name``. Raises UsageError naming the option, what it got and what it takes."""
    try:
        return kind.parse(text)
    except (ValueError, KeyError):
        raise UsageError(f"{flag(name)}: got '{text}', takes {kind.takes}") from None


def parse_texts(texts: dict[str, str]) -> Options:
    """Options from text values, without asking for the mandatory ones. Raises UsageError, all wrong values at once."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, text in texts.items():
        try:
            values[attribute(name)] = convert(name, text, DECLARATIONS[name].kind)
        except UsageError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n".join(problems))
    return Options(**values, given=frozenset(texts))


def parse_arguments(arguments: Sequence[str]) -> Options:
    """Options from a historic command line; see ``check_complete`` for what must be there. Raises UsageError."""
    return parse_texts(split_arguments(arguments, list(DECLARATIONS)))


def resume_options(given: Options, saved: dict[str, str], notice: Callable[[str], None]) -> Options:
    """The options of a resumed run: the saved ones, overridden by the given ones except those marked *once*.

    ``notice`` hears of each ignored one. Saved options that this version does not know are left out.
    """
    texts = {name: text for name, text in saved.items() if name in DECLARATIONS and DECLARATIONS[name].stored}
    before = parse_texts(texts)
    for name in sorted(given.given):
        value = getattr(given, attribute(name))
        # A checkpoint that comes from elsewhere names a definition file that is not here.
        moved = name == "layer-def" and not (before.layer_def is not None and before.layer_def.is_file())
        if not DECLARATIONS[name].once or moved:
            texts[name] = DECLARATIONS[name].kind.show(value)
        elif value != getattr(before, attribute(name)):
            notice(f"{flag(name)} cannot change when a run is resumed; it is ignored")
    return parse_texts(texts)


def check_complete(options: Options, provider_needs_path: bool = True) -> None:
    """Ask for the mandatory options and for combinations that make sense. Raises MissingOptions or UsageError.

    A test only needs no training range and no save path; a gradient check needs neither paths to data
    nor ranges (spec 4.1).
    """
    excused = set() if provider_needs_path else {"data-path"}
    if options.test_only:
        excused |= {"train-range", "save-path"}
    if options.check_grads:
        excused |= {"data-path", "train-range", "test-range", "save-path"}
    missing = [
        name
        for name, option in DECLARATIONS.items()
        if option.mandatory and name not in excused and getattr(options, attribute(name)) is None
    ]
    if missing:
        raise MissingOptions(missing)
    if len(options.device_ids) != options.num_gpus:
        raise UsageError(f"--gpu: got {len(options.device_ids)} devices, takes {options.num_gpus} (--num-gpus)")
    if options.check_grads and not (options.data_provider or "").startswith("dummy-"):
        raise UsageError("--check-grads: needs a dummy provider, for example --data-provider=dummy-lr-3072")
    if options.test_out is not None and not options.multiview_test:
        raise UsageError("--test-out: needs --multiview-test=1")


def describe(options: Options) -> str:
    """Every option with its value, one line each, defaults marked."""
    width = max(len(flag(name)) for name in DECLARATIONS)
    lines = []
    for name in DECLARATIONS:
        mark = "" if name in options.given else "  (default)"
        lines.append(f"{flag(name):<{width}}  {shown(options, name)}{mark}")
    return "\n".join(lines)
