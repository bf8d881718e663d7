"""The command line: ``convnet SUBCOMMAND``, and where every error becomes one line and an exit status.

``convnet train`` and ``convnet test`` take the historic options (spec 4.1).
"""

from __future__ import annotations

import difflib
import importlib.metadata
import os
import sys
from collections.abc import Callable, Sequence

from convnet_py.errors import ConvnetError, UsageError
from convnet_py.options import MissingOptions, Options, describe, parse_arguments, usage_table


def _warn(text: str) -> None:
    print(f"convnet: warning: {text}", file=sys.stderr, flush=True)


def _wants_help(arguments: Sequence[str]) -> bool:
    return bool({"--help", "-h"} & set(arguments))


def train(arguments: Sequence[str]) -> int:
    """Train, test or check a net, as the historic program's command line says."""
    if _wants_help(arguments):
        print(usage_table())
        return 0
    return run(parse_arguments(arguments))


def test(arguments: Sequence[str]) -> int:
    """The same with --test-only=1: test on the whole test range and quit."""
    if _wants_help(arguments):
        print(usage_table())
        return 0
    return run(parse_arguments(["--test-only=1", *arguments]))


def run(options: Options) -> int:
    """Build what the options describe, print them, and train, test or check gradients."""
    from convnet_py.build import build_run

    built = build_run(options, _warn)
    print(f"computing on: {built.engine.device_name}")
    print(describe(built.options), flush=True)
    if built.options.check_grads:
        built.check_gradients()
    elif built.options.test_only:
        built.test()
    else:
        built.train()
    return 0


def demo(arguments: Sequence[str]) -> int:
    """Train a small net on handwritten digits, in less than a minute: --seed S, --threads N, --save-path DIR."""
    from convnet_py.demo import run_demo

    if _wants_help(arguments):
        print("convnet demo [--seed S] [--threads N] [--save-path DIR]")
        return 0
    return run_demo(arguments, _warn)


def show(arguments: Sequence[str]) -> int:
    """Pictures of a checkpoint as PNG: its filters, its cost curves. Or the features of a layer."""
    from convnet_py.show import run_show, show_usage

    if _wants_help(arguments):
        print(show_usage())
        return 0
    return run_show(arguments, _warn)


def check_grads(arguments: Sequence[str]) -> int:
    """Compare a net's gradients with forward differences, on random data: train's options, --check-grads=1."""
    if _wants_help(arguments):
        print("convnet check-grads --data-provider=dummy-... --layer-def=DEF --layer-params=PARAMS [options]\n")
        print(usage_table())
        return 0
    return run(parse_arguments(["--check-grads=1", *arguments]))


def compare(arguments: Sequence[str]) -> int:
    """Run one net on two engines, or against a trace, and report where they differ."""
    from convnet_py.compare.command import compare_usage, run_compare

    if _wants_help(arguments):
        print(compare_usage())
        return 0
    return run_compare(arguments, _warn)


def layers(arguments: Sequence[str]) -> int:
    """Look at a net's layer files: check (mistakes, or a table), draw (a picture), notes (their comments)."""
    from convnet_py.layers.command import run_layers

    return run_layers(arguments, _warn)


def devices(arguments: Sequence[str]) -> int:
    """What can compute: the CPU, and the GPUs with their memory, driver and compute capability."""
    from convnet_py.devices import run_devices

    if _wants_help(arguments):
        print("convnet devices")
        return 0
    return run_devices(arguments)


def checkpoint(arguments: Sequence[str]) -> int:
    """Look at a checkpoint of this or the historic program (info), or write it in another format (convert)."""
    from convnet_py.checkpoint.command import run_checkpoint

    return run_checkpoint(arguments)


def predictions(arguments: Sequence[str]) -> int:
    """Class probabilities of --test-out: average those of several nets, their error, or as text."""
    from convnet_py.predictions import run_predictions

    return run_predictions(arguments)


def features(arguments: Sequence[str]) -> int:
    """Features of convnet show --write-features: nearest, the images most like one."""
    from convnet_py.features import run_features

    return run_features(arguments)


def original(arguments: Sequence[str]) -> int:
    """Bring a copy of the historic sources: import, info, verify, build, remove."""
    from convnet_py.original.command import original as run_original

    return run_original(arguments, _warn)


def data(arguments: Sequence[str]) -> int:
    """Folders of batches: make (from archives, images, ImageNet's tars), info (a picture of them), verify."""
    from convnet_py.data.command import run_data

    return run_data(arguments, _warn)


SUBCOMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": train,
    "test": test,
    "demo": demo,
    "show": show,
    "data": data,
    "layers": layers,
    "check-grads": check_grads,
    "compare": compare,
    "devices": devices,
    "checkpoint": checkpoint,
    "predictions": predictions,
    "features": features,
    "original": original,
}


def version() -> str:
    """The version of the installed package."""
    try:
        return importlib.metadata.version("convnet-py")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _help() -> str:
    lines = ["convnet SUBCOMMAND [options]", ""]
    lines += [f"  {name:<13}{(command.__doc__ or '').strip()}" for name, command in SUBCOMMANDS.items()]
    lines += ["", "convnet SUBCOMMAND --help lists the options. convnet --version prints the version."]
    return "\n".join(lines)


def dispatch(arguments: Sequence[str]) -> int:
    """Run a subcommand. Raises UsageError for an unknown one."""
    name = arguments[0] if arguments else "--help"
    if name in ("--help", "-h", "help"):
        print(_help())
        return 0
    if name == "--version":
        print(f"convnet {version()}")
        return 0
    if name not in SUBCOMMANDS:
        near = difflib.get_close_matches(name, SUBCOMMANDS, 1)
        hint = f"did you mean {near[0]}?" if near else "takes one of " + ", ".join(SUBCOMMANDS)
        raise UsageError(f"unknown subcommand '{name}'; {hint}")
    return SUBCOMMANDS[name](arguments[1:])


def _complain(error: object) -> None:
    for line in str(error).splitlines():
        print(f"convnet: {line}", file=sys.stderr)


def guarded(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """The exit status of a command whose errors are printed, one line per problem, never as a traceback."""
    try:
        status = command(arguments)
        sys.stdout.flush()
        return status
    except ConvnetError as error:
        _flush_output()
        _complain(error)
        if isinstance(error, MissingOptions):
            print(error.table, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        _complain("interrupted; what was saved stays as it is")
        return 130
    except MemoryError as error:
        _complain(f"out of memory{f': {error}' if str(error) else ''}")
        return 1
    except BrokenPipeError:
        _silence_output()
        return 1
    except PermissionError as error:
        _complain(f"{error.filename}: {error.strerror}")
        return 1


def _flush_output() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_output()


def _silence_output() -> None:
    """Send what is still to be flushed nowhere: its reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point of ``convnet``."""
    return guarded(dispatch, sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
