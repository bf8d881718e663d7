"""What docs/fidelity.md and docs/not-bugs.md say of the rebuilt engine, entry by entry (spec 3)."""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import WEIGHTS, Net

from convnet_py import _device as device
from convnet_py.engines.rebuilt import RebuiltEngine
from convnet_py.layers import read_net

CASES = 12
FC = "type=fc inputs=img outputs=10 gpu=0"


def read(net: Net, num_gpus: int = 1, **arguments) -> dict[str, dict]:
    """The net's layers, over images of 3 x 8 x 8, labels and gates."""
    net.files()
    files = net.folder / "layers.cfg", net.folder / "params.cfg"
    dims = {"data_dims": [192, 1, 1], "num_classes": 10, "num_gpus": num_gpus, "rng": np.random.RandomState(0)}
    return read_net(*files, warn=pytest.fail, **{**dims, **arguments})


def batch(cases: int = CASES) -> list[np.ndarray]:
    """Images of either sign, labels, gates."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 10, (1, cases))
    return [a.astype(np.float32) for a in (rng.uniform(-1, 1, (192, cases)), labels, rng.random((1, cases)))]


def trained(layers: dict[str, dict], devices: int | list[int] = 1, mini: int = CASES, batches: int = 2) -> dict:
    """The layers after some batches."""
    engine = RebuiltEngine(layers, devices if isinstance(devices, list) else [0] * devices, mini)
    for number in range(batches):
        engine.start_batch(batch(), number / batches)
        engine.finish_batch()
    engine.sync_with_host()
    return layers


def features(layers: dict[str, dict], name: str) -> np.ndarray:
    """A layer's outputs (outputs x cases) outside training."""
    engine = RebuiltEngine(layers, [0], CASES)
    outputs = np.zeros((CASES, layers[name]["outputs"]), np.float32)
    engine.start_feature_writer(batch(), [outputs], [name])
    engine.finish_batch()
    return outputs.T


def weights(layers: dict[str, dict], name: str) -> tuple[bytes, bytes]:
    return layers[name]["weights"][0].tobytes(), layers[name]["biases"].tobytes()


# Mended


def test_rscale_crops_the_centre_outside_training(net: Net):
    net.layer("t", "type=rscale inputs=img channels=3 maxScale=1.4 tgtSize=6 gpu=0").logreg("t")
    cropped = batch()[0].reshape(3, 8, 8, CASES)[:, 1:7, 1:7].reshape(-1, CASES)
    assert np.array_equal(features(read(net), "t"), cropped)


def test_the_owner_of_shared_weights_may_have_any_name(net: Net):
    """In 2012 it had to sort before the sharer."""
    results = []
    for owner, sharer in ("ab", "ba"):
        shared = Net(net.folder, net.definition, net.params)
        shared.fc(owner, "img").fc(sharer, "img", f"weightSource={owner}")
        shared.layer("s", f"type=eltsum inputs={owner},{sharer} coeffs=1,2").logreg("s")
        layers = trained(read(shared))
        results.append([*weights(layers, owner), *weights(layers, sharer)])
        assert layers[owner]["weights"][0] is layers[sharer]["weights"][0]
    assert results[0] == results[1]


def test_two_logical_devices_on_one_physical_one(net: Net):
    net.conv("a").conv("b")
    net.definition = "gpu=1".join(net.definition.rsplit("gpu=0", 1))
    net.layer("s", "type=eltsum inputs=a,b gpu=0").logreg("s")
    one, two = (trained(read(net, num_gpus=2), devices) for devices in ([0, 0], [0, 1]))
    assert all(weights(one, name) == weights(two, name) for name in ("a", "b", "top"))


def test_one_view_is_a_test(net: Net):
    """In 2012 a multiview test with one view reports nothing."""
    net.logreg("img")
    engine = RebuiltEngine(read(net), [0], 5)
    engine.start_batch(batch(), 0.0, True)
    plain = engine.finish_batch()
    engine.start_multiview_test(batch(), 1)
    assert engine.finish_batch() == plain


