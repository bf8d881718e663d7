"""The torch engine by itself and beside the rebuilt one: draws, schedules, passes, state (spec 3.8, 3.10, 6.5)."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_nets import Net

from convnet_py import _device as device
from convnet_py.engines import make_engine
from convnet_py.engines.torch.philox import Key, uniform, words
from convnet_py.engines.torch.weights import schedule_rate
from convnet_py.errors import EngineError
from convnet_py.layers import read_net

DIMS = [192, 1, 1]
SETTINGS = {"device_ids": [-1], "minibatch_size": 8, "weight_update_freq": 1, "seed": 3, "threads": 1,
            "transfers": "peer"}  # fmt: skip


def test_philox_known_answers():
    """From the vectors published with the algorithm's definition."""
    zeros = words(Key(0, 0, 0), 4)
    assert [f"{word:08x}" for word in zeros] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**40), st.integers(1, 50))
def test_uniforms_are_the_device_s(seed: int, layer: int, update: int, count: int):
    drawn = np.empty((1, count), np.float32)
    device.philox_uniform(drawn, seed=seed, layer=layer, update=update)
    np.testing.assert_array_equal(drawn[0], uniform(Key(seed, layer, update), count))


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.sampled_from(["default", "linear", "exp", "dexp", "jdexp"]),
    st.sampled_from([0.0, 0.001, 0.1, 1.0, 3.0]),
    st.sampled_from([0.5, 1.0, 10.0, 250.0]),
    st.integers(1, 6),
    st.one_of(st.integers(0, 60).map(lambda i: i / 60), st.floats(0, 1)),
)
def test_rates_are_the_device_s(kind: str, base: float, factor: float, steps: int, progress: float):
    schedule = {"type": kind, "params": {"tgtFactor": factor, "noiseStdev": 0.0, "numSteps": steps}}
    expected = device.schedule_rate(base, progress, kind=kind, tgt_factor=factor, num_steps=steps)
    assert schedule_rate(base, schedule, progress) == pytest.approx(expected, rel=1e-12)


@pytest.fixture
def layers(net: Net) -> dict[str, dict]:
    net.conv(keys="neuron=relu").layer("drop", "type=hs inputs=c keep=0.5", "enable=1").logreg("drop")
    net.files()
    definition, params = net.folder / "layers.cfg", net.folder / "params.cfg"
    return read_net(definition, params, data_dims=DIMS, rng=np.random.RandomState(0), warn=lambda text: None)


