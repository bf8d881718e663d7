"""The rebuilt engine on the CPU device: engine/ through its binding, by the protocol of this package (spec 6.5)."""

from __future__ import annotations

import numpy as np

from convnet_py import _engine
from convnet_py.engines import CostsAndCases
from convnet_py.errors import EngineError


class RebuiltEngine:
    """One net on ``len(device_ids)`` logical devices, all of them this machine's CPU.

    ``layers``: layer dictionaries by name, in definition order (spec 2.9). ``seed`` keys dropout masks
    and noise; results depend neither on ``threads`` nor on how logical devices are mapped.
    Raises EngineError for a net that the engine cannot run.
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
    ):
        if transfers == "host":
            raise EngineError("--transfers host: half-precision transfers are not built yet; use --transfers peer")
        self._layers = layers
        try:
            self._net = _engine.Net(layers, len(device_ids), minibatch_size, weight_update_freq, seed, threads)
        except RuntimeError as error:
            raise EngineError(str(error)) from error

    @property
    def device_name(self) -> str:
        """The CPU's instruction set in use: avx512, avx2 or baseline."""
        return self._net.device_name()

    def start_batch(self, data: list[np.ndarray], progress: float, test: bool = False) -> None:
        self._net.start_batch(list(data), progress, test)

    def finish_batch(self) -> CostsAndCases:
        try:
            return self._net.finish_batch()
        except RuntimeError as error:
            raise EngineError(str(error)) from error

    def start_multiview_test(
        self, data: list[np.ndarray], num_views: int, probs: np.ndarray | None = None, logreg_name: str | None = None
    ) -> None:
        raise EngineError("multiview tests are not built yet in the rebuilt engine")

    def start_feature_writer(self, data: list[np.ndarray], features: list[np.ndarray], layer_names: list[str]) -> None:
        try:
            self._net.start_feature_writer(list(data), list(features), list(layer_names))
        except RuntimeError as error:
            raise EngineError(str(error)) from error

    def check_gradients(self, data: list[np.ndarray]) -> tuple[int, int, str]:
        raise EngineError("gradient checks are not built yet in the rebuilt engine")

    def sync_with_host(self) -> None:
        for name, layer in self._layers.items():
            if "weights" not in layer:
                continue
            for i, (weights, increments) in enumerate(zip(layer["weights"], layer["weightsInc"], strict=True)):
                weights[...] = self._net.weights(name, i, False)
                increments[...] = self._net.weights(name, i, True)
            layer["biases"][...] = self._net.weights(name, -1, False)
            layer["biasesInc"][...] = self._net.weights(name, -1, True)

    def state(self) -> dict[str, np.ndarray]:
        pending = {f"pending/{name}": values for name, values in self._net.pending().items()}
        return {"minibatches": np.array(self._net.minibatches(), dtype=np.uint64), **pending}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        pending = {name.removeprefix("pending/"): a for name, a in state.items() if name.startswith("pending/")}
        try:
            self._net.restore(int(state["minibatches"]), pending)
        except RuntimeError as error:
            raise EngineError(str(error)) from error
