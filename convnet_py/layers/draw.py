"""A net as a picture: data flows downwards, each device has a column (spec 2)."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from convnet_py.layers.report import output_shape

_BOX_WIDTH, _BOX_HEIGHT = 170, 40
_GAP_X, _GAP_Y, _MARGIN = 26, 34, 24
_STYLE = (
    "text{font:12px sans-serif;text-anchor:middle;fill:#222}"
    ".small{font-size:10px;fill:#555}.device{font-size:13px;font-weight:bold}"
    ".column{fill:#f5f5f2;stroke:none}.edge{fill:none;stroke:#888;stroke-width:1.2}"
    ".across{stroke:#c55a11}.box{stroke:#666;fill:#fff}.weights{fill:#dbe9f6}.data{fill:#e6f2dc}.cost{fill:#f9e0d2}"
)

_Places = dict[str, tuple[float, float]]


def svg(layers: Mapping[str, dict]) -> str:
    """The graph as an SVG document: a box per layer (name, type, output shape), data layers in a column of their own.

    Arrows between devices are coloured.
    """
    depths = _depths(layers)
    columns = _columns(layers, depths)
    places, width, height, bands = _places(layers, depths, columns)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f'<style>{_STYLE}</style><defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#888"/></marker></defs>',
    ]
    for gpu, (left, band) in bands.items():
        title = "data" if gpu < 0 else f"device {gpu}"
        parts.append(f'<rect class="column" x="{left}" y="4" width="{band}" height="{height - 8}" rx="8"/>')
        parts.append(f'<text class="device" x="{left + band / 2}" y="22">{title}</text>')
    parts += [_edge(layers[name], layer, places) for layer in layers.values() for name in layer.get("inputs", ())]
    parts += [_box(layer, places[name]) for name, layer in layers.items()]
    return "\n".join([*parts, "</svg>", ""])


def _depths(layers: Mapping[str, dict]) -> dict[str, int]:
    """The row of each layer: one below the lowest of its inputs; of data layers, one above the highest user."""
    depths: dict[str, int] = {}
    for name, layer in layers.items():
        depths[name] = max((depths[below] + 1 for below in layer.get("inputs", ())), default=0)
    for name in [name for name, layer in layers.items() if not layer.get("inputs")]:
        users = [depths[user] for user, layer in layers.items() if name in layer.get("inputs", ())]
        depths[name] = min(users, default=1) - 1
    return depths


def _columns(layers: Mapping[str, dict], depths: Mapping[str, int]) -> dict[int, int]:
    """How many boxes stand side by side on each device, by device."""
    rows: dict[tuple[int, int], int] = {}
    for name, layer in layers.items():
        rows[layer["gpu"], depths[name]] = rows.get((layer["gpu"], depths[name]), 0) + 1
    gpus = sorted({layer["gpu"] for layer in layers.values()})
    return {gpu: max(number for (device, _), number in rows.items() if device == gpu) for gpu in gpus}


def _places(
    layers: Mapping[str, dict], depths: Mapping[str, int], columns: Mapping[int, int]
) -> tuple[_Places, int, int, dict[int, tuple[int, int]]]:
    """Top centres of the boxes, the picture's size, and the left edge and width of each device's column."""
    bands, left = {}, _MARGIN
    for gpu, boxes in columns.items():
        width = boxes * (_BOX_WIDTH + _GAP_X) + _GAP_X
        bands[gpu] = (left, width)
        left += width + _GAP_X
    rows: dict[tuple[int, int], list[str]] = {}
    for name, layer in layers.items():
        rows.setdefault((layer["gpu"], depths[name]), []).append(name)
    places = {}
    for (gpu, depth), names in rows.items():
        start, width = bands[gpu]
        for index, name in enumerate(names):
            x = start + width * (2 * index + 1) / (2 * len(names))
            places[name] = (x, _MARGIN + 14 + depth * (_BOX_HEIGHT + _GAP_Y))
    height = _MARGIN + 14 + (max(depths.values(), default=0) + 1) * (_BOX_HEIGHT + _GAP_Y)
    return places, left - _GAP_X + _MARGIN, height, bands


def _edge(source: dict, target: dict, places: _Places) -> str:
    (x1, y1), (x2, y2) = places[source["name"]], places[target["name"]]
    y1 += _BOX_HEIGHT
    bend = (y2 - y1) / 2
    across = " across" if -1 < source["gpu"] != target["gpu"] else ""
    path = f"M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}"
    return f'<path class="edge{across}" d="{path}" marker-end="url(#tip)"/>'


def _box(layer: dict, place: tuple[float, float]) -> str:
    x, y = place
    kind = "cost" if layer["type"].startswith("cost.") else "weights" if "weights" in layer else layer["type"]
    shape = "" if kind == "cost" else " " + " x ".join(map(str, output_shape(layer)))
    what = layer["neuron"]["type"] if layer["type"] == "neuron" else layer["type"]
    return (
        f'<rect class="box {kind}" x="{x - _BOX_WIDTH / 2:g}" y="{y:g}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" '
        f'rx="5"/><text x="{x:g}" y="{y + 16:g}">{escape(layer["name"])}</text>'
        f'<text class="small" x="{x:g}" y="{y + 31:g}">{escape(what + shape)}</text>'
    )
