// What CUDA adds to the C library's functions for device code: min and max, fast-math intrinsics, conversions,
// bit functions (spec 6.6). Included after <cmath>.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

// Plain functions, not templates: they win over std::min and std::max where `using namespace std` shows these.
#define CONVNET_EMULATION_MIN_MAX(result, a_type, b_type)                                                         \
    constexpr result min(a_type a, b_type b) {                                                                    \
        return static_cast<result>(b) < static_cast<result>(a) ? static_cast<result>(b) : static_cast<result>(a); \
    }                                                                                                             \
    constexpr result max(a_type a, b_type b) {                                                                    \
        return static_cast<result>(a) < static_cast<result>(b) ? static_cast<result>(b) : static_cast<result>(a); \
    }
CONVNET_EMULATION_MIN_MAX(int, int, int)
CONVNET_EMULATION_MIN_MAX(unsigned int, unsigned int, unsigned int)
CONVNET_EMULATION_MIN_MAX(unsigned int, int, unsigned int)
CONVNET_EMULATION_MIN_MAX(unsigned int, unsigned int, int)
CONVNET_EMULATION_MIN_MAX(long, long, long)
CONVNET_EMULATION_MIN_MAX(unsigned long, unsigned long, unsigned long)
CONVNET_EMULATION_MIN_MAX(unsigned long, long, unsigned long)
CONVNET_EMULATION_MIN_MAX(unsigned long, unsigned long, long)
CONVNET_EMULATION_MIN_MAX(long long, long long, long long)
CONVNET_EMULATION_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
CONVNET_EMULATION_MIN_MAX(unsigned long long, long long, unsigned long long)
CONVNET_EMULATION_MIN_MAX(unsigned long long, unsigned long long, long long)
#undef CONVNET_EMULATION_MIN_MAX

// As on a GPU, a NaN loses against a number.
inline float min(float a, float b) { return ::fminf(a, b); }
inline float max(float a, float b) { return ::fmaxf(a, b); }
inline double min(double a, double b) { return ::fmin(a, b); }
inline double max(double a, double b) { return ::fmax(a, b); }
inline double min(float a, double b) { return ::fmin(a, b); }
inline double max(float a, double b) { return ::fmax(a, b); }
inline double min(double a, float b) { return ::fmin(a, b); }
inline double max(double a, float b) { return ::fmax(a, b); }

namespace convnet_emulation {

inline float expf(float x) { return ::expf(x); }
inline float exp10f(float x) { return ::powf(10.0f, x); }
inline float logf(float x) { return ::logf(x); }
inline float log2f(float x) { return ::log2f(x); }
inline float log10f(float x) { return ::log10f(x); }
inline float powf(float x, float y) { return ::powf(x, y); }
inline float sinf(float x) { return ::sinf(x); }
inline float cosf(float x) { return ::cosf(x); }
inline float tanf(float x) { return ::tanf(x); }
inline void sincosf(float x, float* sine, float* cosine) {
    *sine = ::sinf(x);
    *cosine = ::cosf(x);
}
inline float rsqrtf(float x) { return 1.0f / ::sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / ::sqrt(x); }
inline float rcbrtf(float x) { return 1.0f / ::cbrtf(x); }

// The same bits as another type.
template <class To, class From>
inline To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "types of one size");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

// A rounded value as an integer; out of range the nearest one, and 0 for NaN, as on a GPU.
template <class Integer, class Real>
inline Integer saturated(Real rounded) {
    using Limits = std::numeric_limits<Integer>;
    if (rounded != rounded) return 0;
    if (rounded <= static_cast<Real>(Limits::min())) return Limits::min();
    if (rounded >= static_cast<Real>(Limits::max())) return Limits::max();
    return static_cast<Integer>(rounded);
}

}  // namespace convnet_emulation

