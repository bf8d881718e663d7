"""The historic sources as an engine, by the protocol of this package: their extension in a process of its own, its
arrays in shared memory (spec 6.5, 6.7). ``convnet original build`` makes the extension."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convnet_py.engines import CostsAndCases
from convnet_py.errors import EngineError
from convnet_py.original.build import find_extension
from convnet_py.original.dictionaries import Names, dictionaries_for_sources
from convnet_py.original.process import PATIENCE, SourcesEnded, SourcesProcess
from convnet_py.original.shared_memory import Layout, Shared
from convnet_py.original.worker import Settings

#: The numbers of the shared memories: of the model, and of a batch with what is to be filled.
_MODEL, _BATCH = 0, 1


class OriginalEngine:
    """One net, computed by the sources in the slot, on the CPU.

    ``device_ids``: one for each logical device. ``seed`` fixes their clock and their random numbers.
    ``transfers``: "host" makes them think that devices cannot reach each other's memory (spec 3.11). ``extension``:
    another one than the slot's. ``patience``: see PATIENCE.
    Raises EngineError for a net that they would misread or refuse, and where there is no extension.
    """

    def __init__(
        self,
        layers: dict[str, dict],
        device_ids: list[int],
        minibatch_size: int = 128,
        weight_update_freq: int = 1,
        *,
        seed: int = 0,
        threads: int = 1,
        transfers: str | None = "peer",
        exact_gradients: bool = False,
        device: str = "cpu",
        math: str = "fp32",
        extension: Path | None = None,
        patience: float = PATIENCE,
    ):
        if exact_gradients:
            raise EngineError("--exact-gradients: the original sources have the historic gradients only")
        if math != "fp32":
            raise EngineError(f"--math: the original sources compute in fp32, not in {math}")
        where = f"CPU ({threads} threads)" if device == "cpu" else f"GPU {','.join(map(str, device_ids))}"
        self.device_name = f"the original sources on {where}"
        self._layers = layers
        self._names = Names(layers)
        self._finish: tuple[list[np.ndarray], list[Shared]] | None = None
        model = Layout(_MODEL)
        dictionaries = dictionaries_for_sources(layers, self._names, model.place)
        # On the CPU all devices are one, and any GPU is the first. The sources get distinct ids in any case (6.3.10).
        virtual = list(range(len(device_ids)))
        physical = tuple(max(gpu, 0) if device == "cuda" else 0 for gpu in device_ids)
        settings = Settings(physical, seed, transfers == "host", threads)
        self._process = SourcesProcess(extension or find_extension(device), settings, self._names.in_text, patience)
        self._process.make_memory(_MODEL, model.size)
        self._matrices = model.places
        for array, place in model.places:
            self._process.memories.array(place)[...] = array
        # No pinning to processors.
        cpus: list[list[int]] = [[] for _ in virtual]
        self._call("initModel", dictionaries, virtual, cpus, minibatch_size, weight_update_freq)

    def start_batch(self, data: list[np.ndarray], progress: float, test: bool = False) -> None:
        shared = self._share(data)
        self._start("startBatch", shared, float(progress), int(test))

    def finish_batch(self) -> CostsAndCases:
        if self._finish is None:
            raise EngineError("the original sources: no batch is in flight")
        (targets, places), self._finish = self._finish, None
        costs, cases = self._call("finishBatch")
        for target, place in zip(targets, places, strict=True):
            target[...] = self._process.memories.array(place)
        return {self._names.own(name): list(values) for name, values in costs.items()}, int(cases)

    def start_multiview_test(
        self, data: list[np.ndarray], num_views: int, probs: np.ndarray | None = None, logreg_name: str | None = None
    ) -> None:
        cases = data[0].shape[1] if data else 0
        if num_views < 1 or cases % num_views:
            raise ValueError(f"num_views: {cases} cases are not {num_views} views of the same images")
        if probs is None:
            if num_views == 1:  # of which the sources report nothing (spec 3.12); it is a test
                self.start_batch(data, 0.0, test=True)
            else:
                self._start("startMultiviewTest", self._share(data), num_views)
            return
        if num_views == 1:
            raise EngineError("the original sources write probabilities for two views or more")
        layer = self._layers.get(logreg_name or "")
        if layer is None or layer["type"] != "cost.logreg":
            raise ValueError(f"logreg_name: the net has no logreg layer '{logreg_name}'")
        shared = self._share(data, [probs], [(cases // num_views, layer["numInputs"][1])])
        assert self._finish is not None and logreg_name is not None
        self._start("startMultiviewTest", shared, num_views, self._finish[1][0], self._names.given(logreg_name))

    def start_feature_writer(self, data: list[np.ndarray], features: list[np.ndarray], layer_names: list[str]) -> None:
        for name in layer_names:
            if name not in self._layers or self._layers[name]["type"].startswith("cost."):
                raise ValueError(f"features: the net has no layer '{name}' with an output")
        cases = data[0].shape[1] if data else 0
        shared = self._share(data, features, [(cases, self._layers[name]["outputs"]) for name in layer_names])
        assert self._finish is not None
        names = [self._names.given(name) for name in layer_names]
        self._start("startFeatureWriter", shared, self._finish[1], names)

    def check_gradients(self, data: list[np.ndarray]) -> tuple[int, int, str]:
        """As the protocol says. The sources end their process after it: the engine can do no more."""
        shared = self._share(data)
        self._finish = None
        try:
            self._process.call("checkGradients", shared)
            text = self._process.take_text()
        except SourcesEnded as ended:
            # Whether it failed or not (spec 6.7).
            if ended.status != 0:
                raise
            text = ended.text
        if passed := re.search(r"ALL (\d+) TESTS PASSED", text):
            return 0, int(passed[1]), text
        if failed := re.search(r"(\d+)/(\d+) TESTS FAILED", text):
            return int(failed[1]), int(failed[2]), text
        raise EngineError("the original sources: checkGradients ended without saying what came out")

    def trace(self, data: list[np.ndarray]) -> dict[str, np.ndarray]:
        """Activations and costs, of a test: the sources show no gradients, and no activations in training.

        Raises EngineError for a net whose layers compute something else in training.
        """
        for name, layer in self._layers.items():
            if _differs_in_training(layer):
                raise EngineError(
                    f"layer '{name}': the original sources show activations in tests only, where it computes "
                    "something else than in training; compare the net without it"
                )
        inputs = {name: layer for name, layer in self._layers.items() if layer["type"] == "data"}
        names = [name for name, layer in self._layers.items() if not layer["type"].startswith(("cost.", "data"))]
        arrays = {f"activations/{name}": data[layer["dataIdx"]].copy() for name, layer in inputs.items()}
        features = [np.empty((data[0].shape[1], self._layers[name]["outputs"]), np.float32) for name in names]
        self.start_feature_writer(data, features, names)
        self.finish_batch()
        arrays |= {
            f"activations/{name}": np.ascontiguousarray(feature.T)
            for name, feature in zip(names, features, strict=True)
        }
        self.start_batch(data, 0.0, test=True)
        costs, _ = self.finish_batch()
        return arrays | {f"costs/{name}": np.array(values) for name, values in costs.items()}

    def sync_with_host(self) -> None:
        if self._finish is not None:
            raise EngineError("the original sources: a batch is in flight")
        self._call("syncWithHost")
        # Only now: what the process did not live to finish does not touch the driver's weights.
        for array, place in self._matrices:
            array[...] = self._process.memories.array(place)

    def state(self) -> dict[str, np.ndarray]:
        """Nothing: counters and pending gradients cannot be had from the sources, as in 2012."""
        return {}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Nothing: see ``state``."""

    def _share(
        self,
        data: Sequence[np.ndarray],
        targets: Sequence[np.ndarray] = (),
        shapes: Sequence[tuple[int, int]] = (),
    ) -> list[Shared]:
        """Check a batch, copy it to shared memory and make room for its targets, which ``_finish`` then holds."""
        if self._finish is not None:
            raise EngineError("the original sources: a batch is in flight")
        self._check(data)
        if len(targets) != len(shapes):
            raise ValueError(f"expected {len(shapes)} arrays to fill, got {len(targets)}")
        for target, shape in zip(targets, shapes, strict=True):
            if target.dtype != np.float32 or target.shape != shape or not target.flags.writeable:
                got = f"{target.dtype} {target.shape}"
                raise ValueError(f"expected a writable float32 array of shape {shape} to fill, got {got}")
        layout = Layout(_BATCH)
        places = [layout.place(matrix, "C") for matrix in data]
        target_places = [layout.place(target, "C") for target in targets]
        if layout.size > self._process.memories.size(_BATCH):
            self._process.make_memory(_BATCH, layout.size)
        for matrix, place in zip(data, places, strict=True):
            self._process.memories.array(place)[...] = matrix
        self._finish = (list(targets), target_places)
        return places

    def _check(self, data: Sequence[np.ndarray]) -> None:
        """Raise ValueError for matrices that the net cannot take: the sources would end their process."""
        for i, matrix in enumerate(data):
            if not isinstance(matrix, np.ndarray) or matrix.dtype != np.float32 or matrix.ndim != 2:
                raise ValueError(f"data[{i}]: expected a float32 matrix of rows x cases")
            if matrix.shape[1] != data[0].shape[1] or not matrix.shape[1]:
                raise ValueError(f"data[{i}]: {matrix.shape[1]} cases, expected {data[0].shape[1] or 'some'}")
        for name, layer in self._layers.items():
            if layer["type"] != "data":
                continue
            index = layer["dataIdx"]
            if index >= len(data):
                raise ValueError(f"layer '{name}' takes matrix {index}, there are {len(data)}")
            if len(data[index]) != layer["outputs"]:
                raise ValueError(f"data[{index}]: {len(data[index])} rows, layer '{name}' takes {layer['outputs']}")

    def _start(self, entry_point: str, *arguments: object) -> None:
        try:
            self._call(entry_point, *arguments)
        except EngineError:
            self._finish = None
            raise

    def _call(self, entry_point: str, *arguments: object) -> object:
        """Call the sources, and pass on what they print."""
        result = self._process.call(entry_point, *arguments)
        if text := self._process.take_text():
            sys.stdout.write(text)
            sys.stdout.flush()
        return result


def _differs_in_training(layer: dict) -> bool:
    return (
        layer["type"] == "rscale"
        or (layer["type"] == "hs" and bool(layer["enable"]))
        or (layer["type"] == "pool" and layer["pool"] == "rand" and not layer["doMax"])
        or (layer["type"] == "neuron" and layer["neuron"]["type"] == "nrelu")
    )
