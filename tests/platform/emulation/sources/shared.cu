// Shared memory and barriers: static and extern arrays, scalars, reductions, votes, warps (spec 6.6).
#include <cuda_runtime.h>
#include "check.h"
#include <vector>

#define TILE 16

__global__ void transpose(const float* in, float* out, int rows, int cols) {
    __shared__ float tile[TILE][TILE + 1];
    int x = blockIdx.x * TILE + threadIdx.x, y = blockIdx.y * TILE + threadIdx.y;
    if (x < cols && y < rows) tile[threadIdx.y][threadIdx.x] = in[y * cols + x];
    __syncthreads();
    x = blockIdx.y * TILE + threadIdx.x;
    y = blockIdx.x * TILE + threadIdx.y;
    if (x < rows && y < cols) out[y * rows + x] = tile[threadIdx.x][threadIdx.y];
}

template <int size>
__device__ float block_sum(float value) {
    __shared__ volatile float sums[size];
    sums[threadIdx.x] = value;
    __syncthreads();
#pragma unroll
    for (int step = size / 2; step > 0; step /= 2) {
        if (threadIdx.x < step) sums[threadIdx.x] += sums[threadIdx.x + step];
        __syncthreads();
    }
    return sums[0];
}

template <int size>
__global__ void sum(const float* in, float* out, int n) {
    float mine = 0;
    for (int i = blockIdx.x * size + threadIdx.x; i < n; i += gridDim.x * size) mine += in[i];
    mine = block_sum<size>(mine);
    if (threadIdx.x == 0) out[blockIdx.x] = mine;
}

// A class template's declaration, two declarators, an alignment, a struct, a pointer into shared memory.
template <class T, int n>
struct Array {
    T items[n];
};

__global__ void kinds(int* out) {
    __shared__ Array<int, 4> packs[2], one;
    __shared__ __align__(16) float4 vectors[2];
    __shared__ struct { int a, b[2]; } pair;
    __shared__ int total, *where;
    static __shared__ unsigned char bytes[3][4][5];
    if (threadIdx.x == 0) {
        total = 0;
        where = &packs[1].items[0];
        one.items[3] = 40;
        pair.b[1] = 2;
        vectors[1] = make_float4(1, 2, 3, 4);
        bytes[2][3][4] = 7;
    }
    __syncthreads();
    atomicAdd(&total, 1);
    where[threadIdx.x] = threadIdx.x;
    __syncthreads();
    const int* end = &packs[1].items[4] - 1;
    float4* last = &vectors[2];
    out[threadIdx.x] = total + packs[1].items[threadIdx.x] + one.items[3] + pair.b[1] + bytes[2][3][4] +
                       int(vectors[1].w) + int(last[-1].x) + *end + int(sizeof(vectors) / sizeof(vectors[0]));
}

template <class T>
__global__ void reverse(T* values) {
    extern __shared__ T copy[];
    copy[threadIdx.x] = values[threadIdx.x];
    __syncthreads();
    values[threadIdx.x] = copy[blockDim.x - 1 - threadIdx.x];
}

extern __shared__ volatile int everyone[];
__device__ int sum_of_everyone() {
    int total = 0;
    for (int i = 0; i < blockDim.x; i++) total += everyone[i];
    return total;
}
__shared__ int leader;
__global__ void at_namespace_scope(int* out) {
    everyone[threadIdx.x] = threadIdx.x;
    if (threadIdx.x == blockDim.x - 1) leader = 100;
    __syncthreads();
    out[threadIdx.x] = sum_of_everyone() + leader;
}

// An array of the shared one's name that is not shared, and parameters and members of that name.
struct Holder { int items[8]; };
__device__ int last_of(int* items) { return items[7]; }
__global__ void hidden(int* out) {
    __shared__ int items[4];
    items[threadIdx.x & 3] = 1;
    __syncthreads();
    Holder holder;
    holder.items[7] = 2;
    Holder* h = &holder;
    h->items[6] = items[3] & items[2];
    {
        int items[8];
        items[7] = 3;
        out[0] = last_of(items);
    }
    int x = 3 & items[3];
    out[1] = holder.items[7] + h->items[6] + x;
    out[2] = *(items + 3) + *items + last_of(holder.items);
}

