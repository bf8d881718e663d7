// Crops of a batch of images, minus a mean, as a net takes them: one row per value, one column per case (spec 5.3).
// The loops run at the speed of memory; NumPy's, over 32 cases at a time, at a fifth of it.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace convnet {

// What becomes of each case: a crop at (top, left), mirrored left-right or not.
struct Placement {
    int64_t top, left;
    bool mirror;
};

// A batch of target images (channels, height, width, cases), its cases `row` floats apart from value to value,
// and what is done to their pixels: (pixel - mean + shift of channel and case) * scale.
struct CropTarget {
    float* values;
    int64_t channels, height, width, cases, row;
    const float* mean;   // channels x height x width
    const float* shift;  // channels x cases
    float scale;

    float* at(int64_t c, int64_t y, int64_t x) const { return values + ((c * height + y) * width + x) * row; }
    float mean_at(int64_t c, int64_t y, int64_t x) const { return mean[(c * height + y) * width + x]; }
};

constexpr int64_t full_chunk = 32;

template <class Pixel>
[[gnu::always_inline]] inline void write_count(const Pixel* __restrict source, const float* __restrict shift,
                                               float mean, float scale, float* __restrict target, int64_t count) {
    for (int64_t n = 0; n < count; ++n) target[n] = (static_cast<float>(source[n]) - mean + shift[n]) * scale;
}

inline void store_past_caches(const float* values, float* target, int64_t count) {
    int64_t n = 0;
#ifdef __SSE2__
    if (reinterpret_cast<uintptr_t>(target) % 16 == 0)
        for (; n + 4 <= count; n += 4) _mm_stream_ps(target + n, _mm_load_ps(values + n));
#endif
    for (; n < count; ++n) target[n] = values[n];
}

template <class Pixel>
inline void write_cases(const Pixel* source, const float* shift, float mean, float scale, float* target,
                        int64_t cases) {
    if (cases > full_chunk) return write_count(source, shift, mean, scale, target, cases);
    // Results go past the caches: nobody reads them soon, and memory need not be fetched to be overwritten.
    alignas(64) float result[full_chunk];
    if (cases == full_chunk) {
        // A length known when compiled makes the usual loop much faster.
        write_count(source, shift, mean, scale, result, full_chunk);
    } else {
        write_count(source, shift, mean, scale, result, cases);
    }
    store_past_caches(result, target, cases);
}

// How many pixels ahead memory is asked for: each chunk is a stream of its own, too many for the processor to foresee.
constexpr int64_t pixels_ahead = 6;

// A line of a chunk's images, from its first pixel in the crop on, `step` values from pixel to pixel.
template <class Pixel>
struct ChunkLine {
    const Pixel* pixel;
    int64_t step;
    const float* shift;
    int64_t cases;
};

template <class Pixel>
inline void crop_line(const std::vector<ChunkLine<Pixel>>& chunks, const float* mean, float scale, int64_t width,
                      float* target, int64_t row) {
    for (int64_t x = 0; x < width; ++x, target += row) {
        const int64_t ahead = std::min(x + pixels_ahead, width - 1);
        float* values = target;
        for (const ChunkLine<Pixel>& chunk : chunks) {
            // Its cases may lie in two lines of the cache.
            __builtin_prefetch(chunk.pixel + ahead * chunk.step);
            __builtin_prefetch(chunk.pixel + ahead * chunk.step + chunk.cases - 1);
            write_cases(chunk.pixel + x * chunk.step, chunk.shift, mean[x], scale, values, chunk.cases);
            values += chunk.cases;
        }
    }
}

// From planes: images (channels, rows, columns, cases), contiguous. `chunk` consecutive cases share a placement.
template <class Pixel>
void crop_planes(const Pixel* images, int64_t rows, int64_t columns, const std::vector<Placement>& placements,
                 int64_t chunk, const CropTarget& to) {
    std::vector<ChunkLine<Pixel>> chunks(placements.size());
    for (int64_t c = 0; c < to.channels; ++c)
        for (int64_t y = 0; y < to.height; ++y) {
            for (size_t i = 0; i < placements.size(); ++i) {
                const auto& [top, left, mirror] = placements[i];
                const int64_t first = static_cast<int64_t>(i) * chunk;
                const int64_t column = left + (mirror ? to.width - 1 : 0);
                chunks[i] = {images + ((c * rows + top + y) * columns + column) * to.cases + first,
                             mirror ? -to.cases : to.cases, to.shift + c * to.cases + first,
                             std::min(chunk, to.cases - first)};
            }
            crop_line(chunks, to.mean + (c * to.height + y) * to.width, to.scale, to.width, to.at(c, y, 0), to.row);
        }
}

