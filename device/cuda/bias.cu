// Biases of convolutions and dense layers, on a GPU (spec 3.1, 3.6).
#include <algorithm>

#include "device/cuda/cuda_device.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {
namespace {

constexpr int threads = threads_per_block;
constexpr int values_per_thread = 4;

// blocks_per_row blocks to each row of `row_values` values, all with the same bias.
__global__ void add_bias_kernel(const float* biases, float* targets, std::int64_t row_values, int blocks_per_row) {
    const int row = blockIdx.x / blocks_per_row;
    const float bias = biases[row];
    float* target = targets + row * row_values;
    const std::int64_t first = static_cast<std::int64_t>(blockIdx.x % blocks_per_row) * threads * values_per_thread;
    for (int i = 0; i < values_per_thread; i++) {
        const std::int64_t at = first + i * threads + threadIdx.x;
        if (at < row_values) target[at] += bias;
    }
}

// sums[row][segment]: of one segment of a row.
__global__ void sum_segments_kernel(const float* values, double* sums, std::int64_t row_values,
                                    std::int64_t segment_values, int segments) {
    __shared__ double memory[threads];
    const std::int64_t begin = blockIdx.x % segments * segment_values, left = row_values - begin;
    const std::int64_t count = left < segment_values ? left : segment_values;
    const float* segment = values + blockIdx.x / segments * row_values + begin;
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += threads) sum += segment[i];
    memory[threadIdx.x] = sum;
    for (int half = threads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (static_cast<int>(threadIdx.x) < half) memory[threadIdx.x] += memory[threadIdx.x + half];
    }
    if (threadIdx.x == 0) sums[blockIdx.x] = memory[0];
}

}  // namespace

void CudaDevice::add_bias(const float* biases, float* targets, int count, int modules, int cases) {
    select();
    const std::int64_t row_values = static_cast<std::int64_t>(modules) * cases;
    constexpr int block_values = threads * values_per_thread;
    const int blocks_per_row = static_cast<int>((row_values + block_values - 1) / block_values);
    add_bias_kernel<<<static_cast<unsigned>(count) * blocks_per_row, threads>>>(biases, targets, row_values,
                                                                                blocks_per_row);
    check_launch("addition of biases");
}

void CudaDevice::bias_gradient(const float* gradients, float* targets, int count, int modules, int cases, Scale scale) {
    select();
    const std::int64_t row_values = static_cast<std::int64_t>(modules) * cases;
    // Rows are few and long below a convolution: cut so that all of a GPU reads them.
    constexpr std::int64_t segment_values = 64 * threads;
    const int segments = static_cast<int>((row_values + segment_values - 1) / segment_values);
    Scratch<double> scratch(memory_, static_cast<std::size_t>(count) * segments);
    double* sums = scratch.data();
    sum_segments_kernel<<<static_cast<unsigned>(count) * segments, threads>>>(gradients, sums, row_values,
                                                                              segment_values, segments);
    check_launch("sums for the gradient of biases");
    for_each("gradient of biases", count, [=] __device__(std::int64_t i) {
        double sum = 0;
        for (int segment = 0; segment < segments; segment++) sum += sums[i * segments + segment];
        put(targets[i], static_cast<float>(sum), scale);
    });
}

}  // namespace convnet::cuda
