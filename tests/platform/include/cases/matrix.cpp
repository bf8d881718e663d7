// Every constructor, method and overload of Matrix (spec 6.2), as "Matrix::NAME".
#include "harness.h"

CASE("Matrix::Matrix()", {
    Matrix m;
    EXPECT(!m.isTrans() && !m.isView() && m.getData() == nullptr);
    c.report(m);
});
CASE("Matrix::Matrix(numRows, numCols)", {
    Matrix m(c.i(0), c.i(1));
    m.apply(Matrix::ZERO);
    c.report(m);
});
CASE("Matrix::Matrix(const Matrix&)", {
    Matrix copy(c.host(0));
    EXPECT(copy.getData() != c.host(0).getData() && copy.isTrans() == c.host(0).isTrans() && !copy.isView());
    c.report(copy);
});
CASE("Matrix::Matrix(data, numRows, numCols)", {
    Matrix& m = c.host(0);
    Matrix view(m.getData(), 1, m.getNumElements());
    EXPECT(view.isView() && !view.isTrans());
    c.report(view);
});
CASE("Matrix::Matrix(data, numRows, numCols, transposed)", {
    Matrix& m = c.host(0);
    Matrix view(m.getData(), m.getNumRows(), m.getNumCols(), m.isTrans());
    EXPECT(view.isView());
    c.report(view);
});
CASE("Matrix::dimensions", {
    const Matrix& m = c.host(0);
    static_assert(__is_same(decltype(m.getNumRows()), long int) && __is_same(decltype(m.getNumCols()), long int));
    EXPECT(m.getNumElements() == m.getNumRows() * m.getNumCols() && m.isSameDims(m) && !m.isSameDims(Matrix(9, 9)));
    c.report(m.getNumRows());
    c.report(m.getNumCols());
});
CASE("Matrix::operator()(row, col)", {
    Matrix& m = c.host(0);
    m(m.getNumRows() - 1, 0) = 7;
    c.report(m);
});
CASE("Matrix::setTrans(trans)", {
    Matrix& m = c.host(0);
    m.setTrans(!m.isTrans());
    c.report(m);
});
CASE("Matrix::resize(numRows, numCols)", {
    Matrix& m = c.host(0);
    float* const memory = m.getData();
    m.resize(m.getNumCols(), m.getNumRows());
    EXPECT(m.getData() == memory);
    c.report(m);
    m.resize(9, 9);
    EXPECT(m.getNumRows() == 9 && m.getNumElements() == 81);
});
CASE("Matrix::resize(like)", {
    Matrix m;
    m.resize(c.host(0));
    EXPECT(m.isSameDims(c.host(0)));
});
CASE("Matrix::resize of a view", {
    Matrix view(c.host(0).getData(), 1, 1);
    view.resize(2, 1);
});
CASE("Matrix::transpose()", {
    Matrix& view = c.host(0).transpose();
    EXPECT(view.isView() && view.isTrans() != c.host(0).isTrans() && view.getData() == c.host(0).getData());
    c.take(view);
});
CASE("Matrix::sliceRows(startRow, endRow)", {
    Matrix& part = c.host(0).sliceRows(c.i(0), c.i(1));
    EXPECT(part.isView() || c.host(0).isTrans());
    c.take(part);
});
HOST_TARGET("Matrix::sliceRows(startRow, endRow, target)", h.sliceRows(c.i(0), c.i(1), t));
CASE("Matrix::sliceCols(startCol, endCol)", {
    Matrix& part = c.host(0).sliceCols(c.i(0), c.i(1));
    EXPECT(part.isView() || !c.host(0).isTrans());
    c.take(part);
});
HOST_TARGET("Matrix::sliceCols(startCol, endCol, target)", h.sliceCols(c.i(0), c.i(1), t));
CASE("Matrix::copy()", c.take(c.host(0).copy()));
HOST_TARGET("Matrix::copy(target)", h.copy(t));

