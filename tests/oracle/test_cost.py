"""The device's logistic regression cost against its oracle (spec 3.7).

Tolerance: values are summed in double, so each case adds the error of one logarithm (harness.LOG_ERROR and a
rounding); shares of ties are quotients of small integers; gradients are one or two rounded operations.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnet_py import _device as device

from . import cost, dense
from .harness import EPS, LOG_ERROR, case_counts, check_scaled, drawn, normals, run_cost, seeds, wide

class_counts = st.sampled_from([1, 2, 3, 10, 17, 100])
target_scales = st.sampled_from([(0.0,), (1.0,), (-0.75,)])


def labels_for(rng: np.random.Generator, classes: int, cases: int) -> np.ndarray:
    return rng.integers(0, classes, (1, cases)).astype(np.float32)


def probs_for(rng: np.random.Generator, classes: int, cases: int) -> np.ndarray:
    """Class probabilities; half of the time of few distinct values, so that many tie."""
    inputs = normals(rng, classes, cases)
    if rng.random() < 0.5:
        inputs = np.round(inputs)
    return dense.softmax(wide(inputs)).astype(np.float32)


@drawn
@given(st.data(), class_counts, case_counts, seeds)
def test_logreg_cost(data: st.DataObject, classes: int, cases: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, probs = labels_for(rng, classes, cases), probs_for(rng, classes, cases)
    topk = data.draw(st.integers(1, classes))
    actual = run_cost(device.logreg_cost, labels, probs, topk=topk)
    expected = cost.logreg_cost(wide(labels), wide(probs), topk=topk)
    assert len(actual) == 3
    assert actual[0] == pytest.approx(expected[0], abs=cases * LOG_ERROR, rel=2 * EPS)
    assert actual[1:] == pytest.approx(expected[1:], abs=cases * EPS)


def test_logreg_cost_of_one_place_repeats_the_second_value() -> None:
    rng = np.random.default_rng(0)
    _, correct, topk_correct = run_cost(device.logreg_cost, labels_for(rng, 5, 40), probs_for(rng, 5, 40), topk=1)
    assert correct == topk_correct


@pytest.mark.parametrize(("topk", "wrong"), [(1, 0.75), (2, 0.5), (3, 0.25), (4, 0.0)])
def test_ties_share(topk: int, wrong: float) -> None:
    labels, probs = np.array([[2.0]], dtype=np.float32), np.full((4, 1), 0.25, dtype=np.float32)
    assert run_cost(device.logreg_cost, labels, probs, topk=topk)[1:] == pytest.approx((0.75, wrong))


def test_logreg_uses_the_plain_log() -> None:
    """log 0 is infinite here, and NaN stays NaN, so that the run's stop rule sees them (spec 3.7)."""
    labels = np.zeros((1, 1), dtype=np.float32)
    impossible = np.array([[0], [1]], dtype=np.float32)
    assert run_cost(device.logreg_cost, labels, impossible, topk=2) == (np.inf, 1, 0)
    unknown = np.full((2, 1), np.nan, dtype=np.float32)
    value, wrong, wrong_topk = run_cost(device.logreg_cost, labels, unknown, topk=1)
    assert np.isnan(value) and wrong == wrong_topk == 1


@drawn
@given(class_counts, case_counts, st.sampled_from([1.0, 0.5, -2.0]), seeds, target_scales)
def test_logreg_gradient(classes: int, cases: int, coeff: float, seed: int, scaling: tuple[float]) -> None:
    rng = np.random.default_rng(seed)
    arrays = [labels_for(rng, classes, cases), probs_for(rng, classes, cases)]
    result = cost.logreg_gradient(*wide(arrays), coeff=coeff)
    bound = 2 * EPS * np.abs(result)
    check_scaled(device.logreg_gradient, *arrays, result=result, bound=bound, scaling=scaling, rng=rng, coeff=coeff)


@drawn
@given(class_counts, case_counts, st.sampled_from([1.0, 0.5, -2.0]), seeds, target_scales)
def test_logreg_softmax_gradient(classes: int, cases: int, coeff: float, seed: int, scaling: tuple[float]) -> None:
    rng = np.random.default_rng(seed)
    arrays = [labels_for(rng, classes, cases), probs_for(rng, classes, cases)]
    result = cost.logreg_softmax_gradient(*wide(arrays), coeff=coeff)
    bound = 2 * EPS * np.abs(result)
    check_scaled(
        device.logreg_softmax_gradient, *arrays, result=result, bound=bound, scaling=scaling, rng=rng, coeff=coeff
    )


@pytest.mark.parametrize("label", [-1.0, 3.0, 1e9, 0.5, np.nan])
@pytest.mark.parametrize("operation", ["logreg_cost", "logreg_gradient", "logreg_softmax_gradient"])
def test_label_that_is_no_class(operation: str, label: float) -> None:
    """A label outside 0..classes-1 must not read outside the probabilities."""
    labels, probs = np.zeros((1, 4), dtype=np.float32), np.full((3, 4), 1 / 3, dtype=np.float32)
    labels[0, 2] = label
    with pytest.raises(ValueError, match="label"):
        if operation == "logreg_cost":
            device.logreg_cost(labels, probs)
        else:
            getattr(device, operation)(labels, probs, probs.copy(), coeff=1.0)
