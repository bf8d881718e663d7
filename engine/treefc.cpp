// treefc layers (spec 2.3, 3.8): a class's weights are the sum of the offsets of the tree nodes on its path.
#include <algorithm>

#include "engine/families.h"
#include "engine/weights.h"

namespace convnet {
namespace {

class TreefcLayer final : public WeightLayer {
public:
    TreefcLayer(const LayerConfig& config, const LayerContext& context)
        : WeightLayer(config, context, false, 1), class_weights_(context.device), class_gradients_(context.device) {
        plant(weights_[0].weights->values().cols(), config.integer("rootLabel"));
    }

    void update(const UpdateTime& time) override {
        weights_[0].weights->update_tree(tree_, time);
        biases_->update(time);
    }

private:
    std::vector<int> children(int node) const {
        const std::vector<double>& labels = config_.list("tree." + std::to_string(node));
        return std::vector<int>(labels.begin(), labels.end());
    }

    void plant(int nodes, int root) {
        parents_.assign(nodes, -1);
        leaf_counts_.assign(nodes, 0);
        top_down_ = {root};
        for (std::size_t i = 0; i < top_down_.size() && i < static_cast<std::size_t>(nodes); i++)
            for (int child : children(top_down_[i])) {
                if (child < 0 || child >= nodes || child == root || parents_[child] >= 0)
                    fail("its class tree has node " + std::to_string(child) + " twice or outside");
                parents_[child] = top_down_[i];
                top_down_.push_back(child);
            }
        if (static_cast<int>(top_down_.size()) != nodes) fail("its class tree does not reach every node from the root");
        for (int i = nodes - 1; i >= 0; i--) {
            const int node = top_down_[i];
            if (leaf_counts_[node] == 0) leaf_counts_[node] = 1;  // nothing below counted into it
            if (parents_[node] >= 0) leaf_counts_[parents_[node]] += leaf_counts_[node];
        }
        tree_ = {nodes, output_rows_, parents_.data(), top_down_.data(), leaf_counts_.data()};
    }

    void compute(const Pass& pass) override {
        class_weights_.resize(input(0).rows(), output_rows_);
        device_.treefc_class_weights(tree_, weights_[0].data(), class_weights_.data(), class_weights_.rows());
        device_.multiply(class_weights_.data(), true, input(0).data(), false, outputs_.data(), output_rows_, pass.cases,
                         input(0).rows(), Scale{});
        device_.add_bias(biases_->values().data(), outputs_.data(), output_rows_, 1, pass.cases);
    }

    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass) override {
        device_.multiply(class_weights_.data(), false, gradient.data(), false, target.data(), target.rows(), pass.cases,
                         output_rows_, scale);
    }

    void weight_gradients(const Matrix& gradient, const Pass& pass) override {
        if (weights_[0].weights->learns()) {
            class_gradients_.resize(input(0).rows(), output_rows_);
            device_.multiply(input(0).data(), false, gradient.data(), true, class_gradients_.data(), input(0).rows(),
                             output_rows_, pass.cases, Scale{});
            const auto [target, scale] = weights_[0].gradient_target();
            device_.treefc_node_gradients(tree_, class_gradients_.data(), target.data(), target.rows(), scale);
        }
        bias_gradient(gradient, 1);
    }

    std::vector<int> parents_, top_down_, leaf_counts_;
    Tree tree_;
    Matrix class_weights_, class_gradients_;
};

}  // namespace

CONVNET_DEFINE_MAKER(treefc, TreefcLayer)

}  // namespace convnet
