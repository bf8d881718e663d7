"""Initial weights, sharing, sparse connections, init functions (spec 2.4)."""

from __future__ import annotations

import numpy as np
import pytest

WEIGHTS = "epsW=0.1 epsB=0.2 momW=0.9 momB=0.8"
TWO = "epsW=0.1,0.1 epsB=0.2 momW=0.9,0.9 momB=0.8"
CONV = "type=conv inputs=img gpu=0 channels=3 filters=16 filterSize=3 initW=0.1 partialSum=0"
SPARSE = (
    "type=conv inputs=maps gpu=0 channels=16 filters=16 groups=4 randSparse=1 filterChannels=8 filterSize=3 "
    "initW=0.1 partialSum=0"
)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype == np.float32 and a.shape == b.shape and bool((a == b).all())


def test_weights_are_the_draws_of_the_legacy_generator_in_definition_order(net):
    net.layer("conv", CONV + " initB=0.5", WEIGHTS)
    net.layer("sparse", SPARSE, WEIGHTS)
    net.layer("local", "type=local inputs=img gpu=0 channels=3 filters=16 filterSize=7 initW=0.2", WEIGHTS)
    net.layer("fc", "type=fc inputs=conv,labels outputs=3 initW=0.3,0.4 initB=-1", TWO)
    layers = net.used("sparse", "local", "fc").read(rng=np.random.RandomState(3))

    rng = np.random.RandomState(3)
    assert same(layers["conv"]["weights"][0], np.float32(0.1 * rng.randn(27, 16)))
    rounds = [rng.permutation(16) for _ in range(2)]
    assert layers["sparse"]["overSample"] == [2]
    assert layers["sparse"]["filterConns"] == [list(np.concatenate(rounds))]
    assert same(layers["sparse"]["weights"][0], np.float32(0.1 * rng.randn(72, 64)))
    assert same(layers["local"]["weights"][0], np.float32(0.2 * rng.randn(4 * 147, 16)))
    assert same(layers["fc"]["weights"][0], np.float32(0.3 * rng.randn(576, 3)))
    assert same(layers["fc"]["weights"][1], np.float32(0.4 * rng.randn(1, 3)))

    assert same(layers["conv"]["biases"], np.full((16, 1), 0.5, np.float32))
    assert same(layers["local"]["biases"], np.zeros((64, 1), np.float32))
    assert same(layers["fc"]["biases"], np.full((1, 3), -1, np.float32))
    for name in ("conv", "sparse", "local", "fc"):
        layer = layers[name]
        for weights, increments in zip(layer["weights"], layer["weightsInc"], strict=True):
            assert same(increments, np.zeros_like(weights))
            assert increments.strides == weights.strides
        assert same(layer["biasesInc"], np.zeros_like(layer["biases"]))


def test_memory_orders(net):
    net.layer("conv", CONV, WEIGHTS)
    net.layer("fc", "type=fc inputs=img,labels gpu=0 outputs=3 initW=1,1", TWO)
    layers = net.used("conv", "fc").read()
    assert layers["conv"]["weights"][0].strides == (16 * 4, 4)
    assert layers["conv"]["biases"].strides == (4, 4)
    assert layers["fc"]["weights"][0].strides == (4, 192 * 4)
    # 1 x n: the strides tell the order, as both flags of NumPy are set (spec 6.2).
    for array in (layers["fc"]["weights"][1], layers["fc"]["biases"], layers["fc"]["biasesInc"]):
        assert array.strides == (4, 4)


def test_biases_of_each_module(net):
    layer = net.layer("x", CONV + " sharedBiases=0", WEIGHTS).used("x").read()["x"]
    assert layer["biases"].shape == (16 * 36, 1)


def test_tree_zeroes_inner_nodes_after_drawing_all(net):
    tree = {"tree": {0: [], 1: [], 2: [], 3: [0, 1], 4: [2, 3]}, "all_wnids": {"gproot": 4}}
    net.layer("t", "type=treefc inputs=img gpu=0 initW=0.1", WEIGHTS)
    net.layer("f", "type=fc inputs=img gpu=0 outputs=2 initW=1", WEIGHTS)
    layers = net.used("t", "f").read(batch_meta=tree, num_classes=3, rng=np.random.RandomState(1))
    rng = np.random.RandomState(1)
    expected = np.float32(0.1 * rng.randn(192, 5))
    expected[:, 3:] = 0
    assert same(layers["t"]["weights"][0], expected)
    assert same(layers["f"]["weights"][0], np.float32(rng.randn(192, 2)))
    assert (layers["t"]["outputs"], layers["t"]["rootLabel"]) == (3, 4)
    assert layers["t"]["tree"] == [[], [], [], [0, 1], [2, 3]]
    assert layers["t"]["biases"].shape == (1, 3)


