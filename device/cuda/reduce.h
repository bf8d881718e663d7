// Sums on a GPU, in double and in an order that depends on the sizes only: the same bits from run to run and from GPU
// to GPU.
#pragma once

#include <cstdint>

#include "device/cuda/cuda_device.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {

// Several sums at once, those that one pass over the data gives.
template <int count>
struct Sums {
    double values[count];
};

// Each block sums its share of the terms into partials[block]: thread by thread, then in a tree.
template <int values, class Term>
__global__ void sum_kernel(std::int64_t count, Sums<values>* partials, Term term) {
    __shared__ double totals[values][threads_per_block];
    Sums<values> own = {};
    const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * threads_per_block;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads_per_block + threadIdx.x; i < count;
         i += stride) {
        const Sums<values> one = term(i);
        for (int v = 0; v < values; v++) own.values[v] += one.values[v];
    }
    for (int v = 0; v < values; v++) totals[v][threadIdx.x] = own.values[v];
    for (unsigned half = threads_per_block / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            for (int v = 0; v < values; v++) totals[v][threadIdx.x] += totals[v][threadIdx.x + half];
    }
    if (threadIdx.x == 0)
        for (int v = 0; v < values; v++) partials[blockIdx.x].values[v] = totals[v][0];
}

// The sums of term(i) over all i below count; term: a __device__ lambda that returns Sums<values>. The host goes on
// while they are computed and copied.
template <int values, class Term>
CostValues sum(const char* operation, Memory& memory, Reports& reports, std::int64_t count, Term term) {
    constexpr std::int64_t terms_per_block = 8 * threads_per_block, most_blocks = 1024;
    const std::int64_t wanted = (count + terms_per_block - 1) / terms_per_block;
    const int blocks = static_cast<int>(wanted < 1 ? 1 : wanted > most_blocks ? most_blocks : wanted);
    Scratch<Sums<values>> partials(memory, blocks), total(memory, 1);
    const Sums<values>* each = partials.data();
    sum_kernel<<<blocks, threads_per_block>>>(count, partials.data(), term);
    sum_kernel<<<1, threads_per_block>>>(blocks, total.data(), [=] __device__(std::int64_t i) { return each[i]; });
    check_launch(operation);
    return reports.send(operation, total.data()->values, values);
}

// Threads that share a column: a block takes 8 columns, a sector of memory in every row, and 32 rows at a time, so that
// the 128 columns of 1000 classes keep 4096 threads busy.
constexpr int columns_per_block = 8, threads_per_column = 32;

template <class Fold>
__global__ void fold_columns_kernel(int rows, int columns, Fold fold) {
    __shared__ typename Fold::State states[threads_per_column][columns_per_block];
    const int column = blockIdx.x * columns_per_block + threadIdx.x;
    typename Fold::State state = fold.none();
    if (column < columns)
        for (int row = threadIdx.y; row < rows; row += threads_per_column) fold.add(state, row, column);
    states[threadIdx.y][threadIdx.x] = state;
    __syncthreads();
    if (threadIdx.y != 0 || column >= columns) return;
    for (int other = 1; other < threads_per_column; other++) fold.merge(state, states[other][threadIdx.x]);
    fold.finish(state, column);
}

// Folds the rows of each column into one State: fold.add(state, row, column) for every row, from fold.none();
// fold.merge(state, other) puts two together; fold.finish(state, column) stores the result. Device functions all.
template <class Fold>
void fold_columns(const char* operation, int rows, int columns, Fold fold) {
    if (columns == 0) return;
    const unsigned blocks = static_cast<unsigned>((columns + columns_per_block - 1) / columns_per_block);
    fold_columns_kernel<<<blocks, dim3(columns_per_block, threads_per_column)>>>(rows, columns, fold);
    check_launch(operation);
}

}  // namespace convnet::cuda
