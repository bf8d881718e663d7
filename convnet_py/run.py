"""The run: train, test and save, batch after batch, with the historic printed output (spec 4.2, 3.8)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from convnet_py import checkpoint
from convnet_py.checkpoint import Checkpoint, Outcome
from convnet_py.data.make.writer import write_pickle
from convnet_py.data.providers import DataProvider
from convnet_py.engines import Engine
from convnet_py.errors import ConvnetError, DataError, EngineError, UsageError
from convnet_py.options import BatchRange, Options
from convnet_py.progress import ProgressBar

RULE = "-" * 55


class Diverged(ConvnetError):
    """A cost became NaN or infinite."""


class GradientCheckFailed(ConvnetError):
    """Analytic and numeric gradients differ."""


def progress(position: int, total: int) -> float:
    """How far a run is, 0 to 1, at its ``position``-th of ``total`` batches, counted from 1 (spec 3.8)."""
    return min(max((position - 1) / total, 0.0), 1.0)


def next_batch(epoch: int, batch: int, batches: BatchRange) -> tuple[int, int]:
    """Epoch and number of the training batch after ``batch`` of ``epoch`` (0 and 0: the first one)."""
    if epoch == 0:
        return 1, batches.first
    if batch < batches.first or batch >= batches.last:
        return epoch + 1, batches.first
    return epoch, batch + 1


def format_costs(costs: dict[str, list[float]]) -> str:
    """``NAME:  v1, v2``, costs separated by spaces, six decimals."""
    return " ".join(f"{name}:  " + ", ".join(f"{value:.6f}" for value in values) for name, values in costs.items())


def mean_of_tests(outcomes: list[Outcome], length: int) -> dict[str, list[float]]:
    """The plain mean of the per-case values of the last min(tests so far, ``length``) tests.

    Tests of another program may have reported other values (spec 4.3): these are left out.
    """
    recent = [outcome.per_case() for outcome in outcomes[-length:]]
    lengths = {name: len(values) for name, values in recent[-1].items()}
    alike = [costs for costs in recent if {name: len(values) for name, values in costs.items()} == lengths]
    return {name: np.mean([costs[name] for costs in alike], axis=0).tolist() for name in lengths}


def add_outcomes(outcomes: Iterable[Outcome]) -> Outcome:
    """One outcome over all cases of several batches."""
    outcomes = list(outcomes)
    costs = {name: np.sum([outcome.costs[name] for outcome in outcomes], axis=0).tolist() for name in outcomes[0].costs}
    return Outcome(costs, sum(outcome.cases for outcome in outcomes), outcomes[-1].trained)


def weight_lines(layers: dict[str, dict[str, Any]]) -> list[str]:
    """Per weight matrix and bias: mean absolute value and, in brackets, that of its increment; layers by name."""
    lines = []
    for name in sorted(layers):
        layer = layers[name]
        if "weights" not in layer:
            continue
        for index, (weights, increment) in enumerate(zip(layer["weights"], layer["weightsInc"], strict=True)):
            if not layer["weightSourceLayers"][index]:
                lines.append(f"Layer '{name}' weights[{index}]: {mean_abs(weights):e} [{mean_abs(increment):e}]")
        lines.append(f"Layer '{name}' biases: {mean_abs(layer['biases']):e} [{mean_abs(layer['biasesInc']):e}]")
    return lines


def mean_abs(array: np.ndarray) -> float:
    """The mean absolute value, summed in double."""
    return float(np.abs(array).mean(dtype=np.float64))


def logreg_layer(layers: dict[str, dict[str, Any]], name: str | None) -> str:
    """The logreg layer that --test-out takes: ``name``, or the only one. Raises UsageError."""
    there = [layer["name"] for layer in layers.values() if layer["type"] == "cost.logreg"]
    if name in there:
        return name
    if name is None and len(there) == 1:
        return there[0]
    got = "has to name one" if name is None else f"got '{name}'"
    raise UsageError(f"--logreg-name: {got}, this net's logreg layers are {', '.join(there) or 'none'}")


@dataclass(frozen=True)
class _Loaded:
    """A training batch with its place in the run."""

    epoch: int
    number: int
    matrices: list[np.ndarray]


class Run:
    """One run of the training program.

    ``state`` is where it stands, ``folder`` where its checkpoints go (None: a new one under --save-path,
    made at the first save), ``loaded_from`` the
    checkpoint that it goes on from. Either provider may be None if the run has no use for it.
    """

    def __init__(
        self,
        options: Options,
        state: Checkpoint,
        engine: Engine,
        train: DataProvider | None,
        test: DataProvider | None,
        folder: Path | None,
        loaded_from: Path | None = None,
        log: TextIO | None = None,
    ):
        self.options = options
        self.state = state
        self.engine = engine
        self.train_provider = train
        self.test_provider = test
        self.folder = folder
        self.last_saved = loaded_from
        self._log = log
        self._next_random: tuple | None = None

    def print(self, text: str) -> None:
        """Write a line of output at once."""
        print(text, file=self._log, flush=True)

    # Training

    def train(self) -> None:
        """Train to the last epoch, testing and saving every --test-freq batches and saving at the end.

        Raises Diverged where a cost becomes NaN or infinite, and what provider and engine raise; the last
        checkpoint stays.
        """
        batches = self.options.train_range
        assert batches is not None and self.train_provider is not None
        total = self.options.epochs * len(batches)
        with ThreadPoolExecutor(1, "loader") as loader, ProgressBar(total) as bar:
            pending = self._load_next(loader, self.state.epoch, self.state.batch)
            while pending is not None:
                started = time.monotonic()
                loaded = pending.result()
                position = (loaded.epoch - 1) * len(batches) + loaded.number - batches.first + 1
                self._start(loaded.number, loaded.matrices, progress(position, total))
                pending = self._load_next(loader, loaded.epoch, loaded.number)
                costs, cases = self.engine.finish_batch()
                self._after_batch(loaded, position, Outcome(costs, cases, len(self.state.train_outputs) + 1), started)
                bar.update(position)
        if self.last_saved is None or self.last_saved.name != self.state.name:
            self.engine.sync_with_host()
            self.print(f"Saved checkpoint to {self._save()}")

    def _start(self, number: int, matrices: list[np.ndarray], position: float, test: bool = False) -> None:
        try:
            self.engine.start_batch(matrices, position, test)
        except ValueError as error:
            raise DataError(f"batch {number}: {error}") from None

    def _load_next(self, loader: ThreadPoolExecutor, epoch: int, batch: int) -> Future[_Loaded] | None:
        """Start loading the batch after this one; None after the last epoch."""
        provider, batches = self.train_provider, self.options.train_range
        assert provider is not None and batches is not None
        # A checkpoint made while this batch loads must go on with this very batch.
        self._next_random = provider.get_state()
        epoch, number = next_batch(epoch, batch, batches)
        if epoch > self.options.epochs:
            return None
        return loader.submit(lambda: _Loaded(epoch, number, provider.get_batch(number)))

    def _after_batch(self, loaded: _Loaded, position: int, outcome: Outcome, started: float) -> None:
        name = f"{loaded.epoch}.{loaded.number}"
        line = f"{name}... {format_costs(outcome.per_case())}"
        self._stop_if_diverged(outcome, name, line)
        self.state.epoch, self.state.batch = loaded.epoch, loaded.number
        self.state.train_outputs.append(outcome)
        if position % self.options.test_freq == 0:
            self.print(line)
            self.engine.sync_with_host()
            self._test_and_report(progress(position, self.options.epochs * len(self.options.train_range or ())))
            line = f"Saved checkpoint to {self._save()}"
        self.print(f"{line} ({time.monotonic() - started:.3f} sec)")

    def _stop_if_diverged(self, outcome: Outcome, name: str, line: str) -> None:
        for cost, values in outcome.costs.items():
            if not all(map(math.isfinite, values)):
                self.print(line)
                saved = f"the last checkpoint is {self.last_saved}" if self.last_saved else "nothing was saved yet"
                value = next(value for value in values if not math.isfinite(value))
                raise Diverged(f"{name}: cost '{cost}' is {value}, training stops; {saved}")

    # Testing

    def _test_batches(self, numbers: Sequence[int], position: float) -> Iterator[Outcome]:
        """The outcome of each test batch; the next one is loaded meanwhile."""
        provider = self.test_provider
        assert provider is not None
        with ThreadPoolExecutor(1, "test loader") as loader:
            pending = loader.submit(provider.get_batch, numbers[0])
            for following, number in enumerate(numbers, 1):
                matrices = pending.result()
                probs = self._start_test(number, matrices, position)
                if following < len(numbers):
                    pending = loader.submit(provider.get_batch, numbers[following])
                costs, cases = self.engine.finish_batch()
                if probs is not None:
                    self._write_predictions(number, probs, matrices)
                yield Outcome(costs, cases, len(self.state.train_outputs))

    def _start_test(self, number: int, matrices: list[np.ndarray], position: float) -> np.ndarray | None:
        """Start testing a batch, on all its views if asked; where --test-out wants probabilities, they will be here."""
        if not self.options.multiview_test:
            self._start(number, matrices, position, test=True)
            return None
        assert self.test_provider is not None
        views = self.test_provider.num_views
        probs, name = None, None
        if self.options.test_out is not None:
            name = logreg_layer(self.state.layers, self.options.logreg_name)
            classes = self.state.layers[name]["numInputs"][1]
            probs = np.zeros((matrices[0].shape[1] // views, classes), np.float32)
        self.engine.start_multiview_test(matrices, views, probs, name)
        return probs

    def _write_predictions(self, number: int, probs: np.ndarray, matrices: list[np.ndarray]) -> None:
        """Write ``test_preds_N`` into --test-out: a pickle of probabilities (cases x classes) and labels."""
        folder = self.options.test_out
        assert folder is not None
        layers = self.state.layers
        labels = layers[logreg_layer(layers, self.options.logreg_name)]["inputs"][0]
        of_first_view = matrices[layers[labels]["dataIdx"]][0, : len(probs)]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"test_preds_{number}"
            write_pickle(path, {"data": probs, "labels": [int(label) for label in of_first_view]})
        except OSError as error:
            raise DataError(f"{folder}: predictions cannot be written: {error.strerror or error}") from None

    def _test_and_report(self, position: float) -> None:
        batches = self.options.test_range
        assert batches is not None
        if self.options.test_one:
            number = self.state.test_batch
            if number not in batches:
                number = batches.first
            tested, title = [number], f"batch {number}"
            self.state.test_batch = batches.first if number == batches.last else number + 1
        else:
            tested, title = list(batches), f"batches {batches}"
        outcome = add_outcomes(self._test_batches(tested, position))
        self.state.test_outputs.append(outcome)
        self.print(f"{f' Test of {title} ':-^55}")
        self.print(format_costs(outcome.per_case()))
        averaged = min(len(self.state.test_outputs), len(batches))
        self.print(f"{f' Mean of the last {averaged} tests ':-^55}")
        self.print(format_costs(mean_of_tests(self.state.test_outputs, len(batches))))
        self.print(RULE)
        for line in weight_lines(self.state.layers):
            self.print(line)
        self.print(RULE)

    def test(self) -> Outcome:
        """Test the whole test range, print each batch and all of them together, and return the latter (--test-only)."""
        batches = self.options.test_range
        assert batches is not None
        outcomes = []
        started = time.monotonic()
        for number, outcome in zip(batches, self._test_batches(list(batches), 0.0), strict=True):
            outcomes.append(outcome)
            seconds = time.monotonic() - started
            self.print(f"batch {number}... {format_costs(outcome.per_case())} ({seconds:.3f} sec)")
            started = time.monotonic()
        overall = add_outcomes(outcomes)
        self.print(f"batches {batches}, {overall.cases} cases... {format_costs(overall.per_case())}")
        return overall

    def check_gradients(self) -> None:
        """Run the engine's gradient check (spec 3.9) and print its report. Raises GradientCheckFailed."""
        assert self.test_provider is not None
        failed, done, report = self.engine.check_gradients(self.test_provider.get_batch(1))
        self.print(report.rstrip())
        if done == 0:
            raise EngineError("gradient check: no layer of this net has weights that learn")
        if failed:
            raise GradientCheckFailed(f"gradient check: {failed} of {done} tests failed")

    # Saving

    def _save(self) -> Path:
        """Write a checkpoint of host-side weights and return its folder. Raises CheckpointError."""
        if self.folder is None:
            assert self.options.save_path is not None
            self.folder = checkpoint.new_folder(self.options.save_path)
        self.state.options = self.options.stored()
        self.state.train_random = self._next_random
        self.state.test_random = self.test_provider.get_state() if self.test_provider is not None else None
        self.state.engine = self.options.engine
        self.state.engine_state = self.engine.state()
        self.last_saved = checkpoint.save(
            self.state,
            self.folder,
            format=self.options.checkpoint_format,
            compress=self.options.zip_save,
            limit_mb=self.options.max_filesize,
        )
        return self.folder
