"""What every NVMatrix case of cases/nvmatrix.cpp must give, in NumPy (spec 6.3).

Shapes are letters, drawn for each example, or digits: "rc" is rows x columns, "1c" a vector for each row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Expected:
    """A case: the shapes of its inputs, its numbers, and its results from both."""

    inputs: str
    results: Callable[..., object]
    numbers: tuple[float, ...] = ()
    #: The case's last matrix is a target: one is drawn, empty, filled with NaN, or a slice.
    target: bool = False
    #: What inputs are made to be before they are used.
    domain: Callable[[Array], Array] = np.asarray


def positive(x: Array) -> Array:
    return np.abs(x) + np.float32(0.25)


def small_integers(x: Array) -> Array:
    return np.rint(x)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def larger_magnitude(a: Array, b: Array) -> Array:
    return np.where(np.abs(b) > np.abs(a), b, a)


UNARY: dict[str, tuple[Callable[..., object], tuple[float, ...], Callable[[Array], Array]]] = {
    "Exp": (np.exp, (), np.asarray),
    "Logistic": (sigmoid, (), np.asarray),
    "Log": (np.log, (), positive),
    "Square": (np.square, (), np.asarray),
    "Sqrt": (np.sqrt, (), positive),
    "Reciprocal": (lambda x: 1 / x, (), positive),
    "Abs": (np.abs, (), np.asarray),
    "Sign": (np.sign, (), small_integers),
    "Identity": (lambda x: x, (), np.asarray),
    "Zero": (np.zeros_like, (), lambda x: x * np.float32("nan")),
    "One": (np.ones_like, (), lambda x: x * np.float32("nan")),
    "Pow(exponent)": (lambda x: x**1.5, (1.5,), positive),
    "AddScalar(scalar)": (lambda x: x + 0.75, (0.75,), np.asarray),
    "WeightedAddScalar(weight, scalar)": (lambda x: -2 * x + 0.75, (-2, 0.75), np.asarray),
    "MultByScalar(scalar)": (lambda x: x * -3, (-3,), np.asarray),
    "BiggerThanScalar(scalar)": (lambda x: x > 1, (1,), small_integers),
    "SmallerThanScalar(scalar)": (lambda x: x < 1, (1,), small_integers),
    "MinWithScalar(scalar)": (lambda x: np.minimum(x, 0.5), (0.5,), np.asarray),
    "MaxWithScalar(scalar)": (lambda x: np.maximum(x, 0.5), (0.5,), np.asarray),
    "InRange<false>(lower, upper)": (lambda x: (x >= -1) & (x <= 1), (-1, 1), small_integers),
    "InRange<true>(lower, upper)": (lambda x: (x > -1) & (x < 1), (-1, 1), small_integers),
}

BINARY: dict[str, tuple[Callable[..., object], tuple[float, ...], Callable[[Array], Array]]] = {
    "NVMatrixBinaryOps::Equals": (np.equal, (), small_integers),
    "NVMatrixBinaryOps::BiggerThan": (np.greater, (), small_integers),
    "NVMatrixBinaryOps::Divide": (np.divide, (), positive),
    "NVMatrixBinaryOps::Multiply": (np.multiply, (), np.asarray),
    "NVMatrixBinaryOps::SquaredDiff": (lambda a, b: (a - b) ** 2, (), np.asarray),
    "NVMatrixBinaryOps::WeightedAdd(scaleA, scaleB)": (lambda a, b: -2 * a + 0.5 * b, (-2, 0.5), np.asarray),
    "NVMatrixBinaryOps::Add": (np.add, (), np.asarray),
    "NVMatrixAggs::Sum": (np.add, (), np.asarray),
    "NVMatrixAggs::Max": (np.maximum, (), np.asarray),
    "NVMatrixAggs::Min": (np.minimum, (), np.asarray),
    "NVMatrixAggs::ArgMax<op>": (larger_magnitude, (), small_integers),
}

#: method -> (result of the matrix and b, domain), for method(b) and method(b, target).
ELEMENTWISE = {
    "eltwiseMult": (np.multiply, np.asarray),
    "eltwiseDivide": (np.divide, positive),
    "squaredDiff": (lambda a, b: (a - b) ** 2, np.asarray),
    "equals": (np.equal, small_integers),
    "biggerThan": (np.greater, small_integers),
    "subtract": (np.subtract, np.asarray),
    "add": (np.add, np.asarray),
}

BY_VECTOR = {
    "eltwiseMultByVector": (np.multiply, np.asarray),
    "eltwiseDivideByVector": (np.divide, positive),
    "equalsVector": (np.equal, small_integers),
    "biggerThanVector": (np.greater, small_integers),
    "addVector": (np.add, np.asarray),
}

#: method -> (result of the matrix, the number), for method(scalar) and method(scalar, target).
BY_SCALAR = {
    "scale": (lambda x: x * -3, -3, np.asarray),
    "addScalar": (lambda x: x + 0.75, 0.75, np.asarray),
    "minWithScalar": (lambda x: np.minimum(x, 0.5), 0.5, np.asarray),
    "maxWithScalar": (lambda x: np.maximum(x, 0.5), 0.5, np.asarray),
    "biggerThanScalar": (lambda x: x > 1, 1, small_integers),
    "smallerThanScalar": (lambda x: x < 1, 1, small_integers),
    "pow": (lambda x: x**1.5, 1.5, positive),
}

RANGES = {
    "inRangeInc": lambda x: (x >= -1) & (x <= 1),
    "inRangeExc": lambda x: (x > -1) & (x < 1),
}

AGGREGATIONS = {"sum": np.sum, "max": np.max, "min": np.min}


def _memory(x: Array, trans: bool) -> Array:
    """The elements in the order of memory."""
    return x.ravel(order="F" if trans else "C")


def _elementwise() -> dict[str, Expected]:
    table = {}
    for name, (result, numbers, domain) in UNARY.items():
        table[f"NVMatrixOps::{name}"] = Expected("rc", result, numbers, domain=domain)
        table[f"NVMatrixOps::{name}, target"] = Expected("rc", result, numbers, True, domain)
    for name, (result, numbers, domain) in BINARY.items():
        table[name] = Expected("rc rc", result, numbers, domain=domain)
        table[f"{name}, target"] = Expected("rc rc", result, numbers, True, domain)
    for name, (result, domain) in ELEMENTWISE.items():
        table[f"{name}(b)"] = Expected("rc rc", result, domain=domain)
        table[f"{name}(b, target)"] = Expected("rc rc", result, target=True, domain=domain)
    for name, (result, number, domain) in BY_SCALAR.items():
        table[f"{name}(scalar)"] = Expected("rc", result, (number,), domain=domain)
        table[f"{name}(scalar, target)"] = Expected("rc", result, (number,), True, domain)
    for name, result in RANGES.items():
        table[f"{name}(lower, upper)"] = Expected("rc", result, (-1, 1), domain=small_integers)
        table[f"{name}(lower, upper, target)"] = Expected("rc", result, (-1, 1), True, small_integers)
    for name, reduce in AGGREGATIONS.items():
        table[f"{name}()"] = Expected("rc", reduce)
        for axis in (0, 1):

            def along(x: Array, reduce: Callable[..., Array] = reduce, axis: int = axis) -> Array:
                return reduce(x, axis=axis, keepdims=True)

            table[f"{name}(axis) #{axis}"] = Expected("rc", along, (axis,))
            table[f"{name}(axis, target) #{axis}"] = Expected("rc", along, (axis,), True)
    return table


def _by_vector() -> dict[str, Expected]:
    table = {}
    for axis, vector in (("rows", "rc 1c"), ("columns", "rc r1")):
        for name, (result, domain) in BY_VECTOR.items():
            table[f"{name}(b) #{axis}"] = Expected(vector, result, domain=domain)
            table[f"{name}(b, target) #{axis}"] = Expected(vector, result, target=True, domain=domain)
        for suffix, target in (("", False), (", target", True)):
            table[f"addVector(vec, scaleVec{suffix}) #{axis}"] = Expected(vector, lambda a, v: a - 2 * v, (-2,), target)
            table[f"applyBinaryV(op, vec{suffix}) #{axis}"] = Expected(vector, lambda a, v: (a - v) ** 2, target=target)
    return table


CASES: dict[str, Expected] = {
    **_elementwise(),
    **_by_vector(),
    "apply(op)": Expected("rc", lambda x: 2 * x + 1),
    "apply(op, target)": Expected("rc", lambda x: 2 * x + 1, target=True),
    "applyBinary(op, b)": Expected("rc rc", np.add),
    "applyBinary(op, b, target)": Expected("rc rc", np.add, target=True),
    "applyTernary(op, b, c, target)": Expected("rc rc rc", lambda a, b, c: a * b + c, target=True),
    "add(b, scaleB)": Expected("rc rc", lambda a, b: a - 2 * b, (-2,)),
    "add(b, scaleThis, scaleB)": Expected("rc rc", lambda a, b: 0.5 * a - 2 * b, (0.5, -2)),
    "add(b, scaleThis, scaleB, target)": Expected("rc rc", lambda a, b: 0.5 * a - 2 * b, (0.5, -2), True),
    "add(b, scaleThis, scaleB, target) #0": Expected("rc rc", lambda a, b: -2 * b, (0, -2), True),
    "tile(timesY, timesX, target)": Expected("rc", lambda x: np.tile(x, (2, 3)), (2, 3), True),
    "addProduct(a, b)": Expected("rc ri ic", lambda t, a, b: t + a @ b),
    "addProduct(a, b, scaleThis, scaleAB)": Expected("rc ri ic", lambda t, a, b: 0.5 * t - 2 * a @ b, (0.5, -2)),
    "rightMult(b)": Expected("ri ic", np.matmul),
    "rightMult(b, scaleAB)": Expected("ri ic", lambda a, b: -2 * a @ b, (-2,)),
    "rightMult(b, target)": Expected("ri ic", np.matmul, target=True),
    "rightMult(b, scaleAB, target)": Expected("ri ic", lambda a, b: -2 * a @ b, (-2,), True),
    "addSum(m, axis, scaleThis, scaleSum) #0": Expected(
        "1c rc", lambda t, m: 0.5 * t - 2 * m.sum(axis=0, keepdims=True), (0, 0.5, -2)
    ),
    "addSum(m, axis, scaleThis, scaleSum) #1": Expected(
        "r1 rc", lambda t, m: 0.5 * t - 2 * m.sum(axis=1, keepdims=True), (1, 0.5, -2)
    ),
    "mean()": Expected("rc", np.mean),
    "norm()": Expected("rc", np.linalg.norm),
    "norm2()": Expected("rc", lambda x: (x**2).sum()),
    "dotProduct(b)": Expected("rc rc", lambda a, b: (a * b).sum()),
    "NVMatrix()": Expected("", lambda: np.empty((0, 0))),
    "NVMatrix(isTrans)": Expected("", lambda: np.empty((0, 0))),
    "NVMatrix(numRows, numCols)": Expected("", lambda: np.zeros((3, 2)), (3, 2)),
    "NVMatrix(numRows, numCols, isTrans)": Expected("", lambda: np.zeros((3, 2)), (3, 2)),
    "NVMatrix(const Matrix&)": Expected("rc", lambda x: x),
    "NVMatrix(const Matrix&, copy)": Expected("rc", lambda x: x),
    "NVMatrix(const NVMatrix&)": Expected("rc", lambda x: x),
    "NVMatrix(const NVMatrix&, copy)": Expected("rc", lambda x: x),
    "NVMatrix(devData, numRows, numCols, stride, isTrans)": Expected("rc", lambda x: x),
    "dimensions": Expected("rc", lambda x: x.shape),
    "setView(isView)": Expected("rc", lambda x: x),
    "truncate()": Expected("rc", lambda x: np.empty((0, 0))),
    "resize(like)": Expected("rc", lambda x: x.shape[0]),
    "copy(dest)": Expected("rc", lambda x: x, target=True),
    "copy()": Expected("rc", lambda x: x),
    "getClone()": Expected("rc", lambda x: x),
    "copyFromHost(hostMatrix)": Expected("rc rc", lambda host, device: host),
    "copyFromHost(hostMatrix, resizeTarget)": Expected("rc", lambda x: x),
    "copyToHost(hostMatrix)": Expected("rc rc", lambda device, host: device),
    "copyToHost(hostMatrix, resizeTarget)": Expected("rc", lambda x: x),
    "transpose()": Expected("rc", lambda x: x.T),
    "transpose(trans)": Expected("rc", lambda x: x.T),
    "getTranspose()": Expected("rc", lambda x: x.T),
    "transpose(target)": Expected("rc", lambda x: (x.T, x.T)),
    "flipTrans()": Expected("rc", lambda x: x),
    "flipTrans(target)": Expected("rc", lambda x: x),
    "HostNVMatrix()": Expected("rc", lambda x: 2 * x),
    "HostNVMatrix(numRows, numCols)": Expected("", lambda: np.ones((3, 2)), (3, 2)),
    "HostNVMatrix(const HostNVMatrix&)": Expected("rc", lambda x: x),
    "HostNVMatrix(const NVMatrix&)": Expected("rc", lambda x: x),
    "NVMatrixAggs::getBaseValue()": Expected("", lambda: (0, -np.inf, np.inf, 0)),
    "initRandom(seed)": Expected("", lambda: 0, (5,)),
}

#: What depends on the storage order: results of the input, and of whether it is transposed.
IN_MEMORY_ORDER: dict[str, Callable[[Array, bool], Array]] = {
    "setTrans(trans)": lambda x, trans: _memory(x, trans).reshape(x.shape, order="C" if trans else "F"),
    "resize(numRows, numCols)": lambda x, trans: _memory(x, trans).reshape(x.shape[::-1], order="F" if trans else "C"),
    "reshape(numRows, numCols)": lambda x, trans: _memory(x, trans).reshape(1, -1),
    "reshaped(numRows, numCols)": lambda x, trans: _memory(x, trans).reshape(-1, 1),
}

#: Slices: rows start to end and columns start to end of the numbers that a case takes.
SLICES: dict[str, Callable[[int, int, int, int], tuple[tuple[int, ...], tuple[slice, slice]]]] = {
    "sliceRows(startRow, endRow{})": lambda a, b, c, d: ((a, b), (slice(a, b), slice(None))),
    "sliceCols(startCol, endCol{})": lambda a, b, c, d: ((c, d), (slice(None), slice(c, d))),
    "slice(startRow, endRow, startCol, endCol{})": lambda a, b, c, d: ((a, b, c, d), (slice(a, b), slice(c, d))),
}

#: case -> (numbers, mean, variance, smallest and largest value possible), of matrices filled with draws.
RANDOM = {
    "randomizeUniform()": ((), 0.5, 1 / 12, (0, np.nextafter(1, 0))),
    "randomizeGaussian()": ((), 0, 1, (-6, 6)),
    "randomizeGaussian(stdev)": ((2,), 0, 4, (-12, 12)),
    "randomizeGaussian(mean, stdev)": ((3, 2), 3, 4, (-9, 15)),
    "randomizeGaussian(stdevs)": ((2,), 0, 4, (-12, 12)),
    "addGaussianNoise(stdevs, isVar) #0": ((2, 0), 2, 4, (-10, 14)),
    "addGaussianNoise(stdevs, isVar) #1": ((4, 1), 4, 4, (-8, 16)),
    "addGaussianNoise(stdev)": ((2,), 0, 4, (-12, 12)),
    "binarizeProbs()": ((0.25,), 0.25, 0.1875, (0, 1)),
    "binarizeProbs(target)": ((0.25,), 0.25, 0.1875, (0, 1)),
}


def case_name(name: str) -> str:
    """The C++ case of a table entry: what follows '#' only tells entries apart."""
    return name.split(" #")[0]
