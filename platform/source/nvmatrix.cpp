// NVMatrix and HostNVMatrix: memory, shapes, views and copies (spec 6.3).
#include "nvmatrix.cuh"

#include <exception>
#include <new>
#include <vector>

#include "convnet_platform/devices.h"

using convnet_platform::current_device;
using convnet_platform::Strided;

namespace convnet_platform {

LoopShape loop_shape(int rows, int cols, bool columns_are_lines, const Strided* matrices, int count) {
    LoopShape shape = {columns_are_lines ? cols : rows, columns_are_lines ? rows : cols, {}, true};
    for (int i = 0; i < count; i++) {
        const Strided& m = matrices[i];
        shape.matrices[i] = columns_are_lines ? Lines<false>{m.data, m.col_step, m.row_step}
                                              : Lines<false>{m.data, m.row_step, m.col_step};
    }
    // Lines that follow each other without a gap, in every matrix, are one line.
    bool joined = true;
    for (int i = 0; i < count; i++)
        joined = joined && shape.matrices[i].line_step == shape.length * shape.matrices[i].step;
    if (joined || shape.length == 1) {
        for (int i = 0; shape.length == 1 && i < count; i++) shape.matrices[i].step = shape.matrices[i].line_step;
        shape.length *= shape.lines;
        shape.lines = 1;
    }
    for (int i = 0; i < count; i++) shape.unit = shape.unit && shape.matrices[i].step == 1;
    return shape;
}

}  // namespace convnet_platform

NVMatrix::NVMatrix(int numRows, int numCols, bool isTrans) : isTrans_(isTrans) { resize(numRows, numCols); }

NVMatrix::NVMatrix(const Matrix& like, bool copy) : isTrans_(like.isTrans()) {
    resize(static_cast<int>(like.getNumRows()), static_cast<int>(like.getNumCols()));
    if (copy) copyFromHost(like);
}

NVMatrix::NVMatrix(const NVMatrix& like, bool copy) {
    resize(like);
    if (copy) like.copy(*this);
}

NVMatrix::NVMatrix(float* devData, int numRows, int numCols, int stride, bool isTrans)
    : data_(devData),
      numRows_(numRows),
      numCols_(numCols),
      stride_(stride),
      owner_(getDeviceID()),
      isTrans_(isTrans),
      isView_(true) {}

// Only this class's own memory can be left: a subclass gives back its own in its destructor.
NVMatrix::~NVMatrix() {
    if (!isView_ && data_) NVMatrix::release(data_);
}

float* NVMatrix::allocate(size_t count) {
    try {
        return current_device().allocate(count);
    } catch (const std::bad_alloc&) {
        convnet_platform::fail("device %d: no memory for %zu numbers", getDeviceID(), count);
    } catch (const std::exception& error) {
        convnet_platform::fail("device %d: %s", getDeviceID(), error.what());
    }
}

void NVMatrix::release(float* memory) { convnet_platform::release_on(owner_, memory); }

void NVMatrix::setDeviceID(int id) {
    const cudaError_t error = cudaSetDevice(id);
    CONVNET_PLATFORM_REQUIRE(error == cudaSuccess, "device %d cannot be used: %s", id, cudaGetErrorString(error));
}

int NVMatrix::getDeviceID() { return convnet_platform::current_device_id(); }

bool NVMatrix::canAccessDevice(int from, int to) { return convnet_platform::can_access(from, to); }

// There is no library handle to make; what fails with the device fails here, early.
void NVMatrix::initCublas() { current_device(); }

void NVMatrix::initRandom() { convnet_platform::seed_random({}); }

void NVMatrix::initRandom(unsigned long long seed) { convnet_platform::seed_random(seed); }

bool NVMatrix::isRndInitialized() { return convnet_platform::random_is_seeded(); }

void NVMatrix::destroyRandom() { convnet_platform::forget_random(); }

void NVMatrix::setTrans(bool trans) {
    if (trans == isTrans_) return;
    CONVNET_PLATFORM_REQUIRE(isContiguous(), "setTrans of a matrix that is not contiguous");
    isTrans_ = trans;
    stride_ = getLeadingDim();
}

Strided NVMatrix::strided() const { return {data_, isTrans_ ? 1 : stride_, isTrans_ ? stride_ : 1}; }

Strided NVMatrix::stridedFrom(int row, int col) const {
    const Strided all = strided();
    return {data_ + row * all.row_step + col * all.col_step, all.row_step, all.col_step};
}

void NVMatrix::truncate() {
    if (data_ && !isView_) release(data_);
    data_ = nullptr;
    numRows_ = numCols_ = stride_ = 0;
    isView_ = false;
}

