// Softmax layers (spec 3.6), fused with the cost above where that is their only user.
#include "engine/cost.h"
#include "engine/families.h"

namespace convnet {
namespace {

class SoftmaxLayer final : public Layer {
public:
    using Layer::Layer;

    void link() override { fused_ = fused_cost_of(*this); }

    void backward(const Pass& pass) override {
        if (!fused_) return Layer::backward(pass);
        const auto* cost = dynamic_cast<const CostLayer*>(users()[0]);
        if (!inputs()[0]->wants_gradient() || cost->coeff() == 0) return;
        const GradientTarget target = inputs()[0]->gradient_target(logical_device());
        fused_->softmax_gradient(outputs_, target.matrix, target.scale);
    }

private:
    void compute(const Pass& pass) override { device_.softmax(input(0).data(), outputs_.data(), output_rows_, pass.cases); }

    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass) override {
        device_.softmax_gradient(gradient.data(), outputs_.data(), target.data(), output_rows_, pass.cases, scale);
    }

    FusedCost* fused_ = nullptr;
};

}  // namespace

std::unique_ptr<Layer> make_softmax(const LayerConfig& config, const LayerContext& context) { return std::make_unique<SoftmaxLayer>(config, context); }

}  // namespace convnet
