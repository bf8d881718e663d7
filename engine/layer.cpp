// The graph's side of every layer: inputs, outputs, and the sum of the gradients of its users.
#include "engine/layer.h"

namespace convnet {

Layer::Layer(const LayerConfig& config, const LayerContext& context)
    : config_(config),
      device_(context.device),
      outputs_(context.device),
      output_rows_(config.has("outputs") ? config.integer("outputs") : 0),
      index_(context.index),
      seed_(context.seed),
      logical_device_(config.integer("gpu")),
      wants_gradient_(config.integer("gradConsumer") != 0) {}

void Layer::fail(const std::string& why) const { throw EngineError("Layer '" + name() + "': " + why); }

void Layer::connect(const std::vector<Layer*>& inputs) {
    inputs_ = inputs;
    for (Layer* input : inputs) input->users_.push_back(this);
}

void Layer::forward(const Pass& pass) {
    for (auto& [device, share] : shares_) share.empty = true;
    outputs_.resize(output_rows_, pass.cases);
    compute(pass);
}

Layer::GradientTarget Layer::gradient_target(int logical_device) {
    auto found = shares_.try_emplace(logical_device, Share{Matrix(device_), true}).first;
    Share& share = found->second;
    share.matrix.resize(outputs_.rows(), outputs_.cols());
    const Scale scale{share.empty ? 0.0f : 1.0f, 1.0f};
    share.empty = false;
    return {share.matrix, scale};
}

const Matrix* Layer::complete_gradient() {
    Matrix* sum = nullptr;
    for (auto& [device, share] : shares_) {
        if (share.empty) continue;
        if (sum)
            device_.add(share.matrix.data(), sum->data(), sum->size(), Scale{1, 1});
        else
            sum = &share.matrix;
    }
    return sum;
}

void Layer::backward(const Pass& pass) {
    if (!wants_gradient_) return;
    // Without a gradient (every cost above has coeff 0) the weights' gradient stays 0.
    const Matrix* gradient = complete_gradient();
    if (!gradient) return;
    for (int i = 0; i < input_count(); i++) {
        if (!inputs_[i]->wants_gradient()) continue;
        const GradientTarget target = inputs_[i]->gradient_target(logical_device_);
        input_gradient(i, *gradient, target.matrix, target.scale, pass);
    }
    weight_gradients(*gradient, pass);
}

void Layer::input_gradient(int, const Matrix&, Matrix&, Scale, const Pass&) { fail("layers of type '" + type() + "' pass no gradient down"); }

}  // namespace convnet