#define FUNCTION_CASE(name)                                           \
    HOST_IN_PLACE("Matrix::apply(" #name ")", h.apply(Matrix::name)); \
    HOST_TARGET("Matrix::apply(" #name ", target)", h.apply(Matrix::name, t))
FUNCTION_CASE(TANH);
FUNCTION_CASE(RECIPROCAL);
FUNCTION_CASE(SQUARE);
FUNCTION_CASE(ABS);
FUNCTION_CASE(EXP);
FUNCTION_CASE(LOG);
FUNCTION_CASE(ZERO);
FUNCTION_CASE(ONE);
FUNCTION_CASE(LOGISTIC1);
FUNCTION_CASE(LOGISTIC2);
FUNCTION_CASE(SIGN);

#define BOTH(name, call, ...)                                \
    HOST_IN_PLACE("Matrix::" name ")", h.call(__VA_ARGS__)); \
    HOST_TARGET("Matrix::" name ", target)", h.call(__VA_ARGS__, t))
BOTH("scale(factor", scale, c.f(0));
BOTH("addScalar(scalar", addScalar, c.f(0));
BOTH("add(b", add, c.host(1));
BOTH("add(b, scaleB", add, c.host(1), c.f(0));
BOTH("subtract(b", subtract, c.host(1));
BOTH("eltwiseMult(b", eltwiseMult, c.host(1));
BOTH("eltwiseDivide(b", eltwiseDivide, c.host(1));
BOTH("addVector(vec", addVector, c.host(1));
BOTH("addVector(vec, scaleVec", addVector, c.host(1), c.f(0));
BOTH("eltwiseMultByVector(vec", eltwiseMultByVector, c.host(1));
BOTH("eltwiseDivideByVector(vec", eltwiseDivideByVector, c.host(1));
BOTH("rightMult(b", rightMult, c.host(1));
BOTH("rightMult(b, scaleAB", rightMult, c.host(1), c.f(0));
HOST_IN_PLACE("Matrix::addProduct(a, b)", h.addProduct(c.host(1), c.host(2)));
HOST_IN_PLACE("Matrix::addProduct(a, b, scaleThis, scaleAB)", h.addProduct(c.host(1), c.host(2), c.f(0), c.f(1)));

#define HOST_AGGREGATION(method)                                         \
    CASE("Matrix::" #method "()", c.report(c.host(0).method()));         \
    CASE("Matrix::" #method "(axis)", c.take(c.host(0).method(c.i(0)))); \
    HOST_TARGET("Matrix::" #method "(axis, target)", h.method(c.i(0), t))
HOST_AGGREGATION(sum);
HOST_AGGREGATION(max);
HOST_AGGREGATION(min);
CASE("Matrix::norm()", c.report(c.host(0).norm()));
CASE("Matrix::hasNan()", c.report(c.host(0).hasNan()));
CASE("Matrix::hasInf()", c.report(c.host(0).hasInf()));

static void report_moments(Call& c, Matrix& m) {
    const float mean = m.sum() / static_cast<float>(m.getNumElements());
    c.report(mean);
    c.report(m.min());
    c.report(m.max());
    m.addScalar(-mean);
    c.report(m.norm() * m.norm() / static_cast<float>(m.getNumElements()));
}
CASE("Matrix::randomizeUniform()", srand(1); c.host(0).randomizeUniform(); report_moments(c, c.host(0)));
CASE("Matrix::randomizeNormal()", srand(1); c.host(0).randomizeNormal(); report_moments(c, c.host(0)));
CASE("Matrix::randomizeNormal(mean, stdev)", srand(1); c.host(0).randomizeNormal(c.f(0), c.f(1));
     report_moments(c, c.host(0)));
CASE("Matrix::print(startRow, rows, startCol, cols)", c.host(0).print(c.i(0), c.i(1), c.i(2), c.i(3)); fflush(stdout));

// The NumPy array whose address the two numbers give, upper half first; doubled through slices of the matrix.
static Matrix& borrowed(Call& c) {
    const unsigned long upper = static_cast<unsigned long>(c.i(0)), lower = static_cast<unsigned>(c.i(1));
    return *new Matrix(reinterpret_cast<const PyArrayObject*>(upper << 31 | lower));
}
CASE("Matrix::Matrix(const PyArrayObject*)", {
    Matrix& m = borrowed(c);
    EXPECT(m.isView());
    c.report(m);
    for (int i = 0; i < (m.isTrans() ? m.getNumCols() : m.getNumRows()); i++) {
        Matrix& line = m.isTrans() ? m.sliceCols(i, i + 1) : m.sliceRows(i, i + 1);
        line.scale(2);
        delete &line;
    }
    delete &m;
});
