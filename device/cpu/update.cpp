// Weight updates and constraints on the CPU (spec 3.8).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "device/cpu/isa.h"
#include "device/cpu/map.h"

namespace convnet::cpu::CONVNET_ISA {
namespace {

// Columns that are handled together, so that rows are read in order.
constexpr int column_block = 64;

template <class Body>
void for_column_blocks(ThreadPool& pool, int columns, Body body) {
    const int blocks = (columns + column_block - 1) / column_block;
    pool.parallel_for(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t block = begin; block < end; block++)
            body(static_cast<int>(block) * column_block,
                 std::min(column_block, columns - static_cast<int>(block) * column_block));
    });
}

void scale_columns(float* weights, int rows, int columns, int first, int count, const double* factors) {
    for (int row = 0; row < rows; row++) {
        float* w = weights + static_cast<std::int64_t>(row) * columns + first;
        for (int c = 0; c < count; c++) w[c] = static_cast<float>(w[c] * factors[c]);
    }
}

}  // namespace

void CpuDevice::update_weights(float* weights, float* increments, const float* gradients, std::size_t count,
                               float momentum, float gradient_scale, float decay) {
    pool_.parallel_for(count, grain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; i++) {
            const float increment = momentum * increments[i] + gradient_scale * gradients[i] - decay * weights[i];
            increments[i] = increment;
            weights[i] += increment;
        }
    });
}

void CpuDevice::adaptive_update(float* weights, float* increments, const float* gradients, float* mean,
                                float* mean_square, std::size_t count, float momentum, float rate, float gradient_scale,
                                float decay, float super_eps) {
    pool_.parallel_for(count, grain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; i++) {
            const float g = gradient_scale * gradients[i];
            mean[i] = momentum * mean[i] + (1 - momentum) * g;
            mean_square[i] = momentum * mean_square[i] + (1 - momentum) * g * g;
            // 0.9, and the mean not squared, are the 2012 program's (spec 3.8).
            const float step = rate * g / std::sqrt(mean_square[i] - mean[i] + super_eps);
            const float increment = 0.9f * increments[i] + step - decay * weights[i];
            increments[i] = increment;
            weights[i] += increment;
        }
    });
}

void CpuDevice::bound_column_norms(float* weights, int rows, int columns, float norm) {
    for_column_blocks(pool_, columns, [&](int first, int count) {
        double factors[column_block] = {};
        for (int row = 0; row < rows; row++) {
            const float* w = weights + static_cast<std::int64_t>(row) * columns + first;
            for (int c = 0; c < count; c++) factors[c] += double(w[c]) * w[c];
        }
        for (int c = 0; c < count; c++)
            factors[c] = factors[c] > double(norm) * norm ? norm / std::sqrt(factors[c]) : 1;
        scale_columns(weights, rows, columns, first, count, factors);
    });
}

void CpuDevice::bound_zero_mean_norms(float* weights, int rows, int columns, float min, float max) {
    for_column_blocks(pool_, columns, [&](int first, int count) {
        double means[column_block] = {}, factors[column_block] = {};
        for (int row = 0; row < rows; row++) {
            const float* w = weights + static_cast<std::int64_t>(row) * columns + first;
            for (int c = 0; c < count; c++) means[c] += w[c];
        }
        // The sum is exact where all weights of a column are equal, and then so is the mean.
        for (int c = 0; c < count; c++) means[c] /= rows;
        for (int row = 0; row < rows; row++) {
            const float* w = weights + static_cast<std::int64_t>(row) * columns + first;
            for (int c = 0; c < count; c++) factors[c] += (w[c] - means[c]) * (w[c] - means[c]);
        }
        for (int c = 0; c < count; c++) {
            const double size = std::sqrt(factors[c]) / rows;
            factors[c] = size == 0 ? 1 : size < min ? min / size : size > max ? max / size : 1;
        }
        scale_columns(weights, rows, columns, first, count, factors);
    });
}

void CpuDevice::treefc_class_weights(const Tree& tree, const float* weights, float* targets, int rows) {
    pool_.parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> sums(tree.nodes);  // from the root to each node
        for (std::int64_t row = begin; row < end; row++) {
            for (int i = 0; i < tree.nodes; i++) {
                const int node = tree.top_down[i], parent = tree.parents[node];
                sums[node] = weights[row * tree.nodes + node] + (parent < 0 ? 0.0f : sums[parent]);
            }
            std::copy(sums.begin(), sums.begin() + tree.leaves, targets + row * tree.leaves);
        }
    });
}

void CpuDevice::treefc_node_gradients(const Tree& tree, const float* gradients, float* targets, int rows, Scale scale) {
    pool_.parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> sums(tree.nodes);
        for (std::int64_t row = begin; row < end; row++) {
            std::copy(gradients + row * tree.leaves, gradients + (row + 1) * tree.leaves, sums.begin());
            std::fill(sums.begin() + tree.leaves, sums.end(), 0.0f);
            for (int i = tree.nodes - 1; i >= 0; i--) {
                const int node = tree.top_down[i], parent = tree.parents[node];
                if (parent >= 0) sums[parent] += sums[node];
            }
            for (int node = 0; node < tree.nodes; node++) put(targets[row * tree.nodes + node], sums[node], scale);
        }
    });
}

void CpuDevice::treefc_update(const Tree& tree, float* weights, float* increments, const float* gradients, int rows,
                              float momentum, float rate, float decay, float gradient_scale) {
    pool_.parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; row++)
            for (int node = 0; node < tree.nodes; node++) {
                const std::int64_t i = row * tree.nodes + node;
                const float leaves = tree.leaf_counts[node];
                increments[i] = momentum * increments[i] +
                                rate / leaves * (gradient_scale * gradients[i] - decay / leaves * weights[i]);
                weights[i] += increments[i];
            }
    });
}

}  // namespace convnet::cpu::CONVNET_ISA
