// Checks of CUDA calls, as the CUDA samples of the time named them (spec 6.1).
#pragma once

#include <cuda_runtime.h>

#include "convnet_platform/failure.h"
#include "convnet_platform/virtual_devices.h"

typedef unsigned int uint;

namespace convnet_platform {

inline void check_cuda(cudaError_t error, const char* what, const char* file, int line) {
    CONVNET_PLATFORM_REQUIRE(error == cudaSuccess, "%s:%d: %s: CUDA error %d: %s", file, line, what,
                             static_cast<int>(error), cudaGetErrorString(error));
}

}  // namespace convnet_platform

#define checkCudaErrors(expression) convnet_platform::check_cuda((expression), #expression, __FILE__, __LINE__)
#define getLastCudaError(message) convnet_platform::check_cuda(cudaGetLastError(), (message), __FILE__, __LINE__)
