// Matrix, the float matrix in host memory (spec 6.2).
#include "matrix.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "convnet_platform/failure.h"

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

void require_same_dims(const Matrix& a, const Matrix& b) {
    CONVNET_PLATFORM_REQUIRE(a.isSameDims(b), "Matrix: %ld x %ld where %ld x %ld is needed", b.getNumRows(),
                             b.getNumCols(), a.getNumRows(), a.getNumCols());
}

// A result to be written, whole, when its operands are no longer needed: the target may be one of them.
template <class Element>
void assign(Matrix& target, long rows, long cols, Element element) {
    Matrix result(rows, cols);
    result.setTrans(target.isTrans());
    for (long row = 0; row < rows; row++)
        for (long col = 0; col < cols; col++) result(row, col) = element(row, col);
    target.resize(rows, cols);
    if (rows * cols > 0) std::memcpy(target.getData(), result.getData(), rows * cols * sizeof(float));
}

float logistic(float x) { return 1 / (1 + std::exp(-x)); }

float value_of(Matrix::FUNCTION function, float x) {
    switch (function) {
        case Matrix::TANH:
            return std::tanh(x);
        case Matrix::RECIPROCAL:
            return 1 / x;
        case Matrix::SQUARE:
            return x * x;
        case Matrix::ABS:
            return std::fabs(x);
        case Matrix::EXP:
            return std::exp(x);
        case Matrix::LOG:
            return std::log(x);
        case Matrix::ZERO:
            return 0;
        case Matrix::ONE:
            return 1;
        case Matrix::LOGISTIC1:
        case Matrix::LOGISTIC2:
            return logistic(x);
        case Matrix::SIGN:
            return static_cast<float>((x > 0) - (x < 0));
    }
    convnet_platform::fail("Matrix::apply: there is no function %d", static_cast<int>(function));
}

float uniform() { return static_cast<float>(std::rand() / (RAND_MAX + 1.0)); }

}  // namespace

Matrix::Matrix(long numRows, long numCols) { resize(numRows, numCols); }

Matrix::Matrix(const Matrix& like) : isTrans_(like.isTrans_) {
    resize(like);
    if (getNumElements() > 0) std::memcpy(data_, like.data_, getNumElements() * sizeof(float));
}

Matrix::Matrix(float* data, long numRows, long numCols, bool transposed)
    : data_(data), numRows_(numRows), numCols_(numCols), isTrans_(transposed), ownsData_(false) {}

#ifdef NUMPY_INTERFACE
Matrix::Matrix(const PyArrayObject* source) : ownsData_(false) {
    PyArrayObject* array = const_cast<PyArrayObject*>(source);
    CONVNET_PLATFORM_REQUIRE(array && PyArray_NDIM(array) == 2, "a NumPy array of two dimensions is needed");
    CONVNET_PLATFORM_REQUIRE(PyArray_TYPE(array) == NPY_FLOAT32, "a NumPy array of float32 is needed");
    const long size = sizeof(float), rows = PyArray_DIM(array, 0), cols = PyArray_DIM(array, 1),
               down = PyArray_STRIDE(array, 0), across = PyArray_STRIDE(array, 1);
    const bool c_order = across == size && down == size * cols;
    // The stride of an axis of length 1, and any of an empty array, leads nowhere.
    const bool empty = rows == 0 || cols == 0,
               f_order = empty || ((rows == 1 || down == size) && (cols == 1 || across == size * rows)),
               c_but_for_strides_that_do_not_matter =
                   (cols == 1 || across == size) && (rows == 1 || down == size * cols);
    CONVNET_PLATFORM_REQUIRE(c_order || f_order || c_but_for_strides_that_do_not_matter,
                             "a NumPy array in C or F order is needed; this one is %ld x %ld with strides %ld, %ld",
                             rows, cols, down, across);
    data_ = static_cast<float*>(PyArray_DATA(array));
    numRows_ = rows;
    numCols_ = cols;
    isTrans_ = !c_order && f_order;
}
#endif

Matrix::~Matrix() {
    if (ownsData_) std::free(data_);
}

void Matrix::resize(long numRows, long numCols) {
    CONVNET_PLATFORM_REQUIRE(numRows >= 0 && numCols >= 0, "Matrix: cannot be %ld x %ld", numRows, numCols);
    const long count = numRows * numCols;
    if (count != getNumElements()) {
        CONVNET_PLATFORM_REQUIRE(!isView(), "Matrix: a view of %ld x %ld cannot become %ld x %ld", numRows_, numCols_,
                                 numRows, numCols);
        float* data = count > 0 ? static_cast<float*>(std::malloc(count * sizeof(float))) : nullptr;
        CONVNET_PLATFORM_REQUIRE(data || count == 0, "Matrix: no memory for %ld x %ld", numRows, numCols);
        if (ownsData_) std::free(data_);
        data_ = data;
        ownsData_ = true;
    }
    numRows_ = numRows;
    numCols_ = numCols;
}

