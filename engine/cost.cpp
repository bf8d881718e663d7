// Costs (spec 3.7).
#include "engine/cost.h"

#include "engine/families.h"

namespace convnet {

FusedCost* fused_cost_of(const Layer& softmax) {
    // Every user counts, costs of coeff 0 too.
    if (softmax.users().size() != 1) return nullptr;
    Layer* user = softmax.users()[0];
    return user->logical_device() == softmax.logical_device() ? dynamic_cast<FusedCost*>(user) : nullptr;
}

namespace {

class LogregCostLayer final : public CostLayer, public FusedCost {
public:
    LogregCostLayer(const LayerConfig& config, const LayerContext& context) : CostLayer(config, context), topk_(config.integer("topk")) {}

    void softmax_gradient(const Matrix& probs, Matrix& target, Scale scale) override {
        device_.logreg_softmax_gradient(input(0).data(), probs.data(), target.data(), probs.rows(), probs.cols(), coeff_, scale);
    }

    void backward(const Pass&) override {
        Layer& probs = *inputs()[1];
        if (coeff_ == 0 || !probs.wants_gradient() || fused_cost_of(probs) == this) return;
        const GradientTarget target = probs.gradient_target(logical_device());
        device_.logreg_gradient(input(0).data(), input(1).data(), target.matrix.data(), input(1).rows(), input(1).cols(), coeff_, target.scale);
    }

private:
    void compute(const Pass& pass) override {
        values_ = device_.logreg_cost(input(0).data(), input(1).data(), input(1).rows(), pass.cases, topk_);
    }

    const int topk_;
};

}  // namespace

std::unique_ptr<Layer> make_logreg(const LayerConfig& config, const LayerContext& context) { return std::make_unique<LogregCostLayer>(config, context); }

}  // namespace convnet
