// NVMatrix, a matrix in device memory, and HostNVMatrix, one in pinned host memory (spec 6.3).
//
// Element (row, col) is at row * stride + col, or with the transposed flag at col * stride + row. The target of an
// elementwise operation keeps its flag where it has the result's dimensions; another one takes the first operand's flag
// and is resized. The target of a product or of a sum along an axis keeps its flag in any case (6.3.4, 6.3.5). Methods
// that return NVMatrix& return a new object that the caller deletes. What cannot be done fails
// (convnet_platform/failure.h).
#pragma once

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime.h>

#include "convnet_platform/elementwise.h"
#include "convnet_platform/failure.h"
#include "convnet_platform/virtual_devices.h"
#include "matrix.h"
#include "nvmatrix_operators.cuh"

#ifndef DIVUP
#define DIVUP(x, y) (((x) + (y) - 1) / (y))
#endif

class NVMatrix {
public:
    // Without elements; touches no device. A copy of a matrix has memory of its own on the current device.
    NVMatrix() = default;
    explicit NVMatrix(bool isTrans) : isTrans_(isTrans) {}
    NVMatrix(int numRows, int numCols, bool isTrans = false);
    explicit NVMatrix(const Matrix& like, bool copy = true);
    NVMatrix(const NVMatrix& like) : NVMatrix(like, true) {}
    NVMatrix(const NVMatrix& like, bool copy);
    // A view of memory of the current device.
    NVMatrix(float* devData, int numRows, int numCols, int stride, bool isTrans);
    NVMatrix& operator=(const NVMatrix&) = delete;
    virtual ~NVMatrix();

    // Devices (6.3.9, 6.3.10): of the calling thread, by virtual id.
    static void setDeviceID(int id);
    static int getDeviceID();
    static bool canAccessDevice(int from, int to);
    static void initCublas();
    static void initRandom();
    static void initRandom(unsigned long long seed);
    static bool isRndInitialized();
    static void destroyRandom();

    int getNumRows() const { return numRows_; }
    int getNumCols() const { return numCols_; }
    int getNumElements() const { return numRows_ * numCols_; }
    int getLeadingDim() const { return isTrans_ ? numRows_ : numCols_; }
    int getFollowingDim() const { return isTrans_ ? numCols_ : numRows_; }
    int getStride() const { return stride_; }
    float* getDevData() const { return data_; }
    bool isTrans() const { return isTrans_; }
    // Flips the flag only: same dimensions, memory reinterpreted. The matrix must be contiguous.
    void setTrans(bool trans);
    bool isView() const { return isView_; }
    void setView(bool isView) { isView_ = isView; }
    bool isContiguous() const { return getFollowingDim() <= 1 || getLeadingDim() == 0 || stride_ == getLeadingDim(); }
    bool isSameDims(const NVMatrix& m) const { return m.numRows_ == numRows_ && m.numCols_ == numCols_; }
    // Where its elements are, for elementwise loops.
    convnet_platform::Strided strided() const;

    // Gives the memory back; a view lets go of it and becomes an ordinary matrix without elements.
    void truncate();
    // True where memory was allocated anew: an equal element count keeps it, with its contents. A view can only
    // be resized to the same count.
    bool resize(int numRows, int numCols);
    // Takes the storage flag, too.
    bool resize(const NVMatrix& like);
    void reshape(int numRows, int numCols);
    NVMatrix& reshaped(int numRows, int numCols) const;

    // Rows and columns from start to end (excluded), -1 being the last.
    void copy(NVMatrix& dest) const;
    void copy(NVMatrix& dest, int srcStartRow, int srcEndRow, int srcStartCol, int srcEndCol, int destStartRow,
              int destStartCol) const;
    NVMatrix& copy() const;
    // A view of the same memory with dimensions and flag of its own.
    NVMatrix& getClone() const;
    // Without resize both must have the same dimensions, and the target keeps its storage order.
    void copyFromHost(const Matrix& hostMatrix, bool resizeTarget = false);
    void copyToHost(Matrix& hostMatrix, bool resizeTarget = false) const;

    // Soft: swaps dimensions and flag, memory is untouched. The second makes the flag `trans`; returns the former one.
    void transpose();
    bool transpose(bool trans);
    NVMatrix& getTranspose() const;
    // Hard: target gets the transposed values and this matrix's flag.
    void transpose(NVMatrix& target) const;
    // Same values in the other storage order.
    NVMatrix& flipTrans() const;
    void flipTrans(NVMatrix& target) const;
    // Views, or copies in target.
    NVMatrix& sliceRows(int startRow, int endRow) const { return slice(startRow, endRow, 0, -1); }
    void sliceRows(int startRow, int endRow, NVMatrix& target) const { slice(startRow, endRow, 0, -1, target); }
    NVMatrix& sliceCols(int startCol, int endCol) const { return slice(0, -1, startCol, endCol); }
    void sliceCols(int startCol, int endCol, NVMatrix& target) const { slice(0, -1, startCol, endCol, target); }
    NVMatrix& slice(int startRow, int endRow, int startCol, int endCol) const;
    void slice(int startRow, int endRow, int startCol, int endCol, NVMatrix& target) const;

