"""A net as a picture: data flows downwards, each device has a column (spec 2).

Boxes stand in rows by depth and in lanes within their device's column; an arrow that passes rows runs between lanes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from convnet_py.errors import one_line
from convnet_py.layers.report import output_shape

_BOX_WIDTH, _BOX_HEIGHT = 170, 40
_GAP_X, _GAP_Y, _MARGIN = 44, 36, 24
_TITLE = 18
_CORNER = 8
#: between arrows that run side by side, and that arrive at one box.
_ARROWS_APART, _ARRIVALS_APART = 6, 22
_STYLE = (
    "text{font:12px sans-serif;text-anchor:middle;fill:#222}"
    ".small{font-size:10px;fill:#555}.device{font-size:13px;font-weight:bold}.paper{fill:#fff}"
    ".column{fill:#f5f5f2;stroke:none}.edge{fill:none;stroke:#888;stroke-width:1.2}"
    ".across{stroke:#c55a11}.box{stroke:#666;fill:#fff}.weights{fill:#dbe9f6}.data{fill:#e6f2dc}.cost{fill:#f9e0d2}"
)


@dataclass(frozen=True)
class _Place:
    """Where a box stands: its lane, its row, and the middle of its upper edge."""

    lane: int
    row: int
    x: float
    y: float


def svg(layers: Mapping[str, dict]) -> str:
    """The graph as an SVG document: a box per layer (name, type, output shape), data layers in a column of their own.

    Arrows between devices are coloured.
    """
    rows = _rows(layers)
    lanes = _lanes(layers, rows)
    columns = _columns(layers, lanes)
    places = _places(layers, rows, lanes, columns)
    width = max((left + wide for left, wide in columns.values()), default=0) + _MARGIN
    height = _MARGIN + _TITLE + (max(rows.values(), default=0) + 1) * (_BOX_HEIGHT + _GAP_Y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<style>{_STYLE}</style><defs>{_tip('tip', '#888')}{_tip('across-tip', '#c55a11')}</defs>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
    ]
    for gpu, (left, wide) in columns.items():
        title = "data" if gpu < 0 else f"device {gpu}"
        parts.append(f'<rect class="column" x="{left}" y="4" width="{wide}" height="{height - 8}" rx="8"/>')
        parts.append(f'<text class="device" x="{left + wide / 2:g}" y="22">{title}</text>')
    parts += _edges(layers, places)
    parts += [_box(layer, places[name]) for name, layer in layers.items()]
    return "\n".join([*parts, "</svg>", ""])


def _tip(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
    )


def _rows(layers: Mapping[str, dict]) -> dict[str, int]:
    """The row of each layer: one below the lowest of its inputs; of data layers, one above the highest user."""
    rows: dict[str, int] = {}
    for name, layer in layers.items():
        rows[name] = max((rows[below] + 1 for below in layer.get("inputs", ())), default=0)
    for name in [name for name, layer in layers.items() if not layer.get("inputs")]:
        users = [rows[user] for user, layer in layers.items() if name in layer.get("inputs", ())]
        rows[name] = max(0, min(users, default=1) - 1)
    return rows


def _lanes(layers: Mapping[str, dict], rows: Mapping[str, int]) -> dict[str, int]:
    """The lane of each layer within its device's column: as near as can be to its first input there."""
    lanes: dict[str, int] = {}
    taken: set[tuple[int, int, int]] = set()
    for name in sorted(layers, key=lambda name: rows[name]):
        layer = layers[name]
        gpu, row = layer["gpu"], rows[name]
        wanted = next((lanes[below] for below in layer.get("inputs", ()) if layers[below]["gpu"] == gpu), 0)
        free = (lane for lane in range(len(layers)) if (gpu, row, lane) not in taken)
        lanes[name] = min(free, key=lambda lane: abs(lane - wanted))
        taken.add((gpu, row, lanes[name]))
    return lanes


def _columns(layers: Mapping[str, dict], lanes: Mapping[str, int]) -> dict[int, tuple[int, int]]:
    """The left edge and the width of each device's column."""
    columns, left = {}, _MARGIN
    for gpu in sorted({layer["gpu"] for layer in layers.values()}):
        number = 1 + max(lanes[name] for name, layer in layers.items() if layer["gpu"] == gpu)
        columns[gpu] = (left, number * (_BOX_WIDTH + _GAP_X) + _GAP_X)
        left += columns[gpu][1] + _GAP_X // 2
    return columns