def data(cases: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.RandomState(seed)
    labels = rng.randint(0, 10, (1, cases)).astype(np.float32)
    return [rng.rand(192, cases).astype(np.float32), labels, rng.rand(1, cases).astype(np.float32)]


def arrays_of(layers: dict[str, dict]) -> list[np.ndarray]:
    return [a for layer in layers.values() if "weights" in layer
            for a in (*layer["weights"], *layer["weightsInc"], layer["biases"], layer["biasesInc"])]  # fmt: skip


def run_batch(engine, batch: list[np.ndarray], test: bool = False):
    engine.start_batch(batch, 0.0, test)
    return engine.finish_batch()


@pytest.mark.parametrize("super_eps", [0.0, 0.5])
def test_resumes_bit_for_bit(layers: dict[str, dict], super_eps: float):
    """Interrupted within an update period, and with masks that depend on the minibatches so far."""
    layers["c"]["superEps"] = super_eps
    options = {**SETTINGS, "weight_update_freq": 3}
    batches = [data(16, seed) for seed in range(4)]
    whole, halves = copy.deepcopy(layers), copy.deepcopy(layers)
    engine = make_engine("torch", whole, **options)
    costs = [run_batch(engine, batch) for batch in batches]
    engine.sync_with_host()
    first = make_engine("torch", halves, **options)
    again = [run_batch(first, batch) for batch in batches[:2]]
    first.sync_with_host()
    second = make_engine("torch", halves, **options)
    second.restore(first.state())
    again += [run_batch(second, batch) for batch in batches[2:]]
    second.sync_with_host()
    assert again == costs
    for one, other in zip(arrays_of(whole), arrays_of(halves), strict=True):
        assert one.tobytes() == other.tobytes()
    assert whole["c"]["weights"][0].tobytes() != layers["c"]["weights"][0].tobytes()


def test_refuses_another_net_s_state(layers: dict[str, dict]):
    engine = make_engine("torch", copy.deepcopy(layers), **{**SETTINGS, "weight_update_freq": 2})
    run_batch(engine, data(8))
    state = {name: a if a.ndim < 2 else a[:-1] for name, a in engine.state().items()}
    with pytest.raises(EngineError, match="other shape"):
        make_engine("torch", layers, **SETTINGS).restore(state)
    with pytest.raises(EngineError, match="no minibatch counter"):
        make_engine("torch", layers, **SETTINGS).restore({})


def test_a_trace_changes_nothing(layers: dict[str, dict]):
    options = {**SETTINGS, "weight_update_freq": 2}
    plain, traced = copy.deepcopy(layers), copy.deepcopy(layers)
    engines = make_engine("torch", plain, **options), make_engine("torch", traced, **options)
    for engine in engines:
        run_batch(engine, data(8, 1))
    first, second = engines[1].trace(data(5)), engines[1].trace(data(5))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    for engine in engines:
        run_batch(engine, data(8, 2))
        engine.sync_with_host()
    assert all(a.tobytes() == b.tobytes() for a, b in zip(arrays_of(plain), arrays_of(traced), strict=True))


def test_a_trace_of_frozen_weights_has_gradients_of_layers(layers: dict[str, dict]):
    for name in ("c", "top"):
        layers[name].update(epsW=[0.0], epsB=0.0)
    arrays = make_engine("torch", layers, **SETTINGS).trace(data(5))
    assert np.abs(arrays["gradients/c"]).max() > 0
    assert "gradients/probs" not in arrays  # fused with the cost
    assert not any("weight_gradients" in name for name in arrays)


@pytest.mark.parametrize("cases", [8, 13])
def test_passes_are_the_rebuilt_engine_s(layers: dict[str, dict], cases: int):
    """Test, feature and multiview passes, with a last minibatch that is smaller."""
    batch = data(2 * cases)
    results = []
    for name in ("rebuilt", "torch"):
        engine = make_engine(name, copy.deepcopy(layers), **SETTINGS)
        costs, count = run_batch(engine, batch, test=True)
        features = [np.full((2 * cases, layers[layer]["outputs"]), np.nan, np.float32) for layer in ("c", "probs")]
        engine.start_feature_writer(batch, features, ["c", "probs"])
        engine.finish_batch()
        probs = np.full((cases, 10), np.nan, np.float32)
        engine.start_multiview_test(batch, 2, probs, "cost")
        view_costs, view_count = engine.finish_batch()
        assert (count, view_count) == (2 * cases, cases)
        results.append([costs["cost"], view_costs["cost"], *features, probs])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(results[1][4], results[1][3].reshape(2, cases, 10).mean(axis=0), rtol=1e-5)


def test_refusals_are_one_line(layers: dict[str, dict]):
    engine = make_engine("torch", layers, **SETTINGS)
    with pytest.raises(EngineError, match="no batch is in flight"):
        engine.finish_batch()
    with pytest.raises(EngineError, match="gradient check"):
        engine.check_gradients(data(4))
    with pytest.raises(ValueError, match=r"data\[0\]: expected 192 rows"):
        engine.start_batch([a[:5] for a in data(4)], 0.0)
    with pytest.raises(ValueError, match=r"data\[0\]: expected a C-contiguous float32"):
        engine.start_batch([a.astype(np.float64) for a in data(4)], 0.0)
    layers["c"]["type"] = "crop"
    with pytest.raises(EngineError, match="Layer 'c': the torch engine has no layers of type 'crop'"):
        make_engine("torch", layers, **SETTINGS)
