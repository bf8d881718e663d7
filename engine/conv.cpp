// conv and local layers (spec 2.3, 3.1).
#include "engine/families.h"
#include "engine/weights.h"

namespace convnet {
namespace {

int modules_of(const LayerConfig& config) { return config.integer("modules"); }

// Both kinds: shared weights (conv), or one set of them per module (local).
class ConvLayer final : public WeightLayer {
public:
    ConvLayer(const LayerConfig& config, const LayerContext& context, bool local)
        : WeightLayer(config, context, !local, local ? modules_of(config) : 1), local_(local), rounds_(context.device) {
        const int inputs = static_cast<int>(config.text_list("inputs").size());
        connections_.resize(inputs);
        for (int i = 0; i < inputs; i++) shapes_.push_back(shape(i));
        bias_modules_ = !local && config.integer("sharedBiases") ? modules_of(config) : 1;
    }

private:
    ConvShape shape(int i) {
        ConvShape s;
        s.channels = config_.integer("channels", i);
        s.img_size_y = s.img_size_x = config_.integer("imgSize", i);
        s.filters = config_.integer("filters");
        s.filter_size = config_.integer("filterSize", i);
        s.padding = -config_.integer("padding", i);  // dictionaries hold it negated
        s.stride = config_.integer("stride", i);
        s.modules_y = s.modules_x = config_.integer("modulesX");
        s.groups = config_.integer("groups", i);
        s.filter_channels = config_.integer("filterChannels", i);
        if (config_.integer("randSparse", i)) {
            for (double channel : config_.list("filterConns." + std::to_string(i)))
                connections_[i].push_back(static_cast<int>(channel));
            s.connections = connections_[i].data();
        }
        return s;
    }

    const ConvShape& shape_of(int i, const Pass& pass) {
        shapes_[i].cases = pass.cases;
        return shapes_[i];
    }

    void compute(const Pass& pass) override {
        for (int i = 0; i < input_count(); i++) {
            const ConvShape& s = shape_of(i, pass);
            const Scale scale{i == 0 ? 0.0f : 1.0f, 1.0f};
            if (local_)
                device_.local_forward(s, input(i).data(), weights_[i].data(), outputs_.data(), scale);
            else
                device_.conv_forward(s, input(i).data(), weights_[i].data(), outputs_.data(), scale);
        }
        device_.add_bias(biases_->values().data(), outputs_.data(), output_rows_ / bias_modules_, bias_modules_,
                         pass.cases);
    }

    void image_gradient(const ConvShape& s, const float* gradient, const float* weights, float* target, Scale scale) {
        if (local_)
            device_.local_image_gradient(s, gradient, weights, target, scale);
        else
            device_.conv_image_gradient(s, gradient, weights, target, scale);
    }

    void input_gradient(int i, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass) override {
        const ConvShape& s = shape_of(i, pass);
        if (s.over_sample() == 1) return image_gradient(s, gradient.data(), weights_[i].data(), target.data(), scale);
        // One image set per round of the random connections; the rounds are summed.
        rounds_.resize(s.over_sample() * target.rows(), pass.cases);
        image_gradient(s, gradient.data(), weights_[i].data(), rounds_.data(), Scale{});
        for (int round = 0; round < s.over_sample(); round++)
            device_.add(rounds_.row(round * target.rows()), target.data(), target.size(),
                        Scale{round == 0 ? scale.targets : 1.0f, scale.output});
    }

    void weight_gradients(const Matrix& gradient, const Pass& pass) override {
        for (int i = 0; i < input_count(); i++) {
            if (!weights_[i].weights->learns()) continue;
            const auto [target, scale] = weights_[i].gradient_target();
            // partialSum, the order of summation on the GPUs of 2012, is left to the device.
            if (local_)
                device_.local_weight_gradient(shape_of(i, pass), input(i).data(), gradient.data(), target.data(),
                                              scale);
            else
                device_.conv_weight_gradient(shape_of(i, pass), input(i).data(), gradient.data(), target.data(), 0,
                                             scale);
        }
        bias_gradient(gradient, bias_modules_);
    }

    const bool local_;
    int bias_modules_;
    std::vector<ConvShape> shapes_;
    std::vector<std::vector<int>> connections_;
    Matrix rounds_;
};

}  // namespace

std::unique_ptr<Layer> make_conv(const LayerConfig& config, const LayerContext& context) {
    return std::make_unique<ConvLayer>(config, context, false);
}
std::unique_ptr<Layer> make_local(const LayerConfig& config, const LayerContext& context) {
    return std::make_unique<ConvLayer>(config, context, true);
}

}  // namespace convnet
