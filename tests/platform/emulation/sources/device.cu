// What device code finds: vector types, math, conversions, atomics, constants, printf (spec 6.6).
#include <cuda_runtime.h>
#include <device_launch_parameters.h>
#include "check.h"
#include <cmath>
#include <algorithm>
#include <math.h>
using namespace std;

__constant__ float table[4];
__device__ int counter = 5;
__device__ __host__ __forceinline__ float square(float x) { return x * x; }
__device__ __noinline__ float cube(float x) { return x * x * x; }

static_assert(sizeof(ushort2) == 4 && alignof(ushort2) == 4, "");
static_assert(sizeof(float2) == 8 && alignof(float2) == 8 && sizeof(float3) == 12 && alignof(float3) == 4, "");
static_assert(sizeof(float4) == 16 && alignof(float4) == 16 && sizeof(uchar4) == 4 && alignof(uchar4) == 4, "");
static_assert(sizeof(double2) == 16 && alignof(double2) == 16 && sizeof(double4) == 32 && alignof(double4) == 16, "");
static_assert(sizeof(longlong2) == 16 && sizeof(int1) == 4 && alignof(short4) == 8, "");

struct Base {
    __device__ virtual float operator()(float x) { return x; }
};
struct Shifted : Base {
    float by;
    explicit Shifted(float by) : by(by) {}
    __device__ virtual float operator()(float x) { return x + by; }
};
template <class Op>
__global__ void apply(float* x, Op op) { x[0] = op(x[0]); }

bool near(double a, double b) { return std::fabs(a - b) <= 1e-5 * std::fabs(b); }

__global__ void fast_math(float* out) {
    int i = 0;
    out[i++] = __expf(1.5f);
    out[i++] = __logf(2.5f);
    out[i++] = __powf(2.0f, 3.5f);
    out[i++] = __fdividef(1.0f, 3.0f);
    out[i++] = __sinf(0.5f) + __cosf(0.5f) + __tanf(0.5f);
    out[i++] = __fmaf_rn(2, 3, 4) + __fsqrt_rn(16) + __fadd_rn(1, 2) * __fmul_rn(3, 4) - __frcp_rn(2);
    out[i++] = __saturatef(-1) + __saturatef(0.25f) + __saturatef(3) + __saturatef(nanf(""));
    out[i++] = rsqrtf(4.0f) + float(rsqrt(16.0)) + sqrtf(9.0f);
    out[i++] = __log2f(8) + __log10f(1000) + __exp10f(2);
    float s, c;
    __sincosf(1, &s, &c);
    out[i++] = s * s + c * c;
    out[i++] = min(3, 4) + max(2.5f, 1.0f) + min(1.0f, 2.0) + max(1u, 2) + fminf(1, 2);
    out[i++] = float(max(size_t(3), size_t(2))) + min(short(4), short(5)) + std::max(7, 6) + max(nanf(""), 1.0f);
    out[i++] = square(3) + cube(2);
}

__global__ void bits(int* out) {
    int i = 0;
    out[i++] = __float_as_int(1.0f);
    out[i++] = int(__int_as_float(0x40000000));
    out[i++] = __float2int_rz(-2.7f), out[i++] = __float2int_rn(2.5f), out[i++] = __float2int_rd(-2.1f);
    out[i++] = __float2int_rz(1e20f), out[i++] = __float2int_rz(nanf("")), out[i++] = int(__float2uint_rz(-5));
    out[i++] = __popc(0xff01) + __clz(1) + __ffs(8) + __clz(0), out[i++] = int(__brev(1u) >> 31);
    out[i++] = __mul24(-3, 5), out[i++] = int(__umul24(0x1000001u, 7)), out[i++] = __mulhi(1 << 30, 8);
    out[i++] = __ldg(out);
    ushort2 pair = make_ushort2(3, 4);
    out[i++] = pair.x * pair.y;
}