    // this = scaleThis * this + scaleAB * a b; with scaleThis 0 it is resized, to the flag that it has, and its old
    // content not read.
    void addProduct(const NVMatrix& a, const NVMatrix& b, float scaleThis, float scaleAB);
    void addProduct(const NVMatrix& a, const NVMatrix& b) { addProduct(a, b, 1, 1); }
    void rightMult(const NVMatrix& b, float scaleAB, NVMatrix& target) const {
        target.addProduct(*this, b, 0, scaleAB);
    }
    void rightMult(const NVMatrix& b, NVMatrix& target) const { rightMult(b, 1, target); }
    void rightMult(const NVMatrix& b, float scaleAB = 1);

    // target = scaleThis * this + scaleB * b; scaleThis 0 reads nothing of this, whose dimensions may then differ.
    void add(const NVMatrix& b, float scaleThis, float scaleB, NVMatrix& target) const;
    void add(const NVMatrix& b, float scaleThis, float scaleB) { add(b, scaleThis, scaleB, *this); }
    void add(const NVMatrix& b, float scaleB) { add(b, 1, scaleB, *this); }
    void add(const NVMatrix& b) { add(b, 1, 1, *this); }
    void add(const NVMatrix& b, NVMatrix& target) const { add(b, 1, 1, target); }
    void subtract(const NVMatrix& b, NVMatrix& target) const { add(b, 1, -1, target); }
    void subtract(const NVMatrix& b) { add(b, 1, -1, *this); }
    void eltwiseMult(const NVMatrix& b, NVMatrix& target) const;
    void eltwiseMult(const NVMatrix& b) { eltwiseMult(b, *this); }
    void eltwiseDivide(const NVMatrix& b, NVMatrix& target) const;
    void eltwiseDivide(const NVMatrix& b) { eltwiseDivide(b, *this); }
    void squaredDiff(const NVMatrix& b, NVMatrix& target) const;
    void squaredDiff(const NVMatrix& b) { squaredDiff(b, *this); }
    void equals(const NVMatrix& b, NVMatrix& target) const;
    void equals(const NVMatrix& b) { equals(b, *this); }
    void biggerThan(const NVMatrix& b, NVMatrix& target) const;
    void biggerThan(const NVMatrix& b) { biggerThan(b, *this); }

    // With a vector for each row (1 x columns) or each column (rows x 1).
    void addVector(const NVMatrix& vec, float scaleVec, NVMatrix& target) const;
    void addVector(const NVMatrix& vec, float scaleVec) { addVector(vec, scaleVec, *this); }
    void addVector(const NVMatrix& vec, NVMatrix& target) const { addVector(vec, 1, target); }
    void addVector(const NVMatrix& vec) { addVector(vec, 1, *this); }
    void eltwiseMultByVector(const NVMatrix& vec, NVMatrix& target) const;
    void eltwiseMultByVector(const NVMatrix& vec) { eltwiseMultByVector(vec, *this); }
    void eltwiseDivideByVector(const NVMatrix& vec, NVMatrix& target) const;
    void eltwiseDivideByVector(const NVMatrix& vec) { eltwiseDivideByVector(vec, *this); }
    void equalsVector(const NVMatrix& vec, NVMatrix& target) const;
    void equalsVector(const NVMatrix& vec) { equalsVector(vec, *this); }
    void biggerThanVector(const NVMatrix& vec, NVMatrix& target) const;
    void biggerThanVector(const NVMatrix& vec) { biggerThanVector(vec, *this); }

    void scale(float factor, NVMatrix& target) const;
    void scale(float factor) { scale(factor, *this); }
    void addScalar(float scalar, NVMatrix& target) const;
    void addScalar(float scalar) { addScalar(scalar, *this); }
    void minWithScalar(float scalar, NVMatrix& target) const;
    void minWithScalar(float scalar) { minWithScalar(scalar, *this); }
    void maxWithScalar(float scalar, NVMatrix& target) const;
    void maxWithScalar(float scalar) { maxWithScalar(scalar, *this); }
    void biggerThanScalar(float scalar, NVMatrix& target) const;
    void biggerThanScalar(float scalar) { biggerThanScalar(scalar, *this); }
    void smallerThanScalar(float scalar, NVMatrix& target) const;
    void smallerThanScalar(float scalar) { smallerThanScalar(scalar, *this); }
    void inRangeInc(float lower, float upper, NVMatrix& target) const;
    void inRangeInc(float lower, float upper) { inRangeInc(lower, upper, *this); }
    void inRangeExc(float lower, float upper, NVMatrix& target) const;
    void inRangeExc(float lower, float upper) { inRangeExc(lower, upper, *this); }
    void pow(float exponent, NVMatrix& target) const;
    void pow(float exponent) { pow(exponent, *this); }
    void tile(int timesY, int timesX, NVMatrix& target) const;

