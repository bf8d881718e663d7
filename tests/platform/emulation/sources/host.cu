// The CUDA runtime's calls: memory, copies, devices, streams, events, errors (spec 6.6).
#include <cuda_runtime.h>
#include <cuda.h>
#include "check.h"
#include <cstring>

__global__ void nothing() {}
template <int A, int B>
__global__ void add(int* x) { *x += A * 10 + B; }

static void memory() {
    float *a, *b;
    void* p;
    char* text;
    CHECK(cudaMalloc(&a, 0) == cudaSuccess && cudaFree(a) == cudaSuccess);
    CHECK(cudaMalloc((void**)&a, 100) == cudaSuccess && cudaMalloc(&p, 100) == cudaSuccess);
    CHECK(cudaHostAlloc(&b, 100, cudaHostAllocPortable) == cudaSuccess);
    CHECK(cudaHostAlloc((void**)&text, 0, cudaHostAllocDefault) == cudaSuccess && cudaFreeHost(text) == cudaSuccess);
    CHECK(cudaMallocHost(&text, 10) == cudaSuccess && cudaMallocHost((void**)&text, 10) == cudaSuccess);
    memset(b, 7, 100);
    CHECK(cudaMemcpy(a, b, 100, cudaMemcpyHostToDevice) == cudaSuccess);
    CHECK(cudaMemcpyAsync(p, a, 100, cudaMemcpyDefault, 0) == cudaSuccess && memcmp(p, b, 100) == 0);
    CHECK(cudaMemset(a, 1, 50) == cudaSuccess && ((char*)a)[49] == 1 && ((char*)a)[50] == 7);
    CHECK(cudaMemcpy(a, b, 101, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    CHECK(cudaMemset((char*)a + 60, 1, 41) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy(a, NULL, 4, cudaMemcpyDefault) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy(NULL, NULL, 0, cudaMemcpyDefault) == cudaSuccess);
    CHECK(cudaMemcpy(a, b, 4, cudaMemcpyKind(9)) == cudaErrorInvalidMemcpyDirection);
    char rows[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}}, narrow[2][2];
    CHECK(cudaMemcpy2D(narrow, 2, rows, 4, 2, 2, cudaMemcpyHostToHost) == cudaSuccess && narrow[1][1] == 6);
    CHECK(cudaMemcpy2D(narrow, 2, rows, 4, 3, 2, cudaMemcpyHostToHost) == cudaErrorInvalidValue);
    CHECK(cudaFree(b) == cudaErrorInvalidValue);
    CHECK(cudaFreeHost(b) == cudaSuccess && cudaFree(a) == cudaSuccess && cudaFree(p) == cudaSuccess);
    CHECK(cudaFree(a) == cudaErrorInvalidValue && cudaFree(0) == cudaSuccess && cudaFreeHost(NULL) == cudaSuccess);
    CHECK(cudaMalloc(&a, size_t(1) << 60) == cudaErrorMemoryAllocation && a == NULL);
    CHECK(!strcmp(cudaGetErrorString(cudaGetLastError()), "out of memory"));
    CHECK(cudaGetLastError() == cudaSuccess);
    size_t free_bytes, total, pitch;
    CHECK(cudaMemGetInfo(&free_bytes, &total) == cudaSuccess && free_bytes <= total && total > 0);
    CHECK(cudaMallocPitch(&a, &pitch, 5, 3) == cudaSuccess && pitch >= 5 && cudaFree(a) == cudaSuccess);
    CHECK(cudaMallocManaged(&a, 8) == cudaSuccess && cudaFree(a) == cudaSuccess);
}

static void devices() {
    int n = 0, current = -1, can = -1;
    CHECK(cudaGetDeviceCount(&n) == cudaSuccess && n == 1);
    convnet_emulation::set_device_count(3);
    CHECK(cudaGetDeviceCount(&n) == cudaSuccess && n == 3);
    CHECK(cudaSetDevice(2) == cudaSuccess && cudaGetDevice(&current) == cudaSuccess && current == 2);
    CHECK(cudaSetDevice(3) == cudaErrorInvalidDevice && cudaSetDevice(-1) == cudaErrorInvalidDevice);
    CHECK(cudaGetDevice(&current) == cudaSuccess && current == 2);
    CHECK(cudaDeviceCanAccessPeer(&can, 0, 1) == cudaSuccess && can == 1);
    CHECK(cudaDeviceCanAccessPeer(&can, 1, 1) == cudaSuccess && can == 0);
    CHECK(cudaDeviceEnablePeerAccess(1, 0) == cudaSuccess);
    CHECK(cudaDeviceEnablePeerAccess(1, 0) == cudaErrorPeerAccessAlreadyEnabled);
    CHECK(cudaDeviceEnablePeerAccess(2, 0) == cudaErrorInvalidDevice);
    CHECK(cudaDeviceDisablePeerAccess(1) == cudaSuccess);
    CHECK(cudaDeviceDisablePeerAccess(1) == cudaErrorPeerAccessNotEnabled);
    int *a, *b;
    CHECK(cudaMalloc(&a, 4) == cudaSuccess && cudaSetDevice(0) == cudaSuccess && cudaMalloc(&b, 4) == cudaSuccess);
    *a = 5;
    CHECK(cudaMemcpyPeer(b, 0, a, 2, 4) == cudaSuccess && *b == 5);
    CHECK(cudaFree(a) == cudaSuccess && cudaFree(b) == cudaSuccess);
    cudaDeviceProp p;
    CHECK(cudaGetDeviceProperties(&p, 1) == cudaSuccess && p.warpSize == 32 && p.maxThreadsPerBlock == 1024);
    CHECK(p.totalGlobalMem > 0 && p.sharedMemPerBlock == 49152 && p.multiProcessorCount >= 1 && p.name[0]);
    CHECK(cudaGetDeviceProperties(&p, 7) == cudaErrorInvalidDevice);
    CHECK(cudaDeviceGetAttribute(&n, cudaDevAttrWarpSize, 0) == cudaSuccess && n == 32);
    CHECK(cudaDeviceSetCacheConfig(cudaFuncCachePreferL1) == cudaSuccess);
    CHECK(cudaFuncSetCacheConfig(add<1, 2>, cudaFuncCachePreferShared) == cudaSuccess);
    CHECK(cudaFuncSetAttribute(nothing, cudaFuncAttributeMaxDynamicSharedMemorySize, 100000) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess && cudaThreadSynchronize() == cudaSuccess);
    CHECK(cudaRuntimeGetVersion(&n) == cudaSuccess && n == CUDART_VERSION && n == CUDA_VERSION);
    cudaGetLastError();
}

static void streams() {
    cudaStream_t stream;
    cudaEvent_t start, stop;
    int x = 0;
    float ms = -1;
    CHECK(cudaStreamCreate(&stream) == cudaSuccess && cudaEventCreate(&start) == cudaSuccess);
    CHECK(cudaEventCreateWithFlags(&stop, cudaEventBlockingSync) == cudaSuccess);
    CHECK(cudaEventElapsedTime(&ms, start, stop) == cudaErrorInvalidResourceHandle);
    CHECK(cudaEventRecord(start, stream) == cudaSuccess);
    add<4, 2><<<1, 1, 0, stream>>>(&x);
    CHECK(cudaEventRecord(stop) == cudaSuccess && cudaEventSynchronize(stop) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(stream, stop, 0) == cudaSuccess && cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(cudaEventElapsedTime(&ms, start, stop) == cudaSuccess && ms >= 0 && x == 42);
    CHECK(cudaStreamDestroy(stream) == cudaSuccess && cudaStreamDestroy(0) == cudaErrorInvalidResourceHandle);
    CHECK(cudaEventDestroy(start) == cudaSuccess && cudaEventDestroy(stop) == cudaSuccess);
    cudaGetLastError();
}

static void refused(dim3 grid, dim3 block, size_t shared, cudaError_t error) {
    nothing<<<grid, block, shared>>>();
    CHECK(cudaPeekAtLastError() == error && cudaGetLastError() == error && cudaGetLastError() == cudaSuccess);
}

int main() {
    memory();
    devices();
    streams();
    refused(1, 1025, 0, cudaErrorInvalidConfiguration);
    refused(1, dim3(33, 32), 0, cudaErrorInvalidConfiguration);
    refused(1, dim3(1, 1, 65), 0, cudaErrorInvalidConfiguration);
    refused(1, 0, 0, cudaErrorInvalidConfiguration);
    refused(0, 1, 0, cudaErrorInvalidConfiguration);
    refused(dim3(1, 65536), 1, 0, cudaErrorInvalidConfiguration);
    refused(dim3(1, 1, 65536), 1, 0, cudaErrorInvalidConfiguration);
    refused(1, 1, size_t(-1), cudaErrorInvalidValue);
    refused(dim3(300, 2), dim3(2, 2, 64), 49152, cudaSuccess);
    return 0;
}
