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
    bool train = false;
    int cases = 0;
    std::uint64_t minibatch = 0;  // training minibatches before this one, over the whole run
};

// What a layer is built with, besides its dictionary.
struct LayerContext {
    Device& device;
    int index;  // place in the definition: names the layer's random draws
    std::uint64_t seed;
};

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
    virtual void link() {}

    void forward(const Pass& pass);
    // Adds this layer's share to the gradients of its inputs and weights. The gradient of its own outputs
    // is complete by then: users come later in the definition, and backward runs from the end.
    virtual void backward(const Pass& pass);

    const Matrix& outputs() const { return outputs_; }
    void copy_outputs(float* host) const { device_.copy_to_host(outputs_.data(), host, outputs_.size()); }
    // Whether this layer or any below has weights, so that a gradient is of use to it.
    bool wants_gradient() const { return wants_gradient_; }

    // Where a user on `logical_device` adds its share of this layer's gradient, and how.
    struct GradientTarget {
        Matrix& matrix;
        Scale scale;
    };
    GradientTarget gradient_target(int logical_device);

protected:
    virtual void compute(const Pass& pass) = 0;
    virtual void input_gradient(int input, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass);
    virtual void weight_gradients(const Matrix&, const Pass&) {}

    int input_count() const { return static_cast<int>(inputs_.size()); }
    const Matrix& input(int i) const { return inputs_.at(i)->outputs(); }
    RandomKey random_key(const Pass& pass) const { return {seed_, static_cast<std::uint32_t>(index_), pass.minibatch}; }
    [[noreturn]] void fail(const std::string& why) const;

    const LayerConfig config_;
    Device& device_;
    Matrix outputs_;
    const int output_rows_;  // 0 for costs

private:
    // Shares of the gradient by users' logical device: they are summed in that order, whatever physical
    // devices they came from (spec 3.11).
    struct Share {
        Matrix matrix;
        bool empty;
    };
    const Matrix* complete_gradient();

    const int index_;
    const std::uint64_t seed_;
    const int logical_device_;
    const bool wants_gradient_;
    std::vector<Layer*> inputs_, users_;
    std::map<int, Share> shares_;
};

// The layer that a dictionary describes. One maker per family, each in the family's file.
std::unique_ptr<Layer> make_layer(const LayerConfig& config, const LayerContext& context);

}  // namespace convnet
