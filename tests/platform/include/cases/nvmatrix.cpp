// Every constructor, method and overload of NVMatrix, and every functor (spec 6.3). Names are those of
// docs/platform.md's tables.
#include "harness.h"

// 6.3, functors: in place and into a target.
#define UNARY(name, ...)                                     \
    IN_PLACE("NVMatrixOps::" name, c[0].apply(__VA_ARGS__)); \
    TARGET("NVMatrixOps::" name ", target", c[0].apply(__VA_ARGS__, t))
UNARY("Exp", NVMatrixOps::Exp());
UNARY("Logistic", NVMatrixOps::Logistic());
UNARY("Log", NVMatrixOps::Log());
UNARY("Square", NVMatrixOps::Square());
UNARY("Sqrt", NVMatrixOps::Sqrt());
UNARY("Reciprocal", NVMatrixOps::Reciprocal());
UNARY("Abs", NVMatrixOps::Abs());
UNARY("Sign", NVMatrixOps::Sign());
UNARY("Identity", NVMatrixOps::Identity());
UNARY("Zero", NVMatrixOps::Zero());
UNARY("One", NVMatrixOps::One());
UNARY("Pow(exponent)", NVMatrixOps::Pow(c.f(0)));
UNARY("AddScalar(scalar)", NVMatrixOps::AddScalar(c.f(0)));
UNARY("WeightedAddScalar(weight, scalar)", NVMatrixOps::WeightedAddScalar(c.f(0), c.f(1)));
UNARY("MultByScalar(scalar)", NVMatrixOps::MultByScalar(c.f(0)));
UNARY("BiggerThanScalar(scalar)", NVMatrixOps::BiggerThanScalar(c.f(0)));
UNARY("SmallerThanScalar(scalar)", NVMatrixOps::SmallerThanScalar(c.f(0)));
UNARY("MinWithScalar(scalar)", NVMatrixOps::MinWithScalar(c.f(0)));
UNARY("MaxWithScalar(scalar)", NVMatrixOps::MaxWithScalar(c.f(0)));
UNARY("InRange<false>(lower, upper)", NVMatrixOps::InRange<false>(c.f(0), c.f(1)));
UNARY("InRange<true>(lower, upper)", NVMatrixOps::InRange<true>(c.f(0), c.f(1)));

#define BINARY(name, ...)                                \
    IN_PLACE(name, c[0].applyBinary(__VA_ARGS__, c[1])); \
    TARGET(name ", target", c[0].applyBinary(__VA_ARGS__, c[1], t))
BINARY("NVMatrixBinaryOps::Equals", NVMatrixBinaryOps::Equals());
BINARY("NVMatrixBinaryOps::BiggerThan", NVMatrixBinaryOps::BiggerThan());
BINARY("NVMatrixBinaryOps::Divide", NVMatrixBinaryOps::Divide());
BINARY("NVMatrixBinaryOps::Multiply", NVMatrixBinaryOps::Multiply());
BINARY("NVMatrixBinaryOps::SquaredDiff", NVMatrixBinaryOps::SquaredDiff());
BINARY("NVMatrixBinaryOps::WeightedAdd(scaleA, scaleB)", NVMatrixBinaryOps::WeightedAdd(c.f(0), c.f(1)));
BINARY("NVMatrixBinaryOps::Add", NVMatrixBinaryOps::Add());
BINARY("NVMatrixAggs::Sum", NVMatrixAggs::Sum());
BINARY("NVMatrixAggs::Max", NVMatrixAggs::Max());
BINARY("NVMatrixAggs::Min", NVMatrixAggs::Min());
BINARY("NVMatrixAggs::ArgMax<op>", NVMatrixAggs::ArgMax<NVMatrixOps::Abs>());
CASE("NVMatrixAggs::getBaseValue()", {
    c.report(NVMatrixAggs::Sum().getBaseValue());
    c.report(NVMatrixAggs::Max().getBaseValue());
    c.report(NVMatrixAggs::Min().getBaseValue());
    const NVMatrixAggs::ArgMax<NVMatrixOps::Abs> argmax;
    c.report(argmax(argmax.getBaseValue(), 0));
});

