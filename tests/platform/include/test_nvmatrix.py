"""Every constructor, method, overload and functor of NVMatrix against NumPy, in both storage orders (spec 6.3).

Tolerance: copies and comparisons are exact; the rest rounds a few times, and the sums are of at most 40 terms.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nvmatrix_table import CASES, IN_MEMORY_ORDER, RANDOM, SLICES, Expected, case_name
from platform_library import CaseFailed, Input, Platform, Report

Array = np.ndarray
drawn = settings(deadline=None, derandomize=True, max_examples=25)


def assert_reports(reports: list[Report], expected: object) -> None:
    """Every report equals the array or number that belongs to it."""
    results = expected if isinstance(expected, tuple) else (expected,)
    assert len(reports) == len(results)
    for report, result in zip(reports, results, strict=True):
        array = np.asarray(result, dtype=np.float64)
        if array.ndim == 0:
            array = array.reshape(1, 1)
        assert report.values.shape == array.shape
        np.testing.assert_allclose(report.values, array, rtol=1e-5, atol=1e-5)


def draw_input(data: st.DataObject, values: Array, views: bool = True) -> Input:
    """The values in a drawn storage order, at times as a slice of a larger matrix."""
    return Input(values, data.draw(st.booleans()), views and data.draw(st.booleans()))


def draw_target(data: st.DataObject, shape: tuple[int, ...]) -> Input:
    """Nothing, or NaN that must not get into the result."""
    if data.draw(st.booleans()):
        return Input(np.empty((0, 0)), data.draw(st.booleans()))
    return draw_input(data, np.full(shape, np.nan))


def draw_values(data: st.DataObject, case: Expected) -> list[Array]:
    """Arrays of the case's shapes."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    sides = {letter: data.draw(st.integers(1, 40 if letter == "i" else 7)) for letter in "rci"}
    shapes = [tuple(int(side) if side.isdigit() else sides[side] for side in word) for word in case.inputs.split()]
    return [case.domain(rng.normal(size=shape).astype(np.float32)) for shape in shapes]


@pytest.mark.parametrize("name", CASES)
@drawn
@given(data=st.data())
def test_against_numpy(platform: Platform, name: str, data: st.DataObject) -> None:
    case = CASES[name]
    values = draw_values(data, case)
    expected = case.results(*(x.astype(np.float64) for x in values))
    inputs = [draw_input(data, x) for x in values]
    if case.target:
        inputs.append(draw_target(data, np.shape(expected)))
    reports = platform.run(case_name(name), inputs, case.numbers)
    assert_reports(reports, expected)
    if case.target and inputs[-1].values.size:
        assert reports[0].trans == inputs[-1].trans, "a target that fits keeps its storage order"


@pytest.mark.parametrize("name", IN_MEMORY_ORDER)
@drawn
@given(data=st.data())
def test_in_memory_order(platform: Platform, name: str, data: st.DataObject) -> None:
    [values] = draw_values(data, Expected("rc", np.asarray))
    given = draw_input(data, values)
    assert_reports(platform.run(name, [given]), IN_MEMORY_ORDER[name](values, given.trans))


@pytest.mark.parametrize("target", [False, True])
@pytest.mark.parametrize("name", SLICES)
@drawn
@given(data=st.data())
def test_slices(platform: Platform, name: str, target: bool, data: st.DataObject) -> None:
    [values] = draw_values(data, Expected("rc", np.asarray))
    ends = [data.draw(st.integers(1, side)) for side in values.shape]
    starts = [data.draw(st.integers(0, end - 1)) for end in ends]
    numbers, index = SLICES[name](starts[0], ends[0], starts[1], ends[1])
    inputs = [draw_input(data, values)]
    if target:
        inputs.append(draw_target(data, values[index].shape))
    reports = platform.run(name.format(", target" if target else ""), inputs, numbers)
    assert_reports(reports, values[index])


