"""Every constructor, method and overload of Matrix against NumPy, in both storage orders (spec 6.2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nvmatrix_table import AGGREGATIONS, Expected, case_name, positive, sigmoid, small_integers
from platform_library import CaseFailed, Input, Platform
from test_nvmatrix import assert_reports, draw_input, draw_values, drawn

Array = np.ndarray

FUNCTIONS: dict[str, tuple[Callable[..., object], Callable[[Array], Array]]] = {
    "TANH": (np.tanh, np.asarray),
    "RECIPROCAL": (lambda x: 1 / x, positive),
    "SQUARE": (np.square, np.asarray),
    "ABS": (np.abs, np.asarray),
    "EXP": (np.exp, np.asarray),
    "LOG": (np.log, positive),
    "ZERO": (np.zeros_like, lambda x: x * np.float32("nan")),
    "ONE": (np.ones_like, lambda x: x * np.float32("nan")),
    "LOGISTIC1": (sigmoid, np.asarray),
    "LOGISTIC2": (sigmoid, np.asarray),
    "SIGN": (np.sign, small_integers),
}

#: Name up to the closing parenthesis -> shapes, result, numbers; each comes with and without a target.
BOTH: dict[str, Expected] = {
    "scale(factor": Expected("rc", lambda x: -3 * x, (-3,)),
    "addScalar(scalar": Expected("rc", lambda x: x + 0.75, (0.75,)),
    "add(b": Expected("rc rc", np.add),
    "add(b, scaleB": Expected("rc rc", lambda a, b: a - 2 * b, (-2,)),
    "subtract(b": Expected("rc rc", np.subtract),
    "eltwiseMult(b": Expected("rc rc", np.multiply),
    "eltwiseDivide(b": Expected("rc rc", np.divide, domain=positive),
    "rightMult(b": Expected("ri ic", np.matmul),
    "rightMult(b, scaleAB": Expected("ri ic", lambda a, b: -2 * a @ b, (-2,)),
}
BY_VECTOR: dict[str, Expected] = {
    "addVector(vec": Expected("", np.add),
    "addVector(vec, scaleVec": Expected("", lambda a, v: a - 2 * v, (-2,)),
    "eltwiseMultByVector(vec": Expected("", np.multiply),
    "eltwiseDivideByVector(vec": Expected("", np.divide, domain=positive),
}


def _cases() -> dict[str, Expected]:
    table = {}
    for target in ("", ", target"):
        for name, (result, domain) in FUNCTIONS.items():
            table[f"apply({name}{target})"] = Expected("rc", result, target=bool(target), domain=domain)
        for name, case in BOTH.items():
            table[f"{name}{target})"] = Expected(case.inputs, case.results, case.numbers, bool(target), case.domain)
        for axis, inputs in (("rows", "rc 1c"), ("columns", "rc r1")):
            for name, case in BY_VECTOR.items():
                entry = Expected(inputs, case.results, case.numbers, bool(target), case.domain)
                table[f"{name}{target}) #{axis}"] = entry
        for name, reduce in AGGREGATIONS.items():
            for axis in (0, 1):

                def along(x: Array, reduce: Callable[..., Array] = reduce, axis: int = axis) -> Array:
                    return reduce(x, axis=axis, keepdims=True)

                table[f"{name}(axis{target}) #{axis}"] = Expected("rc", along, (axis,), bool(target))
    table.update({f"{name}()": Expected("rc", reduce) for name, reduce in AGGREGATIONS.items()})
    return table


CASES: dict[str, Expected] = {
    **_cases(),
    "Matrix()": Expected("", lambda: np.empty((0, 0))),
    "Matrix(numRows, numCols)": Expected("", lambda: np.zeros((3, 2)), (3, 2)),
    "Matrix(const Matrix&)": Expected("rc", lambda x: x),
    "Matrix(data, numRows, numCols, transposed)": Expected("rc", lambda x: x),
    "dimensions": Expected("rc", lambda x: x.shape),
    "transpose()": Expected("rc", lambda x: x.T),
    "copy()": Expected("rc", lambda x: x),
    "copy(target)": Expected("rc", lambda x: x, target=True),
    "addProduct(a, b)": Expected("rc ri ic", lambda t, a, b: t + a @ b),
    "addProduct(a, b, scaleThis, scaleAB)": Expected("rc ri ic", lambda t, a, b: 0.5 * t - 2 * a @ b, (0.5, -2)),
    "addProduct(a, b, scaleThis, scaleAB) #0": Expected("11 ri ic", lambda t, a, b: a @ b, (0, 1)),
    "norm()": Expected("rc", np.linalg.norm),
    "hasNan()": Expected("rc", lambda x: np.isnan(x).any(), domain=lambda x: np.where(x > 1, np.float32("nan"), x)),
    "hasInf()": Expected("rc", lambda x: np.isinf(x).any(), domain=lambda x: np.where(x > 1, np.float32("-inf"), x)),
}

#: What depends on the storage order.
IN_MEMORY_ORDER: dict[str, Callable[[Array, bool], Array]] = {
    "setTrans(trans)": lambda x, trans: x.ravel("F" if trans else "C").reshape(x.shape, order="C" if trans else "F"),
    "resize(numRows, numCols)": lambda x, trans: x.ravel("F" if trans else "C").reshape(
        x.shape[::-1], order="F" if trans else "C"
    ),
    "Matrix(data, numRows, numCols)": lambda x, trans: x.ravel("F" if trans else "C").reshape(1, -1),
}


@pytest.mark.parametrize("name", CASES)
@drawn
@given(data=st.data())
def test_against_numpy(platform: Platform, name: str, data: st.DataObject) -> None:
    case = CASES[name]
    values = draw_values(data, case)
    inputs = [draw_input(data, x, views=False) for x in values]
    if case.target:
        inputs.append(Input(np.full((2, 3), np.nan), data.draw(st.booleans())))
    expected = case.results(*(x.astype(np.float64) for x in values))
    assert_reports(platform.run(f"Matrix::{case_name(name)}", inputs, case.numbers), expected)


@pytest.mark.parametrize("name", IN_MEMORY_ORDER)
@drawn
@given(data=st.data())
def test_in_memory_order(platform: Platform, name: str, data: st.DataObject) -> None:
    [values] = draw_values(data, Expected("rc", np.asarray))
    given = draw_input(data, values, views=False)
    assert_reports(platform.run(f"Matrix::{name}", [given]), IN_MEMORY_ORDER[name](values, given.trans))


@pytest.mark.parametrize("target", ["", ", target"])
@pytest.mark.parametrize("axis", [0, 1])
@drawn
@given(data=st.data())
def test_slices(platform: Platform, axis: int, target: str, data: st.DataObject) -> None:
    [values] = draw_values(data, Expected("rc", np.asarray))
    end = data.draw(st.integers(1, values.shape[axis]))
    start = data.draw(st.integers(0, end - 1))
    name = f"sliceRows(startRow, endRow{target})" if axis == 0 else f"sliceCols(startCol, endCol{target})"
    inputs = [draw_input(data, values, views=False), *([Input(np.zeros((2, 3)))] if target else [])]
    expected = values[start:end] if axis == 0 else values[:, start:end]
    assert_reports(platform.run(f"Matrix::{name}", inputs, (start, end)), expected)


@pytest.mark.parametrize("trans", [False, True])
def test_element(platform: Platform, trans: bool) -> None:
    values = np.arange(6.0).reshape(2, 3)
    expected = values.copy()
    expected[1, 0] = 7
    assert_reports(platform.run("Matrix::operator()(row, col)", [Input(values, trans)]), expected)
    platform.run("Matrix::resize(like)", [Input(values, trans)])


@pytest.mark.parametrize(
    ("name", "numbers", "mean", "variance"),
    [
        ("randomizeUniform()", (), 0.5, 1 / 12),
        ("randomizeNormal()", (), 0, 1),
        ("randomizeNormal(mean, stdev)", (3, 2), 3, 4),
    ],
)
def test_random_draws(platform: Platform, name: str, numbers: tuple[float, ...], mean: float, variance: float) -> None:
    reports = [float(r.values[0, 0]) for r in platform.run(f"Matrix::{name}", [np.zeros((200, 200))], numbers)]
    assert abs(reports[0] - mean) < 5 * np.sqrt(variance / 40000)
    assert abs(reports[3] - variance) < 10 * variance / np.sqrt(40000)
    assert mean - 6 * np.sqrt(variance) < reports[1] < reports[2] < mean + 6 * np.sqrt(variance)


@pytest.mark.parametrize("trans", [False, True])
def test_print_clips(platform: Platform, trans: bool, capfd: pytest.CaptureFixture[str]) -> None:
    values = np.arange(12.0).reshape(3, 4)
    platform.run("Matrix::print(startRow, rows, startCol, cols)", [Input(values, trans)], (1, 9, 2, 9))
    printed = np.array([[float(word) for word in line.split()] for line in capfd.readouterr().out.splitlines()])
    np.testing.assert_array_equal(printed, values[1:, 2:])


def borrow(platform: Platform, array: object) -> tuple[Array, bool]:
    upper, lower = divmod(id(array), 2**31)
    [report] = platform.run("Matrix::Matrix(const PyArrayObject*)", (), (upper, lower))
    return report.values, report.trans


#: An array, and whether the matrix that borrows it is transposed.
BORROWED = {
    "C": (lambda x: np.ascontiguousarray(x), False),
    "F": (lambda x: np.asfortranarray(x), True),
    "transposed": (lambda x: np.ascontiguousarray(x.T).T, True),
    "row, C": (lambda x: np.ascontiguousarray(x[:1]), False),
    "row, F": (lambda x: np.array(x[:1], order="F"), True),
    "column, C": (lambda x: np.ascontiguousarray(x[:, :1]), False),
    "column, F": (lambda x: np.array(x[:, :1], order="F"), True),
    "rows of a larger array": (lambda x: np.ascontiguousarray(x)[1:3], False),
}


@pytest.mark.parametrize("name", BORROWED)
def test_borrows_numpy(platform: Platform, name: str) -> None:
    make, trans = BORROWED[name]
    array = make(np.arange(12, dtype=np.float32).reshape(3, 4))
    before = array.copy()
    values, is_trans = borrow(platform, array)
    np.testing.assert_array_equal(values, before)
    assert is_trans == trans
    np.testing.assert_array_equal(array, 2 * before)  # written through slices of whole lines


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (np.zeros((2, 3)), "a NumPy array of float32 is needed"),
        (np.zeros(3, np.float32), "a NumPy array of two dimensions is needed"),
        (np.zeros((4, 6), np.float32)[:, ::2], "C or F order is needed; this one is 4 x 3 with strides 24, 8"),
    ],
)
def test_refuses_numpy(platform: Platform, array: Array, line: str) -> None:
    with pytest.raises(CaseFailed, match=line):
        borrow(platform, array)


REFUSED = {
    "add(b)": ([(2, 3), (3, 2)], (), "3 x 2 where 2 x 3 is needed"),
    "addVector(vec)": ([(2, 3), (2, 2)], (), "a vector of 2 x 2 for a matrix of 2 x 3"),
    "addProduct(a, b)": ([(2, 3), (2, 4), (3, 3)], (), "a product of 2 x 4 and 3 x 3"),
    "sum(axis)": ([(2, 3)], (2,), "there is no axis 2"),
    "sliceRows(startRow, endRow)": ([(2, 3)], (1, 3), "has no rows 1 to 3"),
    "resize of a view": ([(2, 3)], (), "a view of 1 x 1 cannot become 2 x 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(platform: Platform, name: str) -> None:
    shapes, numbers, line = REFUSED[name]
    with pytest.raises(CaseFailed, match=line):
        platform.run(f"Matrix::{name}", [np.zeros(shape) for shape in shapes], numbers)
