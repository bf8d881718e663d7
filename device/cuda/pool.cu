// Pooling on a GPU (spec 3.2). A thread gathers one output, or the gradient of one pixel, for one case or four.
#include <limits>

#include "device/cuda/map.h"
#include "device/philox.h"

namespace convnet::cuda {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// The pixels [first, last) that output o covers along one axis.
struct Range {
    int first, last;
    __device__ int length() const { return last - first; }
};

__device__ Range window(const PoolShape& s, int output) {
    const int first = s.start + output * s.stride;
    return {max(first, 0), min(first + s.size, s.img_size)};
}

// The outputs [first, last) whose windows cover a pixel.
__device__ Range windows_over(const PoolShape& s, int pixel) {
    const int offset = pixel - s.start;
    const int first = offset < s.size ? 0 : (offset - s.size) / s.stride + 1;
    return {first, offset < 0 ? first : min(offset / s.stride + 1, s.outputs)};
}

// The poolers of spec 3.2: a base value, and what a further element makes of it.
struct Max {
    static __device__ float base() { return -2e38f; }
    static __device__ float add(float best, float x) { return x > best ? x : best; }
};
struct MaxAbs {
    static __device__ float base() { return 0; }
    static __device__ float add(float best, float x) { return fabsf(x) >= fabsf(best) ? x : best; }
};
struct Sum {
    static __device__ float base() { return 0; }
    static __device__ float add(float sum, float x) { return sum + x; }
};

// `width` cases a thread: the places of pixels are worked out once for all of them.
template <class Pooler, int width>
void pool(const PoolShape& s, const float* images, float* targets, bool average) {
    for_each_case("pooling", s.channels * s.outputs * s.outputs, s.cases / width, [=] __device__(int row, int pack) {
        const Place p = place(row, s.outputs);
        const Range ys = window(s, p.y), xs = window(s, p.x);
        const float* image = images + element(p.map * s.img_size * s.img_size, s.cases, pack * width);
        Pack<width> result;
        for (int n = 0; n < width; n++) result.values[n] = Pooler::base();
        for (int y = ys.first; y < ys.last; y++)
#pragma unroll 3
            for (int x = xs.first; x < xs.last; x++) {
                const auto pixel = Pack<width>::load(image + element(y * s.img_size + x, s.cases, 0));
                for (int n = 0; n < width; n++) result.values[n] = Pooler::add(result.values[n], pixel.values[n]);
            }
        if (average)
            for (int n = 0; n < width; n++) result.values[n] /= ys.length() * xs.length();
        result.store(targets + element(row, s.cases, pack * width));
    });
}

template <class Pooler>
void pool(const PoolShape& s, const float* images, float* targets, bool average) {
    if (in_wide_packs(s.cases, {images, targets}))
        pool<Pooler, wide_pack>(s, images, targets, average);
    else
        pool<Pooler, 1>(s, images, targets, average);
}

// The element at which the running sum of max(0, x) exceeds u times the total; every weight is 1 where all
// of these are 0.
__device__ float draw(const float* image, const PoolShape& s, Range ys, Range xs, float u) {
    double total = 0;
    for (int y = ys.first; y < ys.last; y++)
        for (int x = xs.first; x < xs.last; x++) {
            const float pixel = image[element(y * s.img_size + x, s.cases, 0)];
            total += pixel > 0 ? pixel : 0;
        }
    const bool even = !(total > 0);
    if (even) total = ys.length() * xs.length();
    double running = 0;
    for (int y = ys.first; y < ys.last; y++)
        for (int x = xs.first; x < xs.last; x++) {
            const float pixel = image[element(y * s.img_size + x, s.cases, 0)];
            running += even ? 1 : pixel > 0 ? pixel : 0;
            if (running > u * total) return pixel;
        }
    return nan;  // only NaN or infinite values come here
}

// For every pixel the sum of what add() makes of each output over it, into the targets. add(sum, pixel, output, area):
// offsets of `width` cases in the images and the outputs, and the area of the output's window.
template <int width, class Add>
void sum_over_windows(const PoolShape& s, float* targets, Scale scale, Add add) {
    for_each_case("gradient of pooling", s.channels * s.img_size * s.img_size, s.cases / width,
                  [=] __device__(int row, int pack) {
                      const Place p = place(row, s.img_size);
                      const Range oys = windows_over(s, p.y), oxs = windows_over(s, p.x);
                      const std::int64_t pixel = element(row, s.cases, pack * width);
                      Pack<width> sum = {}, result;
                      for (int oy = oys.first; oy < oys.last; oy++)
                          for (int ox = oxs.first; ox < oxs.last; ox++) {
                              const int output = (p.map * s.outputs + oy) * s.outputs + ox;
                              add(sum, pixel, element(output, s.cases, pack * width),
                                  window(s, oy).length() * window(s, ox).length());
                          }
                      if (scale.targets != 0) result = Pack<width>::load(targets + pixel);
                      for (int n = 0; n < width; n++) put(result.values[n], sum.values[n], scale);
                      result.store(targets + pixel);
                  });
}

template <int width>
void max_gradient(const PoolShape& s, const float* images, const float* gradients, const float* outputs, float* targets,
                  Scale scale) {
    sum_over_windows<width>(s, targets, scale,
                            [=] __device__(Pack<width>& sum, std::int64_t pixel, std::int64_t output, int) {
                                const auto image = Pack<width>::load(images + pixel);
                                const auto best = Pack<width>::load(outputs + output);
                                const auto gradient = Pack<width>::load(gradients + output);
                                for (int n = 0; n < width; n++)
                                    if (image.values[n] == best.values[n]) sum.values[n] += gradient.values[n];
                            });
}

template <int width>
void avg_gradient(const PoolShape& s, const float* gradients, float* targets, Scale scale) {
    sum_over_windows<width>(s, targets, scale,
                            [=] __device__(Pack<width>& sum, std::int64_t, std::int64_t output, int area) {
                                const auto gradient = Pack<width>::load(gradients + output);
                                for (int n = 0; n < width; n++) sum.values[n] += gradient.values[n] / area;
                            });
}

}  // namespace

