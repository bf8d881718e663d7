"""The torch engine by the protocol of convnet_py/engines (spec 6.5): batches, passes, updates, state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from convnet_py.engines import CostsAndCases

# Importing a family registers its layer types.
from convnet_py.engines.torch import combine, conv, dropout, fc, image, neuron, norm, pool, softmax  # noqa: F401
from convnet_py.engines.torch.base import FORWARD, Pass, Tensor
from convnet_py.engines.torch.cost import COSTS, FUSED_WITH, CostInputs
from convnet_py.engines.torch.sharing import WeightsOfNet
from convnet_py.engines.torch.weights import UpdateTime
from convnet_py.errors import EngineError

#: Kind of matrix -> kind of its gradient in a trace.
_GRADIENTS_OF = {"weights": "weight_gradients", "biases": "bias_gradients"}


class TorchEngine:
    """A net computed by PyTorch, with autograd's gradients where the historic ones are those.

    ``layers``: layer dictionaries by name, in definition order (spec 2.9). ``device_ids``: one per logical
    device; all of them are the CPU, or with ``device`` "cuda" one GPU, and they matter for ``transfers`` "host"
    alone, which rounds what layers of quantF or quantB ``half`` send to other devices (spec 3.11). ``math``: "tf32"
    lets a GPU's products round their factors to TensorFloat-32. ``seed`` keys masks and noise, as in the rebuilt
    engine. Raises EngineError for a net that it cannot run, or where PyTorch finds no GPU.
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
    ):
        if minibatch_size < 1 or weight_update_freq < 1:
            raise EngineError("the minibatch size and the minibatches per weight update must be at least 1")
        if device == "cuda" and not torch.cuda.is_available():
            raise EngineError("the torch engine finds no GPU: it needs a PyTorch built for CUDA, and a driver")
        self._device = torch.device(device)
        self._tf32 = math == "tf32"
        self._layers = layers
        self._minibatch_size = minibatch_size
        self._update_freq = weight_update_freq
        self._seed = seed
        self._threads = threads
        self._rounds_transfers = transfers == "host"
        self._exact_gradients = exact_gradients
        self._minibatches = 0
        self._index = {name: i for i, name in enumerate(layers)}
        self._users = Counter(source for layer in layers.values() for source in layer.get("inputs", ()))
        self._check_layers(len(device_ids))
        with self._device:
            self._weights = WeightsOfNet(layers, self._index, seed)
        self._matrices = self._weights.matrices
        self._worker = ThreadPoolExecutor(1, "torch engine")
        self._in_flight: Future[CostsAndCases] | None = None

    def _check_layers(self, devices: int) -> None:
        for name, layer in self._layers.items():
            if layer["type"] not in FORWARD and layer["type"] not in COSTS and layer["type"] != "data":
                raise EngineError(f"Layer '{name}': the torch engine has no layers of type '{layer['type']}'")
            if layer["type"] == "neuron" and layer["neuron"]["type"] not in {*neuron.NEURONS, "nrelu"}:
                raise EngineError(f"Layer '{name}': the torch engine has no neuron '{layer['neuron']['type']}'")
            if layer["gpu"] >= devices:
                raise EngineError(f"Layer '{name}': logical device {layer['gpu']} of {devices}")

    # Batches

    def start_batch(self, data: list[np.ndarray], progress: float, test: bool = False) -> None:
        """As the protocol says."""
        cases = self._check_data(data)
        self._start(lambda: self._run_batch(data, cases, progress, test))

    def finish_batch(self) -> CostsAndCases:
        """As the protocol says."""
        if self._in_flight is None:
            raise EngineError("no batch is in flight")
        future, self._in_flight = self._in_flight, None
        return self._reported(future.result)

    def start_multiview_test(
        self, data: list[np.ndarray], num_views: int, probs: np.ndarray | None = None, logreg_name: str | None = None
    ) -> None:
        """As the protocol says. Costs but logreg report the last view's values."""
        cases = self._check_data(data, multiview=True)
        if num_views < 1 or cases % num_views:
            raise ValueError(f"data: expected cases in {num_views} blocks, one per view, got {cases}")
        if probs is not None:
            layer = self._layers.get(logreg_name or "")
            if layer is None or layer["type"] != "cost.logreg":
                raise ValueError(f"logreg_name: expected the name of a logreg layer, got {logreg_name!r}")
            self._check_target(probs, (cases // num_views, layer["inputLayers"][1]["outputs"]), "probs")
        self._start(lambda: self._run_views(data, cases // num_views, num_views, probs, logreg_name))

    def start_feature_writer(self, data: list[np.ndarray], features: list[np.ndarray], layer_names: list[str]) -> None:
        """As the protocol says."""
        cases = self._check_data(data)
        if len(features) != len(layer_names):
            raise ValueError(f"features: expected {len(layer_names)} arrays, one for each layer, got {len(features)}")
        for array, name in zip(features, layer_names, strict=True):
            if name not in self._layers or self._layers[name]["type"] in COSTS:
                raise EngineError(f"there is no layer '{name}' with outputs")
            self._check_target(array, (cases, self._layers[name]["outputs"]), f"features of '{name}'")
        self._start(lambda: self._write_features(data, cases, features, layer_names))

    def check_gradients(self, data: list[np.ndarray]) -> tuple[int, int, str]:
        """Raises EngineError: its gradients are autograd's; compare it with the rebuilt engine instead."""
        raise EngineError("the torch engine has no gradient check: 'convnet compare' takes its place")

    @property
    def device_name(self) -> str:
        """The CPU or the GPU, as a user reads it."""
        where = torch.cuda.get_device_name() if self._device.type == "cuda" else f"CPU, {self._threads} threads"
        return f"PyTorch {torch.__version__} ({where})"

    def _start(self, job: Callable[[], CostsAndCases]) -> None:
        self._check_idle()
        self._in_flight = self._worker.submit(self._on_threads, job)

    def _on_threads(self, job: Callable[[], Any]) -> Any:
        torch.set_num_threads(self._threads)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self._tf32
        with self._device:
            return job()

    def _reported(self, job: Callable[[], Any]) -> Any:
        try:
            return job()
        except RuntimeError as error:  # PyTorch's; out of memory among them
            raise EngineError(f"the torch engine failed: {str(error).splitlines()[0]}") from error

    def _check_idle(self) -> None:
        if self._in_flight is not None:
            raise EngineError("a batch is in flight: finish it before another call")

    def _check_data(self, data: list[np.ndarray], multiview: bool = False) -> int:
        """The number of cases. Raises ValueError for matrices that the net cannot take."""
        for i, a in enumerate(data):
            if not (isinstance(a, np.ndarray) and a.dtype == np.float32 and a.ndim == 2 and a.flags.c_contiguous):
                got = f"{a.dtype} array of shape {a.shape}" if isinstance(a, np.ndarray) else type(a).__name__
                raise ValueError(f"data[{i}]: expected a C-contiguous float32 matrix of rows x cases, got {got}")
        if not data or data[0].shape[1] < 1:
            raise ValueError("data: expected at least one case, got none")
        for layer in self._layers.values():
            if layer["type"] != "data":
                continue
            index, cases = layer["dataIdx"], data[0].shape[1]
            if index >= len(data):
                raise ValueError(f"data: layer '{layer['name']}' reads matrix {index}, got {len(data)} matrices")
            if data[index].shape[0] not in self._rows_taken(layer, multiview) or data[index].shape[1] != cases:
                expected = f"{layer['outputs']} rows and {cases} cases"
                raise ValueError(f"data[{index}]: expected {expected}, got {data[index].shape[0]} rows and "
                                 f"{data[index].shape[1]} cases")  # fmt: skip
        return data[0].shape[1]

    def _rows_taken(self, layer: dict, multiview: bool) -> set[int]:
        """The rows that a data layer may get. The views of a multiview test come cropped for rscale layers."""
        users = [user for user in self._layers.values() if layer["name"] in user.get("inputs", ())]
        cropped = multiview and all(user["type"] == "rscale" for user in users)
        return {user["outputs"] for user in users} if cropped else {layer["outputs"]}

    @staticmethod
    def _check_target(array: np.ndarray, shape: tuple[int, int], what: str) -> None:
        writable = array.flags.c_contiguous and array.flags.writeable
        if array.dtype != np.float32 or array.shape != shape or not writable:
            raise ValueError(f"{what}: expected a writable C-contiguous float32 array of shape {shape}")

    # Passes

    def _minibatches_of(self, cases: int) -> Iterator[slice]:
        for first in range(0, cases, self._minibatch_size):
            yield slice(first, min(first + self._minibatch_size, cases))

    def _pass(self, train: bool, multiview: bool = False) -> Pass:
        weights, biases = self._weights.weights, self._weights.biases
        exact = self._exact_gradients
        return Pass(train, self._minibatches, self._seed, self._index, weights, biases, multiview, exact)

    def _run_batch(self, data: list[np.ndarray], cases: int, progress: float, test: bool) -> CostsAndCases:
        costs: dict[str, list[float]] = {}
        for minibatch in self._minibatches_of(cases):
            with torch.set_grad_enabled(not test):
                run = self._pass(train=not test)
                _, values = self._forward(data, minibatch, run)
                _add(costs, values)
                if not test:
                    _climb(run.objectives)
                    self._count_minibatch(minibatch.stop - minibatch.start, progress)
        return costs, cases

    def _count_minibatch(self, cases: int, progress: float) -> None:
        """Count a training minibatch of so many cases, and update the weights if it is their turn."""
        self._minibatches += 1
        if self._minibatches % self._update_freq == 0:
            n = cases if self._update_freq == 1 else self._update_freq * self._minibatch_size
            for matrix in self._matrices:
                matrix.update(UpdateTime(progress, self._minibatches, n))

    @torch.no_grad()
    def _run_views(
        self, data: list[np.ndarray], cases: int, num_views: int, probs: np.ndarray | None, logreg_name: str | None
    ) -> CostsAndCases:
        costs: dict[str, list[float]] = {}
        for minibatch in self._minibatches_of(cases):
            sums: dict[str, Tensor] = {}
            for view in range(num_views):
                columns = slice(minibatch.start + view * cases, minibatch.stop + view * cases)
                outputs, values = self._forward(data, columns, self._pass(train=False, multiview=True))
                for name, layer in self._layers.items():
                    if layer["type"] == "cost.logreg":
                        sums[name] = sums.get(name, 0) + outputs[layer["inputs"][1]]
            for name, total in sums.items():
                mean = total / num_views
                labels = outputs[self._layers[name]["inputs"][0]]
                values[name] = COSTS["cost.logreg"](self._layers[name], CostInputs([labels, mean], None)).values
                if probs is not None and name == logreg_name:
                    probs[minibatch] = mean.cpu().numpy()
            _add(costs, values)
        return costs, cases

    @torch.no_grad()
    def _write_features(
        self, data: list[np.ndarray], cases: int, features: list[np.ndarray], names: list[str]
    ) -> CostsAndCases:
        costs: dict[str, list[float]] = {}
        for minibatch in self._minibatches_of(cases):
            outputs, values = self._forward(data, minibatch, self._pass(train=False))
            _add(costs, values)
            for array, name in zip(features, names, strict=True):
                array[minibatch] = outputs[name].cpu().numpy()
        return costs, cases

    def _forward(
        self, data: list[np.ndarray], minibatch: slice, run: Pass, watch: Callable[[dict, Tensor], Tensor] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, list[float]]]:
        """Outputs (cases, outputs) of every layer and values of every cost; ``watch`` may replace outputs."""
        outputs: dict[str, Tensor] = {}
        costs: dict[str, list[float]] = {}
        sent: dict[tuple[str, int], Tensor] = {}
        for name, layer in self._layers.items():
            if layer["type"] == "data":
                outputs[name] = torch.as_tensor(np.array(data[layer["dataIdx"]][:, minibatch].T, order="C"))
            else:
                inputs = [self._received(layer, source, outputs, sent) for source in layer["inputs"]]
                if layer["type"] in COSTS:
                    costs[name] = self._cost(layer, inputs, outputs, run)
                    continue
                outputs[name] = FORWARD[layer["type"]](layer, inputs, run)
            if watch:
                outputs[name] = watch(layer, outputs[name])
        return outputs, costs

    def _received(self, layer: dict, source: str, outputs: dict[str, Tensor], sent: dict) -> Tensor:
        """The outputs of ``source`` as they arrive on the device of ``layer``."""
        sender, device = self._layers[source], layer["gpu"]
        if not self._rounds_transfers or sender["gpu"] in (-1, device):
            return outputs[source]
        if (source, device) not in sent:
            sent[source, device] = _Transfer.apply(
                outputs[source], sender["quantF"]["type"] == "half", sender["quantB"]["type"] == "half"
            )
        return sent[source, device]

    def _cost(self, layer: dict, inputs: list[Tensor], outputs: dict[str, Tensor], run: Pass) -> list[float]:
        cost = COSTS[layer["type"]](layer, CostInputs(inputs, self._fused_input(layer, outputs)))
        if layer["coeff"] and cost.objective.requires_grad:
            run.objectives.append(float(np.float32(layer["coeff"])) * cost.objective)
        return cost.values

    def _fused_input(self, cost: dict, outputs: dict[str, Tensor]) -> Tensor | None:
        """The input of the layer below, where the gradient goes straight there: a cost that is its only user."""
        below = self._layers[cost["inputs"][-1]]
        fused = cost["type"] in FUSED_WITH and FUSED_WITH[cost["type"]](below)
        if fused and self._users[below["name"]] == 1 and below["gpu"] == cost["gpu"]:
            return outputs[below["inputs"][0]]
        return None

    def trace(
        self, data: list[np.ndarray], follow: Mapping[str, np.ndarray] | None = None, progress: float | None = None
    ) -> dict[str, np.ndarray]:
        """As the protocol says, with two things more.

        ``follow``: another engine's trace, of the same data. Each layer computes from the inputs that the other
        engine had, ``activations/LAYER`` in it, so that both take the same side of every relu and find the same
        maxima. ``progress``: if given, the minibatch is a training one: counted, and followed by an update.
        """
        self._check_idle()
        cases = self._check_data(data)
        users = [user for matrix in self._matrices for user in matrix.users]
        pending = [user.tensor.grad for user in users]
        for user in users:
            user.tensor.grad = None

        def job() -> dict[str, np.ndarray]:
            arrays = self._traced(data, cases, follow or {})
            for user, before in zip(users, pending, strict=True):
                user.tensor.grad = before if progress is None else _sum_of(before, user.tensor.grad)
            if progress is not None:
                self._count_minibatch(cases, progress)
            return arrays

        return self._reported(self._worker.submit(self._on_threads, job).result)

    def _traced(self, data: list[np.ndarray], cases: int, follow: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}

        def watch(layer: dict, outputs: Tensor) -> Tensor:
            name = layer["name"]
            arrays[f"activations/{name}"] = _rows_by_cases(outputs)
            if f"activations/{name}" in follow:
                others = np.array(follow[f"activations/{name}"].T, dtype=np.float32, order="C")
                outputs = _Replaced.apply(outputs, torch.as_tensor(others))
            if layer["gradConsumer"]:
                # Also above weights that do not learn.
                outputs.requires_grad_().register_hook(lambda gradient: keep(name, gradient))
            return outputs

        def keep(name: str, gradient: Tensor) -> None:
            arrays[f"gradients/{name}"] = _rows_by_cases(gradient)

        run = self._pass(train=True)
        costs = self._forward(data, slice(0, cases), run, watch)[1]
        _climb(run.objectives)
        for matrix in self._matrices:
            if matrix.learns:
                kind, _, name = matrix.name.partition("/")
                arrays[f"{_GRADIENTS_OF[kind]}/{name}"] = matrix.gradient().cpu().numpy()
        return {**arrays, **{f"costs/{name}": np.array(values) for name, values in costs.items()}}

    # State

    def sync_with_host(self) -> None:
        """As the protocol says."""
        self._check_idle()
        for matrix in self._matrices:
            owner = matrix.users[0]
            layer = self._layers[owner.layer]
            if owner.input is None:
                values, increments = layer["biases"], layer["biasesInc"]
            else:
                values, increments = layer["weights"][owner.input], layer["weightsInc"][owner.input]
            values[...], increments[...] = matrix.values.cpu().numpy(), matrix.increments.cpu().numpy()

    def state(self) -> dict[str, np.ndarray]:
        """As the protocol says."""
        self._check_idle()
        state = {"minibatches": np.array(self._minibatches, dtype=np.uint64)}
        for matrix in self._matrices:
            for name, values in matrix.pending().items():
                state[f"pending/{matrix.name}/{name}"] = values.cpu().numpy().copy()
        return state

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """As the protocol says. Raises EngineError for the state of another net."""
        self._check_idle()
        if "minibatches" not in state:
            raise EngineError("the saved state is not of the torch engine: it has no minibatch counter")
        for matrix in self._matrices:
            prefix = f"pending/{matrix.name}/"
            saved = {name.removeprefix(prefix): a for name, a in state.items() if name.startswith(prefix)}
            if any(a.shape != tuple(matrix.values.shape) for a in saved.values()):
                raise EngineError(f"the saved state is not of this net: other shape of {matrix.name}")
            with self._device:
                matrix.restore_pending({name: torch.as_tensor(a.copy()) for name, a in saved.items()})
        self._minibatches = int(state["minibatches"])


class _Transfer(torch.autograd.Function):
    """A copy to another device, rounded to IEEE half on its way there, or its gradient on its way back."""

    @staticmethod
    def forward(ctx, values: Tensor, half_forward: bool, half_backward: bool) -> Tensor:
        ctx.half_backward = half_backward
        return values.half().float() if half_forward else values.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return gradient.half().float() if ctx.half_backward else gradient, None, None


class _Replaced(torch.autograd.Function):
    """Other values in place of some, whose gradient goes to these."""

    @staticmethod
    def forward(ctx, values: Tensor, others: Tensor) -> Tensor:
        return others

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return gradient, None


def _climb(objectives: list[Tensor]) -> None:
    """Add the gradients of all objectives to the weights'. Without any (every coeff is 0) there are none to add."""
    if objectives:
        torch.autograd.backward(objectives)


def _add(totals: dict[str, list[float]], values: dict[str, list[float]]) -> None:
    for name, more in values.items():
        totals[name] = [a + b for a, b in zip(totals.get(name, [0.0] * len(more)), more, strict=True)]


def _sum_of(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return one if other is None else other if one is None else one + other


def _rows_by_cases(values: Tensor) -> np.ndarray:
    return np.array(values.detach().cpu().numpy().T, order="C")
