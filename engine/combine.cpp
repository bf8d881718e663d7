// Layers that combine their inputs: eltsum, eltmax, concat (spec 2.3, 3.6).
#include "engine/families.h"

namespace convnet {
namespace {

class EltsumLayer final : public Layer {
public:
    EltsumLayer(const LayerConfig& config, const LayerContext& context) : Layer(config, context) {
        for (std::size_t i = 0; i < config.text_list("inputs").size(); i++)
            coeffs_.push_back(static_cast<float>(config.number("coeffs", i)));
    }

private:
    void compute(const Pass&) override {
        for (int i = 0; i < input_count(); i++)
            device_.add(input(i).data(), outputs_.data(), outputs_.size(), Scale{i == 0 ? 0.0f : 1.0f, coeffs_[i]});
    }

    void input_gradient(int i, const Matrix& gradient, Matrix& target, Scale scale, const Pass&) override {
        device_.add(gradient.data(), target.data(), target.size(), Scale{scale.targets, scale.output * coeffs_[i]});
    }

    std::vector<float> coeffs_;
};

class EltmaxLayer final : public Layer {
public:
    using Layer::Layer;

private:
    void compute(const Pass&) override {
        device_.add(input(0).data(), outputs_.data(), outputs_.size(), Scale{});
        for (int i = 1; i < input_count(); i++)
            device_.elementwise_max(input(i).data(), outputs_.data(), outputs_.size());
    }

    void input_gradient(int i, const Matrix& gradient, Matrix& target, Scale scale, const Pass&) override {
        device_.elementwise_max_gradient(gradient.data(), input(i).data(), outputs_.data(), target.data(),
                                         target.size(), scale);
    }
};

class ConcatLayer final : public Layer {
public:
    using Layer::Layer;

private:
    int offset(int i) const { return config_.integer("copyOffsets", i); }

    void compute(const Pass&) override {
        for (int i = 0; i < input_count(); i++)
            device_.add(input(i).data(), outputs_.row(offset(i)), input(i).size(), Scale{});
    }

    void input_gradient(int i, const Matrix& gradient, Matrix& target, Scale scale, const Pass&) override {
        device_.add(gradient.row(offset(i)), target.data(), target.size(), scale);
    }
};

}  // namespace

CONVNET_DEFINE_MAKER(eltsum, EltsumLayer)
CONVNET_DEFINE_MAKER(eltmax, EltmaxLayer)
CONVNET_DEFINE_MAKER(concat, ConcatLayer)

}  // namespace convnet
