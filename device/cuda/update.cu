// Weight updates and the class tree of treefc on a GPU (spec 3.8).
#include <vector>

#include "device/cuda/map.h"
#include "device/cuda/upload.h"

namespace convnet::cuda {
namespace {

// The leaves of a tree in an order in which those under any node are neighbours.
struct LeafOrder {
    std::vector<int> leaves;
    std::vector<int> first;  // of each node, in `leaves`

    explicit LeafOrder(const Tree& tree) : leaves(tree.leaves), first(tree.nodes) {
        std::vector<int> next(tree.nodes);  // where the leaves of a node's next child go
        int next_root = 0;
        for (int i = 0; i < tree.nodes; i++) {
            const int node = tree.top_down[i], parent = tree.parents[node];
            int& start = parent < 0 ? next_root : next[parent];
            first[node] = next[node] = start;
            start += tree.leaf_counts[node];
            if (node < tree.leaves) leaves[first[node]] = node;
        }
    }
};

}  // namespace

void CudaDevice::update_weights(float* weights, float* increments, const float* gradients, std::size_t count,
                                float momentum, float gradient_scale, float decay) {
    select();
    for_each("weight update", count, [=] __device__(std::int64_t i) {
        const float weight = weights[i];
        const float increment = momentum * increments[i] + gradient_scale * gradients[i] - decay * weight;
        increments[i] = increment;
        weights[i] = weight + increment;
    });
}

void CudaDevice::adaptive_update(float* weights, float* increments, const float* gradients, float* mean,
                                 float* mean_square, std::size_t count, float momentum, float rate,
                                 float gradient_scale, float decay, float super_eps) {
    select();
    for_each("adaptive weight update", count, [=] __device__(std::int64_t i) {
        const float g = gradient_scale * gradients[i], weight = weights[i], before = increments[i];
        const float new_mean = momentum * mean[i] + (1 - momentum) * g;
        const float new_square = momentum * mean_square[i] + (1 - momentum) * g * g;
        mean[i] = new_mean;
        mean_square[i] = new_square;
        // 0.9, and the mean not squared, are the 2012 program's (spec 3.8).
        const float step = rate * g / sqrtf(new_square - new_mean + super_eps);
        const float increment = 0.9f * before + step - decay * weight;
        increments[i] = increment;
        weights[i] = weight + increment;
    });
}

void CudaDevice::treefc_class_weights(const Tree& tree, const float* weights, float* targets, int rows) {
    select();
    const int nodes = tree.nodes;
    Uploaded<int> uploaded(memory_, tree.parents, nodes);
    const int* parents = uploaded.data();
    // Leaves are the fastest index here, as cases are elsewhere.
    for_each_case("class weights of a tree", rows, tree.leaves,
                  [=, leaves = tree.leaves] __device__(int row, int leaf) {
                      const float* of_row = weights + static_cast<std::int64_t>(row) * nodes;
                      float sum = 0;
                      for (int node = leaf; node >= 0; node = parents[node]) sum += of_row[node];
                      targets[static_cast<std::int64_t>(row) * leaves + leaf] = sum;
                  });
}

void CudaDevice::treefc_node_gradients(const Tree& tree, const float* gradients, float* targets, int rows,
                                       Scale scale) {
    select();
    const LeafOrder order(tree);
    Uploaded<int> uploaded_leaves(memory_, order.leaves.data(), tree.leaves),
        uploaded_first(memory_, order.first.data(), tree.nodes), uploaded_counts(memory_, tree.leaf_counts, tree.nodes);
    const int *leaves = uploaded_leaves.data(), *first = uploaded_first.data(), *counts = uploaded_counts.data();
    const int classes = tree.leaves, nodes = tree.nodes;
    for_each_case("node gradients of a tree", rows, nodes, [=] __device__(int row, int node) {
        const float* of_row = gradients + static_cast<std::int64_t>(row) * classes;
        float sum = 0;
        for (int i = first[node]; i < first[node] + counts[node]; i++) sum += of_row[leaves[i]];
        put(targets[static_cast<std::int64_t>(row) * nodes + node], sum, scale);
    });
}

void CudaDevice::treefc_update(const Tree& tree, float* weights, float* increments, const float* gradients, int rows,
                               float momentum, float rate, float decay, float gradient_scale) {
    select();
    Uploaded<int> uploaded(memory_, tree.leaf_counts, tree.nodes);
    const int* counts = uploaded.data();
    for_each_case("weight update of a tree", rows, tree.nodes, [=, nodes = tree.nodes] __device__(int row, int node) {
        const std::int64_t i = static_cast<std::int64_t>(row) * nodes + node;
        const float leaves = counts[node], weight = weights[i];
        const float increment =
            momentum * increments[i] + rate / leaves * (gradient_scale * gradients[i] - decay / leaves * weight);
        increments[i] = increment;
        weights[i] = weight + increment;
    });
}

}  // namespace convnet::cuda
