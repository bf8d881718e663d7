// Matrix products of the emulated CUDA device: OpenBLAS in place of cuBLAS.
#include "device/cuda/blas.h"

#include <cblas.h>

#include <functional>
#include <memory>

namespace convnet::cuda {

Blas::Blas(bool) { scipy_openblas_set_num_threads(1); }

Blas::~Blas() {}

void Blas::multiply(const float* a, bool transpose_a, const float* b, bool transpose_b, float* targets, int rows,
                    int columns, int inner, Scale scale) {
    // In its turn on the default stream, as cuBLAS's kernels are.
    using Work = std::function<void()>;
    auto work = std::make_unique<Work>([=] {
        scipy_cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                          transpose_b ? CblasTrans : CblasNoTrans, rows, columns, inner, scale.output, a,
                          transpose_a ? rows : inner, b, transpose_b ? inner : columns, scale.targets, targets,
                          columns);
    });
    cudaLaunchHostFunc(
        nullptr, [](void* given) { (*std::unique_ptr<Work>(static_cast<Work*>(given)))(); }, work.release());
}

}  // namespace convnet::cuda
