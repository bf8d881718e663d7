// fc layers (spec 3.6). With cases fastest in memory: outputs (outputs x cases) = W' inputs + b.
#include "engine/families.h"
#include "engine/weights.h"

namespace convnet {
namespace {

class FcLayer final : public WeightLayer {
public:
    FcLayer(const LayerConfig& config, const LayerContext& context) : WeightLayer(config, context, false, 1) {}

private:
    void compute(const Pass& pass) override {
        for (int i = 0; i < input_count(); i++)
            device_.multiply(weights_[i].data(), true, input(i).data(), false, outputs_.data(), output_rows_,
                             pass.cases, input(i).rows(), Scale{i == 0 ? 0.0f : 1.0f, 1.0f});
        device_.add_bias(biases_->values().data(), outputs_.data(), output_rows_, 1, pass.cases);
    }

    void input_gradient(int i, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass) override {
        device_.multiply(weights_[i].data(), false, gradient.data(), false, target.data(), target.rows(), pass.cases,
                         output_rows_, scale);
    }

    void weight_gradients(const Matrix& gradient, const Pass& pass) override {
        for (int i = 0; i < input_count(); i++) {
            if (!weights_[i].weights->learns()) continue;
            const auto [target, scale] = weights_[i].gradient_target();
            device_.multiply(input(i).data(), false, gradient.data(), true, target.data(), input(i).rows(),
                             output_rows_, pass.cases, scale);
        }
        bias_gradient(gradient, 1);
    }
};

}  // namespace

CONVNET_DEFINE_MAKER(fc, FcLayer)

}  // namespace convnet
