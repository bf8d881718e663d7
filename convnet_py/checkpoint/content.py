"""A checkpoint as parts of JSON with arrays beside them: what the HDF5 file and the folder of arrays have in common
(spec 4.3).
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from convnet_py.checkpoint.state import Checkpoint, Origin, Outcome
from convnet_py.checkpoint.tree import ArrayStore, TreeReader, TreeWriter
from convnet_py.errors import CheckpointError

FORMAT = "convnet_py checkpoint"
#: 1 had no origin, and its layers in a list.
VERSION = 2

_REST = ("options", "test_batch", "train_random", "test_random", "engine", "engine_state")


def to_parts(checkpoint: Checkpoint, store: ArrayStore) -> dict[str, Any]:
    """The parts of a checkpoint by name, as JSON; the arrays go to ``store``. Raises CheckpointError."""
    writer = TreeWriter(store)
    rest = {name: getattr(checkpoint, name) for name in _REST}
    origin = checkpoint.origin
    rest["origin"] = origin and {field.name: getattr(origin, field.name) for field in fields(Origin)}
    return {
        "layers": writer.json(_without_references(checkpoint.layers), "layers"),
        "train_outputs": writer.json(_tables(checkpoint.train_outputs), "train_outputs"),
        "test_outputs": writer.json(_tables(checkpoint.test_outputs), "test_outputs"),
        "run": writer.json(rest, "run"),
    }


def from_parts(parts: dict[str, Any], store: ArrayStore, epoch: int, batch: int) -> Checkpoint:
    """The checkpoint of which these are the parts. Raises LookupError, ValueError or TypeError for others."""
    reader = TreeReader(store)
    layers = reader.value(parts["layers"])
    if isinstance(layers, list):
        layers = {layer["name"]: layer for layer in layers}
    rest = reader.value(parts["run"])
    origin = rest.pop("origin", None)
    return Checkpoint(
        layers=layers,
        epoch=epoch,
        batch=batch,
        train_outputs=_outcomes(reader.value(parts["train_outputs"])),
        test_outputs=_outcomes(reader.value(parts["test_outputs"])),
        origin=origin and Origin(**origin),
        **rest,
    )


def check_version(version: Any, where: object) -> None:
    """Raise CheckpointError for a format that a later version of this program made."""
    if int(version) > VERSION:
        raise CheckpointError(f"{where}: written by a newer version (format {version}, known: {VERSION})")


def _without_references(layers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The layer dictionaries without the dictionaries that they refer to, which ``layers.link`` restores."""
    return {
        name: {
            key: value
            for key, value in layer.items()
            if key != "inputLayers" or not any(isinstance(item, dict) for item in value)
        }
        for name, layer in layers.items()
    }


def _tables(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """Outcomes as arrays: runs of the same cost names and lengths share one table of float64."""
    tables: list[tuple[Any, list, list]] = []
    for outcome in outcomes:
        shape = [[[cost, len(values)] for cost, values in outcome.costs.items()], outcome.divided]
        if not tables or tables[-1][0] != shape:
            tables.append((shape, [], []))
        tables[-1][1].append([value for values in outcome.costs.values() for value in values])
        tables[-1][2].append([outcome.cases, outcome.trained])
    return [
        {
            "costs": costs,
            "divided": divided,
            "values": np.array(values, np.float64),
            "counts": np.array(counts, np.int64),
        }
        for (costs, divided), values, counts in tables
    ]


def _outcomes(tables: list[dict[str, Any]]) -> list[Outcome]:
    outcomes = []
    for table in tables:
        divided = table.get("divided", False)
        for values, (cases, trained) in zip(table["values"].tolist(), table["counts"].tolist(), strict=True):
            rest = iter(values)
            costs = {cost: [next(rest) for _ in range(length)] for cost, length in table["costs"]}
            outcomes.append(Outcome(costs, cases, trained, divided))
    return outcomes
