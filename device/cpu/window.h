// Sums over square windows of a map, clipped to it: for the norms within maps and tica. Include after isa.h.
#pragma once

#include "device/cpu/isa.h"

namespace convnet::cpu::CONVNET_ISA {

// Which pixels the window of pixel i covers along one axis: i + first .. i + first + size - 1.
struct Window {
    int first, size;

    static Window forward(int size) { return {-(size / 2), size}; }
    // Pixel j lies in the mirrored window of i where i lies in the forward window of j.
    static Window mirrored(int size) { return {-(size - 1 - size / 2), size}; }

    int begin(int i) const { return std::max(i + first, 0); }
    int end(int i, int img_size) const { return std::min(i + first + size, img_size); }
    int area(int y, int x, int img_size) const { return (end(y, img_size) - begin(y)) * (end(x, img_size) - begin(x)); }
};

// Window sums of one map at a time, along rows and then along columns.
class WindowSums {
public:
    WindowSums(int img_size, int cases)
        : img_size_(img_size), cases_(cases), row_sums_(static_cast<std::size_t>(img_size) * img_size * cases) {}

    // map, sums: (img_size^2, cases); they may be the same.
    void add_up(const float* map, float* sums, const Window& window) {
        const std::int64_t row = static_cast<std::int64_t>(img_size_) * cases_;
        for (int y = 0; y < img_size_; y++)
            for (int x = 0; x < img_size_; x++)
                sum(map + y * row, cases_, window.begin(x), window.end(x, img_size_), &row_sums_[y * row + x * cases_]);
        for (int y = 0; y < img_size_; y++)
            for (int x = 0; x < img_size_; x++)
                sum(&row_sums_[x * cases_], row, window.begin(y), window.end(y, img_size_),
                    sums + y * row + x * cases_);
    }

private:
    void sum(const float* pixels, std::int64_t step, int begin, int end, float* target) const {
        std::fill(target, target + cases_, 0.0f);
        for (int i = begin; i < end; i++)
            for (int n = 0; n < cases_; n++) target[n] += pixels[i * step + n];
    }

    const int img_size_, cases_;
    std::vector<float> row_sums_;
};

}  // namespace convnet::cpu::CONVNET_ISA
