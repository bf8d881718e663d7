"""``convnet compare``: engines and traces, two or more, on the same net, weights, batches and masks (spec 3).

All compute one minibatch (activations, gradients), one update on it, and some more batches; every two are held against
each other. Gradients jump where a relu's input is 0 or two pixels of a pooling window are equal, and there rounding
decides on which side an engine is. So an engine that can do so follows another: its layers compute from the other's
activations.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convnet_py import build
from convnet_py.compare.html import html_report
from convnet_py.compare.judge import Tolerances, compare_traces
from convnet_py.compare.report import json_report, text_report
from convnet_py.engines import ENGINES, PLACES, Engine, parse_engine
from convnet_py.errors import ConvnetError, UsageError
from convnet_py.options import (
    DECLARATIONS,
    NUMBER,
    PATH,
    TEXT,
    Kind,
    Options,
    convert,
    flag,
    parse_texts,
    split_arguments,
)
from convnet_py.run import progress
from convnet_py.trace import Trace, TraceError, read_trace, write_trace

Warn = Callable[[str], None]


def _parse_count(text: str) -> int:
    if (value := int(text)) < 0:
        raise ValueError(text)
    return value


_ENGINE_NAMES = f"{', '.join(ENGINES)} (with :{', :'.join(PLACES)} behind it)"

#: Option -> what it takes, its default as text (None: none), what it is for.
OPTIONS: dict[str, tuple[Kind, str | None, str]] = {
    "engines": (TEXT, None, f"two or more of {_ENGINE_NAMES} and trace files: A,B; or one, with --hdf5"),
    "batches": (Kind("an integer of at least 0", _parse_count), "1", "batches to train on"),
    "json": (PATH, None, "file for the report as JSON"),
    "html": (PATH, None, "file for the report as a web page"),
    "hdf5": (PATH, None, "file for the trace of the first engine (docs/trace.md)"),
    "tolerance-activations": (NUMBER, "1e-5", "of activations and costs, relative to the layer's largest value"),
    "tolerance-gradients": (NUMBER, "1e-4", "of gradients, likewise"),
    "tolerance-weights": (NUMBER, "1e-5", "of weights after one update, likewise"),
    "tolerance-trained": (NUMBER, None, "of weights after the batches, likewise (default: shown, not judged)"),
}

#: Options of training runs that have the same meaning here.
RUN_OPTIONS = [
    name
    for name in DECLARATIONS
    if name
    not in ("f", "test-range", "save-path", "test-freq", "test-one", "test-only", "multiview-test", "check-grads",
            "max-filesize", "zip-save", "checkpoint-format", "test-out", "logreg-name", "engine", "conserve-mem",
            "device", "math")
]  # fmt: skip

#: Engines whose ``trace`` takes another's to follow.
FOLLOWERS = {"torch"}


def _follows(name: str) -> bool:
    return name.partition(":")[0] in FOLLOWERS


@dataclass(frozen=True)
class _Request:
    """A command line: ``options`` those of a run, the others this command's."""

    engines: list[str]
    options: Options
    batches: int
    outputs: dict[str, Path | None]
    tolerances: Tolerances


def compare_usage() -> str:
    """The options, one line each."""
    own = {name: f"{help} ({default})" if default else help for name, (_, default, help) in OPTIONS.items()}
    runs = {name: DECLARATIONS[name].help for name in RUN_OPTIONS}
    return "\n".join(f"{flag(name):<26}{help}" for name, help in {**own, **runs}.items())


def run_compare(arguments: Sequence[str], warn: Warn) -> int:
    """Compare, print the report and write what was asked for; 1 if anything is beyond its tolerance.

    Raises ConvnetError for anything wrong with options, layer files, data or traces.
    """
    request = _parse(arguments)
    setting = _Setting(request, warn)
    traces, leaders = setting.traces()
    if request.outputs["hdf5"]:
        write_trace(traces[0], request.outputs["hdf5"])
        print(f"trace: {request.outputs['hdf5']}")
    if len(traces) == 1:
        return 0
    files = {i for i, name in enumerate(request.engines) if not parse_engine(name)}
    report = compare_traces(traces, setting.layers, request.tolerances, leaders, files)
    print(text_report(report))
    for kind, render in (("json", json_report), ("html", html_report)):
        if request.outputs[kind]:
            _write(request.outputs[kind], render(report))
            print(f"{kind}: {request.outputs[kind]}")
    return 1 if report.failed else 0


