// Loops over elements and over rows of a batch matrix, for kernels that are bound by memory. The loads of several
// elements are under way at once, and no index is divided in 64 bits, which would cost more than the memory does.
#pragma once

#include <cstddef>
#include <initializer_list>

#include "device/cuda/cuda_device.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {

constexpr int elements_per_thread = 4;

// Every result is there before the first is stored: targets may be one of the arrays that result() reads.
template <class Result>
__global__ void map_kernel(std::int64_t count, float* targets, Scale scale, Result result) {
    const std::int64_t first =
        static_cast<std::int64_t>(blockIdx.x) * (threads_per_block * elements_per_thread) + threadIdx.x;
    float results[elements_per_thread], old[elements_per_thread];
#pragma unroll
    for (int k = 0; k < elements_per_thread; k++) {
        const std::int64_t i = first + k * threads_per_block;
        results[k] = i < count ? result(i) : 0;
        old[k] = i < count && scale.targets != 0 ? targets[i] : 0;
    }
#pragma unroll
    for (int k = 0; k < elements_per_thread; k++) {
        const std::int64_t i = first + k * threads_per_block;
        if (i < count) {
            put(old[k], results[k], scale);
            targets[i] = old[k];
        }
    }
}

// targets[i] = scale.targets * targets[i] + scale.output * result(i), for all i below count; result: a __device__
// lambda.
template <class Result>
void map(const char* operation, std::size_t count, float* targets, Scale scale, Result result) {
    if (count == 0) return;
    constexpr std::size_t per_block = threads_per_block * elements_per_thread;
    map_kernel<<<static_cast<unsigned>((count + per_block - 1) / per_block), threads_per_block>>>(
        static_cast<std::int64_t>(count), targets, scale, result);
    check_launch(operation);
}

// Overwrites the targets.
template <class Result>
void map(const char* operation, std::size_t count, float* targets, Result result) {
    map(operation, count, targets, Scale{0, 1}, result);
}

// A block takes up to 32 neighbouring cases, a cache line, of several rows: rows that are neighbours in an image read
// many of the same pixels, which the block then finds in its L1.
template <class Body>
__global__ void for_each_case_kernel(int rows, int cases, int chunks, Body body) {
    const int row = blockIdx.x / chunks * blockDim.y + threadIdx.y;
    const int n = blockIdx.x % chunks * blockDim.x + threadIdx.x;
    if (row < rows && n < cases) body(row, n);
}

// body(row, n) for every row and case of a matrix (rows, cases), a thread each; body: a __device__ lambda.
template <class Body>
void for_each_case(const char* operation, int rows, int cases, Body body) {
    if (rows == 0 || cases == 0) return;
    const int width = cases < 32 ? cases : 32, height = threads_per_block / width;
    const int chunks = (cases + width - 1) / width;
    const unsigned blocks = static_cast<unsigned>(chunks) * static_cast<unsigned>((rows + height - 1) / height);
    for_each_case_kernel<<<blocks, dim3(width, height)>>>(rows, cases, chunks, body);
    check_launch(operation);
}

// Where an element of a batch matrix lies. An int numbers rows, but not elements.
__device__ inline std::int64_t element(int row, int cases, int n) { return static_cast<std::int64_t>(row) * cases + n; }

// Where a row of (maps * side * side, cases) stands.
struct Place {
    int map, y, x;
};

__device__ inline Place place(int row, int side) {
    const int line = row / side, map = line / side;
    return {map, line - map * side, row - line * side};
}

// Neighbouring cases that one thread handles together, read and written at once.
template <int width>
struct alignas(width * sizeof(float)) Pack {
    float values[width];

    static __device__ Pack load(const float* p) { return *reinterpret_cast<const Pack*>(p); }
    __device__ void store(float* p) const { *reinterpret_cast<Pack*>(p) = *this; }
};

constexpr int wide_pack = 4;

// Whether these matrices of `cases` columns can be read in wide packs: rows and starts are aligned to them.
inline bool in_wide_packs(int cases, std::initializer_list<const float*> matrices) {
    bool aligned = cases % wide_pack == 0;
    for (const float* matrix : matrices)
        aligned = aligned && reinterpret_cast<std::uintptr_t>(matrix) % sizeof(Pack<wide_pack>) == 0;
    return aligned;
}

}  // namespace convnet::cuda