Matrix& Matrix::transpose() const { return *new Matrix(data_, numCols_, numRows_, !isTrans_); }

Matrix& Matrix::slice(long startRow, long endRow, long startCol, long endCol) const {
    CONVNET_PLATFORM_REQUIRE(0 <= startRow && startRow <= endRow && endRow <= numRows_ && 0 <= startCol &&
                                 startCol <= endCol && endCol <= numCols_,
                             "Matrix: %ld x %ld has no rows %ld to %ld, columns %ld to %ld", numRows_, numCols_,
                             startRow, endRow, startCol, endCol);
    const long rows = endRow - startRow, cols = endCol - startCol;
    if (isTrans_ ? rows == numRows_ : cols == numCols_)
        return *new Matrix(data_ + (isTrans_ ? startCol * numRows_ : startRow * numCols_), rows, cols, isTrans_);
    Matrix& part = *new Matrix;
    part.isTrans_ = isTrans_;
    slice(startRow, endRow, startCol, endCol, part);
    return part;
}

void Matrix::slice(long startRow, long endRow, long startCol, long endCol, Matrix& target) const {
    CONVNET_PLATFORM_REQUIRE(0 <= startRow && startRow <= endRow && endRow <= numRows_ && 0 <= startCol &&
                                 startCol <= endCol && endCol <= numCols_,
                             "Matrix: %ld x %ld has no rows %ld to %ld, columns %ld to %ld", numRows_, numCols_,
                             startRow, endRow, startCol, endCol);
    assign(target, endRow - startRow, endCol - startCol,
           [&](long row, long col) { return (*this)(startRow + row, startCol + col); });
}

void Matrix::copy(Matrix& target) const {
    assign(target, numRows_, numCols_, [&](long row, long col) { return (*this)(row, col); });
}

void Matrix::apply(FUNCTION function) {
    for (long i = 0; i < getNumElements(); i++) data_[i] = value_of(function, data_[i]);
}

void Matrix::apply(FUNCTION function, Matrix& target) const {
    assign(target, numRows_, numCols_, [&](long row, long col) { return value_of(function, (*this)(row, col)); });
}

void Matrix::scale(float factor) {
    for (long i = 0; i < getNumElements(); i++) data_[i] *= factor;
}

void Matrix::scale(float factor, Matrix& target) const {
    assign(target, numRows_, numCols_, [&](long row, long col) { return (*this)(row, col) * factor; });
}

void Matrix::addScalar(float scalar) {
    for (long i = 0; i < getNumElements(); i++) data_[i] += scalar;
}

void Matrix::addScalar(float scalar, Matrix& target) const {
    assign(target, numRows_, numCols_, [&](long row, long col) { return (*this)(row, col) + scalar; });
}

template <class Op>
void Matrix::applyBinary(const Matrix& b, Matrix& target, Op op) const {
    require_same_dims(*this, b);
    assign(target, numRows_, numCols_, [&](long row, long col) { return op((*this)(row, col), b(row, col)); });
}

template <class Op>
void Matrix::applyVector(const Matrix& vec, Matrix& target, Op op) const {
    const bool along_row = vec.numRows_ == 1 && vec.numCols_ == numCols_;
    CONVNET_PLATFORM_REQUIRE(along_row || (vec.numCols_ == 1 && vec.numRows_ == numRows_),
                             "Matrix: a vector of %ld x %ld for a matrix of %ld x %ld", vec.numRows_, vec.numCols_,
                             numRows_, numCols_);
    assign(target, numRows_, numCols_,
           [&](long row, long col) { return op((*this)(row, col), vec.data_[along_row ? col : row]); });
}

void Matrix::add(const Matrix& b, float scaleB, Matrix& target) const {
    applyBinary(b, target, [=](float x, float y) { return x + scaleB * y; });
}

void Matrix::eltwiseMult(const Matrix& b, Matrix& target) const {
    applyBinary(b, target, [](float x, float y) { return x * y; });
}

void Matrix::eltwiseDivide(const Matrix& b, Matrix& target) const {
    applyBinary(b, target, [](float x, float y) { return x / y; });
}

void Matrix::addVector(const Matrix& vec, float scaleVec, Matrix& target) const {
    applyVector(vec, target, [=](float x, float y) { return x + scaleVec * y; });
}

void Matrix::eltwiseMultByVector(const Matrix& vec, Matrix& target) const {
    applyVector(vec, target, [](float x, float y) { return x * y; });
}