void CudaDevice::pool_forward(Pool kind, const PoolShape& s, const float* images, float* targets) {
    select();
    switch (kind) {
        case Pool::max:
            return pool<Max>(s, images, targets, false);
        case Pool::max_abs:
            return pool<MaxAbs>(s, images, targets, false);
        case Pool::avg:
            return pool<Sum>(s, images, targets, true);
    }
}

void CudaDevice::pool_rand_forward(const PoolShape& s, const float* images, float* targets, RandomKey key) {
    select();
    for_each_case("random pooling", s.channels * s.outputs * s.outputs, s.cases, [=] __device__(int row, int n) {
        const Place p = place(row, s.outputs);
        const float* image = images + element(p.map * s.img_size * s.img_size, s.cases, n);
        const std::int64_t i = element(row, s.cases, n);
        const auto words = philox(key, static_cast<std::uint32_t>(i / 4));
        targets[i] = draw(image, s, window(s, p.y), window(s, p.x), uniform(words[i % 4]));
    });
}

void CudaDevice::pool_max_gradient(const PoolShape& s, const float* images, const float* gradients,
                                   const float* outputs, float* targets, Scale scale) {
    select();
    if (in_wide_packs(s.cases, {images, gradients, outputs, targets}))
        max_gradient<wide_pack>(s, images, gradients, outputs, targets, scale);
    else
        max_gradient<1>(s, images, gradients, outputs, targets, scale);
}

void CudaDevice::pool_avg_gradient(const PoolShape& s, const float* gradients, float* targets, Scale scale) {
    select();
    if (in_wide_packs(s.cases, {gradients, targets}))
        avg_gradient<wide_pack>(s, gradients, targets, scale);
    else
        avg_gradient<1>(s, gradients, targets, scale);
}

}  // namespace convnet::cuda
