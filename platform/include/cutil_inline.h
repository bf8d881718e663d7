// The checks of helper_cuda.h by their older names, for older trees (spec 6.1).
#pragma once

#include "helper_cuda.h"

#define cutilSafeCall(expression) checkCudaErrors(expression)
#define cutilCheckMsg(message) getLastCudaError(message)
#define cutilDeviceSynchronize() cudaDeviceSynchronize()
