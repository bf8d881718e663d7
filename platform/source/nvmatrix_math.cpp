// NVMatrix: elementwise operations, products, aggregations and random numbers (spec 6.3).
#include "convnet_platform/devices.h"
#include "operands.h"

using convnet_platform::current_device;
using convnet_platform::for_each;
using convnet_platform::Strided;

void NVMatrix::add(const NVMatrix& b, float scaleThis, float scaleB, NVMatrix& target) const {
    if (scaleThis == 0)
        b.apply(NVMatrixOps::MultByScalar(scaleB), target);
    else
        applyBinary(NVMatrixBinaryOps::WeightedAdd(scaleThis, scaleB), b, target);
}

void NVMatrix::eltwiseMult(const NVMatrix& b, NVMatrix& target) const {
    applyBinary(NVMatrixBinaryOps::Multiply(), b, target);
}

void NVMatrix::eltwiseDivide(const NVMatrix& b, NVMatrix& target) const {
    applyBinary(NVMatrixBinaryOps::Divide(), b, target);
}

void NVMatrix::squaredDiff(const NVMatrix& b, NVMatrix& target) const {
    applyBinary(NVMatrixBinaryOps::SquaredDiff(), b, target);
}

void NVMatrix::equals(const NVMatrix& b, NVMatrix& target) const {
    applyBinary(NVMatrixBinaryOps::Equals(), b, target);
}

void NVMatrix::biggerThan(const NVMatrix& b, NVMatrix& target) const {
    applyBinary(NVMatrixBinaryOps::BiggerThan(), b, target);
}

void NVMatrix::addVector(const NVMatrix& vec, float scaleVec, NVMatrix& target) const {
    applyBinaryV(NVMatrixBinaryOps::WeightedAdd(1, scaleVec), vec, target);
}

void NVMatrix::eltwiseMultByVector(const NVMatrix& vec, NVMatrix& target) const {
    applyBinaryV(NVMatrixBinaryOps::Multiply(), vec, target);
}

void NVMatrix::eltwiseDivideByVector(const NVMatrix& vec, NVMatrix& target) const {
    applyBinaryV(NVMatrixBinaryOps::Divide(), vec, target);
}

void NVMatrix::equalsVector(const NVMatrix& vec, NVMatrix& target) const {
    applyBinaryV(NVMatrixBinaryOps::Equals(), vec, target);
}

void NVMatrix::biggerThanVector(const NVMatrix& vec, NVMatrix& target) const {
    applyBinaryV(NVMatrixBinaryOps::BiggerThan(), vec, target);
}

void NVMatrix::scale(float factor, NVMatrix& target) const { apply(NVMatrixOps::MultByScalar(factor), target); }

void NVMatrix::addScalar(float scalar, NVMatrix& target) const { apply(NVMatrixOps::AddScalar(scalar), target); }

void NVMatrix::minWithScalar(float scalar, NVMatrix& target) const {
    apply(NVMatrixOps::MinWithScalar(scalar), target);
}

void NVMatrix::maxWithScalar(float scalar, NVMatrix& target) const {
    apply(NVMatrixOps::MaxWithScalar(scalar), target);
}

void NVMatrix::biggerThanScalar(float scalar, NVMatrix& target) const {
    apply(NVMatrixOps::BiggerThanScalar(scalar), target);
}

void NVMatrix::smallerThanScalar(float scalar, NVMatrix& target) const {
    apply(NVMatrixOps::SmallerThanScalar(scalar), target);
}

void NVMatrix::inRangeInc(float lower, float upper, NVMatrix& target) const {
    apply(NVMatrixOps::InRange<false>(lower, upper), target);
}

void NVMatrix::inRangeExc(float lower, float upper, NVMatrix& target) const {
    apply(NVMatrixOps::InRange<true>(lower, upper), target);
}

void NVMatrix::pow(float exponent, NVMatrix& target) const { apply(NVMatrixOps::Pow(exponent), target); }

namespace {

struct TileBody {
    Strided source, target;
    int rows, cols;

    __device__ void operator()(ptrdiff_t row, ptrdiff_t col) {
        target.data[row * target.row_step + col * target.col_step] =
            source.data[row % rows * source.row_step + col % cols * source.col_step];
    }
};

}  // namespace

void NVMatrix::tile(int timesY, int timesX, NVMatrix& target) const {
    CONVNET_PLATFORM_REQUIRE(timesY >= 0 && timesX >= 0, "a matrix cannot be tiled %d x %d times", timesY, timesX);
    if (&target == this) return NVMatrix(*this).tile(timesY, timesX, target);
    target.resize(numRows_ * timesY, numCols_ * timesX);
    for_each(target.numRows_, target.numCols_, TileBody{strided(), target.strided(), numRows_, numCols_});
}

