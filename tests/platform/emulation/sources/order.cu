// Kernels that are right, and their twins that lack a barrier or let blocks wait for luck; prints what each gives.
#include <cuda_runtime.h>
#include "check.h"
#include <cstdio>

constexpr int threads = 64, blocks = 40;

// A sum from the left, in pairs of barriers. Without the first one a thread may read before its neighbour has written;
// without the second one it may overwrite what its neighbour has yet to read.
template <bool after_writing, bool before_overwriting>
__global__ void running_sums(unsigned int* out) {
    __shared__ unsigned int s[threads];
    const int i = threadIdx.x;
    s[i] = i + blockIdx.x;
    if (after_writing) __syncthreads();
    for (int step = 1; step < threads; step *= 2) {
        const unsigned int left = i >= step ? s[i - step] : 0;
        if (before_overwriting) __syncthreads();
        s[i] += left;
        __syncthreads();
    }
    out[blockIdx.x * threads + i] = s[i];
}

// Within a warp, where the 2012 generation relied on lockstep.
template <bool barrier>
__global__ void neighbours(unsigned int* out) {
    __shared__ unsigned int s[threads];
    const int i = threadIdx.x;
    s[i] = i;
    if (barrier) __syncwarp();
    out[blockIdx.x * threads + i] = s[i ^ 1];
}

// Each block goes on from what the one before it has left.
__global__ void chain(unsigned int* out) {
    if (threadIdx.x == 0) out[blockIdx.x + 1] = out[blockIdx.x] + 1;
}

template <class Kernel>
void show(const char* name, Kernel kernel) {
    unsigned int* out;
    const int count = blocks * threads;
    CHECK(cudaMalloc((void**)&out, count * sizeof(int)) == cudaSuccess);
    CHECK(cudaMemset(out, 0, count * sizeof(int)) == cudaSuccess);
    kernel<<<blocks, threads>>>(out);
    CHECK(cudaGetLastError() == cudaSuccess);
    unsigned int hash = 0;
    for (int i = 0; i < count; i++) hash = hash * 31 + out[i];
    std::printf("%s %u\n", name, hash);
    CHECK(cudaFree(out) == cudaSuccess);
}

int main() {
    show("right", running_sums<true, true>);
    show("write_then_read", running_sums<false, true>);
    show("read_then_overwrite", running_sums<true, false>);
    show("right_warps", neighbours<true>);
    show("warps", neighbours<false>);
    show("blocks", chain);
    return 0;
}
