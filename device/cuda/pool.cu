// Pooling on a GPU (spec 3.2). A thread computes one element of the outputs, or of the gradient at the images.
#include "device/cuda/cuda_device.h"
#include "device/cuda/launch.h"
#include "device/philox.h"

namespace convnet::cuda {
namespace {

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

// Where an element of (channels * side * side, cases) stands.
struct Place {
    int channel, y, x, n;
};

__device__ Place place(std::int64_t element, int side, int cases) {
    const std::int64_t row = element / cases;
    const int pixel = static_cast<int>(row % (side * side));
    return {static_cast<int>(row / (side * side)), pixel / side, pixel % side, static_cast<int>(element % cases)};
}

__device__ std::int64_t offset(int channel, int y, int x, int side, int cases) {
    return (static_cast<std::int64_t>(channel * side + y) * side + x) * cases;
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

template <class Pooler>
void pool(const PoolShape& s, const float* images, float* targets, bool average) {
    const std::int64_t count = static_cast<std::int64_t>(s.channels) * s.outputs * s.outputs * s.cases;
    for_each("pooling", count, [=] __device__(std::int64_t i) {
        const Place p = place(i, s.outputs, s.cases);
        const Range ys = window(s, p.y), xs = window(s, p.x);
        const float* image = images + offset(p.channel, 0, 0, s.img_size, s.cases) + p.n;
        float result = Pooler::base();
        for (int y = ys.first; y < ys.last; y++)
            for (int x = xs.first; x < xs.last; x++)
                result = Pooler::add(result, image[offset(0, y, x, s.img_size, s.cases)]);
        targets[i] = average ? result / (ys.length() * xs.length()) : result;
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

void CudaDevice::pool_max_gradient(const PoolShape& s, const float* images, const float* gradients,
                                   const float* outputs, float* targets, Scale scale) {
    select();
    const std::int64_t count = static_cast<std::int64_t>(s.channels) * s.img_size * s.img_size * s.cases;
    for_each("gradient of pooling", count, [=] __device__(std::int64_t i) {
        const Place p = place(i, s.img_size, s.cases);
        const Range oys = windows_over(s, p.y), oxs = windows_over(s, p.x);
        const std::int64_t channel = offset(p.channel, 0, 0, s.outputs, s.cases) + p.n;
        const float pixel = images[i];
        float sum = 0;
        for (int oy = oys.first; oy < oys.last; oy++)
            for (int ox = oxs.first; ox < oxs.last; ox++) {
                const std::int64_t output = channel + offset(0, oy, ox, s.outputs, s.cases);
                if (outputs[output] == pixel) sum += gradients[output];
            }
        put(targets[i], sum, scale);
    });
}

}  // namespace convnet::cuda
