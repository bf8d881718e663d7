// Memory that nobody has written: prints what a float and an int of each kind are, in two blocks one after the other.
#include <cuda_runtime.h>
#include "check.h"
#include <cstdio>

struct Found {
    float fixed, left, dynamic;
    int scalar;
};

template <int size>
__device__ float last_of_template() {
    __shared__ float values[size];
    const float found = values[size - 1];
    values[size - 1] = 2;
    return found;
}

__global__ void look(Found* found) {
    __shared__ float fixed[4];
    __shared__ int scalar, *unused;
    extern __shared__ float dynamic[];
    if (threadIdx.x == 0) unused = nullptr;
    // Once a block, however many threads come by: what the first one writes stays.
    if (threadIdx.x == 0) found[blockIdx.x] = {fixed[3], last_of_template<5>(), dynamic[7], scalar};
    if (threadIdx.x == 0) fixed[3] = dynamic[7] = scalar = 1;
    __syncthreads();
    if (threadIdx.x == 1 && (fixed[3] != 1 || dynamic[7] != 1 || scalar != 1)) found[blockIdx.x].scalar = 99;
}

int main() {
    float* fresh;
    Found* found;
    CHECK(cudaMalloc((void**)&fresh, sizeof(float)) == cudaSuccess);
    CHECK(cudaMalloc((void**)&found, 2 * sizeof(Found)) == cudaSuccess);
    std::printf("cudaMalloc %f\n", *fresh);
    look<<<2, 2, 8 * sizeof(float)>>>(found);
    CHECK(cudaGetLastError() == cudaSuccess);
    for (int i = 0; i < 2; i++)
        std::printf("block %d: %f %f %f %d\n", i, found[i].fixed, found[i].left, found[i].dynamic, found[i].scalar);
    CHECK(cudaFree(fresh) == cudaSuccess && cudaFree(found) == cudaSuccess);
    return 0;
}
