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

CONVNET_DEFINE_MAKER(softmax, SoftmaxLayer)

}  // namespace convnet