def test_shared_matrices_are_one_array_and_draw_nothing(net):
    two = "type=conv inputs=img,img gpu=0 channels=3,3 filters=16,16 filterSize=3,3 initW=1,1 partialSum=0"
    net.layer("a", CONV, WEIGHTS)
    net.layer("b", two + " weightSource=,b", TWO)
    net.layer("c", two + " weightSource=a,b[1]", TWO)
    net.layer("d", CONV, WEIGHTS)
    layers = net.used("a", "b", "c", "d").read(rng=np.random.RandomState(5))
    a, b, c, d = (layers[name] for name in "abcd")
    rng = np.random.RandomState(5)
    draws = [np.float32(scale * rng.randn(27, 16)) for scale in (0.1, 1, 0.1)]
    assert all(map(same, (a["weights"][0], b["weights"][0], d["weights"][0]), draws))
    assert b["weights"][1] is b["weights"][0]
    assert b["weightsInc"][1] is b["weightsInc"][0]
    assert c["weights"] == [a["weights"][0], b["weights"][0]]
    assert (b["weightSourceLayers"], b["weightSourceMatrixIndices"]) == (["", "b"], [-1, 0])
    # A source that is shared itself leads to its owner.
    assert (c["weightSourceLayers"], c["weightSourceMatrixIndices"]) == (["a", "b"], [0, 0])
    assert c["biases"] is not a["biases"]


def test_sparse_sharers_copy_connections_but_draw_theirs(net):
    net.layer("a", SPARSE, WEIGHTS).layer("b", SPARSE + " weightSource=a", WEIGHTS).layer("c", SPARSE, WEIGHTS)
    layers = net.used("a", "b", "c").read(rng=np.random.RandomState(5))
    assert layers["b"]["filterConns"] == layers["a"]["filterConns"]
    rng = np.random.RandomState(5)
    for _ in range(2):
        rng.permutation(16)
    rng.randn(72, 64)
    for _ in range(2):
        rng.permutation(16)
    assert layers["c"]["filterConns"] == [[*rng.permutation(16), *rng.permutation(16)]]


def test_dense_and_sparse_inputs_in_one_layer(net):
    net.layer(
        "x",
        "type=conv inputs=maps,maps gpu=0 channels=16,16 filters=128,64 groups=1,2 randSparse=0,1 filterSize=3,3 "
        "padding=1,1 initW=0.1,0.1 partialSum=0",
        TWO,
    )
    layer = net.used("x").read()["x"]
    assert (layer["filters"], layer["filterChannels"], layer["overSample"]) == (128, [16, 8], [1, 1])
    assert layer["filterConns"][0] == []
    assert sorted(layer["filterConns"][1]) == list(range(16))
    assert [weights.shape for weights in layer["weights"]] == [(144, 128), (72, 128)]


MODULE = """
import numpy as np
calls = []
def weights(name, index, shape, params):
    calls.append((name, index, shape, params))
    return np.full(shape, float(params[0]), np.float32)
def biases(name, shape, params):
    return np.full(shape, len(params), np.float32)
def connections(name, index, shape, params):
    assert shape == (4, 16, 8) and index == 0
    return list(range(16)) * 2
def listed(name, *rest, params): return [1]
def double(name, index, shape, params): return np.zeros(shape)
def small(name, index, shape, params): return np.zeros((1, 1), np.float32)
def few(name, index, shape, params): return list(range(16))
def twice(name, index, shape, params): return [0] * 32
def fail(name, index, shape, params): raise KeyError("two\\nlines")
"""
ALLOWED = {"allow_init_functions": True}


@pytest.fixture
def functions(net):
    (net.folder / "inits.py").write_text(MODULE)
    return net