    // Along axis 0 (1 x columns) or 1 (rows x 1); the target's flag stays.
    void sum(int axis, NVMatrix& target) const;
    void max(int axis, NVMatrix& target) const;
    void min(int axis, NVMatrix& target) const;
    NVMatrix& sum(int axis) const;
    NVMatrix& max(int axis) const;
    NVMatrix& min(int axis) const;
    // this = scaleThis * this + scaleSum * sum of m; an equal element count keeps the old contents (6.3.4).
    void addSum(const NVMatrix& m, int axis, float scaleThis, float scaleSum);
    float sum() const;
    float max() const;
    float min() const;
    float mean() const;
    float norm2() const;  // sum of squares
    float norm() const;
    float dotProduct(const NVMatrix& b) const;

    // Random numbers of the current device, which initRandom must have seeded.
    void randomizeUniform();  // in [0, 1)
    void randomizeGaussian(float stdev = 1) { randomizeGaussian(0, stdev); }
    void randomizeGaussian(float mean, float stdev);
    void randomizeGaussian(const NVMatrix& stdevs);
    // stdevs may be this matrix; isVar: they are variances.
    void addGaussianNoise(const NVMatrix& stdevs, bool isVar);
    void addGaussianNoise(float stdev);
    // 1 with the probability that the element gives, else 0.
    void binarizeProbs(NVMatrix& target) const;
    void binarizeProbs() { binarizeProbs(*this); }

    void print(int rows, int cols) const;
    void printShape(const char* name) const;

    template <class Op>
    void apply(Op op, NVMatrix& target) const {
        if (isTransposeIn(target)) return NVMatrix(*this).apply(op, target);
        target.shapeLike(*this);
        convnet_platform::elementwise<1>(op, numRows_, numCols_, target.isTrans_, {target.strided(), strided()});
    }
    template <class Op>
    void apply(Op op) {
        apply(op, *this);
    }
    template <class Op>
    void applyBinary(Op op, const NVMatrix& b, NVMatrix& target) const {
        requireSameDims(b);
        if (isTransposeIn(target)) return NVMatrix(*this).applyBinary(op, b, target);
        if (b.isTransposeIn(target)) return applyBinary(op, NVMatrix(b), target);
        target.shapeLike(*this);
        convnet_platform::elementwise<2>(op, numRows_, numCols_, target.isTrans_,
                                         {target.strided(), strided(), b.strided()});
    }
    template <class Op>
    void applyBinary(Op op, const NVMatrix& b) {
        applyBinary(op, b, *this);
    }
    template <class Op>
    void applyTernary(Op op, const NVMatrix& b, const NVMatrix& c, NVMatrix& target) const {
        requireSameDims(b);
        requireSameDims(c);
        target.shapeLike(*this);
        convnet_platform::elementwise<3>(op, numRows_, numCols_, target.isTrans_,
                                         {target.strided(), strided(), b.strided(), c.strided()});
    }
    template <class Op>
    void applyBinaryV(Op op, const NVMatrix& vec, NVMatrix& target) const {
        // Resizing the target must not lose the vector.
        if (&vec == &target && !isSameDims(vec)) return applyBinaryV(op, NVMatrix(vec), target);
        const convnet_platform::Strided repeated = repeatedVector(vec);
        target.shapeLike(*this);
        convnet_platform::elementwise<2>(op, numRows_, numCols_, target.isTrans_,
                                         {target.strided(), strided(), repeated});
    }
    template <class Op>
    void applyBinaryV(Op op, const NVMatrix& vec) {
        applyBinaryV(op, vec, *this);
    }

protected:
    virtual float* allocate(size_t count);
    virtual void release(float* memory);

private:
    // Makes a target of this one's dimensions; it keeps its flag where it has them already.
    void shapeLike(const NVMatrix& like) {
        if (!isSameDims(like)) resize(like);
    }
    // A view of a square target's memory in the other order: elements would be overwritten before they are read.
    bool isTransposeIn(const NVMatrix& target) const {
        return data_ && data_ == target.data_ && isTrans_ != target.isTrans_ && isSameDims(target);
    }
    // Whether they may share memory; slices that lie between each other do not, but may seem to.
    bool mayOverlap(const NVMatrix& m) const;
    void requireSameDims(const NVMatrix& b) const;
    convnet_platform::Strided repeatedVector(const NVMatrix& vec) const;
    convnet_platform::Strided stridedFrom(int row, int col) const;

    float* data_ = nullptr;
    int numRows_ = 0, numCols_ = 0;
    int stride_ = 0;
    int owner_ = -1;  // virtual id of the device whose memory it is
    bool isTrans_ = false;
    bool isView_ = false;
};

// Its memory is pinned host memory, which every device reads.
class HostNVMatrix : public NVMatrix {
public:
    HostNVMatrix() = default;
    HostNVMatrix(int numRows, int numCols, bool isTrans = false);
    HostNVMatrix(const HostNVMatrix& like);
    explicit HostNVMatrix(const NVMatrix& like);
    ~HostNVMatrix() override { truncate(); }

protected:
    float* allocate(size_t count) override;
    void release(float* memory) override;
};