def _places(
    layers: Mapping[str, dict],
    rows: Mapping[str, int],
    lanes: Mapping[str, int],
    columns: Mapping[int, tuple[int, int]],
) -> dict[str, _Place]:
    places = {}
    for name, layer in layers.items():
        x = columns[layer["gpu"]][0] + _GAP_X + lanes[name] * (_BOX_WIDTH + _GAP_X) + _BOX_WIDTH / 2
        y = _MARGIN + _TITLE + rows[name] * (_BOX_HEIGHT + _GAP_Y)
        places[name] = _Place(lanes[name], rows[name], x, y)
    return places


def _edges(layers: Mapping[str, dict], places: Mapping[str, _Place]) -> list[str]:
    passing: dict[tuple[int, int], int] = {}
    lines = []
    for target in layers.values():
        arrivals = _arrivals(places, target)
        for name, x in zip(target.get("inputs", ()), arrivals, strict=True):
            source, start, end = layers[name], places[name], places[target["name"]]
            if end.row - start.row > 1:
                gutter = (target["gpu"], end.lane)
                passing[gutter] = passing.get(gutter, 0) + 1
                path = _around(start, end, x, passing[gutter] - 1)
            else:
                path = _straight(start, end, x)
            kind, tip = ("edge across", "across-tip") if -1 < source["gpu"] != target["gpu"] else ("edge", "tip")
            lines.append(f'<path class="{kind}" d="{path}" marker-end="url(#{tip})"/>')
    return lines


def _arrivals(places: Mapping[str, _Place], target: dict) -> list[float]:
    """Where on the upper edge of a box the arrow of each input arrives: side by side, in the order of the sources."""
    inputs = list(target.get("inputs", ()))
    apart = min(_ARRIVALS_APART, _BOX_WIDTH / (len(inputs) + 1))
    ranks = sorted(range(len(inputs)), key=lambda index: places[inputs[index]].x)
    middle = places[target["name"]].x
    return [middle + (ranks.index(index) - (len(inputs) - 1) / 2) * apart for index in range(len(inputs))]


def _straight(start: _Place, end: _Place, x: float) -> str:
    """From a box to one in the next row."""
    top = start.y + _BOX_HEIGHT
    bend = (end.y - top) / 2
    return f"M{start.x:g} {top:g}C{start.x:g} {top + bend:g} {x:g} {end.y - bend:g} {x:g} {end.y:g}"


def _around(start: _Place, end: _Place, x: float, passing: int) -> str:
    """From a box past other rows: in the gaps between rows to the gap on the left of the target's lane, and down it."""
    gutter = end.x - _BOX_WIDTH / 2 - _CORNER - (passing * _ARROWS_APART) % (_GAP_X - 2 * _CORNER)
    top = start.y + _BOX_HEIGHT
    points = [
        (start.x, top),
        (start.x, top + _GAP_Y / 3),
        (gutter, top + _GAP_Y / 3),
        (gutter, end.y - _GAP_Y / 2),
        (x, end.y - _GAP_Y / 2),
        (x, end.y),
    ]
    return "M{:g} {:g}".format(*points[0]) + "".join(_corners(points)) + "L{:g} {:g}".format(*points[-1])


def _corners(points: list[tuple[float, float]]) -> Iterable[str]:
    """Lines that turn at each inner point, in a rounded corner."""
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        (x1, y1), (x2, y2) = _towards(at, before), _towards(at, after)
        yield f"L{x1:g} {y1:g}Q{at[0]:g} {at[1]:g} {x2:g} {y2:g}"


def _towards(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    """The point a corner's radius, or half the way, from ``start`` to ``end``."""
    (x1, y1), (x2, y2) = start, end
    length = abs(x2 - x1) + abs(y2 - y1)
    part = min(_CORNER / length, 0.5) if length else 0
    return x1 + part * (x2 - x1), y1 + part * (y2 - y1)


def _box(layer: dict, place: _Place) -> str:
    x, y = place.x, place.y
    kind = "cost" if layer["type"].startswith("cost.") else "weights" if "weights" in layer else layer["type"]
    shape = "" if kind == "cost" else " " + " x ".join(map(str, output_shape(layer)))
    what = layer["neuron"]["type"] if layer["type"] == "neuron" else layer["type"]
    return (
        f'<rect class="box {kind}" x="{x - _BOX_WIDTH / 2:g}" y="{y:g}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" '
        f'rx="5"/><text x="{x:g}" y="{y + 16:g}">{escape(one_line(layer["name"]))}</text>'
        f'<text class="small" x="{x:g}" y="{y + 31:g}">{escape(what + shape)}</text>'
    )
