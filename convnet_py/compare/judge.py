"""How traces differ, every two of them: relative differences, tolerances, verdicts (docs/trace.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from convnet_py.trace import KINDS, Trace, TraceError


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
