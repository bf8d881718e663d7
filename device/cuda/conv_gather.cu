// Convolution forward and its image gradient on a GPU (spec 3.1): one kernel, an implicit matrix product.
//
// Both sum, at each position of one grid, over the taps of filters, which lead to places of another grid: forward from
// modules to pixels, backward from pixels to the modules that cover them. Rows of the product are filters (channels),
// its columns are (position, case), flattened, so that minibatches of any size fill tiles; products run over (plane,
// tap). Both operands are contiguous along their side of the tile. Backward with a stride, pixels fall into stride^2
// phases whose taps are the same, each a launch of its own: nothing is multiplied that is not part of the result.
#include <algorithm>
#include <cmath>

#include "device/cuda/conv_products.h"
#include "device/cuda/conv_tile.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {
namespace {

// One axis: position i of `count` has its target at target_first + i * target_step and its tap j of `taps` at
// source_first + i * source_step + j (forward) or - j (backward).
struct Axis {
    int count, taps;
    int source_first, source_step;
    int target_first, target_step;
    int taps_before;  // of the phases before
};

Axis forward_axis(const ConvShape& s, int modules) { return {modules, s.filter_size, -s.padding, s.stride, 0, 1, 0}; }

// The taps, along one axis, of the pixels whose offset in the padded image is `phase` modulo the stride.
struct AxisPhase {
    int taps, taps_before;  // its own, and those of the phases before

    __host__ __device__ AxisPhase(int filter_size, int stride, int phase) {
        const int whole = filter_size / stride, rest = filter_size % stride;
        taps = whole + (phase < rest ? 1 : 0);
        taps_before = phase * whole + (phase < rest ? phase : rest);
    }
};

Axis backward_axis(const ConvShape& s, int phase, int pixels) {
    const AxisPhase of_phase(s.filter_size, s.stride, phase);
    const int first = ((phase - s.padding) % s.stride + s.stride) % s.stride;
    return {first < pixels ? (pixels - first - 1) / s.stride + 1 : 0,
            of_phase.taps,
            (first + s.padding) / s.stride,
            1,
            first,
            s.stride,
            of_phase.taps_before};
}

// Where a product of the sum reads, seen from the place that a column's first tap leads to in plane 0.
struct alignas(16) Tap {
    int pixel, y, x;  // y: far outside where there is no such product
};
constexpr int nowhere = -(1 << 30);

// A product, for all groups. All that does not depend on the thread is counted out here: as an argument of the kernel
// it needs no registers. Weights are (planes * taps, rows) per group; their rows come in fours, those beyond the last
// being zeros.
struct Gather {
    const float* source;
    const float* weights;
    float* targets;
    Scale scale;
    bool backward;
    int cases, row_bytes;      // row_bytes: of all cases of a pixel
    int groups, planes, rows;  // planes that a group reads, rows that it writes
    int source_y, source_x, target_y, target_x;
    Axis y, x;
    int products;
    const Tap* taps;  // (groups, tap_pitch): the products of each group, and behind them enough that are none
    int tap_pitch;
    const int* source_table;  // plane numbers of each group; null: planes of groups follow each other
    const int* target_table;
    int round_groups, round_planes;  // targets: so many planes for every so many groups
    int weight_pitch;
    std::int64_t group_weights, module_weights;

    __host__ __device__ int positions() const { return y.count * x.count; }
};

constexpr int longest_step = 16;

// Taps once for all blocks: to find one out takes several times the instructions that it takes to read it.
void list_taps(const Gather& g, Tap* taps) {
    const int pitch = g.tap_pitch, direction = g.backward ? -1 : 1;
    const int of_plane = g.y.taps * g.x.taps, of_row = g.x.taps;
    for_each("list of taps", static_cast<std::int64_t>(g.groups) * pitch, [=] __device__(std::int64_t i) {
        const int group = static_cast<int>(i / pitch), k = static_cast<int>(i % pitch);
        if (k >= g.products) {
            taps[i] = {0, nowhere, 0};
            return;
        }
        int plane = group * g.planes + k / of_plane;
        if (g.source_table) plane = g.source_table[plane];
        const int y = k % of_plane / of_row * direction, x = k % of_row * direction;
        taps[i] = {(plane * g.source_y + y) * g.source_x + x, y, x};
    });
}

// What a block computes.
template <class Shape, bool local>
struct Part {
    int first_row, group;
    std::int64_t first_column;  // shared weights: of all; local ones: of the cases of `position`
    int position;

