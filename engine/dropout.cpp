// hs layers: dropout without rescaling in training (spec 3.6).
#include "engine/families.h"

namespace convnet {
namespace {

class DropoutLayer final : public Layer {
public:
    DropoutLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context),
          enabled_(config.integer("enable") != 0),
          keep_(static_cast<float>(config.number("keep"))),
          mask_(context.device) {}

private:
    bool draws(const Pass& pass) const { return enabled_ && pass.train(); }

    void compute(const Pass& pass) override {
        if (!draws(pass)) return device_.add(input(0).data(), outputs_.data(), outputs_.size(), Scale{0, keep_});
        mask_.resize(outputs_.rows(), outputs_.cols());
        device_.dropout_mask(mask_.data(), mask_.size(), keep_, random_key(pass));
        device_.multiply_elementwise(input(0).data(), mask_.data(), outputs_.data(), outputs_.size(), Scale{});
    }

    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass) override {
        if (!draws(pass))
            return device_.add(gradient.data(), target.data(), target.size(),
                               Scale{scale.targets, scale.output * keep_});
        device_.multiply_elementwise(gradient.data(), mask_.data(), target.data(), target.size(), scale);
    }

    const bool enabled_;
    const float keep_;
    Matrix mask_;
};

}  // namespace

CONVNET_DEFINE_MAKER(dropout, DropoutLayer)

}  // namespace convnet
