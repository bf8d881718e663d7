// A layer of the net: its place in the graph, its outputs, and the gradient that comes back to them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/config.h"
#include "engine/matrix.h"

namespace convnet {

// Which pass the net is in (spec 3.10), and where in the run.
struct Pass {
    enum class Kind { train, test, gradient_check, features };

    Kind kind = Kind::test;
    int cases = 0;
    std::uint64_t minibatch = 0;  // training minibatches before this one, over the whole run
    int view = 0, views = 1;      // of a multiview test

    bool train() const { return kind == Kind::train; }
    bool first_view() const { return view == 0; }
    bool last_view() const { return view == views - 1; }
};

// What a layer is built with, besides its dictionary.
struct LayerContext {
    Device& device;
    int index;  // place in the definition: names the layer's random draws
    std::uint64_t seed;
    bool host_transfers;   // copies between logical devices go through the host, where half precision applies
    bool exact_gradients;  // cnorm: with the dependence that the historic gradient leaves out
};

class FusedCost;

class Layer {
public:
    Layer(const LayerConfig& config, const LayerContext& context);
    virtual ~Layer() = default;

    const std::string& name() const { return config_.name; }
    const std::string& type() const { return config_.type; }
    const LayerConfig& config() const { return config_; }
    int logical_device() const { return logical_device_; }
    const std::vector<Layer*>& users() const { return users_; }
    const std::vector<Layer*>& inputs() const { return inputs_; }

    void connect(const std::vector<Layer*>& inputs);
    // Once, after every layer is connected.
    void link();

    void forward(const Pass& pass);
    // Adds this layer's share to the gradients of its inputs and weights. The gradient of its own outputs
    // is complete by then: users come later in the definition, and backward runs from the end.
    virtual void backward(const Pass& pass);

    const Matrix& outputs() const { return outputs_; }
    // The complete gradient of the outputs, where the last backward pass came by here; else null.
    const Matrix* gradient() const { return gradient_; }
    void copy_to_host(const Matrix& matrix, float* host) const {
        device_.copy_to_host(matrix.data(), host, matrix.size());
    }
    // Gives the memory of outputs and gradients back, after the backward pass (--conserve-mem).
    void release_memory();
    // Whether this layer or any below has weights, so that a gradient is of use to it.
    bool wants_gradient() const { return wants_gradient_; }

    // Where a user adds its share of this layer's gradient, in its own device's memory, and how.
    struct GradientTarget {
        Matrix& matrix;
        Scale scale;
    };
    GradientTarget gradient_target(const Layer& user);

protected:
    virtual void compute(const Pass& pass) = 0;
    virtual void input_gradient(int input, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass);
    virtual void weight_gradients(const Matrix&, const Pass&) {}

    int input_count() const { return static_cast<int>(inputs_.size()); }
    const Matrix& input(int i) const {
        return arrives_as_copy(*inputs_.at(i)) ? arrived_inputs_.at(i) : inputs_[i]->outputs();
    }
    RandomKey random_key(const Pass& pass) const { return {seed_, static_cast<std::uint32_t>(index_), pass.minibatch}; }
    [[noreturn]] void fail(const std::string& why) const;

    const LayerConfig config_;
    Device& device_;
    Matrix outputs_;
    const int output_rows_;

private:
    // Shares of the gradient by users' logical device: they are summed in that order, whatever physical
    // devices they came from (spec 3.11).
    struct Share {
        Matrix matrix;   // on the users' device
        Matrix arrived;  // here, where that is another one
        bool empty;
    };
    Matrix& arrived(Share& share);
    const Matrix* complete_gradient();
    // Transfers in half precision (spec 3.11): forward by the giver's quantF, backward by its quantB.
    bool arrives_rounded(const Layer& input) const;
    bool arrives_as_copy(const Layer& input) const { return &input.device_ != &device_ || arrives_rounded(input); }

    const int index_;
    const std::uint64_t seed_;
    const int logical_device_;
    const bool wants_gradient_, host_transfers_, half_forward_, half_backward_;
    std::vector<Layer*> inputs_, users_;
    std::map<int, Matrix> arrived_inputs_;  // of those that arrive as copies
    std::map<int, Share> shares_;
    const Matrix* gradient_ = nullptr;
    FusedCost* fused_ = nullptr;
};

// The layer that a dictionary describes. One maker per family, each in the family's file.
std::unique_ptr<Layer> make_layer(const LayerConfig& config, const LayerContext& context);

}  // namespace convnet
