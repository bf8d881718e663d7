// Elementwise operations between layers on a GPU (spec 3.6, 3.11).
#include <limits>

#include "device/cuda/map.h"

namespace convnet::cuda {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// The nearest IEEE half, ties to even: 10 bits of mantissa, or steps of 2^-24 below 2^-14.
__device__ float half_rounded(float x) {
    const float size = fabsf(x);
    if (!(size < 65520)) return x != x ? x : copysignf(infinity, x);
    // Adding a number whose lowest bit is worth 2^-24 rounds to that bit.
    if (size < 0x1p-14f) return copysignf((size + 0.75f) - 0.75f, x);
    // The lowest 13 bits go; what is added carries into the others where they round up.
    const unsigned bits = __float_as_uint(x);
    return __uint_as_float((bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu);
}

}  // namespace

void CudaDevice::add(const float* inputs, float* targets, std::size_t count, Scale scale) {
    select();
    map("addition", count, targets, scale, [=] __device__(std::int64_t i) { return inputs[i]; });
}

void CudaDevice::multiply_elementwise(const float* a, const float* b, float* targets, std::size_t count, Scale scale) {
    select();
    map("elementwise product", count, targets, scale, [=] __device__(std::int64_t i) { return a[i] * b[i]; });
}

void CudaDevice::elementwise_max(const float* inputs, float* targets, std::size_t count) {
    select();
    map("elementwise maximum", count, targets,
        [=] __device__(std::int64_t i) { return inputs[i] > targets[i] ? inputs[i] : targets[i]; });
}

void CudaDevice::elementwise_max_gradient(const float* gradients, const float* inputs, const float* outputs,
                                          float* targets, std::size_t count, Scale scale) {
    select();
    map("gradient of the elementwise maximum", count, targets, scale,
        [=] __device__(std::int64_t i) { return inputs[i] == outputs[i] ? gradients[i] : 0.0f; });
}

void CudaDevice::round_to_half(const float* inputs, float* targets, std::size_t count) {
    select();
    map("rounding to half", count, targets, [=] __device__(std::int64_t i) { return half_rounded(inputs[i]); });
}

}  // namespace convnet::cuda
