// Transcendental functions that the compiler can turn into vector code: no branches, no calls.
// In double, so that their error vanishes beside the rounding of a float result. Include after isa.h.
#pragma once

#include "device/cpu/isa.h"

namespace convnet::cpu::CONVNET_ISA {

inline double clamp(double x, double low, double high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}

// e^x, relative error below 1e-14. Arguments are clamped to +-700, whose results a float holds as 0 and
// infinity. NaN passes through.
inline double exp_of(double x) {
    constexpr double log2_e = 1.4426950408889634, ln2_high = 0.693147180369123816490,
                     ln2_low = 1.90821492927058770002e-10;
    constexpr double round_to_integer = 6755399441055744.0;  // 1.5 * 2^52: its lowest bit is worth 1
    const double clamped = clamp(x, -700, 700);
    const double shifted = clamped * log2_e + round_to_integer;
    const double n = shifted - round_to_integer;
    const double r = (clamped - n * ln2_high) - n * ln2_low;  // |r| <= ln(2)/2
    double series = 1.0 / 39916800;                           // Taylor's series up to r^11
    series = series * r + 1.0 / 3628800;
    series = series * r + 1.0 / 362880;
    series = series * r + 1.0 / 40320;
    series = series * r + 1.0 / 5040;
    series = series * r + 1.0 / 720;
    series = series * r + 1.0 / 120;
    series = series * r + 1.0 / 24;
    series = series * r + 1.0 / 6;
    series = series * r + 0.5;
    series = series * r + 1;
    series = series * r + 1;
    const std::uint64_t exponent = (__builtin_bit_cast(std::uint64_t, shifted) + 1023) << 52;
    const double result = series * __builtin_bit_cast(double, exponent);
    return x != x ? x : result;
}

// ln x for 0 and for normal doubles (every float is one), relative error below 1e-13.
inline double log_of(double x) {
    constexpr double ln2 = 0.6931471805599453;
    const std::uint64_t bits = __builtin_bit_cast(std::uint64_t, x);
    // The mantissa in [1, 2) becomes one in [sqrt(1/2), sqrt(2)), where the series converges fast.
    const std::uint64_t mantissa_bits = (bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull;
    const double whole = __builtin_bit_cast(double, mantissa_bits);
    const bool upper = whole > 1.4142135623730951;
    const double mantissa = upper ? whole * 0.5 : whole;
    const double exponent = __builtin_bit_cast(double, (bits >> 52) | 0x4330000000000000ull) -
                            (4503599627370496.0 + 1023) + (upper ? 1 : 0);
    const double s = (mantissa - 1) / (mantissa + 1), s2 = s * s;  // ln m = 2 (s + s^3/3 + s^5/5 + ...), |s| < 0.172
    double series = 1.0 / 15;
    series = series * s2 + 1.0 / 13;
    series = series * s2 + 1.0 / 11;
    series = series * s2 + 1.0 / 9;
    series = series * s2 + 1.0 / 7;
    series = series * s2 + 1.0 / 5;
    series = series * s2 + 1.0 / 3;
    series = series * s2 + 1;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    double result = exponent * ln2 + 2 * s * series;
    result = x == 0 ? -infinity : result;
    result = x == infinity ? infinity : result;
    return x >= 0 ? result : std::numeric_limits<double>::quiet_NaN();
}

inline double pow_of(double x, double power) { return exp_of(power * log_of(x)); }

inline double logistic_of(double x) { return 1 / (1 + exp_of(-x)); }

inline double tanh_of(double x) {
    const double exact = 1 - 2 / (exp_of(2 * x) + 1);
    // Near 0 the difference above cancels; two terms of the series are exact there.
    return x * x < 1e-8 ? x - x * x * x / 3 : exact;
}

}  // namespace convnet::cpu::CONVNET_ISA
