// Data layers: see data.h.
#include "engine/data.h"

#include "engine/families.h"

namespace convnet {

CONVNET_DEFINE_MAKER(data, DataLayer)

}  // namespace convnet