bool NVMatrix::mayOverlap(const NVMatrix& m) const {
    const auto end = [](const NVMatrix& x) {
        return x.data_ + static_cast<ptrdiff_t>(x.stride_) * x.getFollowingDim();
    };
    return data_ && m.data_ && data_ < end(m) && m.data_ < end(*this);
}

void NVMatrix::addProduct(const NVMatrix& a, const NVMatrix& b, float scaleThis, float scaleAB) {
    CONVNET_PLATFORM_REQUIRE(a.numCols_ == b.numRows_, "a product of %d x %d and %d x %d", a.numRows_, a.numCols_,
                             b.numRows_, b.numCols_);
    if (mayOverlap(a)) return addProduct(NVMatrix(a), b, scaleThis, scaleAB);
    if (mayOverlap(b)) return addProduct(a, NVMatrix(b), scaleThis, scaleAB);
    const int rows = a.numRows_, cols = b.numCols_, inner = a.numCols_;
    if (inner == 0) {  // a sum over nothing
        NVMatrix zeros(rows, cols, isTrans_);
        zeros.apply(NVMatrixOps::Zero());
        return add(zeros, scaleThis, 1);
    }
    const convnet_platform::Input left(a, convnet_platform::Order::any), right(b, convnet_platform::Order::any);
    convnet_platform::Output product(*this, rows, cols, scaleThis, convnet_platform::Order::any);
    if (rows == 0 || cols == 0) return;
    const convnet::Scale scale{scaleThis, scaleAB};
    if (isTrans_)  // its memory holds the transposed product, row by row
        current_device().multiply(right.data(), !b.isTrans_, left.data(), !a.isTrans_, product.data(), cols, rows,
                                  inner, scale);
    else
        current_device().multiply(left.data(), a.isTrans_, right.data(), b.isTrans_, product.data(), rows, cols, inner,
                                  scale);
}

void NVMatrix::rightMult(const NVMatrix& b, float scaleAB) { NVMatrix(*this).rightMult(b, scaleAB, *this); }

namespace {

// In blocks: the rounding error of a long float sum grows with the number of blocks, not with its length.
template <class Agg>
__device__ float aggregate_line(Agg agg, const float* data, ptrdiff_t step, ptrdiff_t length) {
    const ptrdiff_t block = 128;
    float value = agg.getBaseValue();
    for (ptrdiff_t first = 0; first < length; first += block) {
        float part = agg.getBaseValue();
        for (ptrdiff_t i = first; i < length && i < first + block; i++) part = agg(part, data[i * step]);
        value = agg(value, part);
    }
    return value;
}

// Line `item` of length elements, into out.
template <class Agg>
struct AggregateLinesBody {
    Agg agg;
    const float* data;
    ptrdiff_t line_step, step, length;
    float* out;
    ptrdiff_t out_step;

    __device__ void operator()(ptrdiff_t, ptrdiff_t item) {
        out[item * out_step] = aggregate_line(agg, data + item * line_step, step, length);
    }
};

constexpr int piece = 1024;

// Piece `item` of `count` contiguous elements.
template <class Agg>
struct AggregatePiecesBody {
    Agg agg;
    const float* data;
    ptrdiff_t count;
    float* out;

    __device__ void operator()(ptrdiff_t, ptrdiff_t item) {
        const ptrdiff_t first = item * piece, rest = count - first;
        out[item] = aggregate_line(agg, data + first, 1, rest < piece ? rest : piece);
    }
};

template <class Agg>
void aggregate(Agg agg, const NVMatrix& matrix, int axis, NVMatrix& target) {
    CONVNET_PLATFORM_REQUIRE(axis == 0 || axis == 1, "there is no axis %d", axis);
    if (&target == &matrix) return aggregate(agg, NVMatrix(matrix), axis, target);
    const int rows = matrix.getNumRows(), cols = matrix.getNumCols();
    target.resize(axis == 0 ? 1 : rows, axis == 0 ? cols : 1);
    const Strided in = matrix.strided(), out = target.strided();
    if (axis == 0)
        for_each(1, cols,
                 AggregateLinesBody<Agg>{agg, in.data, in.col_step, in.row_step, rows, out.data, out.col_step});
    else
        for_each(1, rows,
                 AggregateLinesBody<Agg>{agg, in.data, in.row_step, in.col_step, cols, out.data, out.row_step});
}

template <class Agg>
NVMatrix& aggregate(Agg agg, const NVMatrix& matrix, int axis) {
    NVMatrix& target = *new NVMatrix;
    aggregate(agg, matrix, axis, target);
    return target;
}

template <class Agg>
float aggregate(Agg agg, const NVMatrix& matrix) {
    const convnet_platform::Input whole(matrix, convnet_platform::Order::any);
    int count = matrix.getNumElements();
    if (count == 0) return agg.getBaseValue();
    NVMatrix results[2];
    const float* data = whole.data();
    for (int round = 0; count > 1; round++) {
        NVMatrix& result = results[round % 2];
        result.resize(1, DIVUP(count, piece));
        for_each(1, result.getNumCols(), AggregatePiecesBody<Agg>{agg, data, count, result.getDevData()});
        data = result.getDevData();
        count = result.getNumCols();
    }
    float value;
    current_device().copy_to_host(data, &value, 1);
    return value;
}

}  // namespace

