// Matrix, a float matrix in host memory that can borrow a NumPy array's (spec 6.2).
//
// Element (row, col) is at row * columns + col, or with the transposed flag at col * rows + row. Where a target is
// given it is resized to the result. Methods that return Matrix& return a new object that the caller deletes.
// Operands may differ in their flags. What cannot be done fails (convnet_platform/failure.h).
#pragma once

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#ifdef NUMPY_INTERFACE
#include <Python.h>
#include <arrayobject.h>
#endif

class Matrix {
public:
// The historic trees define macros of two of these names.
#pragma push_macro("EXP")
#pragma push_macro("LOG")
#undef EXP
#undef LOG
    // LOGISTIC1 and LOGISTIC2 are the same function.
    enum FUNCTION { TANH, RECIPROCAL, SQUARE, ABS, EXP, LOG, ZERO, ONE, LOGISTIC1, LOGISTIC2, SIGN };
#pragma pop_macro("LOG")
#pragma pop_macro("EXP")

    Matrix() = default;
    Matrix(long numRows, long numCols);
    // A copy with memory of its own.
    Matrix(const Matrix& like);
    // Views of memory that is others'.
    Matrix(float* data, long numRows, long numCols, bool transposed = false);
#ifdef NUMPY_INTERFACE
    // Borrows a float32 matrix in C or F order without counting a reference: C where the strides are exactly
    // C's, else F (so that (1, n) and (n, 1) arrays, which are both, go by what their maker meant).
    Matrix(const PyArrayObject* source);
#endif
    Matrix& operator=(const Matrix&) = delete;
    ~Matrix();

    float& operator()(long row, long col) const {
        return data_[isTrans_ ? col * numRows_ + row : row * numCols_ + col];
    }
    float* getData() const { return data_; }
    long int getNumRows() const { return numRows_; }
    long int getNumCols() const { return numCols_; }
    long int getNumElements() const { return numRows_ * numCols_; }
    bool isTrans() const { return isTrans_; }
    // Flips the flag only: same dimensions, memory reinterpreted.
    void setTrans(bool trans) { isTrans_ = trans; }
    bool isView() const { return data_ && !ownsData_; }
    bool isSameDims(const Matrix& m) const { return numRows_ == m.numRows_ && numCols_ == m.numCols_; }
    // An equal element count keeps memory and contents; a view can only be resized to the same count.
    void resize(long numRows, long numCols);
    void resize(const Matrix& like) { resize(like.numRows_, like.numCols_); }

    // Soft: a view with swapped dimensions and the other flag.
    Matrix& transpose() const;
    // Rows and columns from start to end (excluded). Slices of whole memory lines (rows of a plain matrix, columns
    // of a transposed one) are views, others are copies; into a target they are always copies.
    Matrix& sliceRows(long startRow, long endRow) const { return slice(startRow, endRow, 0, numCols_); }
    void sliceRows(long startRow, long endRow, Matrix& target) const { slice(startRow, endRow, 0, numCols_, target); }
    Matrix& sliceCols(long startCol, long endCol) const { return slice(0, numRows_, startCol, endCol); }
    void sliceCols(long startCol, long endCol, Matrix& target) const { slice(0, numRows_, startCol, endCol, target); }
    Matrix& copy() const { return *new Matrix(*this); }
    void copy(Matrix& target) const;

    void apply(FUNCTION function);
    void apply(FUNCTION function, Matrix& target) const;
    void scale(float factor);
    void scale(float factor, Matrix& target) const;
    void addScalar(float scalar);
    void addScalar(float scalar, Matrix& target) const;
    // target = this + scaleB * b.
    void add(const Matrix& b, float scaleB, Matrix& target) const;
    void add(const Matrix& b, float scaleB) { add(b, scaleB, *this); }
    void add(const Matrix& b, Matrix& target) const { add(b, 1, target); }
    void add(const Matrix& b) { add(b, 1, *this); }
    void subtract(const Matrix& b, Matrix& target) const { add(b, -1, target); }
    void subtract(const Matrix& b) { add(b, -1, *this); }
    void eltwiseMult(const Matrix& b, Matrix& target) const;
    void eltwiseMult(const Matrix& b) { eltwiseMult(b, *this); }
    void eltwiseDivide(const Matrix& b, Matrix& target) const;
    void eltwiseDivide(const Matrix& b) { eltwiseDivide(b, *this); }
    // With a vector for each row (1 x columns) or each column (rows x 1).
    void addVector(const Matrix& vec, float scaleVec, Matrix& target) const;
    void addVector(const Matrix& vec, float scaleVec) { addVector(vec, scaleVec, *this); }
    void addVector(const Matrix& vec, Matrix& target) const { addVector(vec, 1, target); }
    void addVector(const Matrix& vec) { addVector(vec, 1, *this); }
    void eltwiseMultByVector(const Matrix& vec, Matrix& target) const;
    void eltwiseMultByVector(const Matrix& vec) { eltwiseMultByVector(vec, *this); }
    void eltwiseDivideByVector(const Matrix& vec, Matrix& target) const;
    void eltwiseDivideByVector(const Matrix& vec) { eltwiseDivideByVector(vec, *this); }
    // this = scaleThis * this + scaleAB * a b; with scaleThis 0 it is resized and its old content not read.
    void addProduct(const Matrix& a, const Matrix& b, float scaleThis, float scaleAB);
    void addProduct(const Matrix& a, const Matrix& b) { addProduct(a, b, 1, 1); }
    void rightMult(const Matrix& b, float scaleAB, Matrix& target) const { target.addProduct(*this, b, 0, scaleAB); }
    void rightMult(const Matrix& b, Matrix& target) const { rightMult(b, 1, target); }
    void rightMult(const Matrix& b, float scaleAB = 1);

    float sum() const;
    float max() const;
    float min() const;
    float norm() const;  // square root of the sum of squares
    // Along axis 0 (1 x columns) or 1 (rows x 1).
    Matrix& sum(long axis) const;
    Matrix& max(long axis) const;
    Matrix& min(long axis) const;
    void sum(long axis, Matrix& target) const;
    void max(long axis, Matrix& target) const;
    void min(long axis, Matrix& target) const;
    bool hasNan() const;
    bool hasInf() const;

    // From C's rand(), which the caller seeds: uniform in [0, 1), standard normal.
    void randomizeUniform();
    void randomizeNormal() { randomizeNormal(0, 1); }
    void randomizeNormal(float mean, float stdev);

    // Prints the rows and columns that there are of those asked for.
    void print(long startRow, long rows, long startCol, long cols) const;

private:
    Matrix& slice(long startRow, long endRow, long startCol, long endCol) const;
    void slice(long startRow, long endRow, long startCol, long endCol, Matrix& target) const;
    template <class Op>
    void applyBinary(const Matrix& b, Matrix& target, Op op) const;
    template <class Op>
    void applyVector(const Matrix& vec, Matrix& target, Op op) const;
    template <class Op>
    void aggregate(long axis, Matrix& target, float base, Op op) const;

    float* data_ = nullptr;
    long numRows_ = 0, numCols_ = 0;
    bool isTrans_ = false;
    bool ownsData_ = true;
};
