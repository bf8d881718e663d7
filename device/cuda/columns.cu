// Bounds on the norms of weight columns, on a GPU (spec 3.1 normalizeLocalWeights, 3.8 wball, wcNormMin, wcNormMax).
#include "device/cuda/column_reduction.h"
#include "device/cuda/cuda_device.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {
namespace {

__device__ void scale_column(float* weights, const ColumnPart& part, double factor) {
    for (int i = 0; i < part.count; i++) {
        float& w = weights[part.first + i * part.step];
        w = static_cast<float>(w * factor);
    }
}

__global__ void bound_norms_kernel(float* weights, int rows, int columns, double norm) {
    __shared__ double sums[column_threads][block_columns];
    const ColumnPart part(rows, columns);
    double squares = 0;
    for (int i = 0; i < part.count; i++) {
        const double w = weights[part.first + i * part.step];
        squares += w * w;
    }
    squares = combine_column(sums, squares, Plus());
    if (squares > norm * norm) scale_column(weights, part, norm / sqrt(squares));
}

__global__ void bound_zero_mean_norms_kernel(float* weights, int rows, int columns, float min, float max) {
    __shared__ double sums[column_threads][block_columns];
    const ColumnPart part(rows, columns);
    double mean = 0;
    for (int i = 0; i < part.count; i++) mean += weights[part.first + i * part.step];
    // The sum is exact where all weights of a column are equal, and then so is the mean.
    mean = combine_column(sums, mean, Plus()) / rows;
    double squares = 0;
    for (int i = 0; i < part.count; i++) {
        const double difference = weights[part.first + i * part.step] - mean;
        squares += difference * difference;
    }
    const double size = sqrt(combine_column(sums, squares, Plus())) / rows;
    if (size != 0 && size < min) scale_column(weights, part, min / size);
    if (size != 0 && size >= min && size > max) scale_column(weights, part, max / size);
}

// `matrices` of rows x columns, one after the other.
void bound_norms(const char* operation, float* weights, int matrices, int rows, int columns, float norm) {
    bound_norms_kernel<<<column_blocks(matrices, columns), column_threads * block_columns>>>(weights, rows, columns,
                                                                                             norm);
    check_launch(operation);
}

}  // namespace

void CudaDevice::bound_column_norms(float* weights, int rows, int columns, float norm) {
    select();
    bound_norms("bound on the norms of weights", weights, 1, rows, columns, norm);
}

void CudaDevice::normalize_local_weights(float* weights, int modules, int rows, int filters, float norm) {
    select();
    bound_norms("normalization of local weights", weights, modules, rows, filters, norm);
}

void CudaDevice::bound_zero_mean_norms(float* weights, int rows, int columns, float min, float max) {
    select();
    bound_zero_mean_norms_kernel<<<column_blocks(1, columns), column_threads * block_columns>>>(weights, rows, columns,
                                                                                                min, max);
    check_launch("bound on the zero-mean norms of weights");
}

}  // namespace convnet::cuda
