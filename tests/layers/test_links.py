"""Resuming (spec 2.5), linking after loading, unsharing, conv to local (spec 4.1, 4.2)."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from convnet_py.errors import CheckpointError, LayerFileError, UsageError
from convnet_py.layers import conv_to_local, link, reread_params, unshare_weights

WEIGHTS = "epsW=0.1 epsB=0.2 momW=0.9 momB=0.8"
CONV = "type=conv inputs=img gpu=0 channels=3 filters=16 filterSize=3 initW=0.1 initB=1 partialSum=0"


@pytest.fixture
def rich(net):
    """Layers of every kind whose parameters can change on resume."""
    net.layer("conv", CONV + " neuron=relu", WEIGHTS + " wball=2")
    net.layer("norm", "type=cmrnorm inputs=conv channels=16 size=5", "scale=1 pow=0.5")
    net.layer("pool", "type=pool inputs=norm channels=16 sizeX=3 stride=2 pool=rand", "doMax=0")
    net.layer("fc", "type=fc inputs=pool outputs=10 initW=0.1", WEIGHTS)
    net.layer("drop", "type=hs inputs=fc keep=0.5", "enable=1")
    net.layer("soft", "type=softmax inputs=drop")
    net.layer("logprob", "type=cost.logreg inputs=labels,soft gpu=0", "coeff=1")
    net.layer("msm", "type=cost.msm inputs=labels,drop gpu=0", "coeff=1 setSize=2 threads=1")
    return net


def test_resume_rereads_all_parameters(rich):
    layers = rich.read()
    weights = layers["conv"]["weights"][0]
    new = rich.folder / "new.cfg"
    new.write_text(
        "[conv]\nepsW=0.01\nepsB=0\nmomW=0.5\nmomB=0.4\nwc=0.001\nwball=3\nwcNormMax=2\nquantF=half\n"
        "schedW=exp[tgtFactor=10,noiseStdev=0]\n[norm]\nscale=10\npow=1\nminDiv=3\n[pool]\ndoMax=1\n"
        f"[fc]\n{WEIGHTS.replace(' ', chr(10))}\n[drop]\nenable=0\n[logprob]\ncoeff=2\ntopk=5\n"
        "[msm]\ncoeff=1\nsetSize=9\nthreads=32\n[gone]\nfoo=1\n" + "".join(f"[cost_{x}]\ncoeff=1\n" for x in SOURCES)
    )
    warnings = []
    reread_params(layers, new, conserve_mem=True, warn=warnings.append)
    conv = layers["conv"]
    assert (conv["epsW"], conv["epsB"], conv["momW"], conv["momB"]) == ([0.01], 0, [0.5], 0.4)
    assert (conv["wc"], conv["wball"], conv["wballNormed"], conv["wcNormMax"]) == ([0.001], [3], [81], [2])
    assert conv["schedW"]["type"] == "exp"
    assert conv["quantF"]["type"] == layers["conv_neuron"]["quantF"]["type"] == "half"
    assert conv["weights"][0] is weights
    norm = layers["norm"]
    assert (norm["scale"], norm["pow"], norm["minDiv"]) == (2, 1, 3)
    assert (layers["pool"]["doMax"], layers["drop"]["enable"]) == (True, False)
    assert (layers["logprob"]["coeff"], layers["logprob"]["topk"], layers["msm"]["setSize"]) == (2, 5, 9)
    assert all(layer["conserveMem"] is True for layer in layers.values())
    assert warnings == []


SOURCES = ("img", "labels", "targets", "maps", "nine", "fifteen")


def test_rereading_the_same_file_changes_nothing(rich):
    layers = rich.read()
    before = pickle.dumps(layers)
    reread_params(layers, rich.folder / "p.cfg", conserve_mem=False)
    assert pickle.dumps(layers) == before


def test_bad_parameters_change_nothing(rich):
    layers = rich.read()
    before = pickle.dumps(layers)
    path = rich.folder / "p.cfg"
    path.write_text(path.read_text().replace("coeff=1", "coeff=x").replace("pow=0.5", "pow=0.6 \nminDiv=a"))
    with pytest.raises(LayerFileError) as caught:
        reread_params(layers, path, conserve_mem=True)
    assert len(caught.value.problems) == 9
    assert pickle.dumps(layers) == before


@pytest.mark.parametrize(
    ("layer", "key", "value", "message"),
    [
        ("norm", "type", "cmpool", "Layer 'norm': unknown type 'cmpool'"),
        ("norm", "size", None, "Layer 'norm': the saved layer lacks 'size'"),
    ],
)
def test_resuming_layers_that_are_none(rich, layer, key, value, message):
    layers = rich.read()
    del layers[layer][key]
    if value is not None:
        layers[layer][key] = value
    with pytest.raises(CheckpointError, match=message):
        reread_params(layers, rich.folder / "p.cfg", conserve_mem=False)


def without_references(layers: dict[str, dict]) -> dict[str, dict]:
    """As a checkpoint that stores each array by itself gives them back."""
    stored = {}
    for name, layer in layers.items():
        stored[name] = {key: value for key, value in layer.items() if key != "inputLayers"}
        for key in ("weights", "weightsInc"):
            if key in layer:
                stored[name][key] = [np.array(matrix, order="C") for matrix in layer[key]]
        for key in ("biases", "biasesInc"):
            if key in layer:
                stored[name][key] = np.array(layer[key], order="C")
    return stored


def test_link_after_loading(rich):
    rich.layer("conv2", CONV + " weightSource=conv", WEIGHTS).used("conv2")
    layers = rich.read()
    loaded = without_references(layers)
    assert loaded["conv2"]["weights"][0] is not loaded["conv"]["weights"][0]
    link(loaded)
    for name, layer in layers.items():
        assert [below["name"] for below in loaded[name]["inputLayers"]] == layer["inputs"]
        for key in ("weights", "weightsInc"):
            assert [a.strides for a in loaded[name].get(key, ())] == [a.strides for a in layer.get(key, ())]
    assert loaded["norm"]["inputLayers"][0] is loaded["conv_neuron"]
    assert loaded["conv2"]["weights"][0] is loaded["conv"]["weights"][0]
    assert loaded["conv2"]["weightsInc"][0] is loaded["conv"]["weightsInc"][0]
    assert loaded["fc"]["biases"].strides == (4, 4)


def test_link_with_a_missing_layer(rich):
    loaded = without_references(rich.read())
    del loaded["norm"]
    with pytest.raises(CheckpointError, match="Layer 'pool': its inputs or weight sources are not in the net"):
        link(loaded)


@pytest.fixture
def shared(net):
    two = CONV.replace("img", "img,img").replace("=3 ", "=3,3 ").replace("=16", "=16,16").replace("=0.1", "=1,1")
    net.layer("a", CONV, WEIGHTS).layer("b", CONV + " weightSource=a sharedBiases=0", WEIGHTS)
    net.layer("c", two + " weightSource=a,c", WEIGHTS.replace(
        "epsW=0.1", "epsW=0,0").replace("momW=0.9", "momW=0,0"))  # fmt: skip
    net.layer("f", "type=fc inputs=img gpu=0 outputs=1 initW=1", WEIGHTS)
    net.layer("g", "type=fc inputs=img gpu=0 outputs=1 initW=1 weightSource=f", WEIGHTS)
    return net.used("a", "b", "c", "f", "g")


def test_unshare_all_matrices_of_a_layer(shared):
    layers = shared.read()
    a, c = layers["a"], layers["c"]
    a["weightsInc"][0][:] = 5
    unshare_weights(layers, ["c", "g[0]"])
    assert c["weightSourceLayers"] == ["", ""]
    assert c["weightSourceMatrixIndices"] == [-1, -1]
    assert (c["weights"][0] == a["weights"][0]).all()
    assert not np.shares_memory(c["weights"][0], a["weights"][0])
    assert not c["weightsInc"][0].any()
    assert layers["b"]["weights"][0] is a["weights"][0]
    assert layers["g"]["weights"][0].strides == layers["f"]["weights"][0].strides


def test_unshare_one_matrix(shared):
    layers = shared.read()
    unshare_weights(layers, ["c[1]"])
    assert layers["c"]["weightSourceLayers"] == ["a", ""]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "unshare-weights: 'nope' is not a layer with weights"),
        ("img", "unshare-weights: 'img' is not a layer with weights"),
        ("a", r"unshare-weights: 'a' does not share weights with a source"),
        ("c[2]", r"unshare-weights: 'c\[2\]' does not share weights with a source"),
    ],
)
def test_unshare_mistakes_change_nothing(shared, name, message):
    layers = shared.read()
    before = pickle.dumps(layers)
    with pytest.raises(UsageError, match=message):
        unshare_weights(layers, ["c", name])
    assert pickle.dumps(layers) == before


def test_conv_to_local_takes_sharers_along(shared):
    layers = shared.read()
    weights = layers["a"]["weights"][0].copy()
    layers["b"]["biases"][:] = np.arange(16 * 36).reshape(-1, 1)
    layers["a"]["biases"][:] = np.arange(16).reshape(-1, 1)
    layers["a"]["biasesInc"][:] = 1
    conv_to_local(layers, ["b"])
    a, b, c = (layers[name] for name in "abc")
    assert [layer["type"] for layer in (a, b, c)] == ["local"] * 3
    assert a["weights"][0].shape == (36 * 27, 16)
    assert all((module == weights).all() for module in a["weights"][0].reshape(36, 27, 16))
    assert b["weights"][0] is a["weights"][0]
    assert not a["weightsInc"][0].any()
    assert not a["biasesInc"].any()
    # One bias per output, filters outermost.
    assert (a["biases"][:, 0] == np.repeat(np.arange(16), 36)).all()
    assert (b["biases"][:, 0] == np.arange(16 * 36)).all()
    assert "partialSum" not in a and "wcNormMax" not in a


def test_converted_layers_have_the_keys_of_local_layers(shared):
    shared.layer("l", CONV.replace("type=conv", "type=local").replace("partialSum=0", ""), WEIGHTS).used("l")
    layers = shared.read()
    conv_to_local(layers, ["a"])
    assert set(layers["a"]) == set(layers["l"])
    assert layers["a"]["weights"][0].shape == layers["l"]["weights"][0].shape
    assert layers["a"]["biases"].shape == layers["l"]["biases"].shape


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "conv-to-local: there is no layer 'nope'"),
        ("f", "conv-to-local: 'f' is a fc layer, not a conv layer"),
        ("s", "conv-to-local: 's' shares weights with 'a', which has another number of modules; unshare them first"),
    ],
)
def test_conv_to_local_mistakes_change_nothing(shared, name, message):
    shared.layer("s", CONV + " padding=1 weightSource=a", WEIGHTS).used("s")
    layers = shared.read()
    before = pickle.dumps(layers)
    with pytest.raises(UsageError, match=message):
        conv_to_local(layers, [name])
    assert pickle.dumps(layers) == before