// A functor as the historic trees write them: a virtual operator, others nested in it, given by value.
struct Doubling {
    NVMatrixOps::MultByScalar twice = NVMatrixOps::MultByScalar(2);
    virtual ~Doubling() = default;
    virtual __device__ float operator()(float x) const { return twice(x); }
};
struct DoublingAndOne : Doubling {
    __device__ float operator()(float x) const override { return Doubling::operator()(x) + 1; }
};
struct Inherited : DoublingAndOne {};
IN_PLACE("apply(op)", c[0].apply(DoublingAndOne()));
TARGET("apply(op, target)", c[0].apply(Inherited(), t));
IN_PLACE("applyBinary(op, b)", c[0].applyBinary(NVMatrixBinaryOps::Add(), c[1]));
TARGET("applyBinary(op, b, target)", c[0].applyBinary(NVMatrixBinaryOps::Add(), c[1], t));
struct MultiplyAdd {
    __device__ float operator()(float x, float y, float z) const { return x * y + z; }
};
TARGET("applyTernary(op, b, c, target)", c[0].applyTernary(MultiplyAdd(), c[1], c[2], t));
IN_PLACE("applyBinaryV(op, vec)", c[0].applyBinaryV(NVMatrixBinaryOps::SquaredDiff(), c[1]));
TARGET("applyBinaryV(op, vec, target)", c[0].applyBinaryV(NVMatrixBinaryOps::SquaredDiff(), c[1], t));

