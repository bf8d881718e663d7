// Pooling on the CPU (spec 3.2). One thread takes whole channels.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "device/philox.h"

#include "device/cpu/isa.h"
#include "device/cpu/cpu_device.h"

namespace convnet::cpu::CONVNET_ISA {
namespace {

// The pixels [first, last) that output o covers along one axis.
struct Range {
    int first, last;
    int length() const { return last - first; }
};

Range window(const PoolShape& s, int output) {
    const int first = s.start + output * s.stride;
    return {std::max(first, 0), std::min(first + s.size, s.img_size)};
}

// The outputs [first, last) whose windows cover a pixel.
Range windows_over(const PoolShape& s, int pixel) {
    const int offset = pixel - s.start;
    const int first = offset < s.size ? 0 : (offset - s.size) / s.stride + 1;
    return {first, offset < 0 ? first : std::min(offset / s.stride + 1, s.outputs)};
}

// The poolers of spec 3.2: a base value, and what a further element makes of it.
struct Max {
    static constexpr float base = -2e38f;
    static float add(float best, float x) { return x > best ? x : best; }
};
struct MaxAbs {
    static constexpr float base = 0;
    static float add(float best, float x) { return std::fabs(x) >= std::fabs(best) ? x : best; }
};
struct Sum {
    static constexpr float base = 0;
    static float add(float sum, float x) { return sum + x; }
};

template <class Pooler>
void pool(const PoolShape& s, const float* images, float* targets, bool average, ThreadPool& pool) {
    pool.parallel_for(s.channels, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t channel = begin; channel < end; channel++) {
            const float* image = images + channel * s.img_size * s.img_size * s.cases;
            float* target = targets + channel * s.outputs * s.outputs * s.cases;
            for (int oy = 0; oy < s.outputs; oy++)
                for (int ox = 0; ox < s.outputs; ox++, target += s.cases) {
                    const Range ys = window(s, oy), xs = window(s, ox);
                    std::fill(target, target + s.cases, Pooler::base);
                    for (int y = ys.first; y < ys.last; y++)
                        for (int x = xs.first; x < xs.last; x++) {
                            const float* pixel = image + static_cast<std::int64_t>(y * s.img_size + x) * s.cases;
                            for (int n = 0; n < s.cases; n++) target[n] = Pooler::add(target[n], pixel[n]);
                        }
                    if (!average) continue;
                    const float area = ys.length() * xs.length();
                    for (int n = 0; n < s.cases; n++) target[n] /= area;
                }
        }
    });
}

// For every pixel, calls add(pixel's offset, output's offset, window area) for each output over it,
// with offsets in floats within one thread's channels; before the first one, calls begin(pixel's offset).
template <class Begin, class Add>
void for_each_cover(const PoolShape& s, ThreadPool& pool, Begin begin_pixel, Add add) {
    pool.parallel_for(s.channels, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t channel = begin; channel < end; channel++)
            for (int y = 0; y < s.img_size; y++)
                for (int x = 0; x < s.img_size; x++) {
                    const std::int64_t pixel = ((channel * s.img_size + y) * s.img_size + x) * s.cases;
                    begin_pixel(pixel);
                    const Range oys = windows_over(s, y), oxs = windows_over(s, x);
                    for (int oy = oys.first; oy < oys.last; oy++)
                        for (int ox = oxs.first; ox < oxs.last; ox++)
                            add(pixel, ((channel * s.outputs + oy) * s.outputs + ox) * s.cases,
                                window(s, oy).length() * window(s, ox).length());
                }
    });
}

void begin_scaled(float* target, int cases, Scale scale) {
    if (scale.targets == 0)
        std::fill(target, target + cases, 0.0f);
    else
        for (int n = 0; n < cases; n++) target[n] *= scale.targets;
}

// The element at which the running sum of max(0, x) exceeds u times the total; every weight is 1 where all
// of these are 0.
float draw(const float* image, const PoolShape& s, Range ys, Range xs, float u) {
    const auto pixel = [&](int y, int x) { return image[static_cast<std::int64_t>(y * s.img_size + x) * s.cases]; };
    double total = 0;
    for (int y = ys.first; y < ys.last; y++)
        for (int x = xs.first; x < xs.last; x++) total += pixel(y, x) > 0 ? pixel(y, x) : 0;
    const bool even = !(total > 0);
    if (even) total = ys.length() * xs.length();
    double running = 0;
    for (int y = ys.first; y < ys.last; y++)
        for (int x = xs.first; x < xs.last; x++) {
            running += even ? 1 : pixel(y, x) > 0 ? pixel(y, x) : 0;
            if (running > u * total) return pixel(y, x);
        }
    // Only NaN or infinite values come here.
    return std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

void CpuDevice::pool_forward(Pool kind, const PoolShape& s, const float* images, float* targets) {
    switch (kind) {
        case Pool::max:
            return pool<Max>(s, images, targets, false, pool_);
        case Pool::max_abs:
            return pool<MaxAbs>(s, images, targets, false, pool_);
        case Pool::avg:
            return pool<Sum>(s, images, targets, true, pool_);
    }
}

void CpuDevice::pool_rand_forward(const PoolShape& s, const float* images, float* targets, RandomKey key) {
    const std::int64_t outputs = static_cast<std::int64_t>(s.outputs) * s.outputs;
    pool_.parallel_for(s.channels * outputs, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t output = begin; output < end; output++) {
            const Range ys = window(s, output % outputs / s.outputs), xs = window(s, output % s.outputs);
            const float* image = images + output / outputs * s.img_size * s.img_size * s.cases;
            for (int n = 0; n < s.cases; n++) {
                const std::int64_t element = output * s.cases + n;
                const auto words = philox(key, static_cast<std::uint32_t>(element / 4));
                targets[element] = draw(image + n, s, ys, xs, uniform(words[element % 4]));
            }
        }
    });
}

void CpuDevice::pool_max_gradient(const PoolShape& s, const float* images, const float* gradients, const float* outputs,
                                  float* targets, Scale scale) {
    for_each_cover(
        s, pool_, [&](std::int64_t pixel) { begin_scaled(targets + pixel, s.cases, scale); },
        [&](std::int64_t pixel, std::int64_t output, int) {
            const float *image = images + pixel, *gradient = gradients + output, *best = outputs + output;
            float* target = targets + pixel;
            for (int n = 0; n < s.cases; n++) target[n] += image[n] == best[n] ? scale.output * gradient[n] : 0.0f;
        });
}

void CpuDevice::pool_avg_gradient(const PoolShape& s, const float* gradients, float* targets, Scale scale) {
    for_each_cover(
        s, pool_, [&](std::int64_t pixel) { begin_scaled(targets + pixel, s.cases, scale); },
        [&](std::int64_t pixel, std::int64_t output, int area) {
            const float* gradient = gradients + output;
            const float share = scale.output / area;
            float* target = targets + pixel;
            for (int n = 0; n < s.cases; n++) target[n] += share * gradient[n];
        });
}

}  // namespace convnet::cpu::CONVNET_ISA
