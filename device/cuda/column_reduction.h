// Reductions down the columns of a row-major matrix, in a fixed order: neighbouring threads read neighbouring columns.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace convnet::cuda {

// A block takes 8 columns, a 32-byte sector of each row, and 32 threads to a column: matrices of few columns (a
// minibatch) still fill a GPU.
constexpr int block_columns = 8, column_threads = 32;

template <class T>
using ColumnMemory = T[column_threads][block_columns];

// What a thread of such a block sees of its matrix: every column_threads-th element of one column. `matrices` lie one
// after the other.
struct ColumnPart {
    std::int64_t first;  // its first element
    std::int64_t step;
    int count;  // 0 beyond the last column

    __device__ ColumnPart(int rows, int columns) {
        const int blocks = (columns + block_columns - 1) / block_columns;
        const int column = blockIdx.x % blocks * block_columns + threadIdx.x % block_columns;
        const int row = threadIdx.x / block_columns;
        first = (static_cast<std::int64_t>(blockIdx.x / blocks) * rows + row) * columns + column;
        step = static_cast<std::int64_t>(column_threads) * columns;
        count = column < columns && row < rows ? (rows - row - 1) / column_threads + 1 : 0;
    }
};

// The values of a column's threads, combined, for all of them. Every thread of the block takes part.
template <class T, class Combine>
__device__ T combine_column(ColumnMemory<T>& memory, T value, Combine combine) {
    const int column = threadIdx.x % block_columns, row = threadIdx.x / block_columns;
    memory[row][column] = value;
    for (int half = column_threads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (row < half) memory[row][column] = combine(memory[row][column], memory[row + half][column]);
    }
    __syncthreads();
    const T result = memory[0][column];
    __syncthreads();  // the memory may be used again
    return result;
}

struct Plus {
    __device__ double operator()(double a, double b) const { return a + b; }
};

inline unsigned column_blocks(int matrices, int columns) {
    return static_cast<unsigned>(matrices) * ((columns + block_columns - 1) / block_columns);
}

}  // namespace convnet::cuda
