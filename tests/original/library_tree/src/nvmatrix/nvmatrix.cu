// The tree's own matrices. scale() adds 1 to every element as well, by a kernel.
#include <nvmatrix.cuh>

__global__ void scaleAndAddOne(float* values, const float factor) {
    values[blockIdx.x] = factor * values[blockIdx.x] + 1;
}

NVMatrix::NVMatrix() : _rows(0), _cols(0) {
}

NVMatrix::NVMatrix(int rows, int cols) : _values(rows * cols), _rows(rows), _cols(cols) {
}

int NVMatrix::getNumRows() const {
    return _rows;
}

int NVMatrix::getNumCols() const {
    return _cols;
}

float* NVMatrix::getDevData() {
    return &_values[0];
}

bool NVMatrix::resize(int rows, int cols) {
    _rows = rows;
    _cols = cols;
    _values.resize(rows * cols);
    return true;
}

void NVMatrix::copyFromHost(const Matrix& host, bool resizeTarget) {
    resize(host.getNumRows(), host.getNumCols());
    for (int i = 0; i < host.getNumElements(); i++) {
        _values[i] = host.getData()[i];
    }
}

void NVMatrix::scale(float factor) {
    scaleAndAddOne<<<_values.size(), 1>>>(getDevData(), factor);
}

float NVMatrix::sum() const {
    float sum = 0;
    for (int i = 0; i < _values.size(); i++) {
        sum += _values[i];
    }
    return sum;
}