void NVMatrix::sum(int axis, NVMatrix& target) const { aggregate(NVMatrixAggs::Sum(), *this, axis, target); }
void NVMatrix::max(int axis, NVMatrix& target) const { aggregate(NVMatrixAggs::Max(), *this, axis, target); }
void NVMatrix::min(int axis, NVMatrix& target) const { aggregate(NVMatrixAggs::Min(), *this, axis, target); }
NVMatrix& NVMatrix::sum(int axis) const { return aggregate(NVMatrixAggs::Sum(), *this, axis); }
NVMatrix& NVMatrix::max(int axis) const { return aggregate(NVMatrixAggs::Max(), *this, axis); }
NVMatrix& NVMatrix::min(int axis) const { return aggregate(NVMatrixAggs::Min(), *this, axis); }
float NVMatrix::sum() const { return aggregate(NVMatrixAggs::Sum(), *this); }
float NVMatrix::max() const { return aggregate(NVMatrixAggs::Max(), *this); }
float NVMatrix::min() const { return aggregate(NVMatrixAggs::Min(), *this); }
float NVMatrix::mean() const { return sum() / getNumElements(); }

void NVMatrix::addSum(const NVMatrix& m, int axis, float scaleThis, float scaleSum) {
    const NVMatrix& sums = m.sum(axis);
    const bool anew = resize(sums.numRows_, sums.numCols_);
    CONVNET_PLATFORM_REQUIRE(!anew || scaleThis == 0, "a sum of %d x %d is added to a matrix of another size",
                             sums.numRows_, sums.numCols_);
    add(sums, scaleThis, scaleSum);
    delete &sums;
}

float NVMatrix::norm2() const { return dotProduct(*this); }

float NVMatrix::norm() const { return sqrtf(norm2()); }

float NVMatrix::dotProduct(const NVMatrix& b) const {
    NVMatrix products;
    eltwiseMult(b, products);
    return products.sum();
}

namespace {

// A standard normal number from two uniform ones in [0, 1) (Box and Muller 1958).
struct NormalBody {
    const float* uniforms;
    float* normals;

    __device__ void operator()(ptrdiff_t, ptrdiff_t i) {
        normals[i] = sqrtf(-2 * logf(1 - uniforms[2 * i])) * cosf(6.2831853f * uniforms[2 * i + 1]);
    }
};

struct AddNoise {
    bool isVar;

    __device__ float operator()(float value, float stdev, float normal) const {
        return value + (isVar ? sqrtf(stdev) : stdev) * normal;
    }
};

void fill_with_uniforms(NVMatrix& matrix) {
    convnet_platform::Output values(matrix, matrix.getNumRows(), matrix.getNumCols(), 0, convnet_platform::Order::any);
    current_device().philox_uniform(values.data(), matrix.getNumElements(), convnet_platform::next_draw());
}

// normals: contiguous.
void fill_with_normals(NVMatrix& normals) {
    NVMatrix uniforms(2, normals.getNumElements());
    fill_with_uniforms(uniforms);
    for_each(1, normals.getNumElements(), NormalBody{uniforms.getDevData(), normals.getDevData()});
}

}  // namespace

void NVMatrix::randomizeUniform() { fill_with_uniforms(*this); }

void NVMatrix::randomizeGaussian(float mean, float stdev) {
    NVMatrix normals(*this, false);
    fill_with_normals(normals);
    normals.apply(NVMatrixOps::WeightedAddScalar(stdev, mean), *this);
}

void NVMatrix::randomizeGaussian(const NVMatrix& stdevs) {
    NVMatrix normals(stdevs, false);
    fill_with_normals(normals);
    normals.eltwiseMult(stdevs, *this);
}

void NVMatrix::addGaussianNoise(const NVMatrix& stdevs, bool isVar) {
    NVMatrix normals(*this, false);
    fill_with_normals(normals);
    applyTernary(AddNoise{isVar}, stdevs, normals, *this);
}

void NVMatrix::addGaussianNoise(float stdev) {
    NVMatrix normals(*this, false);
    fill_with_normals(normals);
    add(normals, 1, stdev);
}

void NVMatrix::binarizeProbs(NVMatrix& target) const {
    NVMatrix uniforms(*this, false);
    fill_with_uniforms(uniforms);
    applyBinary(NVMatrixBinaryOps::BiggerThan(), uniforms, target);
}