// Macros, because C libraries declare some of these names, without defining them or from some version on.
#define __expf(x) ::convnet_emulation::expf(x)
#define __exp10f(x) ::convnet_emulation::exp10f(x)
#define __logf(x) ::convnet_emulation::logf(x)
#define __log2f(x) ::convnet_emulation::log2f(x)
#define __log10f(x) ::convnet_emulation::log10f(x)
#define __powf(x, y) ::convnet_emulation::powf(x, y)
#define __sinf(x) ::convnet_emulation::sinf(x)
#define __cosf(x) ::convnet_emulation::cosf(x)
#define __tanf(x) ::convnet_emulation::tanf(x)
#define __sincosf(x, sine, cosine) ::convnet_emulation::sincosf(x, sine, cosine)
#define rsqrtf(x) ::convnet_emulation::rsqrtf(x)
#define rsqrt(x) ::convnet_emulation::rsqrt(x)
#define rcbrtf(x) ::convnet_emulation::rcbrtf(x)

inline float fdividef(float x, float y) { return x / y; }
inline float __fdividef(float x, float y) { return x / y; }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }

// Rounding to nearest is what the CPU does; the sums and products of these are never fused.
inline float __fadd_rn(float x, float y) {
    volatile float sum = x + y;
    return sum;
}
inline float __fsub_rn(float x, float y) { return __fadd_rn(x, -y); }
inline float __fmul_rn(float x, float y) {
    volatile float product = x * y;
    return product;
}
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return ::fmaf(x, y, z); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return ::sqrtf(x); }
inline float __frsqrt_rn(float x) { return static_cast<float>(1.0 / ::sqrt(static_cast<double>(x))); }
inline double __fma_rn(double x, double y, double z) { return ::fma(x, y, z); }

inline int __float2int_rn(float x) { return convnet_emulation::saturated<int>(::nearbyintf(x)); }
inline int __float2int_rz(float x) { return convnet_emulation::saturated<int>(::truncf(x)); }
inline int __float2int_rd(float x) { return convnet_emulation::saturated<int>(::floorf(x)); }
inline int __float2int_ru(float x) { return convnet_emulation::saturated<int>(::ceilf(x)); }
inline unsigned int __float2uint_rn(float x) { return convnet_emulation::saturated<unsigned int>(::nearbyintf(x)); }
inline unsigned int __float2uint_rz(float x) { return convnet_emulation::saturated<unsigned int>(::truncf(x)); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned int x) { return static_cast<float>(x); }
inline int __float_as_int(float x) { return convnet_emulation::bits_as<int>(x); }
inline unsigned int __float_as_uint(float x) { return convnet_emulation::bits_as<unsigned int>(x); }
inline float __int_as_float(int x) { return convnet_emulation::bits_as<float>(x); }
inline float __uint_as_float(unsigned int x) { return convnet_emulation::bits_as<float>(x); }
inline long long __double_as_longlong(double x) { return convnet_emulation::bits_as<long long>(x); }
inline double __longlong_as_double(long long x) { return convnet_emulation::bits_as<double>(x); }

inline int __popc(unsigned int x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned int>(x)); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned int __brev(unsigned int x) {
    unsigned int reversed = 0;
    for (int bit = 0; bit < 32; bit++) reversed |= ((x >> bit) & 1u) << (31 - bit);
    return reversed;
}

inline int __mulhi(int x, int y) { return static_cast<int>((static_cast<std::int64_t>(x) * y) >> 32); }
inline unsigned int __umulhi(unsigned int x, unsigned int y) {
    return static_cast<unsigned int>((static_cast<std::uint64_t>(x) * y) >> 32);
}
// The product of the low 24 bits, sign-extended for __mul24; its low 32 bits.
inline int __mul24(int x, int y) {
    const std::int64_t a = static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << 8) >> 8;
    const std::int64_t b = static_cast<std::int32_t>(static_cast<std::uint32_t>(y) << 8) >> 8;
    return static_cast<int>(static_cast<std::uint32_t>(a * b));
}
inline unsigned int __umul24(unsigned int x, unsigned int y) { return (x & 0xffffffu) * (y & 0xffffffu); }

// A read through the read-only cache: a read.
template <class T>
inline T __ldg(const T* address) {
    return *address;
}
