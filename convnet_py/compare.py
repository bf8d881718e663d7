"""``convnet compare``: engines and traces, two or more, on the same net, weights, batches and masks (spec 3).

All compute one minibatch (activations, gradients), one update on it, and some more batches; every two are held against
each other. Gradients jump where a relu's input is 0 or two pixels of a pooling window are equal, and there rounding
decides on which side an engine is. So an engine that can do so follows another: its layers compute from the other's
activations.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path

import numpy as np

from convnet_py import build
from convnet_py.compare_html import html_report
from convnet_py.engines import ENGINES, PLACES, Engine, make_engine, parse_engine
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
from convnet_py.trace import KINDS, Trace, TraceError, read_trace, write_trace

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
class Tolerances:
    """The largest relative differences that pass; ``trained`` None: not judged."""

    activations: float
    gradients: float
    weights: float
    trained: float | None


@dataclass(frozen=True)
class Row:
    """How two arrays differ. ``difference``: the largest one, relative to the largest value of the pair's first.

    ``beyond``: elements beyond the tolerance. ``note``: why it is not judged, if it is not.
    """

    section: str
    name: str
    difference: float | None
    tolerance: float | None
    elements: int = 0
    beyond: int = 0
    note: str = ""

    @property
    def verdict(self) -> str:
        """``ok``, ``FAILED``, or ``-`` where nothing is judged."""
        if self.tolerance is None or self.difference is None:
            return "-"
        return "ok" if self.difference <= self.tolerance else "FAILED"


@dataclass(frozen=True)
class Pair:
    """Two engines side by side. ``followed``: one computed from the other's activations, layer by layer.

    ``without_gradients``: those of the two that show none.
    """

    first: str
    second: str
    followed: bool
    without_gradients: list[str]
    rows: list[Row]

    @property
    def note(self) -> str:
        """What to think of gradients that differ, or why there are none."""
        if self.without_gradients:
            return f"Gradients are not compared: there are none of {' and '.join(self.without_gradients)}"
        if self.followed:
            return "One computed each layer from the other's activations, so both took the same branches"
        return "Neither followed the other: gradients jump where rounding decides a branch (relu at 0, ties in pooling)"


@dataclass(frozen=True)
class Report:
    """What came out, of every two engines. ``costs``: (what, cost, value number, each engine's value per case)."""

    engines: list[str]
    cases: int
    pairs: list[Pair]
    costs: list[tuple[str, str, int, list[float]]]

    @property
    def rows(self) -> list[Row]:
        """Those of all pairs."""
        return [row for pair in self.pairs for row in pair.rows]

    @property
    def judged(self) -> list[Row]:
        """The rows that have a tolerance, and a difference to hold against it."""
        return [row for row in self.rows if row.verdict != "-"]

    @property
    def failed(self) -> list[Row]:
        """The rows beyond their tolerance."""
        return [row for row in self.rows if row.verdict == "FAILED"]


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
        engine, device, math = chosen
        self.engine: Engine = make_engine(
            engine,
            self._layers,
            device_ids=options.device_ids,
            minibatch_size=options.mini,
            weight_update_freq=options.wupdate_freq,
            seed=options.seed,
            threads=options.threads,
            transfers=options.transfers,
            exact_gradients=options.exact_gradients,
            device=device,
            math=math,
        )

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


# Judging


def compare_traces(
    traces: Sequence[Trace], layers: dict[str, dict], tolerances: Tolerances, leaders: dict[int, int], files: set[int]
) -> Report:
    """How every two traces differ, the later one from the earlier, and whether that passes.

    ``leaders``: who followed whom, by place; ``files``: the places of those that are not an engine's of this call, and
    may lack arrays. Raises TraceError for arrays that do not fit.
    """
    cases = {a.shape[1] for trace in traces for a in trace.of_kind("activations").values()}
    if len(cases) != 1:
        names = " and ".join(trace.engine for trace in traces)
        raise TraceError(f"{names}: their activations are not (outputs, cases) of one minibatch")
    pairs = []
    for (i, one), (j, other) in combinations(enumerate(traces), 2):
        rows = list(_rows(one, other, layers, tolerances, complete=not {i, j} & files))
        if all(row.verdict == "-" for row in rows):
            raise TraceError(f"{one.engine} and {other.engine} have no arrays of this net in common")
        followed = leaders.get(i) == j or leaders.get(j) == i
        without_gradients = [trace.engine for trace in (one, other) if not trace.of_kind("gradients")]
        pairs.append(Pair(one.engine, other.engine, followed, without_gradients, rows))
    engines = [trace.engine for trace in traces]
    return Report(engines, *cases, pairs, list(_costs_side_by_side(traces, *cases)))


def _rows(one: Trace, other: Trace, layers: dict[str, dict], tolerances: Tolerances, complete: bool) -> Iterator[Row]:
    """Every array of two traces.

    Gradients are compared where both have them, and not listed where one has none at all. Activations, costs and
    weights must be in both if they are to be ``complete``, as engines' are.
    """

    def row(section: str, kind: str, name: str, label: str, tolerance: float | None, required: bool) -> Row:
        first, second = (trace.arrays.get(f"{kind}/{name}") for trace in (one, other))
        if kind == "costs":  # their first values: others count errors, where ties may fall either way
            first, second = (None if a is None else a[:1] for a in (first, second))
        if first is None or second is None:
            lacking = one if first is None else other
            missing = np.inf if required and complete else None
            return Row(section, label, missing, tolerance, note=f"{lacking.engine} has none")
        return _row(section, label, first, second, tolerance)

    for kind, tolerance, required in (
        ("activations", tolerances.activations, True),
        ("costs", tolerances.activations, True),
        ("gradients", tolerances.gradients, False),
    ):
        present = [{*trace.of_kind(kind)} for trace in (one, other)]
        if not required and not all(present):
            continue
        for name, layer in layers.items():
            computed = required and layer["type"].startswith("cost.") == (kind == "costs")
            if computed or name in set.union(*present):
                yield row(kind, kind, name, name, tolerance, required)
    for title, kinds, tolerance, required in (
        ("weight gradients", ("weight_gradients", "bias_gradients"), tolerances.gradients, False),
        ("weights after one update", ("updated/weights", "updated/biases"), tolerances.weights, True),
        ("weights after the batches", ("trained/weights", "trained/biases"), tolerances.trained, True),
    ):
        if required or all(any(trace.of_kind(kind) for kind in kinds) for trace in (one, other)):
            for kind, name in _names_of(kinds, one, other, layers):
                yield row(title, kind, name, name if KINDS[kind].indexed else f"{name} biases", tolerance, required)


def _names_of(kinds: Sequence[str], one: Trace, other: Trace, layers: dict[str, dict]) -> list[tuple[str, str]]:
    """(kind, name) of the arrays that either trace has, in the order of the layers."""
    order = {name: i for i, name in enumerate(layers)}

    def place(item: tuple[str, str]) -> tuple[int, bool, str]:
        kind, name = item
        layer = name.rpartition("/")[0] if KINDS[kind].indexed else name
        return order.get(layer, len(order)), not KINDS[kind].indexed, name

    found = {(kind, name) for kind in kinds for trace in (one, other) for name in trace.of_kind(kind)}
    return sorted(found, key=place)


def _row(section: str, name: str, first: np.ndarray, second: np.ndarray, tolerance: float | None) -> Row:
    if first.shape != second.shape:
        raise TraceError(f"{section} of '{name}': the shapes differ, {first.shape} and {second.shape}")
    difference, beyond = relative_difference(first, second, tolerance)
    return Row(section, name, difference, tolerance, first.size, beyond)


def relative_difference(first: np.ndarray, second: np.ndarray, tolerance: float | None) -> tuple[float, int]:
    """The largest |first - second| over the largest |first|, and how many elements are beyond the tolerance.

    Infinite where one has NaN or infinity and the other another value there.
    """
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    if same.all():
        return 0.0, 0
    scale = np.abs(first).max()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        relative = np.where(same, 0, np.abs(first - second, dtype=np.float64) / np.float64(scale))
    relative[~np.isfinite(relative)] = np.inf
    return float(relative.max()), int((relative > (tolerance if tolerance is not None else np.inf)).sum())


def _costs_side_by_side(traces: Sequence[Trace], cases: int) -> Iterator[tuple[str, str, int, list[float]]]:
    """(what, cost, value number, each trace's value per case), NaN where a trace has none."""

    def cost(kind: str, name: str, shape: tuple[int, ...]) -> list[np.ndarray]:
        missing = np.full(shape, np.nan)
        arrays = [trace.arrays.get(f"{kind}/{name}", missing) for trace in traces]
        return [array if array.shape == shape else missing for array in arrays]

    for name, shape in _shapes(traces, "costs").items():
        for i, values in enumerate(zip(*cost("costs", name, shape), strict=True)):
            yield "minibatch", name, i, [float(value) / cases for value in values]
    for name, shape in _shapes(traces, "trained/costs").items():
        for batch, arrays in enumerate(zip(*cost("trained/costs", name, shape), strict=True), 1):
            for i, values in enumerate(zip(*arrays, strict=True)):
                yield f"batch {batch}", name, i, list(map(float, values))


def _shapes(traces: Sequence[Trace], kind: str) -> dict[str, tuple[int, ...]]:
    """The names of a kind, with the shape that the first trace has that has it."""
    return {name: array.shape for trace in reversed(traces) for name, array in trace.of_kind(kind).items()}


# Reports


def text_report(report: Report) -> str:
    """The report as tables for a terminal."""
    lines = [line for pair in report.pairs for line in (*_pair_lines(pair, report.cases), "")]
    lines.append("costs per case" + (": " + ", ".join(report.engines) if len(report.engines) > 2 else ""))
    for what, name, i, values in report.costs:
        lines.append(f"  {what:<10} {name}[{i}]" + "".join(f"  {value:.6f}" for value in values))
    failed = report.failed
    judged = len(report.judged)
    lines += ["", f"{len(failed)} of {judged} comparisons FAILED" if failed else f"all {judged} within tolerance"]
    return "\n".join(lines)


def _pair_lines(pair: Pair, cases: int) -> Iterator[str]:
    yield f"{pair.first} (reference) and {pair.second}, {cases} cases"
    yield pair.note
    width = max(len(row.name) for row in pair.rows)
    for section, rows in groupby(pair.rows, key=lambda row: (row.section, row.tolerance)):
        title, tolerance = section
        limit = "" if tolerance is None else f", tolerance {tolerance:g}"
        yield ""
        yield f"{title} (largest relative difference{limit})"
        for row in rows:
            shown = "" if row.difference is None else f"{row.difference:.2e}"
            beyond = f"  {row.beyond} of {row.elements} elements beyond" if row.beyond else ""
            yield f"  {row.name:<{width}}  {shown:>9}  {row.verdict:<6}{beyond}  {row.note}".rstrip()


def json_report(report: Report) -> str:
    """The report as JSON; numbers that are not finite as null."""
    pairs = [{**vars(pair), "rows": [_json_row(row) for row in pair.rows]} for pair in report.pairs]
    costs = [
        {"of": what, "cost": name, "value": i, "engines": [_finite(value) for value in values]}
        for what, name, i, values in report.costs
    ]
    return json.dumps({**vars(report), "pairs": pairs, "costs": costs, "passed": not report.failed}, indent=1) + "\n"


def _json_row(row: Row) -> dict[str, object]:
    return {**vars(row), "difference": _finite(row.difference), "verdict": row.verdict}


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConvnetError(f"{path}: the report cannot be written: {error.strerror or error}") from None
