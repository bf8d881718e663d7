// Response normalization on the CPU (spec 3.3).
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "device/cpu/isa.h"
#include "device/cpu/cpu_device.h"
#include "device/cpu/vmath.h"
#include "device/cpu/window.h"

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

void CpuDevice::cross_map_norm_gradient(const NormShape& s, const float* gradients, const float* denoms,
                                        const float* images, const float* outputs, float* targets, Scale scale) {
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

namespace {

float inverse_power(float denom, float power) { return static_cast<float>(pow_of(denom, -power)); }

// Calls body(sums, offset of the map in floats) for every map, one thread a map.
template <class Body>
void for_each_map(ThreadPool& pool, const NormShape& s, Body body) {
    const std::int64_t map_floats = static_cast<std::int64_t>(s.pixels) * s.cases;
    pool.parallel_for(s.channels, 1, [&](std::int64_t begin, std::int64_t end) {
        WindowSums sums(s.img_size, s.cases);
        for (std::int64_t map = begin; map < end; map++) body(sums, map * map_floats);
    });
}

}  // namespace

void CpuDevice::response_norm(const NormShape& s, const float* images, float* denoms, float* targets) {
    const std::int64_t count = static_cast<std::int64_t>(s.pixels) * s.cases;
    for_each_map(pool_, s, [&](WindowSums& sums, std::int64_t map) {
        const float* x = images + map;
        float *d = denoms + map, *y = targets + map;
        for (std::int64_t i = 0; i < count; i++) d[i] = x[i] * x[i];
        sums.add_up(d, d, Window::forward(s.size));
        for (std::int64_t i = 0; i < count; i++) {
            d[i] = 1 + s.scale * d[i];
            y[i] = x[i] * inverse_power(d[i], s.pow);
        }
    });
}

void CpuDevice::response_norm_gradient(const NormShape& s, const float* gradients, const float* denoms,
                                       const float* images, const float* outputs, float* targets, Scale scale) {
    // The same formula as the historic contrast norm's, with the images in place of the mean differences.
    contrast_norm_gradient(s, gradients, denoms, images, outputs, targets, false, scale);
}

void CpuDevice::contrast_norm(const NormShape& s, const float* images, float* mean_diffs, float* denoms,
                              float* targets) {
    const std::int64_t count = static_cast<std::int64_t>(s.pixels) * s.cases;
    const Window window = Window::forward(s.size);
    for_each_map(pool_, s, [&](WindowSums& sums, std::int64_t map) {
        const float* x = images + map;
        float *m = mean_diffs + map, *d = denoms + map, *y = targets + map;
        sums.add_up(x, m, window);
        for (int pixel = 0; pixel < s.pixels; pixel++) {
            const float area = window.area(pixel / s.img_size, pixel % s.img_size, s.img_size);
            for (std::int64_t i = static_cast<std::int64_t>(pixel) * s.cases; i < (pixel + std::int64_t{1}) * s.cases;
                 i++)
                m[i] = x[i] - m[i] / area;
        }
        for (std::int64_t i = 0; i < count; i++) d[i] = m[i] * m[i];
        sums.add_up(d, d, window);
        for (std::int64_t i = 0; i < count; i++) {
            d[i] = 1 + s.scale * d[i];
            y[i] = x[i] * inverse_power(d[i], s.pow);
        }
    });
}

void CpuDevice::contrast_norm_gradient(const NormShape& s, const float* gradients, const float* denoms,
                                       const float* mean_diffs, const float* outputs, float* targets, bool exact,
                                       Scale scale) {
    const std::int64_t count = static_cast<std::int64_t>(s.pixels) * s.cases;
    const Window forward = Window::forward(s.size), mirrored = Window::mirrored(s.size);
    for_each_map(pool_, s, [&](WindowSums& sums, std::int64_t map) {
        const float *g = gradients + map, *d = denoms + map, *m = mean_diffs + map, *y = outputs + map;
        std::vector<float> through(count);  // the gradient that comes through the mean differences
        for (std::int64_t i = 0; i < count; i++) through[i] = g[i] * y[i] / d[i];
        sums.add_up(through.data(), through.data(), mirrored);
        for (std::int64_t i = 0; i < count; i++) through[i] *= -2 * s.scale * s.pow * m[i];
        std::vector<float> through_means(exact ? count : 0);
        if (exact) {
            for (std::int64_t i = 0; i < count; i++) {
                const int pixel = static_cast<int>(i / s.cases);
                through_means[i] = through[i] / forward.area(pixel / s.img_size, pixel % s.img_size, s.img_size);
            }
            sums.add_up(through_means.data(), through_means.data(), mirrored);
        }
        for (std::int64_t i = 0; i < count; i++)
            put(targets[map + i], g[i] * inverse_power(d[i], s.pow) + through[i] - (exact ? through_means[i] : 0),
                scale);
    });
}

}  // namespace convnet::cpu::CONVNET_ISA
