// Cost layers: their values, and the gradient that starts at them (spec 3.7).
#pragma once

#include <memory>
#include <vector>

#include "engine/layer.h"

namespace convnet {

class CostLayer : public Layer {
public:
    CostLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context), coeff_(static_cast<float>(config.number("coeff"))) {}

    float coeff() const { return coeff_; }
    // Sums over the cases of the last pass, which may still be under way.
    const CostValues& values() const { return values_; }

    void backward(const Pass&) override;

protected:
    // Adds the gradient of minus coeff x cost at input i. Inputs that it does not know get none.
    virtual void cost_gradient(int i, Matrix& target, Scale scale) = 0;
    virtual bool has_gradient(int i) const { return i == input_count() - 1; }

    const float coeff_;
    CostValues values_;
};

// A cost that judges the average of its inputs over the views of a multiview test.
class ViewAveragingCost {
public:
    virtual ~ViewAveragingCost() = default;
    virtual const Matrix& averaged_probs() const = 0;  // (classes, cases)
};

// A cost whose gradient is computed together with that of the layer below it: exactly, and without the
// division that the two apart would need.
class FusedCost {
public:
    virtual ~FusedCost() = default;
    virtual bool fuses_with(const Layer& layer) const = 0;
    virtual bool contributes_nothing() const = 0;
    // Adds the gradient at the layer's input; `outputs` are the layer's.
    virtual void fused_gradient(const Matrix& outputs, Matrix& target, Scale scale) = 0;
};

// The cost that a layer is fused with: its only user, on the same device. Null where there is none.
FusedCost* fused_cost_of(const Layer& layer);

}  // namespace convnet
