"""A tiny engine in plain NumPy for tests of the driver itself: softmax regression over one fc layer (spec 6.5).

It has hidden state on purpose (a counter that changes its rate), so that a resume that forgets
``Engine.state`` cannot pass for an uninterrupted run.
"""

from __future__ import annotations

import numpy as np


class SoftmaxRegression:
    """Trains ``layers['fc']`` on matrices 0 (data) and 1 (labels); its cost is named ``logprob``."""

    def __init__(self, layers: dict, minibatch_size: int = 128):
        self.layer = layers["fc"]
        self.minibatch_size = minibatch_size
        self.weights = self.layer["weights"][0].astype(np.float64)
        self.increments = self.layer["weightsInc"][0].astype(np.float64)
        self.updates = 0
        self.result: tuple[dict[str, list[float]], int] | None = None
        self.progress: list[float] = []
        #: Set by a test: the batch (counted from 1) whose cost is to be NaN.
        self.nan_at: int | None = None
        self.batches = 0

    def start_batch(self, data: list[np.ndarray], progress: float, test: bool = False) -> None:
        assert all(matrix.dtype == np.float32 and matrix.flags.c_contiguous for matrix in data)
        images, labels = data[0].astype(np.float64) / 255, data[1][0].astype(int)
        total = np.zeros(2)
        for start in range(0, labels.size, self.minibatch_size):
            part = slice(start, start + self.minibatch_size)
            total += self._minibatch(images[:, part], labels[part], test)
        if not test:
            self.batches += 1
            self.progress.append(progress)
            if self.batches == self.nan_at:
                total[0] = np.nan
        self.result = {"logprob": total.tolist()}, labels.size

    def _minibatch(self, images: np.ndarray, labels: np.ndarray, test: bool) -> np.ndarray:
        scores = self.weights.T @ images
        scores -= scores.max(axis=0)
        probs = np.exp(scores) / np.exp(scores).sum(axis=0)
        cases = np.arange(labels.size)
        if not test:
            self.updates += 1
            wanted = np.zeros_like(probs)
            wanted[labels, cases] = 1
            rate = 0.1 / (1 + 0.01 * self.updates)
            self.increments = 0.9 * self.increments + rate * images @ (wanted - probs).T / labels.size
            self.weights = self.weights + self.increments
        return np.array([-np.log(probs[labels, cases]).sum(), (probs.argmax(axis=0) != labels).sum()])

    def finish_batch(self):
        assert self.result is not None
        result, self.result = self.result, None
        return result

    def sync_with_host(self) -> None:
        self.layer["weights"][0][...] = self.weights
        self.layer["weightsInc"][0][...] = self.increments

    def state(self) -> dict[str, np.ndarray]:
        return {"updates": np.array([self.updates]), "weights": self.weights, "increments": self.increments}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.updates = int(state["updates"][0])
        self.weights, self.increments = state["weights"], state["increments"]