@pytest.mark.parametrize("partial_sum", [8, 64])
def test_partial_sums_do_not_matter(net: Net, partial_sum: int):
    net.conv().logreg("c")
    other = Net(net.folder, net.definition.replace("partialSum=0", f"partialSum={partial_sum}"), net.params)
    assert weights(trained(read(net)), "c") == weights(trained(read(other)), "c")


def test_conserved_memory_does_not_matter(net: Net):
    net.conv(keys="neuron=relu").layer("p", "type=pool pool=max channels=16 sizeX=2 stride=2 inputs=c").logreg("p")
    one, other = (trained(read(net, conserve_mem=flag)) for flag in (False, True))
    assert all(weights(one, name) == weights(other, name) for name in ("c", "top"))


def test_cost_values_are_summed_in_double():
    values = np.ones((1, 1001), np.float32)
    values[0, 500] = 1e4  # beside its square, 1 is nothing in float
    assert device.sum2_cost(values) == (1e8 + 1000,)


# Kept


def test_only_logreg_averages_over_views(net: Net):
    net.logreg("img").layer("square", "type=cost.sum2 inputs=img gpu=0", "coeff=1")
    half = CASES // 2
    images, labels, gates = batch()
    labels[:, half:] = labels[:, :half]  # the same images, seen twice
    engine = RebuiltEngine(read(net), [0], CASES)
    engine.start_multiview_test([images, labels, gates], 2)
    costs, cases = engine.finish_batch()
    assert cases == half
    assert costs["square"] == pytest.approx([(np.float64(images[:, half:]) ** 2).sum()])
    probs = features(read(net), "probs")
    averaged = (probs[:, :half] + probs[:, half:])[labels[0, :half].astype(int), range(half)] / 2
    assert costs["cost"][0] == pytest.approx(-np.log(averaged).sum(), rel=1e-5)


def test_dropout_scales_outside_training_only(net: Net):
    net.layer("t", "type=hs inputs=img keep=0.75 gpu=0", "enable=1").logreg("t")
    layers, images = read(net), batch()[0]
    in_training = RebuiltEngine(layers, [0], CASES).trace(batch())["activations/t"]
    assert set(np.unique(in_training / images)) == {0.0, 1.0}
    assert np.array_equal(features(layers, "t"), np.float32(0.75) * images)


def test_a_rate_of_0_stops_everything(net: Net):
    """No momentum, no decay, no bound on norms either."""
    net.fc("top", "img", params="epsW=0 epsB=0 momW=0.9 momB=0.9 wc=0.5 wball=0.00001")
    net.layer("probs", "type=softmax inputs=top").layer("cost", "type=cost.logreg inputs=labels,probs gpu=0", "coeff=1")
    layers = read(net)
    layers["top"]["weightsInc"][0][...] = 1
    before = weights(layers, "top")
    assert weights(trained(layers), "top") == before
    assert (layers["top"]["weightsInc"][0] == 1).all()


def test_weights_without_a_gradient_decay_and_biases_do_not(net: Net):
    net.fc("x", "img", keys="initB=1", params="epsW=0.1 epsB=0.1 momW=0 momB=0 wc=0.5")
    net.layer("cost", "type=cost.sum2 inputs=x gpu=0", "coeff=0")
    layers = read(net)
    before = layers["x"]["weights"][0].copy()
    trained(layers, batches=1)
    np.testing.assert_allclose(layers["x"]["weights"][0], 0.95 * before, rtol=1e-6)
    assert (layers["x"]["biases"] == 1).all()


@pytest.mark.parametrize("do_max", [0, 1])
def test_do_max_alone_decides_whether_pooling_draws(net: Net, do_max: int):
    net.conv().layer("t", "type=pool pool=rand channels=16 sizeX=3 stride=2 inputs=c", f"doMax={do_max}").logreg("t")
    net.layer("m", "type=pool pool=max channels=16 sizeX=3 stride=2 inputs=c")
    net.layer("use_m", "type=cost.sum2 inputs=m gpu=0", "coeff=0")
    layers = read(net)
    assert np.array_equal(features(layers, "t"), features(layers, "m")) == bool(do_max)


