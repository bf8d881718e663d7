// Cost layers: their values, and the gradient that starts at them (spec 3.7).
#pragma once

#include <memory>
#include <vector>

#include "engine/layer.h"

namespace convnet {

class CostLayer : public Layer {
public:
    CostLayer(const LayerConfig& config, const LayerContext& context) : Layer(config, context), coeff_(static_cast<float>(config.number("coeff"))) {}

    float coeff() const { return coeff_; }
    // Sums over the cases of the last pass.
    const std::vector<double>& values() const { return values_; }

protected:
    const float coeff_;
    std::vector<double> values_;
};

// A cost whose gradient a softmax below computes together with its own.
class FusedCost {
public:
    virtual ~FusedCost() = default;
    // Adds the gradient at the softmax's input; `probs` are the softmax's outputs.
    virtual void softmax_gradient(const Matrix& probs, Matrix& target, Scale scale) = 0;
};

// The cost that is fused with a softmax: its only user, on the same device. Null where there is none.
FusedCost* fused_cost_of(const Layer& softmax);

}  // namespace convnet
