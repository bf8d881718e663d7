// Response normalization layers: across maps, within maps, and local contrast (spec 2.3, 3.3).
#include "engine/families.h"

namespace convnet {
namespace {

class NormLayer : public Layer {
public:
    NormLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context), denoms_(context.device) {
        shape_.channels = config.integer("channels");
        shape_.pixels = output_rows_ / shape_.channels;
        shape_.size = config.integer("size");
        shape_.scale = static_cast<float>(config.number("scale"));
        shape_.pow = static_cast<float>(config.number("pow"));
    }

protected:
    void resize_to_outputs(Matrix& matrix) const { matrix.resize(outputs_.rows(), outputs_.cols()); }

    NormShape shape_;
    Matrix denoms_;

private:
    virtual void normalize() = 0;

    void compute(const Pass& pass) override {
        shape_.cases = pass.cases;
        resize_to_outputs(denoms_);
        normalize();
    }
};

class CrossMapNormLayer final : public NormLayer {
public:
    CrossMapNormLayer(const LayerConfig& config, const LayerContext& context) : NormLayer(config, context) {
        shape_.min_div = static_cast<float>(config.number("minDiv"));
        shape_.blocked = config.integer("blocked") != 0;
    }

private:
    void normalize() override { device_.cross_map_norm(shape_, input(0).data(), denoms_.data(), outputs_.data()); }

    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass&) override {
        device_.cross_map_norm_gradient(shape_, gradient.data(), denoms_.data(), input(0).data(), outputs_.data(),
                                        target.data(), scale);
    }
};

class ResponseNormLayer final : public NormLayer {
public:
    ResponseNormLayer(const LayerConfig& config, const LayerContext& context) : NormLayer(config, context) {
        shape_.img_size = config.integer("imgSize");
    }

private:
    void normalize() override { device_.response_norm(shape_, input(0).data(), denoms_.data(), outputs_.data()); }

    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass&) override {
        device_.response_norm_gradient(shape_, gradient.data(), denoms_.data(), input(0).data(), outputs_.data(),
                                       target.data(), scale);
    }
};

class ContrastNormLayer final : public NormLayer {
public:
    ContrastNormLayer(const LayerConfig& config, const LayerContext& context)
        : NormLayer(config, context), exact_(context.exact_gradients), mean_diffs_(context.device) {
        shape_.img_size = config.integer("imgSize");
    }

private:
    void normalize() override {
        resize_to_outputs(mean_diffs_);
        device_.contrast_norm(shape_, input(0).data(), mean_diffs_.data(), denoms_.data(), outputs_.data());
    }

    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass&) override {
        device_.contrast_norm_gradient(shape_, gradient.data(), denoms_.data(), mean_diffs_.data(), outputs_.data(),
                                       target.data(), exact_, scale);
    }

    const bool exact_;
    Matrix mean_diffs_;
};

}  // namespace

CONVNET_DEFINE_MAKER(cmrnorm, CrossMapNormLayer)
CONVNET_DEFINE_MAKER(rnorm, ResponseNormLayer)
CONVNET_DEFINE_MAKER(cnorm, ContrastNormLayer)

}  // namespace convnet
