// Image operations on a GPU (spec 3.4). A thread computes one pixel of a target for one case.
#include <algorithm>
#include <cmath>
#include <vector>

#include "device/cuda/map.h"
#include "device/cuda/upload.h"

namespace convnet::cuda {
namespace {

// One axis of a blur: the filter over pixels that lie `step` floats apart, at `position` of `size`.
__device__ float blurred(const float* line, std::int64_t step, int size, int position, const float* filter,
                         int radius) {
    float sum = 0;
    for (int i = max(position - radius, 0); i <= min(position + radius, size - 1); i++)
        sum += filter[i - position + radius] * line[i * step];
    return sum;
}

// The two pixels that a resized pixel lies between, and how far it is towards the second.
struct Tap {
    int first;
    float share;
};

std::vector<Tap> taps(int size, int target_size, float scale) {
    std::vector<Tap> all(target_size);
    for (int t = 0; t < target_size; t++) {
        const double coordinate =
            std::clamp(t * double(scale) + size / 2.0 - target_size * double(scale) / 2, 0.0, size - 1.01);
        all[t] = {static_cast<int>(coordinate), static_cast<float>(coordinate - std::floor(coordinate))};
    }
    return all;
}

// The cube root of L*a*b*, continued by a line near 0. In double: the channels are differences of roots.
__device__ double lab_root(double t) { return t > 0.0088564517 ? pow(t, 0.3333) : 7.787037 * t + 0.13793103; }

}  // namespace

void CudaDevice::blur(const float* images, const float* filter, int radius, float* targets, int maps, int size,
                      int cases, Scale scale) {
    select();
    const int rows = maps * size * size;
    Uploaded<float> uploaded(memory_, filter, 2 * radius + 1);
    Scratch<float> scratch(memory_, static_cast<std::size_t>(rows) * cases);
    const float* weights = uploaded.data();
    float* along_rows = scratch.data();
    for_each_case("blur", rows, cases, [=] __device__(int row, int n) {
        const int x = row % size;
        along_rows[element(row, cases, n)] =
            blurred(images + element(row - x, cases, n), cases, size, x, weights, radius);
    });
    for_each_case("blur", rows, cases, [=] __device__(int row, int n) {
        const int y = row / size % size;
        const std::int64_t step = static_cast<std::int64_t>(size) * cases;
        put(targets[element(row, cases, n)],
            blurred(along_rows + element(row - y * size, cases, n), step, size, y, weights, radius), scale);
    });
}

void CudaDevice::bed_of_nails(const float* images, float* targets, int maps, int size, int start, int stride, int cases,
                              Scale scale) {
    select();
    const int outputs = (size - start + stride - 1) / stride;
    for_each_case("bed of nails", maps * outputs * outputs, cases, [=] __device__(int row, int n) {
        const Place p = place(row, outputs);
        const int source = (p.map * size + start + p.y * stride) * size + start + p.x * stride;
        put(targets[element(row, cases, n)], images[element(source, cases, n)], scale);
    });
}

void CudaDevice::bed_of_nails_gradient(const float* gradients, float* targets, int maps, int size, int start,
                                       int stride, int cases, Scale scale) {
    select();
    const int outputs = (size - start + stride - 1) / stride;
    for_each_case("gradient of the bed of nails", maps * size * size, cases, [=] __device__(int row, int n) {
        const Place p = place(row, size);
        const int y = p.y - start, x = p.x - start;
        const bool nail = y >= 0 && x >= 0 && y % stride == 0 && x % stride == 0;
        const int source = (p.map * outputs + y / stride) * outputs + x / stride;
        put(targets[element(row, cases, n)], nail ? gradients[element(source, cases, n)] : 0.0f, scale);
    });
}

void CudaDevice::reflect_horizontal(const float* images, float* targets, int maps, int size, int cases, Scale scale) {
    select();
    for_each_case("reflection", maps * size * size, cases, [=] __device__(int row, int n) {
        const int x = row % size;
        put(targets[element(row, cases, n)], images[element(row + size - 1 - 2 * x, cases, n)], scale);
    });
}

void CudaDevice::resize_bilinear(const float* images, float* targets, int maps, int size, int target_size, float scale,
                                 int cases) {
    select();
    const std::vector<Tap> all = taps(size, target_size, scale);
    Uploaded<Tap> uploaded(memory_, all.data(), all.size());
    const Tap* tap = uploaded.data();
    for_each_case("resizing", maps * target_size * target_size, cases, [=] __device__(int row, int n) {
        const Place p = place(row, target_size);
        const Tap down = tap[p.y], right = tap[p.x];
        // A coordinate stops short of the last pixel; in an image of one pixel there is no second.
        const std::int64_t next_x = right.first + 1 < size ? cases : 0,
                           next_y = down.first + 1 < size ? static_cast<std::int64_t>(size) * cases : 0;
        const float* source = images + element((p.map * size + down.first) * size + right.first, cases, n);
        const float above = (1 - right.share) * source[0] + right.share * source[next_x];
        const float below = (1 - right.share) * source[next_y] + right.share * source[next_y + next_x];
        targets[element(row, cases, n)] = (1 - down.share) * above + down.share * below;
    });
}

void CudaDevice::crop(const float* images, float* targets, int maps, int size, int target_size, int start_y,
                      int start_x, int cases) {
    select();
    for_each_case("crop", maps * target_size * target_size, cases, [=] __device__(int row, int n) {
        const Place p = place(row, target_size);
        const int source = (p.map * size + start_y + p.y) * size + start_x + p.x;
        targets[element(row, cases, n)] = images[element(source, cases, n)];
    });
}

void CudaDevice::rgb_to_yuv(const float* images, float* targets, int pixels, int cases) {
    select();
    const std::int64_t count = static_cast<std::int64_t>(pixels) * cases;
    for_each("conversion to YUV", count, [=] __device__(std::int64_t i) {
        const float r = images[i], g = images[count + i], b = images[2 * count + i];
        targets[i] = 0.2126f * r + 0.7152f * g + 0.0722f * b;
        targets[count + i] = -0.09991f * r - 0.33609f * g + 0.436f * b;
        targets[2 * count + i] = 0.615f * r - 0.55861f * g - 0.05639f * b;
    });
}

void CudaDevice::rgb_to_lab(const float* images, float* targets, int pixels, int cases, bool center) {
    select();
    const std::int64_t count = static_cast<std::int64_t>(pixels) * cases;
    for_each("conversion to L*a*b*", count, [=] __device__(std::int64_t i) {
        const double r = images[i], g = images[count + i], b = images[2 * count + i];
        const double x = lab_root(0.49 * r + 0.31 * g + 0.2 * b);
        const double y = lab_root(0.17697 * r + 0.8124 * g + 0.01063 * b);
        const double z = lab_root(0.01 * g + 0.99 * b);
        targets[i] = static_cast<float>(116 * y - 16 - (center ? 50 : 0));
        targets[count + i] = static_cast<float>(500 * (x - y));
        targets[2 * count + i] = static_cast<float>(200 * (y - z));
    });
}

}  // namespace convnet::cuda
