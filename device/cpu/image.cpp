// Image operations on the CPU (spec 3.4). A row of a matrix is all cases of one pixel.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "device/cpu/isa.h"
#include "device/cpu/map.h"
#include "device/cpu/vmath.h"

namespace convnet::cpu::CONVNET_ISA {
namespace {

void put_row(float* target, const float* source, int cases, Scale scale) {
    for (int n = 0; n < cases; n++) put(target[n], source[n], scale);
}

// Calls body(map, y, x, target row) for each pixel of `maps` maps of size x size.
template <class Body>
void for_each_pixel(ThreadPool& pool, int maps, int size, Body body) {
    const std::int64_t pixels = static_cast<std::int64_t>(size) * size;
    pool.parallel_for(maps * pixels, 64, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; row++)
            body(row / pixels, static_cast<int>(row % pixels / size), static_cast<int>(row % size), row);
    });
}

// One axis of a blur: `target` = the filter over `source`, whose pixels lie `step` floats apart.
void blur_line(const float* source, std::int64_t step, int size, int position, const float* filter, int radius,
               float* target, int cases) {
    std::fill(target, target + cases, 0.0f);
    for (int i = std::max(position - radius, 0); i <= std::min(position + radius, size - 1); i++) {
        const float weight = filter[i - position + radius];
        for (int n = 0; n < cases; n++) target[n] += weight * source[i * step + n];
    }
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

// The cube root of L*a*b*, continued by a line near 0.
double lab_root(double t) { return t > 0.0088564517 ? pow_of(t, 0.3333) : 7.787037 * t + 0.13793103; }

}  // namespace

void CpuDevice::blur(const float* images, const float* filter, int radius, float* targets, int maps, int size,
                     int cases, Scale scale) {
    const std::int64_t row = static_cast<std::int64_t>(size) * cases;
    pool_.parallel_for(maps, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> blurred(row * size), line(cases);
        for (std::int64_t map = begin; map < end; map++) {
            const float* image = images + map * size * row;
            for (int y = 0; y < size; y++)
                for (int x = 0; x < size; x++)
                    blur_line(image + y * row, cases, size, x, filter, radius, &blurred[y * row + x * cases], cases);
            for (int y = 0; y < size; y++)
                for (int x = 0; x < size; x++) {
                    blur_line(&blurred[x * cases], row, size, y, filter, radius, line.data(), cases);
                    put_row(targets + map * size * row + y * row + x * cases, line.data(), cases, scale);
                }
        }
    });
}

void CpuDevice::bed_of_nails(const float* images, float* targets, int maps, int size, int start, int stride, int cases,
                             Scale scale) {
    const int outputs = (size - start + stride - 1) / stride;
    for_each_pixel(pool_, maps, outputs, [&](std::int64_t map, int y, int x, std::int64_t row) {
        const std::int64_t source = (map * size + start + y * stride) * size + start + x * stride;
        put_row(targets + row * cases, images + source * cases, cases, scale);
    });
}

void CpuDevice::bed_of_nails_gradient(const float* gradients, float* targets, int maps, int size, int start, int stride,
                                      int cases, Scale scale) {
    const int outputs = (size - start + stride - 1) / stride;
    const std::vector<float> zeros(cases);
    for_each_pixel(pool_, maps, size, [&](std::int64_t map, int y, int x, std::int64_t row) {
        const bool nail = y >= start && x >= start && (y - start) % stride == 0 && (x - start) % stride == 0;
        const std::int64_t source = (map * outputs + (y - start) / stride) * outputs + (x - start) / stride;
        put_row(targets + row * cases, nail ? gradients + source * cases : zeros.data(), cases, scale);
    });
}

void CpuDevice::reflect_horizontal(const float* images, float* targets, int maps, int size, int cases, Scale scale) {
    for_each_pixel(pool_, maps, size, [&](std::int64_t, int, int x, std::int64_t row) {
        put_row(targets + row * cases, images + (row + size - 1 - 2 * x) * cases, cases, scale);
    });
}

void CpuDevice::resize_bilinear(const float* images, float* targets, int maps, int size, int target_size, float scale,
                                int cases) {
    const std::vector<Tap> all = taps(size, target_size, scale);
    for_each_pixel(pool_, maps, target_size, [&](std::int64_t map, int y, int x, std::int64_t row) {
        const Tap down = all[y], right = all[x];
        // A coordinate stops short of the last pixel; in an image of one pixel there is no second.
        const std::int64_t next_x = right.first + 1 < size ? cases : 0,
                           next_y = down.first + 1 < size ? static_cast<std::int64_t>(size) * cases : 0;
        const float* source = images + ((map * size + down.first) * size + right.first) * cases;
        for (int n = 0; n < cases; n++) {
            const float above = (1 - right.share) * source[n] + right.share * source[next_x + n];
            const float below = (1 - right.share) * source[next_y + n] + right.share * source[next_y + next_x + n];
            targets[row * cases + n] = (1 - down.share) * above + down.share * below;
        }
    });
}

void CpuDevice::crop(const float* images, float* targets, int maps, int size, int target_size, int start_y, int start_x,
                     int cases) {
    for_each_pixel(pool_, maps, target_size, [&](std::int64_t map, int y, int x, std::int64_t row) {
        const std::int64_t source = (map * size + start_y + y) * size + start_x + x;
        std::copy(images + source * cases, images + (source + 1) * cases, targets + row * cases);
    });
}

void CpuDevice::rgb_to_yuv(const float* images, float* targets, int pixels, int cases) {
    const std::int64_t count = static_cast<std::int64_t>(pixels) * cases;
    pool_.parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; i++) {
            const float r = images[i], g = images[count + i], b = images[2 * count + i];
            targets[i] = 0.2126f * r + 0.7152f * g + 0.0722f * b;
            targets[count + i] = -0.09991f * r - 0.33609f * g + 0.436f * b;
            targets[2 * count + i] = 0.615f * r - 0.55861f * g - 0.05639f * b;
        }
    });
}

void CpuDevice::rgb_to_lab(const float* images, float* targets, int pixels, int cases, bool center) {
    const std::int64_t count = static_cast<std::int64_t>(pixels) * cases;
    pool_.parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; i++) {
            const double r = images[i], g = images[count + i], b = images[2 * count + i];
            const double x = lab_root(0.49 * r + 0.31 * g + 0.2 * b);
            const double y = lab_root(0.17697 * r + 0.8124 * g + 0.01063 * b);
            const double z = lab_root(0.01 * g + 0.99 * b);
            targets[i] = static_cast<float>(116 * y - 16 - (center ? 50 : 0));
            targets[count + i] = static_cast<float>(500 * (x - y));
            targets[2 * count + i] = static_cast<float>(200 * (y - z));
        }
    });
}

}  // namespace convnet::cpu::CONVNET_ISA