    __device__ Part(const Gather& g, int row_tiles, int column_tiles) {
        // Blocks that read the same columns are neighbours: they meet in the cache.
        first_row = blockIdx.x % row_tiles * Shape::rows;
        const int column_tile = blockIdx.x / row_tiles % column_tiles;
        group = blockIdx.x / row_tiles / column_tiles;
        const int case_tiles = (g.cases + Shape::columns - 1) / Shape::columns;
        position = local ? column_tile / case_tiles : 0;
        first_column = static_cast<std::int64_t>(local ? column_tile % case_tiles : column_tile) * Shape::columns;
    }

    struct Column {
        int y, x, n;  // y < 0: there is none
    };
    __device__ Column column(const Gather& g, int i) const {
        const std::int64_t at = first_column + i;
        const int place = local ? position : static_cast<int>(at / g.cases);
        const int n = static_cast<int>(local ? at : at - static_cast<std::int64_t>(place) * g.cases);
        if (n >= g.cases || place >= g.positions()) return {-1, 0, 0};
        return {place / g.x.count, place % g.x.count, n};
    }
};

// Reads both operands. `vector` cases at a time: 4, where their number allows it, or 1.
template <class Shape, int depth, int vector, bool local>
class GatherLoader {
    static constexpr int threads = Shape::threads;
    static constexpr int row_quads = Shape::rows / 4, weight_loads = (depth * row_quads + threads - 1) / threads;
    // A thread keeps to its column and takes every k_step-th product.
    static constexpr int column_threads = Shape::columns / vector, k_step = threads / column_threads,
                         source_loads = depth / k_step;
    static_assert(threads % column_threads == 0 && depth % k_step == 0, "loads fill a step");
    using A = Operand<Order::along, Shape::rows, depth>;
    using B = Operand<Order::along, Shape::columns, depth>;

public:
    __device__ GatherLoader(const Gather& g, const Part<Shape, local>& part)
        : g_(g),
          part_(part),
          weights_from_(g.weights + part.group * g.group_weights),
          taps_(g.taps + static_cast<std::int64_t>(part.group) * g.tap_pitch) {
        if (local && !g.backward) weights_from_ += part.position * g.module_weights;
        const auto column = part.column(g, threadIdx.x % column_threads * vector);
        y_ = column.y < 0 ? nowhere : g.y.source_first + column.y * g.y.source_step;
        x_ = g.x.source_first + column.x * g.x.source_step;
        const int corner = column.y < 0 ? 0 : y_ * g.source_x + x_;
        source_ = row_at(g.source + column.n, corner, g.row_bytes);
    }

    __device__ void load(int step) {
#pragma unroll
        for (int i = 0; i < weight_loads; i++) load_weights(step, i);
#pragma unroll
        for (int i = 0; i < source_loads; i++) load_source(step, i);
    }

    template <class Tile>
    __device__ void keep(float* a, float* b) const {
#pragma unroll
        for (int i = 0; i < weight_loads; i++) {
            const int at = i * threads + threadIdx.x;
            if (loads_weights(at))
                store_quad(a + A::at(at / row_quads, at % row_quads * 4), Tile::operand(weights_[i]));
        }
#pragma unroll
        for (int i = 0; i < source_loads; i++) {
            float* target = b + B::at(threadIdx.x / column_threads + i * k_step, threadIdx.x % column_threads * vector);
            if (vector == 4)
                store_quad(target, Tile::operand(values_[i]));
            else
                *target = Tile::operand(values_[i])[0];
        }
    }

private:
    static __device__ bool loads_weights(int at) { return depth * row_quads % threads == 0 || at < depth * row_quads; }

    __device__ bool inside(int y, int x) const {
        return static_cast<unsigned>(y) < static_cast<unsigned>(g_.source_y) &&
               static_cast<unsigned>(x) < static_cast<unsigned>(g_.source_x);
    }

    __device__ void load_weights(int step, int i) {
        const int at = i * threads + threadIdx.x;
        const int k = step * depth + at / row_quads, row = part_.first_row + at % row_quads * 4;
        bool present = loads_weights(at) && k < g_.products && row < g_.rows;
        const float* weights = weights_from_ + (k * g_.weight_pitch + row);
        if (local && g_.backward) {  // of the module that the tap leads to
            const Tap tap = taps_[loads_weights(at) ? k : 0];
            const int y = g_.y.source_first + part_.position / g_.x.count + tap.y;
            const int x = g_.x.source_first + part_.position % g_.x.count + tap.x;
            present = present && inside(y, x);
            if (present) weights += (y * g_.source_x + x) * g_.module_weights;
        }
        weights_[i] = present ? load_quad(weights) : Quad{};
    }

