// Matrix products by cuBLAS.
#include "device/cuda/blas.h"

#include <cublas_v2.h>

#include <stdexcept>
#include <string>

namespace convnet::cuda {
namespace {

void check(cublasStatus_t status) {
    if (status != CUBLAS_STATUS_SUCCESS)
        throw std::runtime_error(std::string("CUDA: matrix product: ") + cublasGetStatusString(status));
}

}  // namespace

Blas::Blas(bool tf32) {
    cublasHandle_t handle = nullptr;
    check(cublasCreate(&handle));
    handle_ = handle;
    check(cublasSetMathMode(handle, tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_PEDANTIC_MATH));
}

Blas::~Blas() { cublasDestroy(static_cast<cublasHandle_t>(handle_)); }

void Blas::multiply(const float* a, bool transpose_a, const float* b, bool transpose_b, float* targets, int rows,
                    int columns, int inner, Scale scale) {
    // A row-major matrix is the transpose of a column-major one: targets^T = op(b)^T op(a)^T. With scale.targets 0
    // cuBLAS does not read the targets.
    check(cublasSgemm(static_cast<cublasHandle_t>(handle_), transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                      transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, columns, rows, inner, &scale.output, b,
                      transpose_b ? inner : columns, a, transpose_a ? rows : inner, &scale.targets, targets, columns));
}

}  // namespace convnet::cuda