void Matrix::eltwiseDivideByVector(const Matrix& vec, Matrix& target) const {
    applyVector(vec, target, [](float x, float y) { return x / y; });
}

void Matrix::addProduct(const Matrix& a, const Matrix& b, float scaleThis, float scaleAB) {
    CONVNET_PLATFORM_REQUIRE(a.numCols_ == b.numRows_, "Matrix: a product of %ld x %ld and %ld x %ld", a.numRows_,
                             a.numCols_, b.numRows_, b.numCols_);
    CONVNET_PLATFORM_REQUIRE(scaleThis == 0 || (numRows_ == a.numRows_ && numCols_ == b.numCols_),
                             "Matrix: a product of %ld x %ld is added to %ld x %ld", a.numRows_, b.numCols_, numRows_,
                             numCols_);
    assign(*this, a.numRows_, b.numCols_, [&](long row, long col) {
        double sum = 0;
        for (long i = 0; i < a.numCols_; i++) sum += static_cast<double>(a(row, i)) * b(i, col);
        return static_cast<float>(scaleAB * sum + (scaleThis == 0 ? 0 : scaleThis * (*this)(row, col)));
    });
}

void Matrix::rightMult(const Matrix& b, float scaleAB) {
    const Matrix self(*this);
    self.rightMult(b, scaleAB, *this);
}

template <class Op>
void Matrix::aggregate(long axis, Matrix& target, float base, Op op) const {
    CONVNET_PLATFORM_REQUIRE(axis == 0 || axis == 1, "Matrix: there is no axis %ld", axis);
    assign(target, axis == 0 ? 1 : numRows_, axis == 0 ? numCols_ : 1, [&](long row, long col) {
        double value = base;
        for (long i = 0; i < (axis == 0 ? numRows_ : numCols_); i++)
            value = op(value, axis == 0 ? (*this)(i, col) : (*this)(row, i));
        return static_cast<float>(value);
    });
}

void Matrix::sum(long axis, Matrix& target) const {
    aggregate(axis, target, 0, [](double a, double b) { return a + b; });
}

void Matrix::max(long axis, Matrix& target) const {
    aggregate(axis, target, -infinity, [](double a, double b) { return b > a ? b : a; });
}

void Matrix::min(long axis, Matrix& target) const {
    aggregate(axis, target, infinity, [](double a, double b) { return b < a ? b : a; });
}

Matrix& Matrix::sum(long axis) const {
    Matrix& target = *new Matrix;
    sum(axis, target);
    return target;
}

Matrix& Matrix::max(long axis) const {
    Matrix& target = *new Matrix;
    max(axis, target);
    return target;
}

Matrix& Matrix::min(long axis) const {
    Matrix& target = *new Matrix;
    min(axis, target);
    return target;
}

float Matrix::sum() const {
    double total = 0;
    for (long i = 0; i < getNumElements(); i++) total += data_[i];
    return static_cast<float>(total);
}

float Matrix::max() const {
    float best = -infinity;
    for (long i = 0; i < getNumElements(); i++) best = data_[i] > best ? data_[i] : best;
    return best;
}

float Matrix::min() const {
    float best = infinity;
    for (long i = 0; i < getNumElements(); i++) best = data_[i] < best ? data_[i] : best;
    return best;
}

float Matrix::norm() const {
    double squares = 0;
    for (long i = 0; i < getNumElements(); i++) squares += static_cast<double>(data_[i]) * data_[i];
    return static_cast<float>(std::sqrt(squares));
}

bool Matrix::hasNan() const {
    for (long i = 0; i < getNumElements(); i++)
        if (std::isnan(data_[i])) return true;
    return false;
}

bool Matrix::hasInf() const {
    for (long i = 0; i < getNumElements(); i++)
        if (std::isinf(data_[i])) return true;
    return false;
}

void Matrix::randomizeUniform() {
    for (long i = 0; i < getNumElements(); i++) data_[i] = uniform();
}

// Box and Muller 1958.
void Matrix::randomizeNormal(float mean, float stdev) {
    for (long i = 0; i < getNumElements(); i++) {
        const float radius = std::sqrt(-2 * std::log1p(-uniform()));
        data_[i] = mean + stdev * radius * std::cos(6.2831853f * uniform());
    }
}

void Matrix::print(long startRow, long rows, long startCol, long cols) const {
    for (long row = startRow < 0 ? 0 : startRow; row < startRow + rows && row < numRows_; row++) {
        for (long col = startCol < 0 ? 0 : startCol; col < startCol + cols && col < numCols_; col++)
            std::printf("%.15e ", (*this)(row, col));
        std::printf("\n");
    }
}
