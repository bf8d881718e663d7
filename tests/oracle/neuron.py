"""Oracles of the neurons (spec 2.6 and 3.5): name -> function, and its gradient."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def _sign(inputs: Array) -> Array:
    """+1 above 0, else -1: 0 counts as negative."""
    return np.where(inputs > 0, 1.0, -1.0)


def _relu(inputs: Array) -> Array:
    return np.where(inputs < 0, 0, inputs)  # not maximum(): NaN passes through


FORWARD = {
    "ident": lambda x, a, b: x,
    "logistic": lambda x, a, b: 1 / (1 + np.exp(-x)),
    "abs": lambda x, a, b: np.abs(x),
    "relu": lambda x, a, b: _relu(x),
    "softrelu": lambda x, a, b: np.where(x > 4, x, np.log1p(np.exp(np.minimum(x, 4)))),
    "square": lambda x, a, b: x**2,
    "sqrt": lambda x, a, b: np.sqrt(x),
    "tanh": lambda x, a, b: a * np.tanh(b * x),
    "abstanh": lambda x, a, b: a * np.abs(np.tanh(b * x)),
    "brelu": lambda x, a, b: np.where(x > a, a, _relu(x)),
    "linear": lambda x, a, b: a * x + b,
    "drelu": lambda x, a, b: x - a * np.tanh(x / a),
}

#: Gradients as functions of (g, x, y, a, b).
GRADIENT = {
    "ident": lambda g, x, y, a, b: g,
    "logistic": lambda g, x, y, a, b: g * y * (1 - y),
    "abs": lambda g, x, y, a, b: g * _sign(x),
    "relu": lambda g, x, y, a, b: g * (y > 0),
    "nrelu": lambda g, x, y, a, b: g * (y > 0),
    "softrelu": lambda g, x, y, a, b: np.where(x > 4, g, g * np.exp(np.minimum(x, 4)) / (1 + np.exp(np.minimum(x, 4)))),
    "square": lambda g, x, y, a, b: 2 * g * x,
    "sqrt": lambda g, x, y, a, b: g / (2 * y),
    "tanh": lambda g, x, y, a, b: g * b * (a - y**2 / a),
    "abstanh": lambda g, x, y, a, b: g * _sign(x) * b * (a - y**2 / a),
    "brelu": lambda g, x, y, a, b: g * ((y > 0) & (y < a)),
    "linear": lambda g, x, y, a, b: a * g,
    "drelu": lambda g, x, y, a, b: g * np.tanh(x / a) ** 2,
}


def neuron_forward(inputs: Array, *, kind: str, a: float = 0, b: float = 0) -> Array:
    """The neuron ``kind`` of every element. nrelu, whose noise the spec leaves open, has no oracle here."""
    with np.errstate(over="ignore", invalid="ignore"):
        return FORWARD[kind](inputs, a, b)


def neuron_gradient(gradients: Array, inputs: Array, outputs: Array, *, kind: str, a: float = 0, b: float = 0) -> Array:
    """``gradients`` times the derivative of the neuron ``kind`` at ``inputs``, where it gave ``outputs``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return GRADIENT[kind](gradients, inputs, outputs, a, b)