    __device__ void load_source(int step, int i) {
        const Tap tap = taps_[step * depth + threadIdx.x / column_threads + i * k_step];
        const float* source = row_at(source_, tap.pixel, g_.row_bytes);
        values_[i] = {};
        if (!inside(y_ + tap.y, x_ + tap.x)) return;
        if (vector == 4)
            values_[i] = load_quad(source);
        else
            values_[i][0] = *source;
    }

    const Gather& g_;
    const Part<Shape, local>& part_;
    const float* weights_from_;
    const Tap* const taps_;
    int y_, x_;            // source of this thread's column at its first tap
    const float* source_;  // and its address in plane 0
    Quad weights_[weight_loads];
    Quad values_[source_loads];
};

// Writes the sums of a tile: no thread's columns are its own here, so where they go is looked up.
template <class Shape, int vector, bool local, class Tile>
__device__ void store(const Gather& g, const Part<Shape, local>& part, const Tile& tile, float* shared,
                      const std::int64_t* column_offsets) {
    const int round_plane = part.group / g.round_groups * g.round_planes;
    const std::int64_t plane_floats = static_cast<std::int64_t>(g.target_y) * g.target_x * g.cases;
    tile.for_each_quad(shared, [&](int row, int column, Quad sums) {
        const int own = part.first_row + row;
        if (own >= g.rows) return;
        int plane = part.group * g.rows + own;
        if (g.target_table) plane = g.target_table[plane];
        float* target = g.targets + (round_plane + plane) * plane_floats;
        if (vector == 4) {
            if (column_offsets[column] < 0) return;
            target += column_offsets[column];
            Quad old = {};
            if (g.scale.targets != 0) old = load_quad(target);
#pragma unroll
            for (int i = 0; i < 4; i++) put(old[i], sums[i], g.scale);
            store_quad(target, old);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++)
                if (column_offsets[column + i] >= 0) put(target[column_offsets[column + i]], sums[i], g.scale);
        }
    });
}

// fp32 steps are short, for registers; a tensor core takes 8 products at a time, and steps of 16 halve the barriers.
template <bool tf32>
constexpr int depth_of = tf32 ? 16 : 8;

template <class Shape, int vector, bool local, bool tf32>
__global__ void __launch_bounds__(Shape::threads, (resident_blocks<Shape, depth_of<tf32>>()))
    gather_kernel(const Gather g, int row_tiles, int column_tiles) {
    constexpr int depth = depth_of<tf32>;
    constexpr int a_floats = Operand<Order::along, Shape::rows, depth>::floats;
    constexpr int b_floats = Operand<Order::along, Shape::columns, depth>::floats;
    __shared__ __align__(32) float operands[2 * (a_floats + b_floats)];
    __shared__ std::int64_t column_offsets[Shape::columns];
    const Part<Shape, local> part(g, row_tiles, column_tiles);
    GatherLoader<Shape, depth, vector, local> loader(g, part);
    typename TileOf<Shape, Order::along, depth, tf32>::type tile;
    sum_steps<decltype(tile), a_floats, b_floats>(tile, &operands[0], (g.products + depth - 1) / depth, loader);

    for (int i = threadIdx.x; i < Shape::columns; i += Shape::threads) {
        const auto column = part.column(g, i);
        const int y = g.y.target_first + column.y * g.y.target_step;
        const int x = g.x.target_first + column.x * g.x.target_step;
        column_offsets[i] = column.y < 0 ? -1 : static_cast<std::int64_t>(y * g.target_x + x) * g.cases + column.n;
    }
    __syncthreads();
    store<Shape, vector, local>(g, part, tile, &operands[0], &column_offsets[0]);
}

template <int vector, bool local, bool tf32>
class Launcher {
public:
    Launcher(const Gather& g, const char* operation) : g_(g), operation_(operation) {}

    // In rounds of blocks, as a large GPU takes them; too few warps leave it idle.
    template <class Shape>
    double cost() const {
        constexpr int multiprocessors = 132, filling_threads = 256;
        const double rounds = std::ceil(blocks<Shape>() / multiprocessors);
        const double idle = rounds * Shape::threads < filling_threads ? 1.5 : 1;
        return rounds * Shape::rows * Shape::columns * idle;
    }

    template <class Shape>
    void launch() const {
        gather_kernel<Shape, vector, local, tf32><<<static_cast<unsigned>(blocks<Shape>()), Shape::threads>>>(
            g_, tiles_of(g_.rows, Shape::rows), column_tiles<Shape>());
        check_launch(operation_);
    }

private:
    template <class Shape>
    int column_tiles() const {
        if (local) return g_.positions() * tiles_of(g_.cases, Shape::columns);
        return tiles_of(static_cast<std::int64_t>(g_.positions()) * g_.cases, Shape::columns);
    }