def _parse(arguments: Sequence[str]) -> _Request:
    texts = split_arguments(arguments, [*OPTIONS, *RUN_OPTIONS])
    values = {
        name: convert(name, text, kind) if (text := texts.pop(name, default)) is not None else None
        for name, (kind, default, _) in OPTIONS.items()
    }
    options = parse_texts(texts)
    missing = [name for name in ("engines", "layer-def", "layer-params") if name not in {*texts} | {
        own for own, value in values.items() if value is not None}]  # fmt: skip
    if missing:
        raise UsageError("missing: " + ", ".join(map(flag, missing)))
    engines = [word.strip() for word in values["engines"].split(",")]
    if len(engines) == 1 and not values["hdf5"]:
        raise UsageError(f"--engines: got '{values['engines']}', takes two or more: A,B (or one, with --hdf5)")
    for engine in engines:
        _check_engine(engine, values["hdf5"])
    tolerances = {name.removeprefix("tolerance-"): v for name, v in values.items() if name.startswith("tolerance-")}
    outputs = {kind: values[kind] for kind in ("json", "html", "hdf5")}
    return _Request(engines, options, values["batches"], outputs, Tolerances(**tolerances))


def _check_engine(engine: str, output: Path | None) -> None:
    if parse_engine(engine):
        return
    if not Path(engine).is_file():
        raise UsageError(f"--engines: got '{engine}', takes {_ENGINE_NAMES} or an existing trace file")
    if output and output.exists() and output.samefile(engine):
        raise UsageError(f"--hdf5: {output} is one of the traces to compare")


class _Setting:
    """The net and the data that every engine gets, and the minibatch that is traced."""

    def __init__(self, request: _Request, warn: Warn):
        self.request = request
        options = request.options
        name = build.provider_name(options)
        if name is None:
            raise UsageError("missing: --data-provider or --data-path")
        provider, _ = build.make_providers(options, name, warn)
        assert provider is not None
        self.layers = build.new_layers(options, provider, warn)
        build.convert_layers(options, self.layers, warn)
        numbers = list(options.train_range or range(1, max(request.batches, 1) + 1))
        self._per_epoch = len(numbers)
        self._batches = [provider.get_batch(numbers[i % len(numbers)]) for i in range(max(request.batches, 1))]
        self.data = [np.ascontiguousarray(matrix[:, : options.mini]) for matrix in self._batches[0]]

    def traces(self) -> tuple[list[Trace], dict[int, int]]:
        """The traces of the engines, and who followed whom, by place."""
        names = self.request.engines
        traces = {i: read_trace(Path(name)) for i, name in enumerate(names) if not parse_engine(name)}
        for i, trace in traces.items():
            self._check_file(trace, names[i])
        leaders = {}
        # Who can follow comes last.
        for i, name in sorted(enumerate(names), key=lambda item: _follows(item[1])):
            if i in traces:
                continue
            leader = _leader(traces) if _follows(name) else None
            if leader is not None:
                leaders[i] = leader
            traces[i] = self._trace(name, None if leader is None else traces[leader])
        return [trace for _, trace in sorted(traces.items())], leaders

    def _check_file(self, trace: Trace, name: str) -> None:
        """Take the file's minibatch for ours; the initial weights must be the same. Raises TraceError."""
        given = [trace.arrays.get(f"data/{i}") for i in range(len(self.data))]
        missing = [i for i, matrix in enumerate(given) if matrix is None]
        if missing:
            raise TraceError(f"{name}: it lacks data/{missing[0]}, of the minibatch that it was made from")
        cases = given[0].shape[1]
        if cases > self.request.options.mini:
            raise TraceError(f"{name}: its minibatch has {cases} cases; give --mini={cases}")
        for i, matrix in enumerate(self.data):
            _check_shape(trace, f"data/{i}", (len(matrix), cases), name)
        for layer in self.layers.values():
            _check_shape(trace, f"activations/{layer['name']}", (layer["outputs"], cases), name)
        self.data = [np.ascontiguousarray(matrix, dtype=np.float32) for matrix in given]
        for key, array in _weight_arrays(self.layers, "initial").items():
            if key in trace.arrays and not np.array_equal(trace.arrays[key], array):
                raise TraceError(f"{name}: {key} differs: it was made from another net or with another --seed")

    def _trace(self, name: str, leader: Trace | None) -> Trace:
        """Trace the minibatch, update once with it, and train on the batches."""
        options = self.request.options
        live = _Live(name, self.layers, options)
        arrays = live.trace.arrays
        if leader is None:
            arrays |= live.engine.trace(self.data)
        else:
            arrays |= live.engine.trace(self.data, follow=leader.arrays, progress=0.0)
        arrays |= {f"data/{i}": matrix for i, matrix in enumerate(self.data)}
        arrays |= _weight_arrays(self.layers, "initial")
        for _ in range(options.wupdate_freq - (leader is not None)):
            live.train(self.data, 0.0)
        arrays |= live.weights("updated")
        total = options.epochs * self._per_epoch
        costs = [
            live.train(batch, progress(number, total))
            for number, batch in enumerate(self._batches[: self.request.batches], 1)
        ]
        if costs:
            arrays |= live.weights("trained")
            arrays |= {f"trained/costs/{name}": np.array([c[name] for c in costs]) for name in costs[0]}
        live.close()
        return live.trace


