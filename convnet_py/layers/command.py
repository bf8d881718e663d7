"""``convnet layers``: look at the layer files of a net without training it (house plan; spec 2).

``check`` reads a net and prints it as a table, ``draw`` as a picture, ``notes`` prints a file's comments.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from convnet_py.errors import ConvnetError, LayerFileError, UsageError
from convnet_py.layers import read_net
from convnet_py.layers.data_dims import DataDims, deduce, highest_device, parse_data_dims
from convnet_py.layers.dialects import DIALECTS
from convnet_py.layers.draw import svg
from convnet_py.layers.ini import IniFile, read_ini
from convnet_py.layers.report import as_data, notes, table

Warn = Callable[[str], None]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog.removeprefix('convnet ')}: {message}; see convnet layers --help")


def run_layers(arguments: Sequence[str], warn: Warn) -> int:
    """Run ``convnet layers`` and return its exit status. Raises ConvnetError."""
    values = _parser().parse_args(arguments)
    return values.run(values, warn)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="convnet layers", description="Look at the layer files of a net without training it.")
    commands = parser.add_subparsers(required=True, metavar="check|draw|notes")
    check = commands.add_parser("check", help="all mistakes of both files, or the net as a table")
    check.add_argument("--json", action="store_true", help="print data instead of a table")
    check.set_defaults(run=_check)
    draw = commands.add_parser("draw", help="the net as a picture")
    draw.add_argument("-o", "--output", type=Path, required=True, metavar="NET.svg", help="the file to write")
    draw.set_defaults(run=_draw)
    for command in (check, draw):
        _add_net(command)
    remarks = commands.add_parser("notes", help="the comments of parameter files: their authors' notebook")
    remarks.add_argument("files", nargs="+", type=Path, metavar="PARAMS")
    remarks.set_defaults(run=_notes)
    return parser


def _add_net(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("layer_def", type=Path, metavar="DEF", help="layer definition file")
    parser.add_argument("layer_params", type=Path, metavar="PARAMS", help="layer parameter file")
    parser.add_argument("--data-dims", metavar="D0,D1,...", help="values per case of the data's matrices, such as "
                        "3072,1; without it, what the layers tell, images of 32 x 32 or other usual sizes")  # fmt: skip
    parser.add_argument("--data-provider", metavar="NAME", help="take dimensions, classes and tree from this provider")
    parser.add_argument("--data-path", type=Path, metavar="DIR", help="the folder that the provider reads")
    parser.add_argument("--num-gpus", type=_devices, metavar="N", help="logical devices (those the file names)")
    parser.add_argument("--dialect", choices=["auto", *DIALECTS], default="auto", help="rules of the layer files")
    parser.add_argument("--allow-init-functions", choices="01", default="0", help="1: layer files may call Python")


def _devices(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"got '{text}', takes an integer from 1 to 64")
    return int(text)


def _check(values: argparse.Namespace, warn: Warn) -> int:
    layers = _read(values, warn)
    print(json.dumps(as_data(layers), indent=2) if values.json else table(layers))
    return 0


def _draw(values: argparse.Namespace, warn: Warn) -> int:
    # A slip of the hand must not overwrite a layer file.
    if values.output.suffix.lower() != ".svg":
        raise UsageError(f"draw: -o: got '{values.output}', takes a file name that ends in .svg")
    picture = svg(_read(values, warn))
    try:
        values.output.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise ConvnetError(f"{values.output}: cannot be written: {error.strerror or error}") from None
    print(values.output)
    return 0


def _notes(values: argparse.Namespace, warn: Warn) -> int:
    for path in values.files:
        try:
            lines = notes(path)
        except OSError as error:
            raise ConvnetError(f"{path}: cannot be read: {error.strerror or error}") from None
        if len(values.files) > 1:
            print(f"{path}:")
        print("\n".join(lines))
    return 0


def _read(values: argparse.Namespace, warn: Warn) -> dict[str, dict[str, Any]]:
    """The net that the options describe. Raises LayerFileError with every mistake of both files."""
    provided = values.data_provider is not None or values.data_path is not None
    if values.data_dims is not None and provided:
        raise UsageError("--data-dims: a data provider tells the dimensions; give one or the other")
    if values.data_dims is not None:
        return _read_with(values, parse_data_dims(values.data_dims).__getitem__, warn)
    if provided:
        provider = _provider(values)
        known = {"num_classes": provider.num_classes, "batch_meta": provider.batch_meta}
        return _read_with(values, provider.get_data_dims, warn, **known)
    return _read_with_usual_dims(values, warn)


def _provider(values: argparse.Namespace) -> Any:
    from convnet_py.data.providers import ProviderSettings, make_provider, own_provider

    name = values.data_provider or own_provider(values.data_path)
    return make_provider(name, ProviderSettings(values.data_path, None, True, np.random.RandomState(0)))


def _read_with_usual_dims(values: argparse.Namespace, warn: Warn) -> dict[str, dict[str, Any]]:
    """The first of the usual data dimensions that suits the files, or the mistakes where they are fewest."""
    definition = _definition(values)
    told = deduce(definition) if definition else DataDims()
    fewest: tuple[LayerFileError, dict[int, int]] | None = None
    for dims in told.candidates():
        warnings: list[str] = []
        try:
            layers = _read_with(values, dims.__getitem__, warnings.append)
        except LayerFileError as error:
            if fewest is None or len(error.problems) < len(fewest[0].problems):
                fewest = error, dims
            continue
        _tell_assumed(told, dims, warn)
        for line in warnings:
            warn(line)
        return layers
    assert fewest is not None
    _tell_assumed(told, fewest[1], warn)
    raise fewest[0]


def _tell_assumed(told: DataDims, dims: dict[int, int], warn: Warn) -> None:
    if told.channels:
        warn(f"data assumed: {told.describe(dims)}; --data-dims tells otherwise")


def _definition(values: argparse.Namespace) -> IniFile | None:
    """The definition file; None where it cannot be read, as reading the net reports that with all other mistakes."""
    try:
        return read_ini(values.layer_def)
    except LayerFileError:
        return None


def _read_with(
    values: argparse.Namespace, data_dims: Callable[[int], int], warn: Warn, **known: Any
) -> dict[str, dict[str, Any]]:
    definition = _definition(values)
    return read_net(
        values.layer_def,
        values.layer_params,
        data_dims=data_dims,
        num_gpus=values.num_gpus or (highest_device(definition) + 1 if definition else 1),
        rng=np.random.RandomState(0),
        dialect=values.dialect,
        allow_init_functions=values.allow_init_functions == "1",
        warn=warn,
        **known,
    )