    template <class Shape>
    double blocks() const {
        return static_cast<double>(tiles_of(g_.rows, Shape::rows)) * column_tiles<Shape>() * g_.groups;
    }

    const Gather& g_;
    const char* const operation_;
};

// 128 rows for 128, 256 and 384 filters, 96 for 96, 192 and 384, and one shape each for 64, 48, 32 and 16. The last is
// for minibatches and images so small that large tiles would not go round.
template <bool local, bool tf32>
void launch_vectors(const Gather& g, const char* operation) {
    launch_cheapest<Candidate<TileShape<8, 8, 4, 2>, 100>, Candidate<TileShape<12, 8, 2, 2>, 100>,
                    Candidate<TileShape<8, 8, 2, 2>, 96>, Candidate<TileShape<12, 8, 1, 4>, 96>,
                    Candidate<TileShape<8, 8, 1, 4>, 90>, Candidate<TileShape<4, 8, 1, 4>, 72>,
                    Candidate<TileShape<4, 8, 2, 1>, 78>>(Launcher<4, local, tf32>(g, operation));
}

template <bool local>
void launch(Memory& memory, Gather& g, bool tf32, const char* operation) {
    g.tap_pitch = tiles_of(g.products, longest_step) * longest_step + longest_step;
    Scratch<Tap> taps(memory, static_cast<std::size_t>(g.groups) * g.tap_pitch);
    list_taps(g, taps.data());
    g.taps = taps.data();
    if (g.cases % 4 != 0 || !aligned(g.source) || !aligned(g.targets))
        return launch_cheapest<Candidate<TileShape<8, 8, 2, 2>, 96>, Candidate<TileShape<4, 8, 2, 1>, 78>>(
            Launcher<1, local, false>(g, operation));
    if constexpr (!local)  // local products wait for their weights, not for arithmetic
        if (tf32) return launch_vectors<local, true>(g, operation);
    launch_vectors<local, false>(g, operation);
}

int whole_quads(int count) { return tiles_of(count, 4) * 4; }

// All but the weights.
Gather geometry(const ConvShape& s, const float* source, float* targets, bool backward, const Axis& y, const Axis& x,
                Scale scale) {
    Gather g{};
    g.source = source;
    g.targets = targets;
    g.scale = scale;
    g.backward = backward;
    g.cases = s.cases;
    g.row_bytes = s.cases * static_cast<int>(sizeof(float));
    g.groups = s.groups;
    g.planes = backward ? s.group_filters() : s.filter_channels;
    g.rows = backward ? s.filter_channels : s.group_filters();
    g.source_y = backward ? s.modules_y : s.img_size_y;
    g.source_x = backward ? s.modules_x : s.img_size_x;
    g.target_y = backward ? s.img_size_y : s.modules_y;
    g.target_x = backward ? s.img_size_x : s.modules_x;
    g.y = y;
    g.x = x;
    g.products = g.planes * y.taps * x.taps;
    // Sparse: every round of groups has images of its own. Within a round the channels differ.
    g.round_groups = backward && s.connections ? s.groups / s.over_sample() : s.groups;
    g.round_planes = s.channels;
    return g;
}

// (products of all phases, pitch) matrices of each module and group, one after the other.
void set_packed_weights(Gather& g, const ConvShape& s, const float* packed) {
    const int taps_before = g.y.taps_before * s.filter_size + g.y.taps * g.x.taps_before;
    g.weight_pitch = whole_quads(g.rows);
    g.group_weights = static_cast<std::int64_t>(g.planes) * s.filter_pixels() * g.weight_pitch;
    g.module_weights = g.groups * g.group_weights;
    g.weights = packed + static_cast<std::int64_t>(g.planes) * taps_before * g.weight_pitch;
}

std::size_t packed_floats(const ConvShape& s, int planes, int rows, bool local) {
    return static_cast<std::size_t>(local ? s.modules() : 1) * s.groups * planes * s.filter_pixels() *
           whole_quads(rows);
}

// Groups side by side -> one after the other, with filters in fours.
void pack_filters(const ConvShape& s, const float* weights, float* packed, std::size_t count) {
    const int filters = s.group_filters(), pitch = whole_quads(filters), rows = s.filter_rows();
    const int all_filters = s.filters, groups = s.groups;
    for_each("packing of filters", count, [=] __device__(std::int64_t i) {
        const int filter = static_cast<int>(i % pitch);
        const std::int64_t matrix = i / pitch / rows, row = i / pitch % rows;
        const std::int64_t module = matrix / groups, group = matrix % groups;
        packed[i] = filter < filters ? weights[(module * rows + row) * all_filters + group * filters + filter] : 0;
    });
}

