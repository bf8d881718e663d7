// Type names of the layer language (spec 2.3) and the families that implement them.
#include "engine/families.h"

#include <map>

namespace convnet {

std::unique_ptr<Layer> make_layer(const LayerConfig& config, const LayerContext& context) {
    using Maker = std::unique_ptr<Layer> (*)(const LayerConfig&, const LayerContext&);
    static const std::map<std::string, Maker> makers = {
        {"data", make_data},
        {"conv", make_conv},
        {"local", make_local},
        {"fc", make_fc},
        {"treefc", make_treefc},
        {"softmax", make_softmax},
        {"neuron", make_neuron},
        {"eltsum", make_eltsum},
        {"eltmax", make_eltmax},
        {"concat", make_concat},
        {"pool", make_pool},
        {"rnorm", make_rnorm},
        {"cnorm", make_cnorm},
        {"cmrnorm", make_cmrnorm},
        {"nailbed", make_nailbed},
        {"blur", make_blur},
        {"href", make_href},
        {"resize", make_resize},
        {"rscale", make_rscale},
        {"rgb2yuv", make_rgb2yuv},
        {"rgb2lab", make_rgb2lab},
        {"hs", make_dropout},
        {"cost.logreg", make_logreg},
        {"cost.crossent", make_crossent},
        {"cost.crossent2", make_crossent2},
        {"cost.rflickr", make_rflickr},
        {"cost.msm", make_msm},
        {"cost.sum2", make_sum2},
        {"cost.gsum2", make_gsum2},
        {"cost.tica", make_tica},
    };
    const auto maker = makers.find(config.type);
    if (maker == makers.end())
        throw EngineError("Layer '" + config.name + "': the rebuilt engine has no layers of type '" + config.type +
                          "'");
    return maker->second(config, context);
}

}  // namespace convnet
