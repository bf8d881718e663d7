// Neuron layers (spec 2.6, 3.5).
#include <map>

#include "engine/families.h"

namespace convnet {
namespace {

Neuron neuron_of(const LayerConfig& config) {
    static const std::map<std::string, NeuronKind> kinds = {
        {"ident", NeuronKind::ident},     {"logistic", NeuronKind::logistic}, {"abs", NeuronKind::abs},
        {"relu", NeuronKind::relu},       {"nrelu", NeuronKind::nrelu},       {"softrelu", NeuronKind::softrelu},
        {"square", NeuronKind::square},   {"sqrt", NeuronKind::sqrt},         {"tanh", NeuronKind::tanh},
        {"abstanh", NeuronKind::abstanh}, {"brelu", NeuronKind::brelu},       {"linear", NeuronKind::linear},
        {"drelu", NeuronKind::drelu},
    };
    const auto kind = kinds.find(config.text("neuron.type"));
    if (kind == kinds.end())
        throw EngineError("Layer '" + config.name + "': the rebuilt engine has no neuron '" +
                          config.text("neuron.type") + "'");
    Neuron neuron{kind->second, 0, 0};
    if (config.has("neuron.params.a")) neuron.a = static_cast<float>(config.number("neuron.params.a"));
    if (config.has("neuron.params.b")) neuron.b = static_cast<float>(config.number("neuron.params.b"));
    return neuron;
}

class NeuronLayer final : public Layer {
public:
    NeuronLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context), neuron_(neuron_of(config)) {}

private:
    void compute(const Pass& pass) override {
        device_.neuron_forward(neuron_, input(0).data(), outputs_.data(), outputs_.size(), random_key(pass));
    }

    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass&) override {
        device_.neuron_gradient(neuron_, gradient.data(), input(0).data(), outputs_.data(), target.data(),
                                target.size(), scale);
    }

    const Neuron neuron_;
};

}  // namespace

CONVNET_DEFINE_MAKER(neuron, NeuronLayer)

}  // namespace convnet
