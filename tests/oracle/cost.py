"""Oracles of the costs (spec 3.7). Values are sums over the cases; gradients are of minus coeff times the value.

Signatures beyond ``_device.pyi``, in the order (inputs..., targets), all (rows, cases) unless said otherwise:
    crossent_cost(labels, probs) -> (cost, N - correct); crossent_gradient(labels, probs, targets, *, coeff);
    crossent_softmax_gradient(labels, probs, targets, *, coeff), for the softmax's input;
    crossent2_cost(labels, outputs) -> (cost,); crossent2_gradient(labels, outputs, targets, *, coeff);
    crossent2_logistic_gradient(labels, outputs, targets, *, coeff), for the logistic neuron's input;
    rflickr_cost(labels, outputs) -> (cost,); rflickr_gradient(labels, outputs, targets, *, coeff);
    sum2_cost(inputs) -> (cost,); sum2_gradient(inputs, targets, *, coeff);
    gsum2_cost(gates, inputs) -> (cost,), gates (1, cases); gsum2_gradient(gates, inputs, targets, *, coeff);
    gsum2_gate_gradient(inputs, targets, *, coeff), targets (1, cases);
    msm_probs(inputs, targets, *, set_size); msm_cost(labels, inputs, *, set_size) -> three values, labels (1, cases);
    msm_gradient(labels, inputs, targets, *, set_size, coeff);
    tica_forward(images, targets, *, channels, size); tica_cost(images, *, channels, size) -> (cost,);
    tica_gradient(images, ticas, targets, *, channels, size, coeff).
Every gradient takes scale_targets.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from .norm import window_matrix

Array = np.ndarray

#: What the guarded logarithm gives for 0.
LOG_OF_ZERO = -50.0


def _label_probs(labels: Array, probs: Array) -> Array:
    """(cases,): the probability of each case's label."""
    return probs[labels[0].astype(int), np.arange(probs.shape[1])]


def _top_k(scores: Array, own: Array, topk: int) -> float:
    """The sum over cases of the share of the last of ``topk`` places that a label with the score ``own`` gets."""
    correct = 0.0
    for score, others in zip(own, scores.T, strict=True):
        slots = topk - np.count_nonzero(others > score)
        ties = np.count_nonzero(others == score)  # 0 for NaN, which is never correct
        if ties and slots > 0:
            correct += min(1.0, slots / ties)
    return correct


def logreg_cost(labels: Array, probs: Array, *, topk: int = 1) -> tuple[float, float, float]:
    """(sum of -log p, N - correct, N - correct among the ``topk`` largest); ties share."""
    own = _label_probs(labels, probs)
    cases = probs.shape[1]
    with np.errstate(divide="ignore"):
        cost = -np.log(own).sum()
    return cost, cases - _top_k(probs, own, 1), cases - _top_k(probs, own, topk)


def _is_label(labels: Array, classes: int) -> Array:
    """(classes, cases): where row j is the case's label."""
    return np.arange(classes)[:, None] == labels


def logreg_gradient(labels: Array, probs: Array, *, coeff: float) -> Array:
    """coeff [label = j] / p_j."""
    with np.errstate(divide="ignore"):
        return np.where(_is_label(labels, len(probs)), coeff / probs, 0)


def logreg_softmax_gradient(labels: Array, probs: Array, *, coeff: float) -> Array:
    """coeff ([label = j] - p_j), for the input of the softmax that gave ``probs``."""
    return coeff * (_is_label(labels, len(probs)) - probs)


def guarded_log(values: Array) -> Array:
    """log, with -50 for log 0. NaN stays NaN."""
    return np.where(values == 0, LOG_OF_ZERO, np.log(np.where(values == 0, 1, values)))


def guarded(values: Array) -> Array:
    """``values`` with e^-50 for 0: the number whose logarithm the guarded one gives."""
    return np.where(values == 0, np.exp(LOG_OF_ZERO), values)


def crossent_cost(labels: Array, probs: Array) -> tuple[float, float]:
    """(sum of -t log p, N - correct): 1 / maxima if some class of largest p has t > 0."""
    is_largest = probs == probs.max(axis=0)
    hit = (is_largest & (labels > 0)).any(axis=0)
    correct = (hit / np.maximum(is_largest.sum(axis=0), 1)).sum()
    return -(labels * guarded_log(probs)).sum(), probs.shape[1] - correct


def crossent_gradient(labels: Array, probs: Array, *, coeff: float) -> Array:
    """coeff t_j / p_j, with e^-50 for p = 0."""
    return coeff * labels / guarded(probs)


def crossent_softmax_gradient(labels: Array, probs: Array, *, coeff: float) -> Array:
    """coeff sum_i t_i ([i = j] - p_j), for the input of the softmax that gave ``probs``."""
    return coeff * (labels - probs * labels.sum(axis=0))