constexpr int square = 32, square_threads = 256;  // what a block transposes

// (channel, tap; filter) -> (phase, filter, tap of the phase; channel), for each module and group.
__global__ void transpose_kernel(const float* weights, float* packed, int filter_size, int stride, int channels,
                                 int filters, int groups) {
    __shared__ float values[square][square + 1];
    const int channel_tiles = (channels + square - 1) / square, filter_tiles = (filters + square - 1) / square;
    const int taps = filter_size * filter_size, pitch = (channels + 3) / 4 * 4;
    int block = blockIdx.x;
    const int first_filter = block % filter_tiles * square;
    block /= filter_tiles;
    const int first_channel = block % channel_tiles * square;
    block /= channel_tiles;
    const int tap = block % taps, matrix = block / taps;  // matrix: (module, group)
    const int lane = threadIdx.x % square, line = threadIdx.x / square;
    constexpr int lines = square_threads / square;

    for (int i = line; i < square; i += lines) {
        const int channel = first_channel + i, filter = first_filter + lane;
        const std::int64_t row = (static_cast<std::int64_t>(matrix / groups) * channels + channel) * taps + tap;
        values[i][lane] =
            channel < channels && filter < filters ? weights[(row * groups + matrix % groups) * filters + filter] : 0;
    }
    __syncthreads();
    const AxisPhase y(filter_size, stride, tap / filter_size % stride),
        x(filter_size, stride, tap % filter_size % stride);
    const int first_row = (y.taps_before * filter_size + y.taps * x.taps_before) * filters;
    const int tap_of_phase = tap / filter_size / stride * x.taps + tap % filter_size / stride;
    for (int i = line; i < square; i += lines) {
        const int filter = first_filter + i, channel = first_channel + lane;
        const std::int64_t row =
            static_cast<std::int64_t>(matrix) * taps * filters + first_row + filter * y.taps * x.taps + tap_of_phase;
        if (filter < filters && channel < pitch) packed[row * pitch + channel] = values[lane][i];
    }
}

void transpose_filters(const ConvShape& s, const float* weights, float* packed, bool local) {
    const int blocks = tiles_of(s.group_filters(), square) * tiles_of(s.filter_channels, square) * s.filter_pixels() *
                       s.groups * (local ? s.modules() : 1);
    transpose_kernel<<<blocks, square_threads>>>(weights, packed, s.filter_size, s.stride, s.filter_channels,
                                                 s.group_filters(), s.groups);
    check_launch("transposition of filters");
}

}  // namespace

void convolve(Memory& memory, const ConvShape& s, const float* images, const float* weights, float* targets, bool local,
              bool tf32, Scale scale) {
    Connections connections(memory, s);
    Gather g = geometry(s, images, targets, false, forward_axis(s, s.modules_y), forward_axis(s, s.modules_x), scale);
    g.source_table = connections.data();
    const bool packs = g.rows % 4 != 0 || !aligned(weights);
    const std::size_t count = packs ? packed_floats(s, s.filter_channels, s.group_filters(), local) : 0;
    Scratch<float> packed(memory, count);
    if (packs) {
        pack_filters(s, weights, packed.data(), count);
        set_packed_weights(g, s, packed.data());
    } else {
        g.weights = weights;
        g.weight_pitch = s.filters;
        g.group_weights = g.rows;
        g.module_weights = static_cast<std::int64_t>(s.filter_rows()) * s.filters;
    }
    local ? launch<true>(memory, g, false, "local convolution") : launch<false>(memory, g, tf32, "convolution");
}

void convolve_back(Memory& memory, const ConvShape& s, const float* gradients, const float* weights, float* targets,
                   bool local, bool tf32, Scale scale) {
    Connections connections(memory, s);
    const std::size_t count = packed_floats(s, s.group_filters(), s.filter_channels, local);
    Scratch<float> packed(memory, count);
    transpose_filters(s, weights, packed.data(), local);
    for (int phase = 0; phase < s.stride * s.stride; phase++) {
        const Axis y = backward_axis(s, phase / s.stride, s.img_size_y);
        const Axis x = backward_axis(s, phase % s.stride, s.img_size_x);
        if (y.count == 0 || x.count == 0) continue;
        Gather g = geometry(s, gradients, targets, true, y, x, scale);
        g.target_table = connections.data();
        set_packed_weights(g, s, packed.data());
        local ? launch<true>(memory, g, false, "image gradient of local convolution")
              : launch<false>(memory, g, tf32, "image gradient of convolution");
    }
}

}  // namespace convnet::cuda
