// Type names of the layer language (spec 2.3) and the families that implement them.
#include "engine/families.h"

#include <map>

namespace convnet {

std::unique_ptr<Layer> make_layer(const LayerConfig& config, const LayerContext& context) {
    using Maker = std::unique_ptr<Layer> (*)(const LayerConfig&, const LayerContext&);
    static const std::map<std::string, Maker> makers = {
        {"data", make_data},     {"conv", make_conv}, {"local", make_local},     {"fc", make_fc},         {"softmax", make_softmax},
        {"neuron", make_neuron}, {"pool", make_pool}, {"cmrnorm", make_cmrnorm}, {"eltsum", make_eltsum}, {"eltmax", make_eltmax},
        {"concat", make_concat}, {"hs", make_dropout}, {"cost.logreg", make_logreg},
    };
    const auto maker = makers.find(config.type);
    if (maker == makers.end()) throw EngineError("Layer '" + config.name + "': the rebuilt engine has no layers of type '" + config.type + "' yet");
    return maker->second(config, context);
}

}  // namespace convnet
