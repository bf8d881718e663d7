// Matrix products on one GPU: cuBLAS, or in the emulation for tests a CPU's BLAS (tests/cuda).
#pragma once

#include "device/device.h"

namespace convnet::cuda {

class Blas {
public:
    // Of the current GPU. tf32: products may round their factors to TensorFloat-32.
    explicit Blas(bool tf32);
    ~Blas();
    Blas(const Blas&) = delete;
    Blas& operator=(const Blas&) = delete;

    // As Device::multiply, whose matrices are row-major.
    void multiply(const float* a, bool transpose_a, const float* b, bool transpose_b, float* targets, int rows,
                  int columns, int inner, Scale scale);

private:
    void* handle_ = nullptr;
};

}  // namespace convnet::cuda