def crossent2_cost(labels: Array, outputs: Array) -> tuple[float]:
    """(sum of -(t log y + (1 - t) log(1 - y)),)."""
    return (-(labels * guarded_log(outputs) + (1 - labels) * guarded_log(1 - outputs)).sum(),)


def crossent2_gradient(labels: Array, outputs: Array, *, coeff: float) -> Array:
    """coeff (t / y - (1 - t) / (1 - y)), with e^-50 for a divisor of 0."""
    return coeff * (labels / guarded(outputs) - (1 - labels) / guarded(1 - outputs))


def crossent2_logistic_gradient(labels: Array, outputs: Array, *, coeff: float) -> Array:
    """coeff (t - y), for the input of the logistic neuron that gave ``outputs``."""
    return coeff * (labels - outputs)


def rflickr_cost(labels: Array, outputs: Array) -> tuple[float]:
    """(sum of log(1 + (y - t)^2),)."""
    return (np.log1p((outputs - labels) ** 2).sum(),)


def rflickr_gradient(labels: Array, outputs: Array, *, coeff: float) -> Array:
    """-coeff 2d / (1 + d^2), d = y - t."""
    differences = outputs - labels
    return -coeff * 2 * differences / (1 + differences**2)


def sum2_cost(inputs: Array) -> tuple[float]:
    """(sum of squares,)."""
    return ((inputs**2).sum(),)


def sum2_gradient(inputs: Array, *, coeff: float) -> Array:
    """-2 coeff x."""
    return -2 * coeff * inputs


def gsum2_cost(gates: Array, inputs: Array) -> tuple[float]:
    """(sum of z x^2,), one gate z per case."""
    return ((gates * inputs**2).sum(),)


def gsum2_gradient(gates: Array, inputs: Array, *, coeff: float) -> Array:
    """-2 coeff z x."""
    return -2 * coeff * gates * inputs


def gsum2_gate_gradient(inputs: Array, *, coeff: float) -> Array:
    """(1, cases): -coeff times the sum of x^2 over the rows."""
    return -coeff * (inputs**2).sum(axis=0, keepdims=True)


def _subsets(inputs: Array, set_size: int) -> tuple[Array, Array]:
    """Every subset of ``set_size`` classes: membership (subsets, classes) and probability (subsets, cases)."""
    classes = len(inputs)
    members = np.array([[j in chosen for j in range(classes)] for chosen in combinations(range(classes), set_size)])
    energies = members @ (inputs - inputs.max(axis=0))
    weights = np.exp(energies - energies.max(axis=0))
    return members.astype(np.float64), weights / weights.sum(axis=0)


def msm_probs(inputs: Array, *, set_size: int) -> Array:
    """(classes, cases): the probability that each class is in the set, by adding up all subsets."""
    members, probs = _subsets(inputs, set_size)
    return members.T @ probs


def msm_cost(labels: Array, inputs: Array, *, set_size: int) -> tuple[float, float, float]:
    """(sum of -log P(label in set), N - correct by energy, N - correct among the ``set_size`` largest energies)."""
    cases = inputs.shape[1]
    own = _label_probs(labels, inputs)
    cost = -np.log(_label_probs(labels, msm_probs(inputs, set_size=set_size))).sum()
    return cost, cases - _top_k(inputs, own, 1), cases - _top_k(inputs, own, set_size)


def msm_gradient(labels: Array, inputs: Array, *, set_size: int, coeff: float) -> Array:
    """coeff (P(i in set | label in set) - P(i in set))."""
    members, probs = _subsets(inputs, set_size)
    with_label = members[:, labels[0].astype(int)] * probs
    return coeff * (members.T @ (with_label / with_label.sum(axis=0)) - members.T @ probs)


def _window_sums(images: Array, channels: int, size: int) -> Array:
    side = round((images.shape[0] / channels) ** 0.5)
    matrix = window_matrix(side, size)
    return np.einsum("yv,xw,cvwn->cyxn", matrix, matrix, images.reshape(channels, side, side, -1)).reshape(images.shape)


def tica_forward(images: Array, *, channels: int, size: int) -> Array:
    """1 / (0.001 + sqrt(sum of x^2 over the window of the same map)), as ``images``."""
    return 1 / (0.001 + np.sqrt(_window_sums(images**2, channels, size)))


def tica_cost(images: Array, *, channels: int, size: int) -> tuple[float]:
    """(the sum of ``tica_forward``,)."""
    return (tica_forward(images, channels=channels, size=size).sum(),)


def tica_gradient(images: Array, ticas: Array, *, channels: int, size: int, coeff: float) -> Array:
    """-coeff x times the sum of ``ticas`` over the forward window: historic, not that of the cost (spec 3.7)."""
    return -coeff * images * _window_sums(ticas, channels, size)