bool NVMatrix::resize(int numRows, int numCols) {
    if (numRows == numRows_ && numCols == numCols_) return false;
    CONVNET_PLATFORM_REQUIRE(numRows >= 0 && numCols >= 0, "a matrix cannot be %d x %d", numRows, numCols);
    const long count = static_cast<long>(numRows) * numCols;
    CONVNET_PLATFORM_REQUIRE(count <= INT_MAX, "a matrix of %d x %d has too many elements", numRows, numCols);
    const bool keep = count == getNumElements() && isContiguous();
    CONVNET_PLATFORM_REQUIRE(keep || !isView_, "a view of %d x %d cannot become %d x %d", numRows_, numCols_, numRows,
                             numCols);
    if (!keep) {
        truncate();
        if (count > 0) {
            data_ = allocate(count);
            owner_ = getDeviceID();
        }
    }
    numRows_ = numRows;
    numCols_ = numCols;
    stride_ = getLeadingDim();
    return !keep;
}

bool NVMatrix::resize(const NVMatrix& like) {
    setTrans(like.isTrans_);
    return resize(like.numRows_, like.numCols_);
}

void NVMatrix::reshape(int numRows, int numCols) {
    CONVNET_PLATFORM_REQUIRE(
        numRows >= 0 && numCols >= 0 && isContiguous() && static_cast<long>(numRows) * numCols == getNumElements(),
        "a matrix of %d x %d%s cannot be reshaped to %d x %d", numRows_, numCols_,
        isContiguous() ? "" : " that is not contiguous", numRows, numCols);
    numRows_ = numRows;
    numCols_ = numCols;
    stride_ = getLeadingDim();
}

NVMatrix& NVMatrix::reshaped(int numRows, int numCols) const {
    NVMatrix& view = getClone();
    view.reshape(numRows, numCols);
    return view;
}

void NVMatrix::requireSameDims(const NVMatrix& b) const {
    CONVNET_PLATFORM_REQUIRE(isSameDims(b), "a matrix of %d x %d where %d x %d is needed", b.numRows_, b.numCols_,
                             numRows_, numCols_);
}

Strided NVMatrix::repeatedVector(const NVMatrix& vec) const {
    const Strided v = vec.strided();
    if (vec.numRows_ == 1 && vec.numCols_ == numCols_) return {v.data, 0, v.col_step};
    CONVNET_PLATFORM_REQUIRE(vec.numCols_ == 1 && vec.numRows_ == numRows_,
                             "a vector of %d x %d for a matrix of %d x %d", vec.numRows_, vec.numCols_, numRows_,
                             numCols_);
    return {v.data, v.row_step, 0};
}

void NVMatrix::copy(NVMatrix& dest) const {
    if (&dest != this) apply(NVMatrixOps::Identity(), dest);
}

void NVMatrix::copy(NVMatrix& dest, int srcStartRow, int srcEndRow, int srcStartCol, int srcEndCol, int destStartRow,
                    int destStartCol) const {
    const NVMatrix& source = slice(srcStartRow, srcEndRow, srcStartCol, srcEndCol);
    const NVMatrix& target =
        dest.slice(destStartRow, destStartRow + source.numRows_, destStartCol, destStartCol + source.numCols_);
    convnet_platform::elementwise<1>(NVMatrixOps::Identity(), source.numRows_, source.numCols_, target.isTrans_,
                                     {target.strided(), source.strided()});
    delete &source;
    delete &target;
}

NVMatrix& NVMatrix::copy() const { return *new NVMatrix(*this); }

NVMatrix& NVMatrix::getClone() const {
    NVMatrix& clone = *new NVMatrix(data_, numRows_, numCols_, stride_, isTrans_);
    clone.owner_ = owner_;
    return clone;
}

namespace {

// Element (row, col) of a rows x cols matrix from one storage order to the other.
void reorder(const float* source, bool source_is_trans, float* target, long rows, long cols) {
    for (long row = 0; row < rows; row++)
        for (long col = 0; col < cols; col++) {
            const long plain = row * cols + col, trans = col * rows + row;
            target[source_is_trans ? plain : trans] = source[source_is_trans ? trans : plain];
        }
}

}  // namespace

void NVMatrix::copyFromHost(const Matrix& hostMatrix, bool resizeTarget) {
    if (resizeTarget) {
        setTrans(hostMatrix.isTrans());
        resize(static_cast<int>(hostMatrix.getNumRows()), static_cast<int>(hostMatrix.getNumCols()));
    }
    CONVNET_PLATFORM_REQUIRE(hostMatrix.getNumRows() == numRows_ && hostMatrix.getNumCols() == numCols_,
                             "a host matrix of %ld x %ld where %d x %d is needed", hostMatrix.getNumRows(),
                             hostMatrix.getNumCols(), numRows_, numCols_);
    if (getNumElements() == 0) return;
    const float* values = hostMatrix.getData();
    std::vector<float> reordered;
    if (hostMatrix.isTrans() != isTrans_) {
        reordered.resize(getNumElements());
        reorder(values, hostMatrix.isTrans(), reordered.data(), numRows_, numCols_);
        values = reordered.data();
    }
    if (isContiguous()) return current_device().copy_from_host(values, data_, getNumElements());
    NVMatrix whole(numRows_, numCols_, isTrans_);
    current_device().copy_from_host(values, whole.data_, getNumElements());
    whole.copy(*this);
}