__global__ void votes(int* out) {
    const int i = threadIdx.x;
    const int count = __syncthreads_count(i % 3 == 0), all = __syncthreads_and(i < 50), any = __syncthreads_or(i == 69);
    out[i] = count * 100 + all * 10 + any;
}

// Each warp reduces by itself, the last one being a part of one; the sum is in its first lane.
__global__ void warps(int* out, bool odd_warps_end) {
    __shared__ int s[96];
    const int i = threadIdx.x, lane = i % warpSize;
    s[i] = 1;
    if (i / warpSize % 2 == 1 && odd_warps_end) return;
    __syncwarp();
    for (int step = warpSize / 2; step > 0; step /= 2) {
        int other = lane + step < warpSize && i + step < blockDim.x ? s[i + step] : 0;
        __syncwarp();
        s[i] += lane < step ? other : 0;
        __syncwarp();
    }
    if (lane < 4) {
        s[i] += lane == 0 ? 1000 : 0;
        __syncwarp(0xf);
        out[i] = s[i - lane];
    }
}

__global__ void barriers_in_branches(int* out) {
    if (blockIdx.x % 2)
        __syncthreads();
    else {
        __syncthreads();
        __syncthreads();
    }
    out[blockIdx.x * blockDim.x + threadIdx.x] = threadIdx.x + blockIdx.x;
}

template <class T>
T* device_array(int n, T start, T step) {
    T* array;
    CHECK(cudaMalloc(&array, n * sizeof(T)) == cudaSuccess);
    for (int i = 0; i < n; i++) array[i] = start + T(i) * step;
    return array;
}

int main() {
    const int rows = 37, cols = 50;
    float *in = device_array(rows * cols, 0.f, 1.f), *out = device_array(rows * cols, 0.f, 0.f);
    transpose<<<dim3((cols + TILE - 1) / TILE, (rows + TILE - 1) / TILE), dim3(TILE, TILE)>>>(in, out, rows, cols);
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < cols; x++) CHECK(out[x * rows + y] == in[y * cols + x]);

    sum<128><<<5, 128>>>(in, out, rows * cols);
    float total = 0;
    for (int i = 0; i < 5; i++) total += out[i];
    CHECK(total == rows * cols * (rows * cols - 1) / 2);
    sum<1><<<1, 1>>>(in, out, 10);
    CHECK(out[0] == 45);

    int* n = device_array(1024, 0, 0);
    kinds<<<1, 4>>>(n);
    for (int i = 0; i < 4; i++) CHECK(n[i] == 4 + i + 40 + 2 + 7 + 4 + 1 + 3 + 2);

    float* f = device_array(70, 0.f, 1.f);
    reverse<<<1, 70, 70 * sizeof(float)>>>(f);
    CHECK(f[0] == 69 && f[69] == 0);
    double* d = device_array(1024, 0.0, 1.0);
    reverse<double><<<1, 1024, 1024 * sizeof(double)>>>(d);
    CHECK(d[0] == 1023 && d[1023] == 0);

    at_namespace_scope<<<1, 5, 5 * sizeof(int)>>>(n);
    for (int i = 0; i < 5; i++) CHECK(n[i] == 110);
    hidden<<<1, 4>>>(n);
    CHECK(n[0] == 3 && n[1] == 2 + 1 + 1 && n[2] == 1 + 1 + 2);
    votes<<<1, 70>>>(n);
    for (int i = 0; i < 70; i++) CHECK(n[i] == 2401);
    warps<<<1, 70>>>(n, false);
    CHECK(n[0] == 1032 && n[3] == 1032 && n[32] == 1032 && n[64] == 1006 && n[67] == 1006);
    n[32] = 0;
    warps<<<1, 70>>>(n, true);
    CHECK(n[0] == 1032 && n[32] == 0 && n[64] == 1006);
    barriers_in_branches<<<7, 33>>>(n);
    for (int i = 0; i < 7 * 33; i++) CHECK(n[i] == i % 33 + i / 33);
    CHECK(cudaGetLastError() == cudaSuccess);
    CHECK(cudaDeviceReset() == cudaSuccess);
    return 0;
}