def test_init_functions_supply_weights_biases_connections(functions):
    sparse = SPARSE + " initWFunc=inits.weights(2.5,b) initBFunc=inits.biases initCFunc=inits.connections()"
    functions.layer("a", sparse, WEIGHTS)
    functions.layer("f", "type=fc inputs=img gpu=0 outputs=2 initWFunc=inits.weights(3) initBFunc=inits.biases(1,2)",
                    WEIGHTS)  # fmt: skip
    functions.layer("g", "type=fc inputs=img gpu=0 outputs=2 initW=1", WEIGHTS)
    layers = functions.used("a", "f", "g").read(rng=np.random.RandomState(5), **ALLOWED)
    assert same(layers["a"]["weights"][0], np.full((72, 64), 2.5, np.float32))
    assert same(layers["a"]["biases"], np.zeros((64, 1), np.float32))
    assert layers["a"]["filterConns"] == [[*range(16), *range(16)]]
    assert same(layers["f"]["weights"][0], np.full((192, 2), 3, np.float32))
    assert layers["f"]["weights"][0].strides == (4, 192 * 4)
    assert same(layers["f"]["biases"], np.full((1, 2), 2, np.float32))
    rng = np.random.RandomState(5)
    for _ in range(2):  # drawn, although replaced
        rng.permutation(16)
    assert same(layers["g"]["weights"][0], np.float32(rng.randn(192, 2)))


def test_init_function_takes_precedence_over_sharing(functions):
    functions.layer("a", CONV, WEIGHTS).layer("b", CONV + " weightSource=a initWFunc=inits.weights(1)", WEIGHTS)
    layers = functions.used("a", "b").read(**ALLOWED)
    assert layers["b"]["weightSourceLayers"] == [""]
    assert (layers["b"]["weights"][0] == 1).all()
    assert functions.warnings == ["Layer 'b': initWFunc takes precedence, its weightSource is ignored"]


def test_init_functions_do_not_run_unasked(functions):
    functions.layer("a", CONV + " initWFunc=inits.weights(1) initBFunc=nope", WEIGHTS).used("a")
    (functions.folder / "inits.py").write_text("raise SystemExit('ran')")
    assert [line.split(": ", 1)[1] for line in functions.problems()] == [
        "Layer 'a': initWFunc inits.weights(1) would run code, which is not allowed; "
        "--allow-init-functions=1 allows it",
        "Layer 'a': parameter 'initBFunc' must be module.function or module.function(parameter,...), not 'nope'",
    ]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("initWFunc=nowhere.f", "Layer 'x': initWFunc nowhere.f: no module 'nowhere' in {} or on the Python path"),
        ("initWFunc=inits.f", "Layer 'x': initWFunc inits.f: module 'inits' has no function 'f'"),
        ("initWFunc=inits.calls", "Layer 'x': initWFunc inits.calls: module 'inits' has no function 'calls'"),
        ("initWFunc=inits.listed", "Layer 'x[0]': initWFunc inits.listed: must return a NumPy array, not list"),
        ("initWFunc=inits.double", "Layer 'x[0]': initWFunc inits.double: must return float32 values, not float64"),
        ("initWFunc=inits.small",
         "Layer 'x[0]': initWFunc inits.small: must return shape (72, 64), not (1, 1)"),
        ("initWFunc=inits.fail", "Layer 'x[0]': initWFunc inits.fail: failed: KeyError: 'two\\nlines'"),
        ("initBFunc=inits.listed", "Layer 'x': initBFunc inits.listed: must return a NumPy array, not list"),
        ("initCFunc=inits.few", "Layer 'x[0]': initCFunc inits.few: must return 32 channels, not 16"),
        ("initCFunc=inits.twice",
         "Layer 'x[0]': initCFunc inits.twice: must return permutations of the 16 channels, one after the other"),
        ("initCFunc=inits.fail", "Layer 'x[0]': initCFunc inits.fail: failed: KeyError: 'two\\nlines'"),
    ],
)  # fmt: skip
def test_init_function_mistakes(functions, key, message):
    functions.layer("x", f"{SPARSE} {key}", WEIGHTS).used("x")
    line = functions.definition.index(key) + 1
    expected = message.format(functions.folder)
    assert functions.problems(**ALLOWED) == [f"d.cfg:{line}: {expected}".replace(f"{functions.folder}/", "")]


def test_weights_that_no_memory_holds(net):
    net.layer("z", "type=fc inputs=img gpu=0 outputs=2147483647 initW=1", WEIGHTS).used("z")
    line = net.definition.index("[z]") + 1
    problems = net.problems(data_dims=lambda index: 2**31 - 1 if index == 0 else 1)
    assert problems == [f"d.cfg:{line}: Layer 'z': its weights are too large for the memory of this machine"]