// The bits of two words that change places: those of `mask` in b with those `bits` higher in a.
inline void exchange(uint64_t& a, uint64_t& b, int bits, uint64_t mask) {
    const uint64_t difference = ((a >> bits) ^ b) & mask;
    b ^= difference;
    a ^= difference << bits;
}

// The bytes of eight words, as an 8 x 8 matrix, transposed: blocks of 4, 2 and 1 byte change places. Written out, so
// that the words stay in registers.
inline void transpose_bytes(uint64_t (&word)[8]) {
    constexpr uint64_t fours = 0x00000000FFFFFFFF, twos = 0x0000FFFF0000FFFF, ones = 0x00FF00FF00FF00FF;
    exchange(word[0], word[4], 32, fours);
    exchange(word[1], word[5], 32, fours);
    exchange(word[2], word[6], 32, fours);
    exchange(word[3], word[7], 32, fours);
    exchange(word[0], word[2], 16, twos);
    exchange(word[1], word[3], 16, twos);
    exchange(word[4], word[6], 16, twos);
    exchange(word[5], word[7], 16, twos);
    exchange(word[0], word[1], 8, ones);
    exchange(word[2], word[3], 8, ones);
    exchange(word[4], word[5], 8, ones);
    exchange(word[6], word[7], 8, ones);
}

// One line of each image, `values` long, as tile[value][case]: full_chunk cases, values rounded up to eight. Meanwhile
// the next line, line_step bytes on, is asked for: the processor foresees too few of so many streams.
inline void transpose_line(const uint8_t* line, int64_t image_step, int64_t line_step, int64_t values, uint8_t* tile) {
    for (int64_t n = 0; n < full_chunk; n += 8)
        for (int64_t v = 0; v < values; v += 8) {
            uint64_t word[8];
            for (int i = 0; i < 8; ++i) std::memcpy(&word[i], line + (n + i) * image_step + v, 8);
            if (v % 64 == 0)
                for (int i = 0; i < 8; ++i) __builtin_prefetch(line + (n + i) * image_step + line_step + v);
            transpose_bytes(word);
            for (int i = 0; i < 8; ++i) std::memcpy(tile + (v + i) * full_chunk + n, &word[i], 8);
        }
}

// From decoded JPEGs: full_chunk images (rows, columns, channels), image_step bytes apart, of which the first
// to.cases count. Eight bytes beyond the last pixel of each image are read.
inline void crop_interleaved(const uint8_t* images, int64_t image_step, int64_t columns, const Placement& placement,
                             const CropTarget& to) {
    const int64_t values = to.width * to.channels;
    // Parts of lines that go past the caches cost more than they save; here nothing follows to fill them up.
    const bool whole_lines = reinterpret_cast<uintptr_t>(to.values) % 64 == 0 && to.row * sizeof(float) % 64 == 0;
    std::vector<uint8_t> tile(static_cast<size_t>((values + 8) * full_chunk));
    for (int64_t y = 0; y < to.height; ++y) {
        const uint8_t* line = images + ((placement.top + y) * columns + placement.left) * to.channels;
        transpose_line(line, image_step, columns * to.channels, values, tile.data());
        for (int64_t c = 0; c < to.channels; ++c)
            for (int64_t x = 0; x < to.width; ++x) {
                const int64_t column = placement.mirror ? to.width - 1 - x : x;
                const uint8_t* pixels = tile.data() + (column * to.channels + c) * full_chunk;
                const float* shift = to.shift + c * to.cases;
                if (whole_lines) {
                    write_cases(pixels, shift, to.mean_at(c, y, x), to.scale, to.at(c, y, x), to.cases);
                } else {
                    write_count(pixels, shift, to.mean_at(c, y, x), to.scale, to.at(c, y, x), to.cases);
                }
            }
    }
}

}  // namespace convnet
