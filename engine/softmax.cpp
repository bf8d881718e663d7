// Softmax layers (spec 3.6).
#include "engine/families.h"

namespace convnet {
namespace {

class SoftmaxLayer final : public Layer {
public:
    using Layer::Layer;

private:
    void compute(const Pass& pass) override {
        device_.softmax(input(0).data(), outputs_.data(), output_rows_, pass.cases);
    }

    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass) override {
        device_.softmax_gradient(gradient.data(), outputs_.data(), target.data(), output_rows_, pass.cases, scale);
    }
};

}  // namespace

std::unique_ptr<Layer> make_softmax(const LayerConfig& config, const LayerContext& context) {
    return std::make_unique<SoftmaxLayer>(config, context);
}

}  // namespace convnet
