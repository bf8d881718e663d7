// Data layers: see data.h.
#include "engine/data.h"

#include "engine/families.h"

namespace convnet {

std::unique_ptr<Layer> make_data(const LayerConfig& config, const LayerContext& context) {
    return std::make_unique<DataLayer>(config, context);
}

}  // namespace convnet
