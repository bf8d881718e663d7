// threadIdx, blockIdx and their kin, for sources that include them by this name (spec 6.6).
#pragma once

#include "cuda_runtime.h"
