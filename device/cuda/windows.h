// Sums over square windows of a map, clipped to it: for the norms within maps and tica (spec 3.3, 3.7).
#pragma once

#include "device/cuda/map.h"

namespace convnet::cuda {

struct Pixel {
    int y, x;
};

// Which pixels the window of pixel i covers along one axis: i + first .. i + first + size - 1.
struct Window {
    int first, size;

    static Window forward(int size) { return {-(size / 2), size}; }
    // Pixel j lies in the mirrored window of i where i lies in the forward window of j.
    static Window mirrored(int size) { return {-(size - 1 - size / 2), size}; }

    __device__ int begin(int i) const { return max(i + first, 0); }
    __device__ int end(int i, int img_size) const { return min(i + first + size, img_size); }
    __device__ int area(Pixel p, int img_size) const {
        return (end(p.y, img_size) - begin(p.y)) * (end(p.x, img_size) - begin(p.x));
    }
};

// finish(pixel, i, sum) for every element i of the maps, sum being that of term(pixel, i) over its window: along rows
// and then along columns, so that `finish` may overwrite what `term` reads. Both: __device__ lambdas.
template <class Term, class Finish>
void sum_windows(const char* operation, Memory& memory, const NormShape& s, Window window, Term term, Finish finish) {
    const int rows = s.channels * s.pixels;
    Scratch<float> scratch(memory, static_cast<std::size_t>(rows) * s.cases);
    float* row_sums = scratch.data();
    for_each_case(operation, rows, s.cases, [=] __device__(int row, int n) {
        const int line = row / s.img_size, x = row - line * s.img_size, y = line % s.img_size;
        float sum = 0;
        for (int other = window.begin(x); other < window.end(x, s.img_size); other++)
            sum += term(Pixel{y, other}, static_cast<std::int64_t>(row - x + other) * s.cases + n);
        row_sums[static_cast<std::int64_t>(row) * s.cases + n] = sum;
    });
    for_each_case(operation, rows, s.cases, [=] __device__(int row, int n) {
        const int line = row / s.img_size, x = row - line * s.img_size, y = line % s.img_size;
        float sum = 0;
        for (int other = window.begin(y); other < window.end(y, s.img_size); other++)
            sum += row_sums[static_cast<std::int64_t>(row + (other - y) * s.img_size) * s.cases + n];
        finish(Pixel{y, x}, static_cast<std::int64_t>(row) * s.cases + n, sum);
    });
}

}  // namespace convnet::cuda
