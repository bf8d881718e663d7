"""Checkpoints of the historic programs: Python 2 pickles, read without running anything and written so that those
programs can read them (spec 4.3).

A file that is read keeps the form of its release, with everything in it, so that it can be written again as it was.
A file that is written for a run of this program holds what that program has no place for in an entry of its own.
"""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from convnet_py.checkpoint.historic_options import options_object, options_of
from convnet_py.checkpoint.python2 import Python2Pickler
from convnet_py.checkpoint.state import Checkpoint, LayerReference, Origin, Outcome
from convnet_py.data import safe_pickle
from convnet_py.data.safe_pickle import OptionsStandIn
from convnet_py.errors import CheckpointError, DataError

#: The entry of ``model_state`` with what the historic program has no place for.
OURS = "convnet_py"
_OWN_FIELDS = ("options", "test_batch", "train_random", "test_random", "engine", "engine_state")
_STATE = ("epoch", "batchnum", "layers", "train_outputs", "test_outputs")


def read(path: Path) -> Checkpoint:
    """Read a checkpoint of any of the three releases. Raises CheckpointError, one line."""
    try:
        value = safe_pickle.load(path)
    except DataError as error:
        raise CheckpointError(str(error)) from None
    try:
        return _checkpoint(value)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        what = str(error) if type(error) is ValueError else "its entries are not those of one"
        raise CheckpointError(f"{path}: a pickle, but not a checkpoint: {what}") from None


def _checkpoint(value: Any) -> Checkpoint:
    if not isinstance(value, dict) or not isinstance(value.get("model_state"), dict):
        raise ValueError("it has no model_state")
    state = value["model_state"]
    for name in _STATE[:3]:
        if name not in state:
            raise ValueError(f"its model_state has no {name}")
    layers, container = _layers(state["layers"])
    cut = _Cutter(layers)
    divided = not _is_2014(value.get("op"), layers)
    outputs = [_outcomes(state.get(name, []), divided) for name in _STATE[3:]]
    if own := _own(state):
        return _native(own, layers, cut, outputs)
    release = "2014" if not divided else "2011" if container == "list" else "2012"
    return Checkpoint(
        options=options_of(value.get("op")),
        layers=cut.layers(),
        epoch=int(state["epoch"]),
        batch=int(state["batchnum"]),
        train_outputs=outputs[0],
        test_outputs=_placed(outputs[1], len(outputs[0])),
        origin=Origin(
            release,
            container,
            {name: cut(item) for name, item in state.items() if name not in _STATE},
            {name: cut(item) for name, item in value.items() if name != "model_state"},
        ),
    )


def _layers(value: Any) -> tuple[dict[str, dict], str]:
    """The layer dictionaries by name, and what held them."""
    container = {list: "list", dict: "dict", OrderedDict: "OrderedDict"}.get(type(value))
    if container is None or not value:
        raise ValueError(f"its layers are {'empty' if container else f'a {type(value).__name__}'}")
    items = value if container == "list" else list(value.values())
    for item in items:
        if type(item) is not dict or type(item.get("name")) is not str or type(item.get("type")) is not str:
            raise ValueError("its layers are not dictionaries with name and type")
    names = [item["name"] for item in items] if container == "list" else list(value)
    layers = dict(zip(names, items, strict=True))
    if len(layers) != len(items) or any(name != layer["name"] for name, layer in layers.items()):
        raise ValueError("two of its layers have the same name, or one has two")
    return layers, container


def _is_2014(op: Any, layers: dict[str, dict]) -> bool:
    if isinstance(op, OptionsStandIn):
        return op.cls.module.startswith("python_util.")
    return any(isinstance(layer.get("gpu"), (list, tuple)) for layer in layers.values())


class _Cutter:
    """Puts a reference in place of each layer dictionary that stands within another value."""

    def __init__(self, layers: dict[str, dict]):
        self._layers = layers
        self._done: dict[int, Any] = {id(layer): LayerReference(name) for name, layer in layers.items()}

    def layers(self) -> dict[str, dict[str, Any]]:
        """All layers, of which none holds another."""
        return {name: {key: self(item) for key, item in layer.items()} for name, layer in self._layers.items()}

    def __call__(self, value: Any) -> Any:
        kind = type(value)
        if kind not in (list, tuple, dict, OrderedDict, OptionsStandIn):
            return value
        if id(value) not in self._done:
            if kind is OptionsStandIn:
                cut = OptionsStandIn(value.cls, self(value.attributes), value.old_style)
            elif kind in (dict, OrderedDict):
                cut = kind((key, self(item)) for key, item in value.items())
            else:
                cut = kind(self(item) for item in value)
            self._done[id(value)] = cut
        return self._done[id(value)]


def _outcomes(values: Any, divided: bool) -> list[Outcome]:
    outcomes = []
    for position, entry in enumerate(values):
        costs, cases = entry[0], entry[1]
        costs = {name: [float(value) for value in np.ravel(numbers)] for name, numbers in costs.items()}
        if not all(isinstance(name, str) for name in costs) or int(cases) < 1:
            raise ValueError("its outputs are not costs and cases")
        outcomes.append(Outcome(costs, int(cases), position + 1, divided))
    return outcomes