def test_nrelu_draws_noise_in_every_pass(net: Net):
    net.layer("t", "type=neuron neuron=nrelu inputs=img gpu=0").logreg("t")
    outputs, images = features(read(net), "t"), batch()[0]
    assert (outputs[images <= 0] == 0).all()
    assert not np.isclose(outputs[images > 0], images[images > 0]).all()


def test_treefc_ignores_schedules(net: Net):
    tree = {"tree": [[]] * 10 + [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]], "all_wnids": {"gproot": 12}}
    results = []
    for schedule in ("default", "exp[tgtFactor=100,noiseStdev=0]"):
        other = Net(net.folder, net.definition, net.params)
        other.layer("t", "type=treefc inputs=img initW=0.1 gpu=0", f"{WEIGHTS} schedW={schedule} wball=0.00001")
        other.layer("p", "type=softmax inputs=t")
        other.layer("cost", "type=cost.logreg inputs=labels,p gpu=0", "coeff=1")
        results.append(weights(trained(read(other, batch_meta=tree)), "t"))
    assert results[0] == results[1]


def test_the_owners_rate_of_0_stops_its_sharers(net: Net):
    net.fc("a", "img", params=WEIGHTS.replace("epsW=0.1", "epsW=0")).fc("b", "img", "weightSource=a")
    net.layer("s", "type=eltsum inputs=a,b").logreg("s")
    layers = read(net)
    before = layers["a"]["weights"][0].copy()
    assert np.array_equal(trained(layers)["b"]["weights"][0], before)
    assert layers["b"]["biasesInc"].any()


def test_the_historic_gradient_of_cnorm_takes_the_means_for_constants(net: Net):
    """Forward differences agree with the exact gradient, not with the historic one."""
    net.conv(keys="initW=3", params="epsW=1 epsB=0 momW=0 momB=0")
    net.layer("n", "type=cnorm inputs=c channels=16 size=5", "scale=1 pow=0.75")
    net.layer("cost", "type=cost.sum2 inputs=n gpu=0", "coeff=1")
    historic, exact = (
        RebuiltEngine(read(net), [0], CASES, exact_gradients=exact).check_gradients(batch()) for exact in (False, True)
    )
    assert historic[:2] == (1, 1) and exact[:2] == (0, 1)


def test_tica_reports_another_value_than_it_follows(net: Net):
    net.conv().layer("cost", "type=cost.tica inputs=c channels=16 sizeX=3 gpu=0", "coeff=1")
    failed, done, _ = RebuiltEngine(read(net), [0], CASES).check_gradients(batch())
    assert (failed, done) == (2, 2)


def test_gradients_of_several_devices_are_added_by_ascending_device(net: Net):
    """Shares that cancel swallow a small one that came before them, and would not one that came after."""
    net.conv(gpu=0)
    for device_number, coeff in enumerate(("0.25", "50000000", "-50000000")):
        net.layer(f"cost{device_number}", f"type=cost.sum2 inputs=c gpu={device_number}", f"coeff={coeff}")
    trace = RebuiltEngine(read(net, num_gpus=3), [0, 0, 0], CASES).trace(batch())
    assert np.abs(trace["activations/c"]).max() > 0.1
    outputs = trace["activations/c"]
    first_two = -0.5 * outputs + np.float32(-1e8) * outputs
    np.testing.assert_array_equal(trace["gradients/c"], first_two + np.float32(1e8) * outputs)
    assert (trace["gradients/c"] != -0.5 * outputs).any()


def test_calls_without_what_they_need_are_refused(net: Net):
    net.conv().logreg("c")
    engine = RebuiltEngine(read(net), [0], CASES)
    with pytest.raises(ValueError, match="data: expected at least one matrix"):
        engine.start_feature_writer([], [], [])
    with pytest.raises(ValueError, match="logreg_name: expected"):
        engine.start_multiview_test(batch(), 2, np.empty((CASES // 2, 10), dtype=np.float32))
