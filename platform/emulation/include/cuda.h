// Stands in for the CUDA driver header in builds without CUDA (spec 6.1): the release includes it, but uses
// no name of the driver interface.
#pragma once

#include "cuda_runtime.h"

#define CUDA_VERSION CUDART_VERSION
