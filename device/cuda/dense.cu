// Matrix products and softmax on a GPU (spec 3.6).
#include "device/cuda/column_reduction.h"
#include "device/cuda/cuda_device.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {
namespace {

struct Larger {
    __device__ float operator()(float a, float b) const { return b > a ? b : a; }
};

__global__ void softmax_kernel(const float* inputs, float* targets, int classes, int cases) {
    __shared__ float best_of_threads[column_threads][block_columns];
    __shared__ double sums[column_threads][block_columns];
    const ColumnPart part(classes, cases);
    float best = -INFINITY;
    for (int i = 0; i < part.count; i++) best = Larger()(best, inputs[part.first + i * part.step]);
    best = combine_column(best_of_threads, best, Larger());
    double sum = 0;
    for (int i = 0; i < part.count; i++) {
        const float y = expf(inputs[part.first + i * part.step] - best);
        targets[part.first + i * part.step] = y;
        sum += y;
    }
    sum = combine_column(sums, sum, Plus());
    for (int i = 0; i < part.count; i++) {
        float& y = targets[part.first + i * part.step];
        y = static_cast<float>(y / sum);
    }
}

__global__ void softmax_gradient_kernel(const float* gradients, const float* outputs, float* targets, int classes,
                                        int cases, Scale scale) {
    __shared__ double sums[column_threads][block_columns];
    const ColumnPart part(classes, cases);
    double product = 0;
    for (int i = 0; i < part.count; i++) {
        const std::int64_t at = part.first + i * part.step;
        product += static_cast<double>(gradients[at]) * outputs[at];
    }
    product = combine_column(sums, product, Plus());
    for (int i = 0; i < part.count; i++) {
        const std::int64_t at = part.first + i * part.step;
        put(targets[at], static_cast<float>(outputs[at] * (gradients[at] - product)), scale);
    }
}

}  // namespace

void CudaDevice::multiply(const float* a, bool transpose_a, const float* b, bool transpose_b, float* targets, int rows,
                          int columns, int inner, Scale scale) {
    select();
    blas_.multiply(a, transpose_a, b, transpose_b, targets, rows, columns, inner, scale);
}

void CudaDevice::softmax(const float* inputs, float* targets, int classes, int cases) {
    select();
    softmax_kernel<<<column_blocks(1, cases), column_threads * block_columns>>>(inputs, targets, classes, cases);
    check_launch("softmax");
}

void CudaDevice::softmax_gradient(const float* gradients, const float* outputs, float* targets, int classes, int cases,
                                  Scale scale) {
    select();
    softmax_gradient_kernel<<<column_blocks(1, cases), column_threads * block_columns>>>(gradients, outputs, targets,
                                                                                         classes, cases, scale);
    check_launch("gradient of softmax");
}

}  // namespace convnet::cuda
