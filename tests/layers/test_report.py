"""The net as a table, as data and as a picture (spec 2): the two-column ImageNet net and a small one."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from convnet_py.layers.draw import svg
from convnet_py.layers.report import as_data, notes, table

ONE = "epsW=0.01 epsB=0.02 momW=0.9 momB=0.9 wc=0.0005"
TWO = "epsW=0.01,0.01 epsB=0.02 momW=0.9,0.9 momB=0.9 wc=0.0005,0.0005"
CONV1 = "type=conv inputs=data channels=3 filters=48 filterSize=11 stride=4 initW=0.01 partialSum=55 neuron=relu"
POOL = "type=pool pool=max sizeX=3 stride=2"
NORM = "type=cmrnorm size=5"


@pytest.fixture
def columns(empty):
    """The convolutional part of the net of 2012, on two devices."""
    empty.layer("data", "type=data dataIdx=0").layer("labels", "type=data dataIdx=1")
    for gpu, c in enumerate("ab"):
        empty.layer(f"conv1{c}", f"{CONV1} gpu={gpu}", ONE)
        empty.layer(f"rnorm1{c}", f"{NORM} inputs=conv1{c} channels=48", "scale=0.0001 pow=0.75")
        empty.layer(f"pool1{c}", f"{POOL} inputs=rnorm1{c} channels=48")
        empty.layer(f"conv2{c}", f"type=conv inputs=pool1{c} channels=48 filters=128 filterSize=5 padding=2 initW=0.01 "
                    "partialSum=9 neuron=relu initB=1", ONE)  # fmt: skip
        empty.layer(f"rnorm2{c}", f"{NORM} inputs=conv2{c} channels=128", "scale=0.0001 pow=0.75")
        empty.layer(f"pool2{c}", f"{POOL} inputs=rnorm2{c} channels=128")
    for gpu, c in enumerate("ab"):
        empty.layer(f"conv3{c}", f"type=conv inputs=pool2a,pool2b channels=128,128 filters=192,192 filterSize=3,3 "
                    f"padding=1,1 initW=0.01,0.01 partialSum=13 neuron=relu gpu={gpu}", TWO)  # fmt: skip
        empty.layer(f"pool5{c}", f"{POOL} inputs=conv3{c} channels=192")
    for gpu, c in enumerate("ab"):
        empty.layer(f"fc{c}", f"type=fc inputs=pool5a,pool5b outputs=64 initW=0.01,0.01 gpu={gpu} neuron=relu", TWO)
    empty.layer("fc8", "type=fc inputs=fca,fcb outputs=1000 initW=0.01,0.01", TWO)
    empty.layer("probs", "type=softmax inputs=fc8")
    empty.layer("logprob", "type=cost.logreg inputs=labels,probs gpu=0", "coeff=1 topk=5")
    return empty.read(data_dims=[3 * 224 * 224, 1], num_gpus=2, num_classes=1000)


def test_two_columns(columns):
    assert [columns[name]["modulesX"] for name in ("conv1a", "conv2b", "conv3a")] == [55, 27, 13]
    assert columns["conv3b"]["inputs"] == ["pool2a", "pool2b"]
    assert columns["conv3b"]["gpu"] == columns["pool5b"]["gpu"] == 1
    assert [w.shape for w in columns["conv3a"]["weights"]] == [(1152, 192)] * 2
    assert columns["fc8"]["gpu"] == 0
    assert columns["fc8"]["inputs"] == ["fca_neuron", "fcb_neuron"]


def test_data(columns):
    rows = {row["name"]: row for row in as_data(columns)["layers"]}
    assert rows["conv1a"]["shape"] == rows["conv1a_neuron"]["shape"] == [48, 55, 55]
    assert rows["pool5a"]["shape"] == [192, 6, 6]
    assert (rows["conv1a"]["weights"], rows["conv1a"]["biases"]) == (363 * 48, 48)
    assert rows["conv1a"]["multiply_adds"] == 363 * 48 * 55 * 55
    assert rows["fc8"]["multiply_adds"] == 128 * 1000
    assert rows["conv1a"]["memory_per_case"] == 2 * 4 * 48 * 55 * 55
    assert rows["data"]["memory_per_case"] == 4 * 3 * 224 * 224
    totals = as_data(columns)["totals"]
    assert totals["weights"] == sum(w.size for layer in columns.values() for w in layer.get("weights", ()))


def test_shared_weights_count_once(empty):
    empty.layer("data", "type=data dataIdx=0")
    empty.layer("a", "type=fc inputs=data gpu=0 outputs=5 initW=1", ONE)
    empty.layer("b", "type=fc inputs=data gpu=0 outputs=5 initW=1 weightSource=a", ONE)
    layers = empty.used("a", "b").read(rng=np.random.RandomState(0))
    data = as_data(layers)
    assert data["totals"]["weights"] == 192 * 5
    assert data["totals"]["multiply_adds"] == 2 * 192 * 5
    assert "shared" in table(layers)


def test_table(columns):
    lines = table(columns).split("\n")
    assert len(lines) == len(columns) + 2
    (conv3,) = (line.split() for line in lines if line.startswith("conv3a "))
    assert conv3 == ["conv3a", "conv", "pool2a,", "pool2b", "192x13x13", "0", "1152x192,", "1152x192", "442,560",
                     "74,760,192", "259,584"]  # fmt: skip


def test_picture(columns):
    root = ElementTree.fromstring(svg(columns))
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(columns) <= set(texts)
    assert {"data", "device 0", "device 1"} <= set(texts)
    assert "conv 192 x 13 x 13" in texts
    paths = root.findall("{http://www.w3.org/2000/svg}path")
    assert len(paths) == sum(len(layer["inputs"]) for layer in columns.values())
    # conv3 and fc of either column over the other's, and fc8 over fcb
    assert sum("across" in path.get("class") for path in paths) == 5


def test_boxes_do_not_overlap(columns):
    root = ElementTree.fromstring(svg(columns))
    boxes = [box for box in root.iter("{http://www.w3.org/2000/svg}rect") if "box" in box.get("class")]
    places = [(float(box.get("x")), float(box.get("y"))) for box in boxes]
    for index, (x, y) in enumerate(places):
        for other_x, other_y in places[:index]:
            assert abs(x - other_x) >= 170 or abs(y - other_y) >= 40
    for path in root.findall("{http://www.w3.org/2000/svg}path"):
        assert "nan" not in path.get("d")


def test_arrows_go_around_boxes(empty):
    empty.layer("data", "type=data dataIdx=0").layer("a", "type=fc inputs=data gpu=0 outputs=5 initW=1", ONE)
    empty.layer("b", "type=neuron inputs=a neuron=relu").layer("c", "type=neuron inputs=b neuron=tanh[1,1]")
    empty.layer("aside", "type=neuron inputs=a neuron=relu gpu=1").layer("sum", "type=eltsum inputs=a,b,c,aside")
    root = ElementTree.fromstring(svg(empty.used("sum").read(num_gpus=2)))
    boxes = [box for box in root.iter("{http://www.w3.org/2000/svg}rect") if "box" in box.get("class")]
    edges = [[float(number) for number in re.findall(r"-?[0-9.]+", path.get("d"))]
             for path in root.findall("{http://www.w3.org/2000/svg}path") if "Q" in path.get("d")]  # fmt: skip
    assert len(edges) == 3  # from a, b and aside to sum
    for numbers in edges:
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        for (x1, y1), (x2, y2) in pairwise(points):
            for box in boxes:
                left, top = float(box.get("x")), float(box.get("y"))
                beside = max(x1, x2) <= left or min(x1, x2) >= left + float(box.get("width"))
                assert beside or max(y1, y2) <= top or min(y1, y2) >= top + float(box.get("height"))


def test_names_are_escaped(empty):
    empty.definition += ["[<&>]", "type=data", "dataIdx=0"]
    empty.used("<&>")
    ElementTree.fromstring(svg(empty.read()))


def test_control_characters_show_as_escapes(empty):
    empty.definition += ["[a\x1b[2J\x07]", "type=data", "dataIdx=0"]
    layers = empty.used("a\x1b[2J\x07").read()
    ElementTree.fromstring(svg(layers))
    assert table(layers).split("\n")[1].startswith(r"a\x1b[2J\x07")


def test_notes(tmp_path):
    path = tmp_path / "p.cfg"
    path.write_text("[a]\nk=1\n# lowered at 20.1: 0.41\n;; on gpu3\nrem old\n  # no comment, but a continuation\n#\n")
    assert notes(path) == ["lowered at 20.1: 0.41", "on gpu3", "old", ""]


def test_notes_of_other_encodings_and_control_characters(tmp_path):
    path = tmp_path / "p.cfg"
    path.write_bytes("# café\r\n".encode("latin-1") + "# café\n".encode() + b"# \x1b[2J\n#\ta tab\n")
    assert notes(path) == ["café", "café", r"\x1b[2J", "      a tab"]