def _placed(tests: list[Outcome], trained: int) -> list[Outcome]:
    """Tests spread evenly over the training batches: their places are not in the file."""
    return [
        Outcome(test.costs, test.cases, (number * trained) // len(tests), test.divided)
        for number, test in enumerate(tests, 1)
    ]


# What this program keeps in such a file


def _own(state: dict[str, Any]) -> dict[str, Any] | None:
    """This program's entry, if it still belongs to the rest: another program may have gone on since."""
    own = state.get(OURS)
    if not isinstance(own, dict):
        return None
    same = all(own.get(name) == state[name] for name in ("epoch", "batchnum"))
    return own if same and sorted(own.get("order", ())) == sorted(_names(state["layers"])) else None


def _names(layers: Any) -> list[str]:
    return [layer["name"] for layer in layers] if isinstance(layers, list) else list(layers)


def _native(own: dict[str, Any], layers: dict[str, dict], cut: _Cutter, outputs: list[list[Outcome]]) -> Checkpoint:
    without = {
        name: {key: value for key, value in layer.items() if key != "inputLayers"}
        for name, layer in cut.layers().items()
    }
    read = [
        [Outcome(one.costs if sums is None else dict(sums), one.cases, trained, sums is None)
         for one, (sums, trained) in zip(outcomes, own[name], strict=True)]
        for name, outcomes in zip(_STATE[3:], outputs, strict=True)
    ]  # fmt: skip
    return Checkpoint(
        layers={name: without[name] for name in own["order"]},
        epoch=int(own["epoch"]),
        batch=int(own["batchnum"]),
        train_outputs=read[0],
        test_outputs=read[1],
        **{name: own[name] for name in _OWN_FIELDS},
    )


def _own_entry(checkpoint: Checkpoint) -> dict[str, Any]:
    def outcomes(values: list[Outcome]) -> list[tuple]:
        return [(None if one.divided else one.costs, one.trained) for one in values]

    return {
        "epoch": checkpoint.epoch,
        "batchnum": checkpoint.batch,
        "order": list(checkpoint.layers),
        "train_outputs": outcomes(checkpoint.train_outputs),
        "test_outputs": outcomes(checkpoint.test_outputs),
        **{name: getattr(checkpoint, name) for name in _OWN_FIELDS},
    }


# Writing


def write(checkpoint: Checkpoint, path: Path, compress: bool) -> None:
    """Write the file, in the form of its release, or of 2012; with ``compress`` as 2012's --zip-save does.

    Raises OSError, and CheckpointError for what a pickle of Python 2 cannot hold.
    """
    value = _file_value(checkpoint)
    if not compress:
        with path.open("wb") as file:
            Python2Pickler(file).dump(value)
        return
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("data", "w", force_zip64=_bytes_of_arrays(checkpoint) > 2**30) as member,
    ):
        Python2Pickler(member).dump(value)


def _bytes_of_arrays(checkpoint: Checkpoint) -> int:
    matrices = [
        array
        for layer in checkpoint.layers.values()
        for item in layer.values()
        for array in (item if isinstance(item, list) else [item])
    ]
    return sum(array.nbytes for array in matrices if isinstance(array, np.ndarray))


def _file_value(checkpoint: Checkpoint) -> dict[str, Any]:
    origin = checkpoint.origin
    divided = origin is None or origin.release != "2014"
    layers = _linked_layers(checkpoint)
    state = {
        "epoch": checkpoint.epoch,
        "batchnum": checkpoint.batch,
        "layers": _contained(layers, origin.container if origin else "dict"),
        "train_outputs": _written_outcomes(checkpoint.train_outputs, divided),
        "test_outputs": _written_outcomes(checkpoint.test_outputs, divided),
    }
    if origin is None:
        op = options_object(checkpoint.options)
        return {"model_state": {**state, OURS: _own_entry(checkpoint)}, "op": op}
    return {"model_state": {**_link(origin.model_state, layers), **state}, **_link(origin.rest, layers)}


def _contained(layers: dict[str, dict], container: str) -> Any:
    return {"list": lambda: list(layers.values()), "dict": lambda: layers, "OrderedDict": lambda: OrderedDict(layers)}[
        container
    ]()


def _written_outcomes(outcomes: list[Outcome], divided: bool) -> list[tuple]:
    return [
        (one.per_case() if divided else one.costs, one.cases) if divided or not one.divided
        else ({name: [value * one.cases for value in values] for name, values in one.costs.items()}, one.cases)
        for one in outcomes
    ]  # fmt: skip


def _linked_layers(checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """The layer dictionaries, referring to each other as the historic program's do."""
    layers = {name: dict(layer) for name, layer in checkpoint.layers.items()}
    for layer in layers.values():
        if checkpoint.origin is None:
            layer["inputLayers"] = [layers[name] for name in layer.get("inputs", ())]
        else:
            layer.update({key: _link(item, layers) for key, item in layer.items()})
    return layers


def _link(value: Any, layers: dict[str, dict]) -> Any:
    """``value`` with layer dictionaries in place of the references to them; itself where it has none."""
    kind = type(value)
    if kind is LayerReference:
        return layers[value.name]
    if kind not in (list, tuple, dict, OrderedDict):
        return value
    items = list(value.values()) if isinstance(value, dict) else list(value)
    linked = [_link(item, layers) for item in items]
    if all(one is other for one, other in zip(items, linked, strict=True)):
        return value
    return kind(zip(value, linked, strict=True)) if isinstance(value, dict) else kind(linked)
