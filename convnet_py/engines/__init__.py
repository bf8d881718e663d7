"""Engines: what computes a net. The driver speaks to each through the protocol below (spec 6.5)."""

from __future__ import annotations

import importlib
from typing import Protocol

import numpy as np

from convnet_py.errors import EngineError

#: cost name -> its values summed over the cases of the batch (spec 3.7), and the number of cases.
CostsAndCases = tuple[dict[str, list[float]], int]


class Engine(Protocol):
    """One net on its devices. At most one batch is in flight; its arrays live until ``finish_batch``.

    An engine is built from ``layers``, the mapping of layer name to layer dictionary in definition
    order (spec 2.9). The weight arrays in it are read at construction and written by
    ``sync_with_host``; nothing else of it is changed.
    """

    @property
    def device_name(self) -> str:
        """What computes, as a user reads it."""

    def start_batch(self, data: list[np.ndarray], progress: float, test: bool = False) -> None:
        """Start training on (or, with ``test``, testing) a batch, minibatch by minibatch, and return at once.

        ``data``: float32, C-contiguous matrices of rows x cases, one per data index. ``progress``: spec 3.8.
        Raises ValueError for matrices that the net cannot take.
        """

    def finish_batch(self) -> CostsAndCases:
        """Wait for the batch in flight and return its costs. Errors of the computation surface here."""

    def start_multiview_test(
        self, data: list[np.ndarray], num_views: int, probs: np.ndarray | None = None, logreg_name: str | None = None
    ) -> None:
        """Start a multiview test: the cases of ``data`` are ``num_views`` consecutive blocks of the same images.

        ``probs`` (float32, cases per view x classes, C order) is filled with the averaged class
        probabilities of the logreg layer ``logreg_name`` (spec 3.7, 6.5).
        """

    def start_feature_writer(self, data: list[np.ndarray], features: list[np.ndarray], layer_names: list[str]) -> None:
        """Start a pass that fills ``features[i]`` (float32, cases x outputs) with the output of ``layer_names[i]``."""

    def check_gradients(self, data: list[np.ndarray]) -> tuple[int, int, str]:
        """Compare gradients with forward differences (spec 3.9): tests failed, tests done, and the printed report."""

    def trace(self, data: list[np.ndarray]) -> dict[str, np.ndarray]:
        """One forward and backward pass in training mode over all cases of ``data`` as a single minibatch.

        Nothing is updated, no counter advances, and pending gradients stay. Returns, in C order:
        ``activations/LAYER``, float32 (outputs, cases), of every layer but costs; ``gradients/LAYER``, likewise,
        the gradient of minus the summed cost at the layer's outputs, where the engine has one (not of a softmax
        fused with its cost, nor below the lowest weights); ``weight_gradients/LAYER/INPUT`` and
        ``bias_gradients/LAYER``, summed over the cases (and the users of a shared matrix: under its owner alone), in
        the shape of the weights, of what learns; ``costs/COST``, float64, summed over the cases.
        """

    def sync_with_host(self) -> None:
        """Write weights and increments back into the arrays of the layer dictionaries."""

    def state(self) -> dict[str, np.ndarray]:
        """What beyond the weights a resumed run needs to go on bit for bit (counters, pending gradients)."""

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take over a ``state()`` of an engine with the same net."""


#: Engine -> its module, its class, and what to say where the module cannot be imported.
ENGINES = {
    "rebuilt": ("convnet_py.engines.rebuilt", "RebuiltEngine", "it is not built or not loadable"),
    "original": ("convnet_py.engines.original", "OriginalEngine", "it cannot be loaded"),
    "torch": ("convnet_py.engines.torch", "TorchEngine", "it needs PyTorch; install the extra 'torch'"),
}


#: What follows an engine's name, behind a colon, to say where it computes: (device, math).
PLACES = {"cpu": ("cpu", "fp32"), "cuda": ("cuda", "fp32"), "tf32": ("cuda", "tf32")}


def parse_engine(text: str) -> tuple[str, str, str] | None:
    """(engine, device, math) of ``ENGINE`` or ``ENGINE:PLACE``; None for anything else. Without a place: the CPU."""
    name, _, place = text.partition(":")
    if name not in ENGINES or (place or "cpu") not in PLACES or text.endswith(":"):
        return None
    return (name, *PLACES[place or "cpu"])


def make_engine(
    name: str,
    layers: dict[str, dict],
    *,
    device_ids: list[int],
    minibatch_size: int,
    weight_update_freq: int,
    seed: int,
    threads: int,
    transfers: str | None,
    exact_gradients: bool = False,
    device: str = "cpu",
    math: str = "fp32",
) -> Engine:
    """The engine ``name`` (a key of ENGINES), built for a net. Raises EngineError where it cannot be had or refuses.

    ``device``: cpu or cuda. ``math``: fp32, or tf32 for products on a GPU.
    """
    module, cls, hint = ENGINES[name]
    try:
        engine = getattr(importlib.import_module(module), cls)
    except ImportError as error:
        raise EngineError(f"engine '{name}': {hint} ({error})") from None
    return engine(
        layers,
        device_ids=device_ids,
        minibatch_size=minibatch_size,
        weight_update_freq=weight_update_freq,
        seed=seed,
        threads=threads,
        transfers=transfers,
        exact_gradients=exact_gradients,
        device=device,
        math=math,
    )
