// How this device's files launch kernels, and what a failed CUDA call becomes: an exception that names the operation.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace convnet::cuda {

// Errors of kernels that failed while they ran; the last range is of faults in code and addresses.
inline bool is_sticky(cudaError_t status) {
    return status == cudaErrorIllegalAddress || status == cudaErrorLaunchTimeout ||
           (status >= cudaErrorHardwareStackError && status <= cudaErrorLaunchFailure);
}

// Whichever call comes next returns a sticky error, and so do all after it; `operation` says which one that was.
inline void check(cudaError_t status, const char* operation) {
    if (status == cudaSuccess) return;
    const std::string hint =
        "; the fault may be that of an operation before it, which CUDA_LAUNCH_BLOCKING=1 in the environment names";
    throw std::runtime_error(std::string("CUDA: ") + operation + ": " + cudaGetErrorString(status) +
                             (is_sticky(status) ? hint : ""));
}
inline void check_launch(const char* operation) { check(cudaGetLastError(), operation); }

constexpr int threads_per_block = 256;

template <class Body>
__global__ void for_each_kernel(std::int64_t count, Body body) {
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i < count) body(i);
}

// body(i) for every i below count, a thread each; body: a __device__ lambda. In this layout neighbouring threads take
// neighbouring cases.
template <class Body>
void for_each(const char* operation, std::int64_t count, Body body) {
    if (count == 0) return;
    const unsigned blocks = static_cast<unsigned>((count + threads_per_block - 1) / threads_per_block);
    for_each_kernel<<<blocks, threads_per_block>>>(count, body);
    check_launch(operation);
}

}  // namespace convnet::cuda