__global__ void atomics(int* n, unsigned int* u, float* f, unsigned long long* l) {
    atomicAdd(n, 1), atomicSub(n + 1, 2), atomicMax(n + 2, int(threadIdx.x)), atomicMin(n + 3, -int(threadIdx.x));
    atomicAdd(u, 1), atomicInc(u + 1, 9), atomicOr(u + 2, 1u << threadIdx.x % 32), atomicXor(u + 3, 1);
    atomicDec(u + 4, 6), atomicAnd(u + 5, ~(1u << threadIdx.x % 4));
    atomicAdd(f, 0.5f);
    atomicExch(f + 1, 3.0f);
    atomicAdd(l, 1ull << 32);
    int old, seen = n[4];
    do {
        old = seen;
        seen = atomicCAS(&n[4], old, old + 3);
    } while (seen != old);
    __threadfence();
    atomicAdd(n + 5, 0x7fffffff);
}

__global__ void constants(float* out) {
    out[0] = table[1] + table[2];
    out[1] = counter;
    counter = 6;
}

__global__ void talk(int n) {
    printf("block %d thread %d\n", blockIdx.x, threadIdx.x);
    if (n > 0) printf("%s %.1f%%\n", "text", 1.5);
}

int main() {
    float f[64] = {3};
    int n[64] = {0};
    fast_math<<<1, 1>>>(f);
    const double expected[] = {exp(1.5), log(2.5), pow(2, 3.5), 1 / 3., sin(.5) + cos(.5) + tan(.5),
                               10 + 4 + 3 * 12 - .5, 1.25, .5 + .25 + 3, 3 + 3 + 100, 1, 3 + 2.5 + 1 + 2 + 1,
                               3 + 4 + 7 + 1, 9 + 8};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        if (!near(f[i], expected[i])) printf("result %d: %g, not %g\n", int(i), f[i], expected[i]);
        CHECK(near(f[i], expected[i]));
    }
    bits<<<1, 1>>>(n);
    const int known[] = {0x3f800000, 2, -2, 2, -3, 2147483647, 0, 0, 9 + 31 + 4 + 32, 1, -15, 7, 2, 0x3f800000, 12};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (n[i] != known[i]) printf("result %d: %d, not %d\n", int(i), n[i], known[i]);
        CHECK(n[i] == known[i]);
    }

    f[0] = 3;
    apply<<<1, 1>>>(f, Shifted(2));
    CHECK(f[0] == 5);

    unsigned int u[8] = {0, 0, 0, 0, 0, 15, 0, 0};
    unsigned long long l = 0;
    for (int i = 0; i < 8; i++) n[i] = 0, f[i] = 0;
    atomics<<<100, 64>>>(n, u, f, &l);
    CHECK(n[0] == 6400 && n[1] == -12800 && n[2] == 63 && n[3] == -63 && n[4] == 19200);
    CHECK(n[5] == int(6400u * 0x7fffffffu));
    CHECK(u[0] == 6400 && u[1] == 0 && u[2] == ~0u && u[3] == 0 && u[5] == 0 && f[0] == 3200 && f[1] == 3);
    CHECK(u[4] == (7 - 6400 % 7) % 7);
    CHECK(l == 6400ull << 32);

    const float values[3] = {10, 20, 30};
    CHECK(cudaMemcpyToSymbol(table, values, sizeof values, sizeof(float)) == cudaSuccess);
    CHECK(cudaMemcpyToSymbol(table, values, 2 * sizeof values) == cudaErrorInvalidValue);
    constants<<<1, 1>>>(f);
    CHECK(f[0] == 30 && f[1] == 5);
    int count;
    CHECK(cudaMemcpyFromSymbol(&count, counter, sizeof count) == cudaSuccess && count == 6);
    cudaGetLastError();

    printf("before\n");
    talk<<<3, 2>>>(0);
    talk<<<1, 1>>>(1);
    printf("after\n");
    return 0;
}
