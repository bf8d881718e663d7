// Response normalization on a GPU (spec 3.3).
#include "device/cuda/map.h"
#include "device/cuda/windows.h"

namespace convnet::cuda {
namespace {

// denom^-power. The exponent's rounding costs |power log2 denom| units in the last place, as in 2012 (spec 3.5); powf
// takes longer than the memory that the norm moves.
__device__ float inverse_power(float denom, float power) { return exp2f(-power * log2f(denom)); }

// The maps that the sum of map f runs over: f - before .. f + after, or the block of maps that holds f.
struct Maps {
    int count, before, after, block;

    static Maps seen_by(const NormShape& s) {
        return {s.channels, s.size / 2, s.size - 1 - s.size / 2, s.blocked ? s.size : 0};
    }
    static Maps that_see(const NormShape& s) {
        return {s.channels, s.size - 1 - s.size / 2, s.size / 2, s.blocked ? s.size : 0};
    }
    __device__ int first(int f) const { return block ? f / block * block : max(f - before, 0); }
    __device__ int last(int f) const { return min(block ? f / block * block + block : f + after + 1, count); }
};

// Sums over maps while a thread walks from map to map. Every sum is added up anew, in the order of the maps: taking off
// what leaves the window would let the errors of large values stay. Here the terms are computed again for every sum;
// what they read is in the L1 since the last one.
template <class Term>
class AnySums {
public:
    static constexpr int batch = 1;

    __device__ AnySums(const Maps& maps, const Term& term, int) : maps_(maps), term_(term) {}

    __device__ void next(int f, float* sums) {
        sums[0] = 0;
        for (int map = maps_.first(f); map < maps_.last(f); map++) sums[0] += term_.value(term_.load(map));
    }

private:
    const Maps maps_;
    const Term term_;
};

// For windows of one size: the terms stay in registers, and those of the next four maps are read together.
template <class Term, int size>
class SlidingSums {
public:
    static constexpr int batch = 4;

    __device__ SlidingSums(const Maps& maps, const Term& term, int first) : maps_(maps), term_(term) {
#pragma unroll
        for (int k = 0; k < size - 1; k++) {
            const int map = first - maps_.before + k;
            terms_[batch + k] = kept(map, term_.value(term_.load(nearest(map))));
        }
    }

    // The sums of maps f .. f + 3; f must grow by 4 from the first map on.
    __device__ void next(int f, float* sums) {
        typename Term::Read read[batch];
#pragma unroll
        for (int k = 0; k < size - 1; k++) terms_[k] = terms_[batch + k];
#pragma unroll
        for (int k = 0; k < batch; k++) read[k] = term_.load(nearest(f + maps_.after + k));
#pragma unroll
        for (int k = 0; k < batch; k++) terms_[size - 1 + k] = kept(f + maps_.after + k, term_.value(read[k]));
#pragma unroll
        for (int k = 0; k < batch; k++) {
            sums[k] = 0;
#pragma unroll
            for (int i = 0; i < size; i++) sums[k] += terms_[k + i];
        }
    }

private:
    // Behind the ends something is read all the same, and dropped: a branch would keep the reads apart.
    __device__ int nearest(int map) const { return min(max(map, 0), maps_.count - 1); }
    __device__ float kept(int map, float term) const { return map >= 0 && map < maps_.count ? term : 0; }

    const Maps maps_;
    const Term term_;
    float terms_[size - 1 + batch];
};

// What is summed, for one pixel and case; maps lie `step` floats apart. Reading and computing are apart, so that
// several reads are under way at once: a division has a branch in it.
struct Square {
    const float* images;
    std::int64_t step;

    using Read = float;
    __device__ Read load(int map) const { return images[map * step]; }
    __device__ float value(Read x) const { return x * x; }
};
struct GradientShare {
    const float *gradients, *outputs, *denoms;
    std::int64_t step;

