// Response normalization on the CPU (spec 3.3).
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "device/cpu/isa.h"
#include "device/cpu/cpu_device.h"
#include "device/cpu/vmath.h"

namespace convnet::cpu::CONVNET_ISA {
namespace {

struct Range {
    int first, last;
};

// The maps that the denominator of map f sums over.
Range maps_seen_by(const NormShape& s, int f) {
    if (s.blocked) return {f / s.size * s.size, std::min(f / s.size * s.size + s.size, s.channels)};
    return {std::max(f - s.size / 2, 0), std::min(f - s.size / 2 + s.size, s.channels)};
}

// The maps whose denominator holds map f: the mirror of the above.
Range maps_that_see(const NormShape& s, int f) {
    if (s.blocked) return maps_seen_by(s, f);
    return {std::max(f - (s.size - s.size / 2 - 1), 0), std::min(f + s.size / 2 + 1, s.channels)};
}

}  // namespace

void CpuDevice::cross_map_norm(const NormShape& s, const float* images, float* denoms, float* targets) {
    const std::int64_t map_floats = static_cast<std::int64_t>(s.pixels) * s.cases;
    pool_.parallel_for(s.pixels, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t pixel = begin; pixel < end; pixel++)
            for (int f = 0; f < s.channels; f++) {
                const std::int64_t offset = f * map_floats + pixel * s.cases;
                float* denom = denoms + offset;
                std::fill(denom, denom + s.cases, 0.0f);
                const Range maps = maps_seen_by(s, f);
                for (int other = maps.first; other < maps.last; other++) {
                    const float* x = images + other * map_floats + pixel * s.cases;
                    for (int n = 0; n < s.cases; n++) denom[n] += x[n] * x[n];
                }
                const float* x = images + offset;
                float* target = targets + offset;
                for (int n = 0; n < s.cases; n++) {
                    denom[n] = s.min_div + s.scale * denom[n];
                    target[n] = x[n] * static_cast<float>(pow_of(denom[n], -s.pow));
                }
            }
    });
}

void CpuDevice::cross_map_norm_gradient(const NormShape& s, const float* gradients, const float* denoms, const float* images,
                                        const float* outputs, float* targets, Scale scale) {
    const std::int64_t map_floats = static_cast<std::int64_t>(s.pixels) * s.cases;
    pool_.parallel_for(s.pixels, 1, [&](std::int64_t begin, std::int64_t end) {
        // g y / d of every map at one pixel, which up to `size` neighbours need
        std::vector<float> shares(static_cast<std::size_t>(s.channels) * s.cases), sum(s.cases);
        for (std::int64_t pixel = begin; pixel < end; pixel++) {
            for (int f = 0; f < s.channels; f++) {
                const std::int64_t offset = f * map_floats + pixel * s.cases;
                const float *g = gradients + offset, *y = outputs + offset, *d = denoms + offset;
                float* share = &shares[static_cast<std::size_t>(f) * s.cases];
                for (int n = 0; n < s.cases; n++) share[n] = g[n] * y[n] / d[n];
            }
            for (int f = 0; f < s.channels; f++) {
                const std::int64_t offset = f * map_floats + pixel * s.cases;
                std::fill(sum.begin(), sum.end(), 0.0f);
                const Range maps = maps_that_see(s, f);
                for (int other = maps.first; other < maps.last; other++) {
                    const float* share = &shares[static_cast<std::size_t>(other) * s.cases];
                    for (int n = 0; n < s.cases; n++) sum[n] += share[n];
                }
                const float *g = gradients + offset, *x = images + offset, *d = denoms + offset;
                float* target = targets + offset;
                const float factor = 2 * s.scale * s.pow;
                for (int n = 0; n < s.cases; n++)
                    sum[n] = g[n] * static_cast<float>(pow_of(d[n], -s.pow)) - factor * x[n] * sum[n];
                if (scale.targets == 0)
                    for (int n = 0; n < s.cases; n++) target[n] = scale.output * sum[n];
                else
                    for (int n = 0; n < s.cases; n++) target[n] = scale.targets * target[n] + scale.output * sum[n];
            }
        }
    });
}

}  // namespace convnet::cpu::CONVNET_ISA
