// The checks of helper_cuda.h by their older names, for older trees (spec 6.1).
#pragma once

#include "helper_cuda.h"

// Not through checkCudaErrors: it would name the expression as expanded.
#define cutilSafeCall(expression) convnet_platform::check_cuda((expression), #expression, __FILE__, __LINE__)
#define cutilCheckMsg(message) getLastCudaError(message)
#define cutilDeviceSynchronize() cudaDeviceSynchronize()
