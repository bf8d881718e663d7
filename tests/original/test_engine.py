"""The engine `original` on a small tree of our own: what it hands over, what comes back, all failures (6.5, 6.7)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_engine import OUTPUTS, make_data, make_layers

from convnet_py.engines.original import OriginalEngine
from convnet_py.errors import EngineError

#: What the first value of a batch asks of the small tree.
CRASH, EXIT, ASSERT, HANG, THROW, CHATTER = range(1, 7)

Make = Callable[..., OriginalEngine]
Layers = dict[str, dict[str, Any]]


def test_a_batch_and_its_costs(make_engine: Make) -> None:
    engine = make_engine()
    engine.start_batch(make_data(), 0.5)
    # The small tree's costs: the sum of the first matrix, the number of layers.
    assert engine.finish_batch() == ({"cost": [10.0, 5.0]}, 4)


def test_batches_of_any_size_follow_each_other(make_engine: Make) -> None:
    engine = make_engine()
    for cases in (4, 3000, 2):
        engine.start_batch(make_data(cases=cases), 0.0)
        assert engine.finish_batch() == ({"cost": [10.0, 5.0]}, cases)


def test_weights_come_back_when_asked_for_and_tests_train_nothing(make_engine: Make, layers: Layers) -> None:
    before = make_layers()["fc"]
    engine = make_engine()
    engine.start_batch(make_data(), 0.25)
    engine.finish_batch()
    engine.start_batch(make_data(), 0.25, test=True)
    engine.finish_batch()
    assert np.array_equal(layers["fc"]["weights"][0], before["weights"][0])
    engine.sync_with_host()
    # C and F order, rows and columns: each element moved by the progress of the one training batch.
    assert np.array_equal(layers["fc"]["weights"][0], before["weights"][0] + 0.25)
    assert np.array_equal(layers["fc"]["biases"], before["biases"] + 0.25)
    assert np.array_equal(layers["fc"]["biasesInc"], before["biasesInc"])


def test_features_and_probabilities_are_filled(make_engine: Make) -> None:
    engine = make_engine()
    features = [np.full((4, OUTPUTS), np.nan, np.float32) for _ in range(2)]
    engine.start_feature_writer(make_data(), features, ["a", "fc"])
    engine.finish_batch()
    # The layer's place among the sorted names plus the case's number: definition order, not the alphabet's.
    for feature, place in zip(features, (3, 2), strict=True):
        assert np.array_equal(feature, place + np.arange(4)[:, None] + np.zeros(OUTPUTS))
    probs = np.full((2, OUTPUTS), np.nan, np.float32)
    engine.start_multiview_test(make_data(), 2, probs, "cost")
    engine.finish_batch()
    assert np.array_equal(probs, 200 + np.arange(2)[:, None] + np.zeros(OUTPUTS))


def test_one_view_is_a_test(make_engine: Make, layers: Layers) -> None:
    engine = make_engine()
    engine.start_multiview_test(make_data(), 1)
    assert engine.finish_batch() == ({"cost": [10.0, 5.0]}, 4)


@pytest.mark.parametrize(("first", "failed"), [(0, 0), (-1, 1)])
def test_the_gradient_check_is_read_from_what_is_printed(make_engine: Make, first: int, failed: int) -> None:
    # The small tree ends its process with exit(0) either way, as 2012 does, and prints a layer by its prefixed name.
    verdict = "1/3 TESTS FAILED" if failed else "ALL 3 TESTS PASSED"
    assert make_engine().check_gradients(make_data(first)) == (failed, 3, f"weights of pixels\n{verdict}\n")


def test_the_trace_has_activations_and_costs(make_engine: Make) -> None:
    trace = make_engine().trace(make_data())
    assert set(trace) == {*(f"activations/{name}" for name in ("pixels", "labels", "fc", "a")), "costs/cost"}
    assert trace["activations/fc"].shape == (OUTPUTS, 4)
    assert np.array_equal(trace["activations/pixels"], make_data()[0])


def test_no_trace_of_what_differs_in_training(make_engine: Make, layers: Layers) -> None:
    layers["a"] |= {"type": "hs", "enable": True, "keep": 0.5}
    with pytest.raises(EngineError, match=r"layer 'a'.* in tests only"):
        make_engine().trace(make_data())


@pytest.mark.parametrize(
    ("request_", "how"),
    [
        (CRASH, r"died of SIGSEGV"),
        (EXIT, r"ended itself with exit\(3\); it said: .*the net is bad"),
        (ASSERT, r"died of SIGABRT .*Assertion `request != ASSERT' failed"),
        (HANG, r"waited for 1 s without doing anything"),
        (THROW, r"died of SIGABRT .*it said: thrown and not caught: thrown$"),
    ],
)
def test_every_way_to_fail_names_the_call_and_leaves_the_weights(
    make_engine: Make, layers: Layers, request_: int, how: str
) -> None:
    before = make_layers()["fc"]["weights"][0]
    engine = make_engine()
    engine.start_batch(make_data(), 1.0)
    engine.finish_batch()
    with pytest.raises(
        EngineError, match=rf"^the original sources: (startBatch|finishBatch): the process {how}"
    ) as caught:
        engine.start_batch(make_data(request_), 1.0)
        engine.finish_batch()
    assert "\n" not in str(caught.value)
    # What was trained is lost; what the driver had is not, and later calls say the same.
    with pytest.raises(EngineError, match="Batch"):
        engine.sync_with_host()
    assert np.array_equal(layers["fc"]["weights"][0], before)


def test_a_process_that_is_killed(make_engine: Make) -> None:
    engine = make_engine()
    os.kill(engine._process._process.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="the process died of SIGKILL"):
        engine.start_batch(make_data(), 0.0)


def test_a_process_that_is_stopped_is_not_one_that_waits_for_ever(make_engine: Make) -> None:
    engine = make_engine(patience=0.5)
    pid = engine._process._process.pid
    resume = subprocess.Popen(
        [sys.executable, "-c", f"import os, time; time.sleep(2); os.kill({pid}, {signal.SIGCONT})"]
    )
    os.kill(pid, signal.SIGSTOP)
    engine.start_batch(make_data(), 0.0)
    assert engine.finish_batch()[1] == 4
    assert resume.wait() == 0


def test_much_text_neither_blocks_nor_is_lost(make_engine: Make, capsys: pytest.CaptureFixture[str]) -> None:
    engine = make_engine()
    engine.start_batch(make_data(CHATTER), 0.0)
    engine.finish_batch()
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("line ")] == [
        f"line {i} of what the sources say" for i in range(5000)
    ]


def test_calls_that_would_wait_for_ever_are_refused(make_engine: Make) -> None:
    engine = make_engine()
    with pytest.raises(EngineError, match="no batch is in flight"):
        engine.finish_batch()
    engine.start_batch(make_data(), 0.0)
    for call in (lambda: engine.start_batch(make_data(), 0.0), engine.sync_with_host):
        with pytest.raises(EngineError, match="a batch is in flight"):
            call()
    assert engine.finish_batch()[1] == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "layer 'pixels' takes matrix 0, there are 0"),
        ([np.zeros((3, 4)), np.zeros((1, 4), np.float32)], r"data\[0\]: expected a float32 matrix"),
        ([np.zeros((3, 4), np.float32), np.zeros((1, 3), np.float32)], r"data\[1\]: 3 cases, expected 4"),
        ([np.zeros((2, 4), np.float32), np.zeros((1, 4), np.float32)], r"data\[0\]: 2 rows, layer 'pixels' takes 3"),
        ([np.zeros((3, 0), np.float32), np.zeros((1, 0), np.float32)], r"data\[0\]: 0 cases"),
    ],
)
def test_batches_that_the_net_cannot_take(make_engine: Make, data: list[np.ndarray], message: str) -> None:
    engine = make_engine()
    with pytest.raises(ValueError, match=message):
        engine.start_batch(data, 0.0)
    engine.start_batch(make_data(), 0.0)
    assert engine.finish_batch()[1] == 4


def test_names_and_targets_are_checked_before(make_engine: Make) -> None:
    engine = make_engine()
    target = np.zeros((4, OUTPUTS), np.float32)
    for call, message in (
        (lambda: engine.start_feature_writer(make_data(), [target], ["nobody"]), "no layer 'nobody'"),
        (lambda: engine.start_feature_writer(make_data(), [target], ["cost"]), "no layer 'cost' with an output"),
        (lambda: engine.start_feature_writer(make_data(), [target[1:]], ["fc"]), r"shape \(4, 2\)"),
        (lambda: engine.start_multiview_test(make_data(), 3), "4 cases are not 3 views"),
        (lambda: engine.start_multiview_test(make_data(), 2, target[2:], "fc"), "no logreg layer 'fc'"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    engine.start_batch(make_data(), 0.0)
    assert engine.finish_batch()[1] == 4


def test_what_the_sources_get(make_engine: Make, capsys: pytest.CaptureFixture[str]) -> None:
    make_engine(seed=5, threads=3, transfers="host")
    first = capsys.readouterr().out.splitlines()
    assert first[0] == "devices 0, seed 5, host transfers 1, threads 3"
    assert first[1].startswith("minibatch 4, update 1, device 0, random ")
    time.sleep(1.1)  # the clock must not matter
    make_engine(seed=5)
    assert capsys.readouterr().out.splitlines()[1] == first[1]
    make_engine(seed=6)
    assert capsys.readouterr().out.splitlines()[1] != first[1]


def test_exact_gradients_are_refused(make_engine: Make) -> None:
    with pytest.raises(EngineError, match="--exact-gradients"):
        make_engine(exact_gradients=True)


def test_an_extension_that_cannot_be_loaded(layers: Layers, tmp_path: Path) -> None:
    (tmp_path / "_ConvNet.so").write_bytes(b"nothing")
    with pytest.raises(EngineError, match=r"loading the extension: .*_ConvNet.so"):
        OriginalEngine(layers, [-1], 4, extension=tmp_path / "_ConvNet.so")


def test_the_process_ends_with_the_driver(extension: Path) -> None:
    """Also where the driver is killed, and the process waits for ever."""
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from small_engine import make_data, make_layers
from convnet_py.engines.original import OriginalEngine
engine = OriginalEngine(make_layers(), [-1], 4, extension=Path({str(extension)!r}), patience=60)
engine.start_batch(make_data({HANG}), 0.0)
print(engine._process._process.pid, flush=True)
engine.finish_batch()
"""
    driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    pid = int(next(line for line in driver.stdout if line.strip().isdigit()))
    time.sleep(0.5)
    driver.kill()
    driver.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _is_alive(pid):
        time.sleep(0.05)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