def _leader(traces: dict[int, Trace]) -> int | None:
    """The place of the trace to follow: the first with gradients, which depend on the branches; else the first."""
    places = sorted(traces, key=lambda i: (not traces[i].of_kind("gradients"), i))
    return places[0] if places else None


class _Live:
    """An engine with weights of its own."""

    def __init__(self, name: str, layers: dict[str, dict], options: Options):
        self._layers = copy.deepcopy(layers)
        self.trace = Trace(name)
        chosen = parse_engine(name)
        assert chosen is not None
        self.engine: Engine = build.new_engine(options, self._layers, *chosen)

    def train(self, data: list[np.ndarray], position: float) -> dict[str, list[float]]:
        """Train on a batch; the costs per case."""
        self.engine.start_batch(data, position)
        costs, cases = self.engine.finish_batch()
        return {name: [value / cases for value in values] for name, values in costs.items()}

    def weights(self, when: str) -> dict[str, np.ndarray]:
        """Copies of all weights and biases, by their names in a trace."""
        self.engine.sync_with_host()
        return {name: np.array(array, order="C") for name, array in _weight_arrays(self._layers, when).items()}

    def close(self) -> None:
        """Let go of the engine and its memory."""
        del self.engine
        self._layers = {}


def _check_shape(trace: Trace, key: str, shape: tuple[int, int], name: str) -> None:
    if key in trace.arrays and trace.arrays[key].shape != shape:
        raise TraceError(f"{name}: {key} is of shape {trace.arrays[key].shape}, this net's is {shape}")


def _weight_arrays(layers: dict[str, dict], when: str) -> dict[str, np.ndarray]:
    """``WHEN/weights/LAYER/INPUT`` and ``WHEN/biases/LAYER``; shared matrices under their owner alone."""
    arrays = {}
    for name, layer in layers.items():
        for i, weights in enumerate(layer.get("weights", ())):
            if not layer["weightSourceLayers"][i]:
                arrays[f"{when}/weights/{name}/{i}"] = weights
        if "biases" in layer:
            arrays[f"{when}/biases/{name}"] = layer["biases"]
    return arrays


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConvnetError(f"{path}: the report cannot be written: {error.strerror or error}") from None