    struct Read {
        float gradient, output, denom;
    };
    __device__ Read load(int map) const { return {gradients[map * step], outputs[map * step], denoms[map * step]}; }
    __device__ float value(Read r) const { return r.gradient * r.output / r.denom; }
};

// How many maps a thread walks through: all of them, unless that leaves too few threads to hide the memory's latency.
int maps_per_thread(const NormShape& s) {
    constexpr std::int64_t enough_threads = 1 << 18;
    const std::int64_t columns = static_cast<std::int64_t>(s.pixels) * s.cases;
    int maps = s.channels;
    while (maps > 8 * s.size && maps > 16 && columns * ((s.channels + maps - 1) / maps) < enough_threads)
        maps = (maps + 1) / 2;
    return (maps + 3) / 4 * 4;
}

// body(first map, behind the last one, offset of the pixel and case in map 0) for every pixel, case and stretch of
// maps.
template <class Body>
void for_each_stretch(const char* operation, const NormShape& s, Body body) {
    const int length = maps_per_thread(s), stretches = (s.channels + length - 1) / length;
    for_each_case(operation, stretches * s.pixels, s.cases, [=] __device__(int row, int n) {
        const int stretch = row / s.pixels, pixel = row - stretch * s.pixels;
        body(stretch * length, min((stretch + 1) * length, s.channels), static_cast<std::int64_t>(pixel) * s.cases + n);
    });
}

template <class Sums>
void forward(const NormShape& s, const float* images, float* denoms, float* targets) {
    const Maps maps = Maps::seen_by(s);
    const std::int64_t step = static_cast<std::int64_t>(s.pixels) * s.cases;
    for_each_stretch("normalization across maps", s, [=] __device__(int first, int last, std::int64_t start) {
        Sums sums(maps, Square{images + start, step}, first);
        float x[Sums::batch], d[Sums::batch];
        for (int f = first; f < last; f += Sums::batch) {
#pragma unroll
            for (int k = 0; k < Sums::batch; k++) x[k] = images[start + min(f + k, last - 1) * step];
            sums.next(f, d);
#pragma unroll
            for (int k = 0; k < Sums::batch; k++) {
                d[k] = s.min_div + s.scale * d[k];
                x[k] *= inverse_power(d[k], s.pow);
            }
#pragma unroll
            for (int k = 0; k < Sums::batch; k++) {
                if (f + k >= last) continue;
                denoms[start + (f + k) * step] = d[k];
                targets[start + (f + k) * step] = x[k];
            }
        }
    });
}

template <class Sums>
void backward(const NormShape& s, const float* gradients, const float* denoms, const float* images,
              const float* outputs, float* targets, Scale scale) {
    const Maps maps = Maps::that_see(s);
    const std::int64_t step = static_cast<std::int64_t>(s.pixels) * s.cases;
    const float factor = 2 * s.scale * s.pow;
    for_each_stretch("gradient across maps", s, [=] __device__(int first, int last, std::int64_t start) {
        Sums sums(maps, GradientShare{gradients + start, outputs + start, denoms + start, step}, first);
        float g[Sums::batch], d[Sums::batch], x[Sums::batch], result[Sums::batch], old[Sums::batch];
        for (int f = first; f < last; f += Sums::batch) {
#pragma unroll
            for (int k = 0; k < Sums::batch; k++) {
                const std::int64_t i = start + min(f + k, last - 1) * step;
                g[k] = gradients[i], d[k] = denoms[i], x[k] = images[i];
                old[k] = scale.targets == 0 ? 0 : targets[i];
            }
            sums.next(f, result);
#pragma unroll
            for (int k = 0; k < Sums::batch; k++)
                put(old[k], g[k] * inverse_power(d[k], s.pow) - factor * x[k] * result[k], scale);
#pragma unroll
            for (int k = 0; k < Sums::batch; k++)
                if (f + k < last) targets[start + (f + k) * step] = old[k];
        }
    });
}

}  // namespace

void CudaDevice::cross_map_norm(const NormShape& s, const float* images, float* denoms, float* targets) {
    select();
    if (s.blocked) return forward<AnySums<Square>>(s, images, denoms, targets);
    switch (s.size) {
        case 3:
            return forward<SlidingSums<Square, 3>>(s, images, denoms, targets);
        case 5:
            return forward<SlidingSums<Square, 5>>(s, images, denoms, targets);
        case 9:
            return forward<SlidingSums<Square, 9>>(s, images, denoms, targets);
    }
    forward<AnySums<Square>>(s, images, denoms, targets);
}

void CudaDevice::cross_map_norm_gradient(const NormShape& s, const float* gradients, const float* denoms,
                                         const float* images, const float* outputs, float* targets, Scale scale) {
    select();
    using Share = GradientShare;
    if (s.blocked) return backward<AnySums<Share>>(s, gradients, denoms, images, outputs, targets, scale);
    switch (s.size) {
        case 3:
            return backward<SlidingSums<Share, 3>>(s, gradients, denoms, images, outputs, targets, scale);
        case 5:
            return backward<SlidingSums<Share, 5>>(s, gradients, denoms, images, outputs, targets, scale);
        case 9:
            return backward<SlidingSums<Share, 9>>(s, gradients, denoms, images, outputs, targets, scale);
    }
    backward<AnySums<Share>>(s, gradients, denoms, images, outputs, targets, scale);
}

void CudaDevice::response_norm(const NormShape& s, const float* images, float* denoms, float* targets) {
    select();
    sum_windows(
        "response normalization", memory_, s, Window::forward(s.size),
        [=] __device__(Pixel, std::int64_t i) { return images[i] * images[i]; },
        [=] __device__(Pixel, std::int64_t i, float sum) {
            const float denom = 1 + s.scale * sum;
            denoms[i] = denom;
            targets[i] = images[i] * inverse_power(denom, s.pow);
        });
}

void CudaDevice::response_norm_gradient(const NormShape& s, const float* gradients, const float* denoms,
                                        const float* images, const float* outputs, float* targets, Scale scale) {
    // The same formula as the historic contrast norm's, with the images in place of the mean differences.
    contrast_norm_gradient(s, gradients, denoms, images, outputs, targets, false, scale);
}

void CudaDevice::contrast_norm(const NormShape& s, const float* images, float* mean_diffs, float* denoms,
                               float* targets) {
    select();
    const Window window = Window::forward(s.size);
    sum_windows(
        "means of contrast normalization", memory_, s, window,
        [=] __device__(Pixel, std::int64_t i) { return images[i]; },
        [=] __device__(Pixel pixel, std::int64_t i, float sum) {
            mean_diffs[i] = images[i] - sum / window.area(pixel, s.img_size);
        });
    sum_windows(
        "contrast normalization", memory_, s, window,
        [=] __device__(Pixel, std::int64_t i) { return mean_diffs[i] * mean_diffs[i]; },
        [=] __device__(Pixel, std::int64_t i, float sum) {
            const float denom = 1 + s.scale * sum;
            denoms[i] = denom;
            targets[i] = images[i] * inverse_power(denom, s.pow);
        });
}

void CudaDevice::contrast_norm_gradient(const NormShape& s, const float* gradients, const float* denoms,
                                        const float* mean_diffs, const float* outputs, float* targets, bool exact,
                                        Scale scale) {
    select();
    const char* const name = "gradient of normalization";
    const Window forward = Window::forward(s.size), mirrored = Window::mirrored(s.size);
    const float factor = -2 * s.scale * s.pow;
    const auto share = [=] __device__(Pixel, std::int64_t i) { return gradients[i] * outputs[i] / denoms[i]; };
    if (!exact)
        return sum_windows(name, memory_, s, mirrored, share, [=] __device__(Pixel, std::int64_t i, float sum) {
            put(targets[i], gradients[i] * inverse_power(denoms[i], s.pow) + factor * mean_diffs[i] * sum, scale);
        });
    // The gradient that comes through the mean differences, of which the means take their share off.
    Scratch<float> scratch(memory_, static_cast<std::size_t>(s.channels) * s.pixels * s.cases);
    float* through = scratch.data();
    sum_windows(name, memory_, s, mirrored, share,
                [=] __device__(Pixel, std::int64_t i, float sum) { through[i] = factor * mean_diffs[i] * sum; });
    sum_windows(
        name, memory_, s, mirrored,
        [=] __device__(Pixel pixel, std::int64_t i) { return through[i] / forward.area(pixel, s.img_size); },
        [=] __device__(Pixel, std::int64_t i, float sum) {
            put(targets[i], gradients[i] * inverse_power(denoms[i], s.pow) + through[i] - sum, scale);
        });
}

}  // namespace convnet::cuda
