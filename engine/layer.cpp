// The graph's side of every layer: inputs, outputs, and the sum of the gradients of its users.
#include "engine/layer.h"

#include "engine/cost.h"

namespace convnet {
namespace {

bool is_half(const LayerConfig& config, const std::string& key) {
    return config.has(key + ".type") && config.text(key + ".type") == "half";
}

}  // namespace

Layer::Layer(const LayerConfig& config, const LayerContext& context)
    : config_(config),
      device_(context.device),
      outputs_(context.device),
      output_rows_(config.has("outputs") ? config.integer("outputs") : 0),
      index_(context.index),
      seed_(context.seed),
      logical_device_(config.integer("gpu")),
      wants_gradient_(config.integer("gradConsumer") != 0),
      host_transfers_(context.host_transfers),
      half_forward_(is_half(config, "quantF")),
      half_backward_(is_half(config, "quantB")) {}

void Layer::fail(const std::string& why) const { throw EngineError("Layer '" + name() + "': " + why); }

void Layer::connect(const std::vector<Layer*>& inputs) {
    inputs_ = inputs;
    for (Layer* input : inputs) input->users_.push_back(this);
}

void Layer::link() { fused_ = fused_cost_of(*this); }

bool Layer::arrives_rounded(const Layer& input) const {
    // Data layers are read on every device; they are never rounded.
    return host_transfers_ && input.half_forward_ && input.logical_device_ >= 0 &&
           input.logical_device_ != logical_device_;
}

void Layer::forward(const Pass& pass) {
    gradient_ = nullptr;
    for (auto& [device, share] : shares_) share.empty = true;
    for (int i = 0; i < input_count(); i++) {
        if (!arrives_as_copy(*inputs_[i])) continue;
        Matrix& copy = arrived_inputs_.try_emplace(i, device_).first->second;
        const Matrix& source = inputs_[i]->outputs();
        copy.resize(source.rows(), source.cols());
        const bool foreign = &source.device() != &device_;
        if (foreign) device_.copy_from_device(source.device(), source.data(), copy.data(), source.size());
        if (arrives_rounded(*inputs_[i]))
            device_.round_to_half(foreign ? copy.data() : source.data(), copy.data(), copy.size());
    }
    outputs_.resize(output_rows_, pass.cases);
    compute(pass);
}

void Layer::release_memory() {
    outputs_ = Matrix(device_);
    shares_.clear();
    arrived_inputs_.clear();
    gradient_ = nullptr;
}

Layer::GradientTarget Layer::gradient_target(const Layer& user) {
    auto found = shares_.try_emplace(user.logical_device_, Share{Matrix(user.device_), Matrix(device_), true}).first;
    Share& share = found->second;
    share.matrix.resize(outputs_.rows(), outputs_.cols());
    const Scale scale{share.empty ? 0.0f : 1.0f, 1.0f};
    share.empty = false;
    return {share.matrix, scale};
}

Matrix& Layer::arrived(Share& share) {
    if (&share.matrix.device() == &device_) return share.matrix;
    share.arrived.resize(share.matrix.rows(), share.matrix.cols());
    device_.copy_from_device(share.matrix.device(), share.matrix.data(), share.arrived.data(), share.matrix.size());
    return share.arrived;
}

const Matrix* Layer::complete_gradient() {
    Matrix* sum = nullptr;
    for (auto& [device, share] : shares_) {
        if (share.empty) continue;
        Matrix& part = arrived(share);
        if (host_transfers_ && half_backward_ && device != logical_device_)
            device_.round_to_half(part.data(), part.data(), part.size());
        if (sum)
            device_.add(part.data(), sum->data(), sum->size(), Scale{1, 1});
        else
            sum = &part;
    }
    return sum;
}

void Layer::backward(const Pass& pass) {
    if (!wants_gradient_) return;
    if (fused_) {
        // The cost above computes its gradient at this layer's input, together with this layer's own.
        if (!inputs_[0]->wants_gradient() || fused_->contributes_nothing()) return;
        const GradientTarget target = inputs_[0]->gradient_target(*this);
        fused_->fused_gradient(outputs_, target.matrix, target.scale);
        return;
    }
    // Without a gradient (every cost above has coeff 0) the weights' gradient stays 0.
    gradient_ = complete_gradient();
    if (!gradient_) return;
    for (int i = 0; i < input_count(); i++) {
        if (!inputs_[i]->wants_gradient()) continue;
        const GradientTarget target = inputs_[i]->gradient_target(*this);
        input_gradient(i, *gradient_, target.matrix, target.scale, pass);
    }
    weight_gradients(*gradient_, pass);
}

void Layer::input_gradient(int, const Matrix&, Matrix&, Scale, const Pass&) {
    fail("layers of type '" + type() + "' pass no gradient down");
}

}  // namespace convnet