@drawn
@given(data=st.data())
def test_slices_to_the_end(platform: Platform, data: st.DataObject) -> None:
    [values] = draw_values(data, Expected("rc", np.asarray))
    reports = platform.run("slice(startRow, endRow, startCol, endCol)", [draw_input(data, values)], (0, -1, 0, -1))
    assert_reports(reports, values)


@drawn
@given(data=st.data())
def test_copy_of_a_part(platform: Platform, data: st.DataObject) -> None:
    source, dest = draw_values(data, Expected("rc 99", np.asarray))
    rows, cols = source.shape
    start_row, start_col = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, cols - 1))
    numbers = (start_row, -1, start_col, cols, 1, 2)
    name = "copy(dest, srcStartRow, srcEndRow, srcStartCol, srcEndCol, destStartRow, destStartCol)"
    reports = platform.run(name, [draw_input(data, source), draw_input(data, dest)], numbers)
    part = source[start_row:, start_col:]
    dest[1 : 1 + part.shape[0], 2 : 2 + part.shape[1]] = part
    assert_reports(reports, dest)


@pytest.mark.parametrize("trans", [False, True])
@pytest.mark.parametrize("name", RANDOM)
def test_random_draws(platform: Platform, name: str, trans: bool) -> None:
    numbers, mean, variance, (least, most) = RANDOM[name]
    count = 200 * 201
    filled = Input(np.zeros((200, 201)), trans, view=True)
    reports = [float(r.values[0, 0]) for r in platform.run(case_name(name), [filled], numbers)]
    assert abs(reports[0] - mean) < 5 * np.sqrt(variance / count)
    assert abs(reports[1] - variance) < 10 * variance / np.sqrt(count)
    assert least <= reports[2] < reports[3] <= most


@pytest.mark.parametrize("name", ["setDeviceID(id)", "getDeviceID()", "canAccessDevice(from, to)", "initCublas()"])
def test_devices(platform: Platform, name: str) -> None:
    platform.run(name)


@pytest.mark.parametrize("name", ["initRandom()", "isRndInitialized()", "destroyRandom()"])
def test_random_state(platform: Platform, name: str) -> None:
    platform.run(name)


@pytest.mark.parametrize("trans", [False, True])
def test_print(platform: Platform, trans: bool, capfd: pytest.CaptureFixture[str]) -> None:
    values = np.arange(6).reshape(2, 3)
    platform.run("print(rows, cols)", [Input(values, trans, view=True)], (5, 2))
    printed = np.array([[float(word) for word in line.split()] for line in capfd.readouterr().out.splitlines()])
    np.testing.assert_array_equal(printed, values[:, :2])
    platform.run("printShape(name)", [values])
    assert capfd.readouterr().out == "weights: 2x3\n"


def test_divup(platform: Platform) -> None:
    assert platform.run("DIVUP(x, y)", [np.zeros((1, 1))], (7, 2))[0].values == 4


REFUSED = {
    "add(b)": ([(2, 3), (3, 2)], (), "a matrix of 3 x 2 where 2 x 3 is needed"),
    "addVector(b)": ([(2, 3), (2, 2)], (), "a vector of 2 x 2 for a matrix of 2 x 3"),
    "addProduct(a, b)": ([(2, 3), (2, 4), (3, 3)], (), "a product of 2 x 4 and 3 x 3"),
    "sum(axis)": ([(2, 3)], (2,), "there is no axis 2"),
    "slice(startRow, endRow, startCol, endCol)": ([(2, 3)], (0, 3, 0, 1), "has no rows 0 to 3"),
    "addSum(m, axis, scaleThis, scaleSum)": ([(1, 2), (2, 3)], (0, 1, 1), "is added to a matrix of another size"),
    "copyToHost(hostMatrix)": ([(2, 3), (3, 2)], (), "a host matrix of 3 x 2 where 2 x 3 is needed"),
    "draw without initRandom": ([(2, 3)], (), r"device 0: random numbers before initRandom\(\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(platform: Platform, name: str) -> None:
    shapes, numbers, line = REFUSED[name]
    with pytest.raises(CaseFailed, match=line):
        platform.run(name, [np.zeros(shape) for shape in shapes], numbers)
