// Response normalization layers (spec 2.3, 3.3).
#include "engine/families.h"

namespace convnet {
namespace {

class CrossMapNormLayer final : public Layer {
public:
    CrossMapNormLayer(const LayerConfig& config, const LayerContext& context) : Layer(config, context), denoms_(context.device) {
        shape_.channels = config.integer("channels");
        shape_.pixels = output_rows_ / shape_.channels;
        shape_.size = config.integer("size");
        shape_.scale = static_cast<float>(config.number("scale"));
        shape_.pow = static_cast<float>(config.number("pow"));
        shape_.min_div = static_cast<float>(config.number("minDiv"));
        shape_.blocked = config.integer("blocked") != 0;
    }

private:
    void compute(const Pass& pass) override {
        shape_.cases = pass.cases;
        denoms_.resize(outputs_.rows(), outputs_.cols());
        device_.cross_map_norm(shape_, input(0).data(), denoms_.data(), outputs_.data());
    }

    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass&) override {
        device_.cross_map_norm_gradient(shape_, gradient.data(), denoms_.data(), input(0).data(), outputs_.data(), target.data(), scale);
    }

    NormShape shape_;
    Matrix denoms_;
};

}  // namespace

std::unique_ptr<Layer> make_cmrnorm(const LayerConfig& config, const LayerContext& context) { return std::make_unique<CrossMapNormLayer>(config, context); }

}  // namespace convnet
