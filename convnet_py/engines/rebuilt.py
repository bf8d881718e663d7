"""The rebuilt engine: engine/ through its binding, by the protocol of this package (spec 6.5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from convnet_py import _device, _engine
from convnet_py.engines import CostsAndCases
from convnet_py.errors import EngineError


@contextmanager
def _engine_errors() -> Iterator[None]:
    """What the engine throws becomes an EngineError."""
    try:
        yield
    except RuntimeError as error:
        raise EngineError(str(error)) from error


def _physical(device_ids: list[int]) -> list[int]:
    """The GPU of each logical device. RuntimeError where there is none."""
    count = len(_device.list_gpus())
    return [number % count if gpu < 0 else gpu for number, gpu in enumerate(device_ids)]


class RebuiltEngine:
    """One net on ``len(device_ids)`` logical devices: all of them this machine's CPU, or with ``device`` "cuda" GPUs.

    ``layers``: layer dictionaries by name, in definition order (spec 2.9). ``device_ids``: the GPU of each logical
    device; -1 for any, which is the one of the same number where there are so many. ``seed`` keys dropout masks
    and noise; results depend neither on ``threads`` nor on how logical devices are mapped. ``math``: "tf32" lets a
    GPU's products round their factors to TensorFloat-32.
    ``transfers``: "host" rounds what layers with quantF or quantB half send between logical devices
    (spec 3.11). ``exact_gradients``: cnorm passes the gradient that the historic one leaves out (spec 3.3).
    Raises EngineError for a net that the engine cannot run, and for a GPU that is not there.
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
        transfers: str = "peer",
        exact_gradients: bool = False,
        device: str = "cpu",
        math: str = "fp32",
    ):
        self._layers = layers
        self._threads = threads
        conserve_memory = any(layer.get("conserveMem") for layer in layers.values())
        with _engine_errors():
            self._gpus = _physical(device_ids) if device == "cuda" else [-1] * len(device_ids)
            self._net = _engine.Net(
                layers,
                self._gpus,
                minibatch_size,
                weight_update_freq,
                seed,
                threads,
                math == "tf32",
                transfers == "host",
                exact_gradients,
                conserve_memory,
            )

    @property
    def device_name(self) -> str:
        """The CPU with its instruction set in use (avx512, avx2 or baseline), or the GPUs."""
        name = self._net.device_name()
        if self._gpus[0] < 0:
            return f"CPU ({name}, {self._threads} threads)"
        return f"GPU {','.join(map(str, dict.fromkeys(self._gpus)))} ({name})"

    def start_batch(self, data: list[np.ndarray], progress: float, test: bool = False) -> None:
        with _engine_errors():
            self._net.start_batch(list(data), progress, test)

    def finish_batch(self) -> CostsAndCases:
        with _engine_errors():
            return self._net.finish_batch()

    def start_multiview_test(
        self, data: list[np.ndarray], num_views: int, probs: np.ndarray | None = None, logreg_name: str | None = None
    ) -> None:
        with _engine_errors():
            self._net.start_multiview_test(list(data), num_views, probs, logreg_name)

    def start_feature_writer(self, data: list[np.ndarray], features: list[np.ndarray], layer_names: list[str]) -> None:
        with _engine_errors():
            self._net.start_feature_writer(list(data), list(features), list(layer_names))

    def check_gradients(self, data: list[np.ndarray]) -> tuple[int, int, str]:
        with _engine_errors():
            return self._net.check_gradients(list(data))

    def trace(self, data: list[np.ndarray]) -> dict[str, np.ndarray]:
        with _engine_errors():
            arrays = self._net.trace(list(data))
        return {**arrays, **{f"costs/{name}": np.array(values) for name, values in self._net.costs_of_trace().items()}}

    def activations(self, layer: str) -> _engine.DeviceArray:
        """The outputs of a layer in the last pass, (outputs, cases), in the memory of its device, without a copy.

        Raises EngineError while a batch is in flight, and where there are none.
        """
        with _engine_errors():
            return self._net.activations(layer)

    def sync_with_host(self) -> None:
        with _engine_errors():
            for name, layer in self._layers.items():
                if "weights" not in layer:
                    continue
                for i, (weights, increments) in enumerate(zip(layer["weights"], layer["weightsInc"], strict=True)):
                    weights[...] = self._net.weights(name, i, False)
                    increments[...] = self._net.weights(name, i, True)
                layer["biases"][...] = self._net.weights(name, -1, False)
                layer["biasesInc"][...] = self._net.weights(name, -1, True)

    def state(self) -> dict[str, np.ndarray]:
        with _engine_errors():
            pending = {f"pending/{name}": values for name, values in self._net.pending().items()}
        return {"minibatches": np.array(self._net.minibatches(), dtype=np.uint64), **pending}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        pending = {name.removeprefix("pending/"): a for name, a in state.items() if name.startswith("pending/")}
        with _engine_errors():
            self._net.restore(int(state["minibatches"]), pending)
