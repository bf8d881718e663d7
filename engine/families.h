// The makers of all layer families; make_layer chooses among them by type name.
#pragma once

#include <memory>

#include "engine/layer.h"

namespace convnet {

#define CONVNET_LAYER_MAKER(family) std::unique_ptr<Layer> make_##family(const LayerConfig& config, const LayerContext& context);
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
CONVNET_LAYER_MAKER(logreg)
#undef CONVNET_LAYER_MAKER

}  // namespace convnet
