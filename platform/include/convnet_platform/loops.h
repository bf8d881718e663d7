// The one place where the two builds of the platform differ in how they compute: a loop over all items,
// by nvcc a kernel on the current device, otherwise a plain loop (spec 6.3).
#pragma once

#include <stddef.h>

#include "convnet_platform/failure.h"
#include "convnet_platform/virtual_devices.h"

namespace convnet_platform {

#ifdef __CUDACC__

template <class Body>
__global__ void body_kernel(ptrdiff_t lines, ptrdiff_t length, Body body) {
    const ptrdiff_t step = static_cast<ptrdiff_t>(gridDim.x) * blockDim.x;
    for (ptrdiff_t item = static_cast<ptrdiff_t>(blockIdx.x) * blockDim.x + threadIdx.x; item < lines * length;
         item += step)
        body(item / length, item % length);
}

// Runs body(line, item) for all of lines x length; items of a line are neighbours. On the legacy default stream.
template <class Body>
void for_each(ptrdiff_t lines, ptrdiff_t length, Body body) {
    if (lines <= 0 || length <= 0) return;
    select_device();
    const ptrdiff_t block = 256, most = 65535, blocks = (lines * length + block - 1) / block;
    body_kernel<<<static_cast<unsigned>(blocks < most ? blocks : most), static_cast<unsigned>(block)>>>(lines, length,
                                                                                                        body);
    const cudaError_t error = cudaGetLastError();
    CONVNET_PLATFORM_REQUIRE(error == cudaSuccess, "device %d: %s", current_device_id(), cudaGetErrorString(error));
}

#else

// Runs body(line, item) for all of lines x length; items of a line are neighbours.
template <class Body>
void for_each(ptrdiff_t lines, ptrdiff_t length, Body body) {
    for (ptrdiff_t line = 0; line < lines; line++)
        for (ptrdiff_t item = 0; item < length; item++) body(line, item);
}

#endif

}  // namespace convnet_platform