IN_PLACE("add(b)", c[0].add(c[1]));
IN_PLACE("add(b, scaleB)", c[0].add(c[1], c.f(0)));
IN_PLACE("add(b, scaleThis, scaleB)", c[0].add(c[1], c.f(0), c.f(1)));
TARGET("add(b, scaleThis, scaleB, target)", c[0].add(c[1], c.f(0), c.f(1), t));
TARGET("add(b, target)", c[0].add(c[1], t));
IN_PLACE("subtract(b)", c[0].subtract(c[1]));
TARGET("subtract(b, target)", c[0].subtract(c[1], t));
#define PAIR(method)                            \
    IN_PLACE(#method "(b)", c[0].method(c[1])); \
    TARGET(#method "(b, target)", c[0].method(c[1], t))
PAIR(eltwiseMult);
PAIR(eltwiseDivide);
PAIR(squaredDiff);
PAIR(equals);
PAIR(biggerThan);
PAIR(eltwiseMultByVector);
PAIR(eltwiseDivideByVector);
PAIR(equalsVector);
PAIR(biggerThanVector);
PAIR(addVector);
IN_PLACE("addVector(vec, scaleVec)", c[0].addVector(c[1], c.f(0)));
TARGET("addVector(vec, scaleVec, target)", c[0].addVector(c[1], c.f(0), t));
#define SCALAR(method)                                 \
    IN_PLACE(#method "(scalar)", c[0].method(c.f(0))); \
    TARGET(#method "(scalar, target)", c[0].method(c.f(0), t))
SCALAR(scale);
SCALAR(addScalar);
SCALAR(minWithScalar);
SCALAR(maxWithScalar);
SCALAR(biggerThanScalar);
SCALAR(smallerThanScalar);
SCALAR(pow);
IN_PLACE("inRangeInc(lower, upper)", c[0].inRangeInc(c.f(0), c.f(1)));
TARGET("inRangeInc(lower, upper, target)", c[0].inRangeInc(c.f(0), c.f(1), t));
IN_PLACE("inRangeExc(lower, upper)", c[0].inRangeExc(c.f(0), c.f(1)));
TARGET("inRangeExc(lower, upper, target)", c[0].inRangeExc(c.f(0), c.f(1), t));
TARGET("tile(timesY, timesX, target)", c[0].tile(c.i(0), c.i(1), t));

IN_PLACE("addProduct(a, b)", c[0].addProduct(c[1], c[2]));
IN_PLACE("addProduct(a, b, scaleThis, scaleAB)", c[0].addProduct(c[1], c[2], c.f(0), c.f(1)));
CASE("rightMult(b)", {
    NVMatrix m(c[0]);
    m.rightMult(c[1]);
    c.report(m);
});
CASE("rightMult(b, scaleAB)", {
    NVMatrix m(c[0]);
    m.rightMult(c[1], c.f(0));
    c.report(m);
});
TARGET("rightMult(b, target)", c[0].rightMult(c[1], t));
TARGET("rightMult(b, scaleAB, target)", c[0].rightMult(c[1], c.f(0), t));

#define AGGREGATION(method)                              \
    CASE(#method "()", c.report(c[0].method()));         \
    CASE(#method "(axis)", c.take(c[0].method(c.i(0)))); \
    TARGET(#method "(axis, target)", c[0].method(c.i(0), t))
AGGREGATION(sum);
AGGREGATION(max);
AGGREGATION(min);
IN_PLACE("addSum(m, axis, scaleThis, scaleSum)", c[0].addSum(c[1], c.i(0), c.f(1), c.f(2)));
CASE("mean()", c.report(c[0].mean()));
CASE("norm()", c.report(c[0].norm()));
CASE("norm2()", c.report(c[0].norm2()));
CASE("dotProduct(b)", c.report(c[0].dotProduct(c[1])));

// Shapes, views and copies.
CASE("NVMatrix()", {
    NVMatrix m;
    c.report(m);
    EXPECT(!m.isTrans() && !m.isView() && m.isContiguous() && m.getDevData() == nullptr && m.getStride() == 0);
});
CASE("NVMatrix(isTrans)", {
    NVMatrix m(true);
    c.report(m);
    EXPECT(m.isTrans() && m.getNumElements() == 0);
});
CASE("NVMatrix(numRows, numCols)", {
    NVMatrix m(c.i(0), c.i(1));
    EXPECT(!m.isTrans() && !m.isView() && m.getStride() == c.i(1));
    m.apply(NVMatrixOps::Zero());
    c.report(m);
});
CASE("NVMatrix(numRows, numCols, isTrans)", {
    NVMatrix m(c.i(0), c.i(1), true);
    EXPECT(m.isTrans() && m.getStride() == c.i(0));
    m.apply(NVMatrixOps::Zero());
    c.report(m);
});
CASE("NVMatrix(const Matrix&)", c.report(NVMatrix(c.host(0))));
CASE("NVMatrix(const Matrix&, copy)", {
    NVMatrix copy(c.host(0), true);
    NVMatrix like(c.host(0), false);
    EXPECT(like.isSameDims(copy) && like.isTrans() == copy.isTrans());
    c.report(copy);
});
CASE("NVMatrix(const NVMatrix&)", {
    NVMatrix copy(c[0]);
    EXPECT(!copy.isView() && copy.getDevData() != c[0].getDevData());
    c.report(copy);
});
CASE("NVMatrix(const NVMatrix&, copy)", {
    NVMatrix copy(c[0], true);
    NVMatrix like(c[0], false);
    EXPECT(like.isSameDims(copy) && like.isTrans() == copy.isTrans());
    c.report(copy);
});
CASE("NVMatrix(devData, numRows, numCols, stride, isTrans)", {
    const NVMatrix& m = c[0];
    NVMatrix view(m.getDevData(), m.getNumRows(), m.getNumCols(), m.getStride(), m.isTrans());
    EXPECT(view.isView());
    c.report(view);
});
CASE("dimensions", {
    const NVMatrix& m = c[0];
    EXPECT(m.getNumElements() == m.getNumRows() * m.getNumCols());
    EXPECT(m.getLeadingDim() == (m.isTrans() ? m.getNumRows() : m.getNumCols()));
    EXPECT(m.getFollowingDim() == (m.isTrans() ? m.getNumCols() : m.getNumRows()));
    EXPECT(m.getStride() >= m.getLeadingDim());
    EXPECT(m.isContiguous() == (m.getStride() == m.getLeadingDim() || m.getFollowingDim() == 1));
    EXPECT(m.isSameDims(m) && !m.isSameDims(NVMatrix(m.getNumRows() + 1, m.getNumCols())));
    c.report(m.getNumRows());
    c.report(m.getNumCols());
});
CASE("setTrans(trans)", {
    NVMatrix m(c[0]);
    float* const memory = m.getDevData();
    m.setTrans(!m.isTrans());
    EXPECT(m.getDevData() == memory && m.isSameDims(c[0]));
    c.report(m);
});
CASE("setView(isView)", {
    NVMatrix m(c[0]);
    m.setView(true);
    EXPECT(m.isView());
    m.setView(false);
    EXPECT(!m.isView());
    c.report(m);
});
CASE("truncate()", {
    NVMatrix m(c[0]);
    m.truncate();
    EXPECT(m.isContiguous() && m.getDevData() == nullptr && m.getNumRows() == 0 && m.getNumCols() == 0);
    c[0].truncate();
    EXPECT(!c[0].isView() && c[0].getDevData() == nullptr);
    c.report(m);
});
CASE("resize(numRows, numCols)", {
    NVMatrix m(c[0]);
    float* const memory = m.getDevData();
    EXPECT(!m.resize(m.getNumCols(), m.getNumRows()) && m.getDevData() == memory);
    c.report(m);
    EXPECT(m.resize(m.getNumRows() + 1, m.getNumCols()) && m.getStride() == m.getLeadingDim());
    EXPECT(m.getNumRows() == c[0].getNumCols() + 1);
});
CASE("resize(like)", {
    NVMatrix m;
    EXPECT(m.resize(c[0]) && m.isSameDims(c[0]) && m.isTrans() == c[0].isTrans());
    EXPECT(!m.resize(c[0]));
    c.report(m.getNumRows());
});
CASE("reshape(numRows, numCols)", {
    NVMatrix m(c[0]);
    float* const memory = m.getDevData();
    m.reshape(1, m.getNumElements());
    EXPECT(m.getDevData() == memory);
    c.report(m);
});
CASE("reshaped(numRows, numCols)", {
    NVMatrix m(c[0]);
    NVMatrix& view = m.reshaped(m.getNumElements(), 1);
    EXPECT(view.isView() && view.getDevData() == m.getDevData() && m.isSameDims(c[0]));
    c.take(view);
});
TARGET("copy(dest)", c[0].copy(t));
CASE("copy(dest, srcStartRow, srcEndRow, srcStartCol, srcEndCol, destStartRow, destStartCol)", {
    c[0].copy(c[1], c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5));
    c.report(c[1]);
});
CASE("copy()", {
    NVMatrix& copy = c[0].copy();
    EXPECT(!copy.isView() && copy.isTrans() == c[0].isTrans());
    c.take(copy);
});
CASE("getClone()", {
    NVMatrix& clone = c[0].getClone();
    EXPECT(clone.isView() && clone.getDevData() == c[0].getDevData());
    c.take(clone);
});
CASE("copyFromHost(hostMatrix)", {
    c[1].copyFromHost(c.host(0));
    c.report(c[1]);
});
CASE("copyFromHost(hostMatrix, resizeTarget)", {
    NVMatrix m(2, 1, true);
    m.copyFromHost(c.host(0), true);
    EXPECT(m.isTrans() == c.host(0).isTrans());
    c.report(m);
});
CASE("copyToHost(hostMatrix)", {
    const bool trans = c.host(1).isTrans();
    c[0].copyToHost(c.host(1));
    EXPECT(c.host(1).isTrans() == trans);
    c.report(c.host(1));
});
CASE("copyToHost(hostMatrix, resizeTarget)", {
    Matrix m(2, 1);
    c[0].copyToHost(m, true);
    EXPECT(m.isTrans() == c[0].isTrans());
    c.report(m);
});
CASE("transpose()", {
    const bool trans = c[0].isTrans();
    float* const memory = c[0].getDevData();
    c[0].transpose();
    EXPECT(c[0].isTrans() != trans && c[0].getDevData() == memory);
    c.report(c[0]);
});
CASE("transpose(trans)", {
    const bool trans = c[0].isTrans();
    EXPECT(c[0].transpose(trans) == trans);
    EXPECT(c[0].transpose(!trans) == trans && c[0].isTrans() == !trans);
    c.report(c[0]);
});
CASE("getTranspose()", {
    NVMatrix& view = c[0].getTranspose();
    EXPECT(view.isView() && view.isTrans() != c[0].isTrans() && view.getDevData() == c[0].getDevData());
    c.take(view);
});
CASE("transpose(target)", {
    NVMatrix t;
    c[0].transpose(t);
    EXPECT(t.isTrans() == c[0].isTrans() && !t.isView());
    c.report(t);
    NVMatrix self(c[0]);
    self.transpose(self);
    c.report(self);
});
CASE("flipTrans()", {
    NVMatrix& flipped = c[0].flipTrans();
    EXPECT(flipped.isTrans() != c[0].isTrans() && !flipped.isView());
    c.take(flipped);
});
CASE("flipTrans(target)", {
    NVMatrix t;
    c[0].flipTrans(t);
    EXPECT(t.isTrans() != c[0].isTrans());
    c.report(t);
});
CASE("sliceRows(startRow, endRow)", {
    NVMatrix& view = c[0].sliceRows(c.i(0), c.i(1));
    EXPECT(view.isView());
    c.take(view);
});
TARGET("sliceRows(startRow, endRow, target)", c[0].sliceRows(c.i(0), c.i(1), t));
CASE("sliceCols(startCol, endCol)", c.take(c[0].sliceCols(c.i(0), c.i(1))));
TARGET("sliceCols(startCol, endCol, target)", c[0].sliceCols(c.i(0), c.i(1), t));
CASE("slice(startRow, endRow, startCol, endCol)", c.take(c[0].slice(c.i(0), c.i(1), c.i(2), c.i(3))));
TARGET("slice(startRow, endRow, startCol, endCol, target)", c[0].slice(c.i(0), c.i(1), c.i(2), c.i(3), t));
CASE("print(rows, cols)", c[0].print(c.i(0), c.i(1)); fflush(stdout));
CASE("printShape(name)", c[0].printShape("weights"); fflush(stdout));
IN_PLACE("DIVUP(x, y)", c.report(DIVUP(c.i(0), static_cast<size_t>(c.i(1)))));

// Devices.
CASE("setDeviceID(id)", {
    NVMatrix::setDeviceID(1);
    EXPECT(NVMatrix::getDeviceID() == 1);
    NVMatrix::setDeviceID(0);
});
CASE("getDeviceID()", {
    cudaSetDevice(1);
    EXPECT(NVMatrix::getDeviceID() == 1);
    cudaSetDevice(0);
    EXPECT(NVMatrix::getDeviceID() == 0);
});
CASE("canAccessDevice(from, to)", EXPECT(NVMatrix::canAccessDevice(0, 0) && NVMatrix::canAccessDevice(0, 1)));
CASE("initCublas()", NVMatrix::initCublas());

// Random numbers: moments of many draws.
void report_moments(Call& c, const NVMatrix& m) {
    NVMatrix centred;
    const float mean = m.mean();
    m.apply(NVMatrixOps::AddScalar(-mean), centred);
    c.report(mean);
    c.report(centred.norm2() / m.getNumElements());
    c.report(m.min());
    c.report(m.max());
}
CASE("initRandom(seed)", {
    NVMatrix first(5, 7), second(5, 7), again(5, 7);
    NVMatrix::initRandom(c.i(0));
    first.randomizeUniform();
    second.randomizeUniform();
    NVMatrix::initRandom(c.i(0));
    again.randomizeUniform();
    EXPECT(first.norm() != second.norm());
    first.subtract(again);
    c.report(first.norm());
});
CASE("initRandom()", {
    NVMatrix first(5, 7), second(5, 7);
    NVMatrix::initRandom();
    first.randomizeUniform();
    NVMatrix::initRandom();
    second.randomizeUniform();
    EXPECT(first.norm() != second.norm());
});
CASE("isRndInitialized()", {
    NVMatrix::initRandom(1);
    EXPECT(NVMatrix::isRndInitialized());
});
CASE("destroyRandom()", {
    NVMatrix::initRandom(1);
    NVMatrix::destroyRandom();
    EXPECT(!NVMatrix::isRndInitialized());
});
CASE("draw without initRandom", {
    NVMatrix::destroyRandom();
    c[0].randomizeUniform();
});
CASE("randomizeUniform()", {
    NVMatrix::initRandom(3);
    NVMatrix& part = c[0];
    part.randomizeUniform();
    report_moments(c, part);
});
CASE("randomizeGaussian()", {
    NVMatrix::initRandom(3);
    c[0].randomizeGaussian();
    report_moments(c, c[0]);
});
CASE("randomizeGaussian(stdev)", {
    NVMatrix::initRandom(3);
    c[0].randomizeGaussian(c.f(0));
    report_moments(c, c[0]);
});
CASE("randomizeGaussian(mean, stdev)", {
    NVMatrix::initRandom(3);
    c[0].randomizeGaussian(c.f(0), c.f(1));
    report_moments(c, c[0]);
});
CASE("randomizeGaussian(stdevs)", {
    NVMatrix::initRandom(3);
    c[0].apply(NVMatrixOps::WeightedAddScalar(0, c.f(0)));
    NVMatrix noise;
    noise.randomizeGaussian(c[0]);
    report_moments(c, noise);
});
CASE("addGaussianNoise(stdevs, isVar)", {
    NVMatrix::initRandom(3);
    c[0].apply(NVMatrixOps::One());
    c[0].scale(c.f(0));
    c[0].addGaussianNoise(c[0], c.i(1) != 0);
    report_moments(c, c[0]);
});
CASE("addGaussianNoise(stdev)", {
    NVMatrix::initRandom(3);
    c[0].apply(NVMatrixOps::Zero());
    c[0].addGaussianNoise(c.f(0));
    report_moments(c, c[0]);
});
CASE("binarizeProbs()", {
    NVMatrix::initRandom(3);
    c[0].apply(NVMatrixOps::One());
    c[0].scale(c.f(0));
    c[0].binarizeProbs();
    report_moments(c, c[0]);
});
CASE("binarizeProbs(target)", {
    NVMatrix::initRandom(3);
    NVMatrix bits;
    c[0].apply(NVMatrixOps::One());
    c[0].scale(c.f(0));
    c[0].binarizeProbs(bits);
    report_moments(c, bits);
});

// HostNVMatrix.
CASE("HostNVMatrix()", {
    HostNVMatrix host;
    NVMatrix& base = host;
    c[0].copy(base);
    base.add(c[0]);
    c.report(base);
});
CASE("HostNVMatrix(numRows, numCols)", {
    HostNVMatrix host(c.i(0), c.i(1));
    host.apply(NVMatrixOps::One());
    c.report(host);
});
CASE("HostNVMatrix(const HostNVMatrix&)", {
    HostNVMatrix host(c[0]);
    HostNVMatrix copy(host);
    EXPECT(copy.getDevData() != host.getDevData());
    c.report(copy);
});
CASE("HostNVMatrix(const NVMatrix&)", {
    HostNVMatrix host(c[0]);
    std::unique_ptr<NVMatrix> moved(new HostNVMatrix(host));
    EXPECT(host.isTrans() == c[0].isTrans());
    c.report(*moved);
});
