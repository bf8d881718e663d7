// The makers of all layer families; make_layer chooses among them by type name.
#pragma once

#include <memory>

#include "engine/layer.h"

// For the file of a family, after its class: the maker that is declared below.
#define CONVNET_DEFINE_MAKER(family, Class)                                                        \
    std::unique_ptr<Layer> make_##family(const LayerConfig& config, const LayerContext& context) { \
        return std::make_unique<Class>(config, context);                                           \
    }

namespace convnet {

#define CONVNET_LAYER_MAKER(family) \
    std::unique_ptr<Layer> make_##family(const LayerConfig& config, const LayerContext& context);
CONVNET_LAYER_MAKER(data)
CONVNET_LAYER_MAKER(conv)
CONVNET_LAYER_MAKER(local)
CONVNET_LAYER_MAKER(fc)
CONVNET_LAYER_MAKER(softmax)
CONVNET_LAYER_MAKER(neuron)
CONVNET_LAYER_MAKER(pool)
CONVNET_LAYER_MAKER(cmrnorm)
CONVNET_LAYER_MAKER(eltsum)
CONVNET_LAYER_MAKER(eltmax)
CONVNET_LAYER_MAKER(concat)
CONVNET_LAYER_MAKER(dropout)
CONVNET_LAYER_MAKER(treefc)
CONVNET_LAYER_MAKER(rnorm)
CONVNET_LAYER_MAKER(cnorm)
CONVNET_LAYER_MAKER(nailbed)
CONVNET_LAYER_MAKER(blur)
CONVNET_LAYER_MAKER(href)
CONVNET_LAYER_MAKER(resize)
CONVNET_LAYER_MAKER(rscale)
CONVNET_LAYER_MAKER(rgb2yuv)
CONVNET_LAYER_MAKER(rgb2lab)
CONVNET_LAYER_MAKER(logreg)
CONVNET_LAYER_MAKER(crossent)
CONVNET_LAYER_MAKER(crossent2)
CONVNET_LAYER_MAKER(rflickr)
CONVNET_LAYER_MAKER(msm)
CONVNET_LAYER_MAKER(sum2)
CONVNET_LAYER_MAKER(gsum2)
CONVNET_LAYER_MAKER(tica)
#undef CONVNET_LAYER_MAKER

}  // namespace convnet
