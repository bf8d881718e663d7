"""Pictures of checkpoints: what is drawn where, and one line for what cannot be drawn (spec 4.4)."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convnet_py import checkpoint
from convnet_py.checkpoint import Checkpoint, Outcome
from convnet_py.show import cost_curves, draw_filters, filter_picture, filter_stack


def conv_layer(channels: int, filters: int, size: int) -> dict:
    weights = np.random.RandomState(0).randn(channels * size * size, filters).astype(np.float32)
    return {
        "name": "conv1",
        "type": "conv",
        "weights": [weights],
        "filterSize": [size],
        "filterChannels": [channels],
    }


def test_filters_are_read_channel_major():
    layer = conv_layer(3, 16, 5)
    stack = filter_stack(layer, 0)
    assert stack.shape == (16, 3, 5, 5)
    assert stack[7, 2, 1, 4] == layer["weights"][0][(2 * 5 + 1) * 5 + 4, 7]


@pytest.mark.parametrize(
    ("channels", "as_rgb", "across", "down"), [(3, True, 4, 4), (3, False, 12, 4), (1, True, 4, 4)]
)
def test_the_grid_holds_every_filter(channels, as_rgb, across, down):
    filters = filter_stack(conv_layer(channels, 16, 8), 0)
    picture = np.asarray(filter_picture(filters, as_rgb))
    assert picture.shape == (down * 68 + 4, across * 68 + 4, 3)


def test_tiles_are_min_max_scaled_over_all_filters():
    filters = np.zeros((4, 3, 2, 2), np.float32)
    filters[0] = -3
    filters[3, 0] = 5
    picture = np.asarray(filter_picture(filters, True))
    assert picture[10, 10].tolist() == [0, 0, 0]
    assert picture[80, 80].tolist() == [255, 95, 95]
    assert picture[0, 0].tolist() == [255, 255, 255]


def test_constant_filters_do_not_divide_by_zero():
    assert np.asarray(filter_picture(np.ones((4, 1, 3, 3), np.float32), True))[10, 10].tolist() == [0, 0, 0]


def test_draw_filters_takes_the_first_convolution():
    layers = {"fc": {"name": "fc", "type": "fc"}, "conv1": conv_layer(3, 16, 8)}
    assert draw_filters(layers, None, 0, False).size == (276, 276)


def outcome(value: float, trained: int) -> Outcome:
    return Outcome({"logprob": [value * 10, 5.0]}, 10, trained)


@pytest.fixture
def saved(tmp_path):
    state = Checkpoint({"train-range": "2-5"}, {"conv1": conv_layer(3, 16, 8)}, 2, 3)
    state.layers["fc"] = {"name": "fc", "type": "fc"}
    state.train_outputs = [outcome(1 / (1 + number), number + 1) for number in range(7)]
    state.test_outputs = [outcome(0.5, 4)]
    return state, checkpoint.save(state, tmp_path)


def test_curves_are_per_case_over_epochs(saved):
    name, curves = cost_curves(saved[0], None, 0, 4)
    assert name == "logprob"
    assert curves["training"][:, 0].tolist() == [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]
    assert curves["training"][3, 1] == 0.25
    assert curves["test"].tolist() == [[1.0, 0.5]]


def test_both_pictures_by_default(convnet, saved):
    pytest.importorskip("matplotlib")
    result = convnet("show", "-f", str(saved[1].parent))
    assert result.returncode == 0, result.stderr
    names = [line.rpartition("/")[2] for line in result.stdout.splitlines()]
    assert names == ["filters-2.3.png", "cost-2.3.png"]
    for name in names:
        Image.open(saved[1].parent / name).verify()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--show-filters=conv9"], "--show-filters: no layer 'conv9' in this checkpoint; its convolutions: conv1"),
        (["--show-filters=fc"], "--show-filters: layer 'fc' is of type fc, takes a conv layer"),
        (["--show-filters=conv1", "--input-idx=3"], "--input-idx: got 3, layer 'conv1' has inputs 0 to 0"),
        (["--input-idx=-1"], "--input-idx: got '-1', takes an integer of at least 0"),
        (["--show-cost=x"], "--show-cost: no cost 'x' in this checkpoint; takes one of logprob"),
        (["--show-cost=logprob", "--cost-idx=2"], "--cost-idx: got 2, cost 'logprob' has values 0 to 1"),
        (["--output=/nowhere"], "--output: /nowhere is not a folder"),
        (["--show-flters=x"], "unknown option '--show-flters'; did you mean --show-filters?"),
    ],
)
def test_mistakes_are_one_line(convnet, saved, arguments, message):
    result = convnet("-f", str(saved[1]), *arguments, module="convnet_py.shownet")
    assert (result.returncode, result.stderr) == (2, f"convnet: {message}\n")
    assert not list(saved[1].parent.glob("*.png"))


def test_no_checkpoint(convnet):
    result = convnet("show")
    assert (result.returncode, result.stderr) == (2, "convnet: missing: -f CHECKPOINT, a file or a folder\n")