void NVMatrix::copyToHost(Matrix& hostMatrix, bool resizeTarget) const {
    if (resizeTarget) {
        hostMatrix.resize(numRows_, numCols_);
        hostMatrix.setTrans(isTrans_);
    }
    CONVNET_PLATFORM_REQUIRE(hostMatrix.getNumRows() == numRows_ && hostMatrix.getNumCols() == numCols_,
                             "a host matrix of %ld x %ld where %d x %d is needed", hostMatrix.getNumRows(),
                             hostMatrix.getNumCols(), numRows_, numCols_);
    if (getNumElements() == 0) return;
    if (!isContiguous()) return NVMatrix(*this).copyToHost(hostMatrix);
    if (hostMatrix.isTrans() == isTrans_)
        return current_device().copy_to_host(data_, hostMatrix.getData(), getNumElements());
    std::vector<float> values(getNumElements());
    current_device().copy_to_host(data_, values.data(), values.size());
    reorder(values.data(), isTrans_, hostMatrix.getData(), numRows_, numCols_);
}

void NVMatrix::transpose() {
    const int rows = numRows_;
    numRows_ = numCols_;
    numCols_ = rows;
    isTrans_ = !isTrans_;
}

bool NVMatrix::transpose(bool trans) {
    const bool former = isTrans_;
    if (former != trans) transpose();
    return former;
}

NVMatrix& NVMatrix::getTranspose() const {
    NVMatrix& view = getClone();
    view.transpose();
    return view;
}

void NVMatrix::transpose(NVMatrix& target) const {
    NVMatrix& view = getTranspose();
    // Gives the view's values this matrix's flag, in memory of its own: target may be this matrix.
    NVMatrix moved(view.numRows_, view.numCols_, isTrans_);
    view.copy(moved);
    delete &view;
    target.resize(moved);
    moved.copy(target);
}

NVMatrix& NVMatrix::flipTrans() const {
    NVMatrix& flipped = *new NVMatrix(numRows_, numCols_, !isTrans_);
    copy(flipped);
    return flipped;
}

void NVMatrix::flipTrans(NVMatrix& target) const {
    NVMatrix& flipped = flipTrans();
    target.resize(flipped);
    flipped.copy(target);
    delete &flipped;
}

NVMatrix& NVMatrix::slice(int startRow, int endRow, int startCol, int endCol) const {
    endRow = endRow < 0 ? numRows_ : endRow;
    endCol = endCol < 0 ? numCols_ : endCol;
    CONVNET_PLATFORM_REQUIRE(0 <= startRow && startRow <= endRow && endRow <= numRows_ && 0 <= startCol &&
                                 startCol <= endCol && endCol <= numCols_,
                             "a matrix of %d x %d has no rows %d to %d, columns %d to %d", numRows_, numCols_, startRow,
                             endRow, startCol, endCol);
    NVMatrix& view = getClone();
    view.data_ = stridedFrom(startRow, startCol).data;
    view.numRows_ = endRow - startRow;
    view.numCols_ = endCol - startCol;
    return view;
}

void NVMatrix::slice(int startRow, int endRow, int startCol, int endCol, NVMatrix& target) const {
    NVMatrix& view = slice(startRow, endRow, startCol, endCol);
    view.copy(target);
    delete &view;
}

void NVMatrix::print(int rows, int cols) const {
    Matrix host;
    copyToHost(host, true);
    host.print(0, rows, 0, cols);
}

void NVMatrix::printShape(const char* name) const { std::printf("%s: %dx%d\n", name, numRows_, numCols_); }

HostNVMatrix::HostNVMatrix(int numRows, int numCols, bool isTrans) : NVMatrix(isTrans) { resize(numRows, numCols); }

HostNVMatrix::HostNVMatrix(const HostNVMatrix& like) : HostNVMatrix(static_cast<const NVMatrix&>(like)) {}

HostNVMatrix::HostNVMatrix(const NVMatrix& like) {
    resize(like);
    like.copy(*this);
}

float* HostNVMatrix::allocate(size_t count) {
    void* memory = nullptr;
    const cudaError_t error = cudaHostAlloc(&memory, count * sizeof(float), cudaHostAllocPortable);
    CONVNET_PLATFORM_REQUIRE(error == cudaSuccess, "no pinned host memory for %zu numbers: %s", count,
                             cudaGetErrorString(error));
    return static_cast<float*>(memory);
}

void HostNVMatrix::release(float* memory) { cudaFreeHost(memory); }
