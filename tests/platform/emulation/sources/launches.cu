// Every way to write a launch: template arguments, lines, comments, macros, templates, conversions (spec 6.6).
#include <cuda_runtime.h>
#include "check.h"
using namespace std;

namespace kernels {
namespace inner {
template <class T, int N>
__global__ void fill(T* out, T value) {
    for (int i = 0; i < N; i++) out[i] = value;
}
}  // namespace inner
}  // namespace kernels

template <class Op>
__global__ void apply(float* out, Op op) { out[threadIdx.x] = op(out[threadIdx.x]); }

struct Twice {
    __device__ virtual float operator()(float x) const { return 2 * x; }
};
struct Add {
    float amount;
    __device__ float operator()(float x) const { return x + amount; }
};

__global__ void set(float* out, float value, int count = 3) {
    while (count > 0) out[--count] = value;  // parameters are each thread's own
}
__global__ void set_if_null(float* out, const float* maybe) { *out = maybe == 0; }
__global__ void set(int* out, int value);  // an overload, defined below its use
static __global__ void __launch_bounds__(128, 4)
sizes(int* out)
{
    out[0] = gridDim.x, out[1] = gridDim.y, out[2] = gridDim.z;
    out[3] = blockDim.x, out[4] = blockDim.y, out[5] = blockDim.z;
    atomicAdd(&out[6], 1);
    atomicMax(out + 7, int(blockIdx.x + 10 * blockIdx.y + 100 * blockIdx.z));
    atomicMax(out + 8, int(threadIdx.x + 10 * threadIdx.y + 100 * threadIdx.z));
}

#define LAUNCH(kernel, blocks, ...) kernel<<<blocks, 1>>>(__VA_ARGS__)
#define HEAD(kernel) kernel<<<dim3(1), \
                              1>>>
#define JOINED(name, T) do { kernels::in##name::fill<T, 4> \
        <<<1, 1>>>(out##name, T(9)); } while (0)
#define DEFINE_KERNEL(name, expression) \
    __global__ void name(float* x) {    \
        x[0] = expression;              \
        if (x[0] > 0) return;           \
        x[0] = -1;                      \
    }
DEFINE_KERNEL(seven, 7)
DEFINE_KERNEL(minus_seven, -7)

template <class T>
void fill_all(T* out, T value) {
    kernels::inner::fill<T, (3 > 2 ? 4 : 0)><<<1, 1>>>(out, value);
}

int draws = 0;
int draw() { return ++draws; }
int launching_argument(float* out) {
    set<<<1, 1>>>(out, 5, 1);
    return int(out[0]);
}
struct Device {
    float* memory;
    void (*kernel)(float*);
    void run() { kernel<<<1, 1>>>(memory); }
};
__global__ void set(int* out, int value) { out[blockIdx.x] = value; }

int main() {
    float* x;
    int *n, *outner;
    CHECK(cudaMalloc(&x, 64 * sizeof(float)) == cudaSuccess);
    CHECK(cudaMalloc((void**)&n, 64 * sizeof(int)) == cudaSuccess);
    CHECK(cudaMalloc(&outner, 64 * sizeof(int)) == cudaSuccess);
    cudaMemset(n, 0, 64 * sizeof(int));

    kernels::inner::fill<float, 4><<<1, 1>>>(x, 1.5f);
    CHECK(x[0] == 1.5f && x[3] == 1.5f);
    ::kernels::inner::fill < float,
        4 >  // what it writes
        <<< 1 /* block */,
            1, 0,
            cudaStream_t(0) >>> (x,
                                 2.5f);
    CHECK(x[3] == 2.5f);
    set<<<1, 1>>>(x, draw());
    CHECK(draws == 1 && x[2] == 1);
    set <<<dim3(5, 1), dim3(7, 2, 2)>>>(x, draw());
    CHECK(draws == 2 && x[2] == 2);
    set<<<3, 1>>>(n, 'a');
    CHECK(n[2] == 'a');
    set_if_null<<<1, 1>>>(x, NULL);
    CHECK(x[0] == 1);
    set_if_null<<<1, 1>>>(x, 0);
    CHECK(x[0] == 1);
    apply<<<1, 4>>>(x, Add{3});
    apply<Twice><<<1, 4, 0>>>(x, Twice());
    CHECK(x[0] == 8 && x[2] == 10);

    cudaMemset(n, 0, 64 * sizeof(int));
    sizes<<<dim3(3, 4, 2), dim3(5, 2, 3)>>>(n);
    CHECK(n[0] == 3 && n[1] == 4 && n[2] == 2 && n[3] == 5 && n[4] == 2 && n[5] == 3);
    CHECK(n[6] == 3 * 4 * 2 * 5 * 2 * 3 && n[7] == 132 && n[8] == 214);
    sizes<<<1 + 1, 1 << 3>>>(n);
    CHECK(n[0] == 2 && n[1] == 1 && n[3] == 8 && n[5] == 1);
    sizes<<<{2, 2}, 1>>>(n);
    CHECK(n[0] == 2 && n[1] == 2);

    LAUNCH(set, 1, x, 6.f);
    CHECK(x[0] == 6);
    LAUNCH((kernels::inner::fill<float, 4>), 1, x, 7.f);
    CHECK(x[0] == 7);
    HEAD(set_if_null)(x, x);
    CHECK(x[0] == 0);
    JOINED(ner, int);
    CHECK(outner[3] == 9);
    seven<<<1, 1>>>(x);
    CHECK(x[0] == 7);
    minus_seven<<<1, 1>>>(x);
    CHECK(x[0] == -1);
    fill_all(x, 8.0f);
    CHECK(x[3] == 8);

    set<<<1, 1>>>(x + 1, launching_argument(x), 1);
    CHECK(x[0] == 5 && x[1] == 5);
    void (*chosen)(float*) = draws ? seven : minus_seven;
    chosen<<<1, 1>>>(x);
    CHECK(x[0] == 7);
    void (*table[2])(float*) = {seven, minus_seven};
    table[draws - 1]<<<1, 1>>>(x);
    (*table)<<<1, 1>>>(x);
    CHECK(x[0] == 7);
    Device device = {x, minus_seven};
    device.kernel<<<1, 1>>>(x);
    device.run();
    CHECK(x[0] == -1);
    if (draws) seven<<<1, 1>>>(x); else minus_seven<<<1, 1>>>(x);
    draws ? minus_seven<<<1, 1>>>(x) : seven<<<1, 1>>>(x);
    CHECK(x[0] == -1);
    cudaFuncSetCacheConfig(kernels::inner::fill<float, 4>, cudaFuncCachePreferL1);
    CHECK(cudaGetLastError() == cudaSuccess);
    CHECK(cudaFree(x) == cudaSuccess && cudaFree(n) == cudaSuccess && cudaFree(outner) == cudaSuccess);
    return 0;
}
