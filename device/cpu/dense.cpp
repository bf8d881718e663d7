// Matrix products, softmax and the elementwise operations between layers, on the CPU (spec 3.6).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <cblas.h>

#include "device/cpu/isa.h"
#include "device/cpu/map.h"
#include "device/cpu/vmath.h"

namespace convnet::cpu::CONVNET_ISA {
namespace {

// The nearest IEEE half, ties to even: 10 bits of mantissa, or steps of 2^-24 below 2^-14.
float half_rounded(float x) {
    const float size = std::fabs(x);
    if (!(size < 65520)) return x != x ? x : std::copysign(std::numeric_limits<float>::infinity(), x);
    if (size < 0x1p-14f) {
        // Adding a number whose lowest bit is worth 2^-24 rounds to that bit.
        const float shift = 0.75f;
        return std::copysign((size + shift) - shift, x);
    }
    // The lowest 13 bits go; what is added carries into the others where they round up.
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x);
    return __builtin_bit_cast(float, (bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu);
}

// Pieces of a product that single-threaded BLAS computes. Their bounds do not depend on the number of
// threads, so neither do the bits of the result.
constexpr int block_rows = 256, block_columns = 512;

// Cases that a thread takes through all rows of a column operation at a time: four vectors.
constexpr int column_block = 4 * lanes;

template <class Body>
void for_column_blocks(ThreadPool& pool, int cases, Body body) {
    const int blocks = (cases + column_block - 1) / column_block;
    pool.parallel_for(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t block = begin; block < end; block++)
            body(static_cast<int>(block) * column_block,
                 std::min(column_block, cases - static_cast<int>(block) * column_block));
    });
}

}  // namespace

void CpuDevice::multiply(const float* a, bool transpose_a, const float* b, bool transpose_b, float* targets, int rows,
                         int columns, int inner, Scale scale) {
    const int row_blocks = (rows + block_rows - 1) / block_rows,
              column_blocks = (columns + block_columns - 1) / block_columns;
    const std::int64_t lda = transpose_a ? rows : inner, ldb = transpose_b ? inner : columns;
    pool_.parallel_for(
        static_cast<std::int64_t>(row_blocks) * column_blocks, 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t block = begin; block < end; block++) {
                const std::int64_t row = block / column_blocks * block_rows,
                                   column = block % column_blocks * block_columns;
                const float* block_a = a + (transpose_a ? row : row * lda);
                const float* block_b = b + (transpose_b ? column * ldb : column);
                scipy_cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                                  transpose_b ? CblasTrans : CblasNoTrans,
                                  std::min<std::int64_t>(block_rows, rows - row),
                                  std::min<std::int64_t>(block_columns, columns - column), inner, scale.output, block_a,
                                  lda, block_b, ldb, scale.targets, targets + row * columns + column, columns);
            }
        });
}

void CpuDevice::add(const float* inputs, float* targets, std::size_t count, Scale scale) {
    map(pool_, count, targets, scale, [=](std::int64_t i) { return inputs[i]; });
}

void CpuDevice::multiply_elementwise(const float* a, const float* b, float* targets, std::size_t count, Scale scale) {
    map(pool_, count, targets, scale, [=](std::int64_t i) { return a[i] * b[i]; });
}

void CpuDevice::softmax(const float* inputs, float* targets, int classes, int cases) {
    for_column_blocks(pool_, cases, [&](int first, int count) {
        float best[column_block];
        double sum[column_block];
        std::fill(best, best + count, -std::numeric_limits<float>::infinity());
        std::fill(sum, sum + count, 0.0);
        for (int j = 0; j < classes; j++) {
            const float* x = inputs + static_cast<std::int64_t>(j) * cases + first;
            for (int n = 0; n < count; n++) best[n] = x[n] > best[n] ? x[n] : best[n];
        }
        for (int j = 0; j < classes; j++) {
            const float* x = inputs + static_cast<std::int64_t>(j) * cases + first;
            float* y = targets + static_cast<std::int64_t>(j) * cases + first;
            for (int n = 0; n < count; n++) {
                y[n] = static_cast<float>(exp_of(x[n] - best[n]));
                sum[n] += y[n];
            }
        }
        for (int j = 0; j < classes; j++) {
            float* y = targets + static_cast<std::int64_t>(j) * cases + first;
            for (int n = 0; n < count; n++) y[n] = static_cast<float>(y[n] / sum[n]);
        }
    });
}

void CpuDevice::softmax_gradient(const float* gradients, const float* outputs, float* targets, int classes, int cases,
                                 Scale scale) {
    for_column_blocks(pool_, cases, [&](int first, int count) {
        double product[column_block];
        std::fill(product, product + count, 0.0);
        for (int j = 0; j < classes; j++) {
            const std::int64_t row = static_cast<std::int64_t>(j) * cases + first;
            for (int n = 0; n < count; n++) product[n] += double(gradients[row + n]) * outputs[row + n];
        }
        for (int j = 0; j < classes; j++) {
            const std::int64_t row = static_cast<std::int64_t>(j) * cases + first;
            for (int n = 0; n < count; n++)
                put(targets[row + n], static_cast<float>(outputs[row + n] * (gradients[row + n] - product[n])), scale);
        }
    });
}

void CpuDevice::elementwise_max(const float* inputs, float* targets, std::size_t count) {
    map(pool_, count, targets, [=](std::int64_t i) { return inputs[i] > targets[i] ? inputs[i] : targets[i]; });
}

void CpuDevice::elementwise_max_gradient(const float* gradients, const float* inputs, const float* outputs,
                                         float* targets, std::size_t count, Scale scale) {
    map(pool_, count, targets, scale, [=](std::int64_t i) { return inputs[i] == outputs[i] ? gradients[i] : 0.0f; });
}

void CpuDevice::round_to_half(const float* inputs, float* targets, std::size_t count) {
    map(pool_, count, targets, [=](std::int64_t i) { return half_rounded(inputs[i]); });
}

}  // namespace convnet::cpu::CONVNET_ISA
