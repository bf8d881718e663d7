// The convolution family on the CPU (spec 3.1): dense, grouped, sparse and local.
//
// Cases are fastest in memory, so a convolution is a matrix product whose right-hand rows, each all
// cases of one pixel, are found through pointers: nothing is copied into columns. A register tile holds
// `tile_rows` filters x two vectors of cases. The weight gradient sums over the cases instead: there the
// gradients are transposed, block by block, to have their filters in the vectors.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "device/cpu/isa.h"
#include "device/cpu/cpu_device.h"

namespace convnet::cpu::CONVNET_ISA {
namespace {

// Rows of a product that lie one after the other in the packed weights.
struct Run {
    int first;  // row in the packed weights
    int count;
};

// One output pixel's matrix product: the pointers to the right-hand rows (all cases of one source
// pixel each), and where their weights stand.
struct Product {
    std::vector<const float*> rows;
    std::vector<Run> runs;

    void clear() {
        rows.clear();
        runs.clear();
    }
    void begin_rows(int first, int count) {
        if (!runs.empty() && runs.back().first + runs.back().count == first)
            runs.back().count += count;
        else
            runs.push_back({first, count});
    }
};

constexpr int tile_cases = 2 * lanes;

// The tile's sum over all rows of a product, for `vectors` x lanes cases from `first_case` of each row on.
template <int vectors>
inline void sum_tile(const std::vector<Run>& runs, const float* const* row, const float* panel, int first_case,
                     Vec (&sums)[tile_rows][vectors]) {
    for (auto& row_sums : sums)
        for (auto& sum : row_sums) sum = Vec{};
    for (const Run& run : runs) {
        const float* weights = panel + static_cast<std::size_t>(run.first) * tile_rows;
        for (int k = 0; k < run.count; k++, weights += tile_rows) {
            const float* source = *row++ + first_case;
            Vec cases[vectors];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) cases[v] = load(source + v * lanes);
#pragma GCC unroll 16
            for (int i = 0; i < tile_rows; i++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) sums[i][v] += weights[i] * cases[v];
        }
    }
}

inline void store_scaled(float* target, Vec result, Scale scale) {
    store(target, scale.targets == 0 ? scale.output * result : scale.targets * load(target) + scale.output * result);
}

// Rows lie a whole image plane apart, often a multiple of a large power of two: a tile's parts of many rows
// fall on few sets of the cache and push each other out. From this size on they are copied together.
constexpr std::size_t gather_floats = 24 * 1024;

// Computes output pixels by their products: scratch space of one thread.
class PixelProducts {
public:
    Product product;

    // Output rows outputs(i), i < count, of all cases (at least `lanes`), by panels of tile_rows rows of weights that
    // lie panel_floats apart. Tile by tile, so that a tile's source rows stay in the cache over all panels.
    template <class Outputs>
    void multiply(const float* packed, std::size_t panel_floats, int count, Outputs outputs, int cases, Scale scale) {
        for (int first = 0; first < cases;) {
            if (first + tile_cases <= cases) {
                tile<2>(packed, panel_floats, count, outputs, first, first, scale);
                first += tile_cases;
            } else {
                // The last vector may begin before `first` again; only its new cases are stored.
                const int start = std::min(first, cases - lanes);
                tile<1>(packed, panel_floats, count, outputs, start, first, scale);
                first = start + lanes;
            }
        }
    }

private:
    template <int vectors, class Outputs>
    void tile(const float* packed, std::size_t panel_floats, int count, Outputs outputs, int start, int first_stored,
              Scale scale) {
        const bool gathered = product.rows.size() * vectors * lanes >= gather_floats && count > 2 * tile_rows;
        if (gathered) gather(vectors * lanes, start);
        const float* const* rows = gathered ? gathered_rows_.data() : product.rows.data();
        for (int first = 0; first < count; first += tile_rows, packed += panel_floats) {
            Vec sums[tile_rows][vectors];
            sum_tile<vectors>(product.runs, rows, packed, gathered ? 0 : start, sums);
            for (int i = 0; i < tile_rows && first + i < count; i++) {
                float* output = outputs(first + i);
                if (first_stored == start)
                    for (int v = 0; v < vectors; v++) store_scaled(output + start + v * lanes, sums[i][v], scale);
                else
                    for (int lane = first_stored - start; lane < lanes; lane++)
                        put(output[start + lane], sums[i][0][lane], scale);
            }
        }
    }

    void gather(int width, int start) {
        gathered_.resize(product.rows.size() * width);
        gathered_rows_.resize(product.rows.size());
        constexpr std::size_t ahead = 16;
        for (std::size_t k = 0; k < product.rows.size(); k++) {
            const float* later = product.rows[std::min(k + ahead, product.rows.size() - 1)] + start;
            for (int i = 0; i < width; i += 16) __builtin_prefetch(later + i);
            float* target = &gathered_[k * width];
            for (int i = 0; i < width; i += lanes) store(target + i, load(product.rows[k] + start + i));
            gathered_rows_[k] = target;
        }
    }

    std::vector<float> gathered_;
    std::vector<const float*> gathered_rows_;
};

int divide_up(int a, int b) { return (a + b - 1) / b; }

// Rows of fewer cases than a vector holds, widened with zeros.
std::vector<float> widen(const float* source, std::int64_t rows, int cases) {
    std::vector<float> wide(static_cast<std::size_t>(rows) * lanes);
    for (std::int64_t row = 0; row < rows; row++)
        std::memcpy(&wide[static_cast<std::size_t>(row) * lanes], source + row * cases, sizeof(float) * cases);
    return wide;
}

void narrow(const std::vector<float>& wide, float* targets, std::int64_t rows, int cases, Scale scale) {
    for (std::int64_t row = 0; row < rows; row++)
        for (int n = 0; n < cases; n++)
            put(targets[row * cases + n], wide[static_cast<std::size_t>(row) * lanes + n], scale);
}

int channel_of(const ConvShape& s, int group, int c) {
    return s.connections ? s.connections[group * s.filter_channels + c] : group * s.filter_channels + c;
}

// Where module `m` along one axis meets the image: first pixel of the window, may be negative.
int window_start(const ConvShape& s, int m) { return m * s.stride - s.padding; }

// ---- forward -------------------------------------------------------------------------------------

// Packs the weights of one group into panels of tile_rows filters: [panel][position][channel][filter].
// `positions` lists the window positions to pack.
void pack_forward(const ConvShape& s, const float* weights, int group, int panel, const std::vector<int>& positions,
                  float* packed) {
    const int filters = s.group_filters();
    const int first = panel * tile_rows;
    const int count = std::min(tile_rows, filters - first);
    const float* source = weights + group * filters + first;
    for (int position : positions)
        for (int c = 0; c < s.filter_channels; c++, packed += tile_rows) {
            const float* row = source + static_cast<std::int64_t>(c * s.filter_pixels() + position) * s.filters;
            for (int i = 0; i < tile_rows; i++) packed[i] = i < count ? row[i] : 0;
        }
}

// The window positions (ky * size + kx) of module (my, mx) that lie in the image.
void positions_in_image(const ConvShape& s, int my, int mx, std::vector<int>& positions) {
    positions.clear();
    for (int ky = 0; ky < s.filter_size; ky++)
        for (int kx = 0; kx < s.filter_size; kx++) {
            const int y = window_start(s, my) + ky, x = window_start(s, mx) + kx;
            if (y >= 0 && y < s.img_size_y && x >= 0 && x < s.img_size_x) positions.push_back(ky * s.filter_size + kx);
        }
}

void forward_rows(const ConvShape& s, const float* images, int group, int my, int mx, const std::vector<int>& positions,
                  bool packed_whole, Product& product) {
    product.clear();
    int packed_position = 0;
    for (int position : positions) {
        const int y = window_start(s, my) + position / s.filter_size;
        const int x = window_start(s, mx) + position % s.filter_size;
        product.begin_rows((packed_whole ? position : packed_position++) * s.filter_channels, s.filter_channels);
        for (int c = 0; c < s.filter_channels; c++) {
            const std::int64_t row =
                (static_cast<std::int64_t>(channel_of(s, group, c)) * s.img_size_y + y) * s.img_size_x + x;
            product.rows.push_back(images + row * s.cases);
        }
    }
}

// ---- image gradient ------------------------------------------------------------------------------

// A module whose window covers a pixel, and the position in the window at which it does.
struct Cover {
    int module;
    int position;
};

void covers_of_pixel(const ConvShape& s, int y, int x, std::vector<Cover>& covers) {
    covers.clear();
    // Positions ascend, so that the rows of packed weights do.
    for (int ky = 0; ky < s.filter_size; ky++) {
        const int offset_y = y + s.padding - ky;
        if (offset_y < 0 || offset_y % s.stride || offset_y / s.stride >= s.modules_y) continue;
        for (int kx = 0; kx < s.filter_size; kx++) {
            const int offset_x = x + s.padding - kx;
            if (offset_x < 0 || offset_x % s.stride || offset_x / s.stride >= s.modules_x) continue;
            covers.push_back({offset_y / s.stride * s.modules_x + offset_x / s.stride, ky * s.filter_size + kx});
        }
    }
}

// Panels of tile_rows channels: [panel][cover][filter][channel].
void pack_backward(const ConvShape& s, const float* weights, bool local, int group, int panel,
                   const std::vector<Cover>& covers, float* packed) {
    const int filters = s.group_filters();
    const int first = panel * tile_rows;
    const int count = std::min(tile_rows, s.filter_channels - first);
    for (const Cover& cover : covers) {
        const std::int64_t module_row = local ? static_cast<std::int64_t>(cover.module) * s.filter_rows() : 0;
        for (int i = 0; i < tile_rows; i++) {
            const float* row =
                weights + (module_row + (first + i) * s.filter_pixels() + cover.position) * s.filters + group * filters;
            for (int f = 0; f < filters; f++)
                packed[static_cast<std::size_t>(f) * tile_rows + i] = i < count ? row[f] : 0;
        }
        packed += static_cast<std::size_t>(filters) * tile_rows;
    }
}

void backward_rows(const ConvShape& s, const float* gradients, int group, const std::vector<Cover>& covers,
                   bool packed_whole, Product& product) {
    product.clear();
    const int filters = s.group_filters();
    int packed_cover = 0;
    for (const Cover& cover : covers) {
        product.begin_rows((packed_whole ? cover.position : packed_cover++) * filters, filters);
        for (int f = 0; f < filters; f++) {
            const std::int64_t row = static_cast<std::int64_t>(group * filters + f) * s.modules() + cover.module;
            product.rows.push_back(gradients + row * s.cases);
        }
    }
}

// ---- the two products over all output pixels -----------------------------------------------------

// Shared weights are packed once for every group and panel; local ones by each output pixel.
void forward(const ConvShape& s, const float* images, const float* weights, float* targets, bool local, Scale scale,
             ThreadPool& pool) {
    const int panels = divide_up(s.group_filters(), tile_rows);
    const std::size_t panel_floats = static_cast<std::size_t>(s.filter_rows()) * tile_rows;
    std::vector<int> every_position(s.filter_pixels());
    for (int i = 0; i < s.filter_pixels(); i++) every_position[i] = i;
    std::vector<float> shared(local ? 0 : panel_floats * panels * s.groups);
    if (!local)
        pool.parallel_for(s.groups * panels, 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; i++)
                pack_forward(s, weights, i / panels, i % panels, every_position, &shared[i * panel_floats]);
        });

    pool.parallel_for(static_cast<std::int64_t>(s.groups) * s.modules(), 1, [&](std::int64_t begin, std::int64_t end) {
        PixelProducts pixel;
        std::vector<int> positions;
        std::vector<float> own(local ? panel_floats * panels : 0);
        for (std::int64_t item = begin; item < end; item++) {
            const int group = item / s.modules(), module = item % s.modules();
            const int my = module / s.modules_x, mx = module % s.modules_x;
            positions_in_image(s, my, mx, positions);
            forward_rows(s, images, group, my, mx, positions, !local, pixel.product);
            const float* module_weights = weights + static_cast<std::int64_t>(module) * s.filter_rows() * s.filters;
            for (int panel = 0; local && panel < panels; panel++)
                pack_forward(s, module_weights, group, panel, positions, &own[panel * panel_floats]);
            const auto output = [&](int i) {
                const std::int64_t filter = static_cast<std::int64_t>(group) * s.group_filters() + i;
                return targets + (filter * s.modules() + module) * s.cases;
            };
            pixel.multiply(local ? own.data() : &shared[group * panels * panel_floats], panel_floats, s.group_filters(),
                           output, s.cases, scale);
        }
    });
}

void image_gradient(const ConvShape& s, const float* gradients, const float* weights, float* targets, bool local,
                    Scale scale, ThreadPool& pool) {
    const int panels = divide_up(s.filter_channels, tile_rows);
    const std::size_t panel_floats = static_cast<std::size_t>(s.filter_pixels()) * s.group_filters() * tile_rows;
    std::vector<Cover> every_position(s.filter_pixels());
    for (int i = 0; i < s.filter_pixels(); i++) every_position[i] = {0, i};
    std::vector<float> shared(local ? 0 : panel_floats * panels * s.groups);
    if (!local)
        pool.parallel_for(s.groups * panels, 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; i++)
                pack_backward(s, weights, false, i / panels, i % panels, every_position, &shared[i * panel_floats]);
        });

    const int round_groups = s.groups / s.over_sample();
    pool.parallel_for(static_cast<std::int64_t>(s.groups) * s.pixels(), 1, [&](std::int64_t begin, std::int64_t end) {
        PixelProducts pixel_products;
        std::vector<Cover> covers;
        std::vector<float> own(local ? panel_floats * panels : 0);
        for (std::int64_t item = begin; item < end; item++) {
            const int group = item / s.pixels(), pixel = item % s.pixels();
            covers_of_pixel(s, pixel / s.img_size_x, pixel % s.img_size_x, covers);
            backward_rows(s, gradients, group, covers, !local, pixel_products.product);
            for (int panel = 0; local && panel < panels; panel++)
                pack_backward(s, weights, true, group, panel, covers, &own[panel * panel_floats]);
            const std::int64_t round_row = static_cast<std::int64_t>(group / round_groups) * s.channels;
            const auto output = [&](int i) {
                return targets + ((round_row + channel_of(s, group, i)) * s.pixels() + pixel) * s.cases;
            };
            pixel_products.multiply(local ? own.data() : &shared[group * panels * panel_floats], panel_floats,
                                    s.filter_channels, output, s.cases, scale);
        }
    });
}

// ---- weight gradient -----------------------------------------------------------------------------

// Modules that are transposed and multiplied together: their gradients should stay in the outermost cache, and
// the threads meet once a block.
constexpr std::size_t block_floats = 2 * 1024 * 1024;

// Cases of a module that are summed at a time: their transposed gradients should stay in the innermost cache.
constexpr int case_block = 64;

// A block of modules of one group, gradients transposed to [filter tile][module][case][filter].
struct TransposedBlock {
    int width;  // filters in a tile
    int tiles;
    int first_module, modules;
    std::vector<float> values;

    float* tile(int index, int module, int cases) {
        return &values[(static_cast<std::size_t>(index) * modules + module) * cases * width];
    }
};

void transpose_tile(const ConvShape& s, const float* gradients, int group, TransposedBlock& block, int tile,
                    int module) {
    float* target = block.tile(tile, module, s.cases);
    const int first = tile * block.width;
    for (int i = 0; i < block.width; i++) {
        if (first + i >= s.group_filters()) {
            for (int n = 0; n < s.cases; n++) target[static_cast<std::size_t>(n) * block.width + i] = 0;
            continue;
        }
        const std::int64_t row = static_cast<std::int64_t>(group * s.group_filters() + first + i) * s.modules() +
                                 block.first_module + module;
        const float* source = gradients + row * s.cases;
        for (int n = 0; n < s.cases; n++) target[static_cast<std::size_t>(n) * block.width + i] = source[n];
    }
}

constexpr int line_floats = 16;  // of a cache line

// sums[row][filter] over the cases of one module, for `height` weight rows. Rows are short and scattered, so no
// hardware foresees them: `next` are the rows to fetch meanwhile.
template <int height, int vectors>
inline void sum_cases(const float* const* rows, const float* const* next, const float* transposed, int cases,
                      Vec (&sums)[height][vectors]) {
    for (int first = 0; first < cases; first += line_floats) {
        for (int i = 0; i < height; i++) __builtin_prefetch(next[i] + first);
        for (int n = first; n < std::min(first + line_floats, cases); n++, transposed += vectors * lanes) {
            Vec filters[vectors];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) filters[v] = load(transposed + v * lanes);
#pragma GCC unroll 16
            for (int i = 0; i < height; i++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) sums[i][v] += rows[i][n] * filters[v];
        }
    }
}

// Weight rows in the order position, channel: neighbours mostly share their window position.
struct WeightRow {
    int channel, position;
};

template <int height, int vectors>
struct WeightGradient {
    const ConvShape& s;
    const float* images;
    const float* gradients;
    std::vector<float> zeros = std::vector<float>(s.cases);

    static constexpr int width = vectors * lanes;

    WeightRow weight_row(int index) const { return {index % s.filter_channels, index / s.filter_channels}; }

    // A weight row's place in a window, and where its channel's pixels begin.
    struct Place {
        int y, x;
        const float* channel;
    };

    // Of every weight row, up to a whole number of tiles; rows beyond the last lie outside every image.
    std::vector<Place> places(int group) const {
        const int rows = divide_up(s.filter_rows(), height) * height;
        std::vector<Place> all(rows, Place{0, 0, nullptr});
        for (int i = 0; i < s.filter_rows(); i++) {
            const WeightRow row = weight_row(i);
            const std::int64_t first_pixel = static_cast<std::int64_t>(channel_of(s, group, row.channel)) * s.pixels();
            all[i] = {row.position / s.filter_size, row.position % s.filter_size, images + first_pixel * s.cases};
        }
        return all;
    }

    // The pixels that `height` weight rows see in the window at (window_y, window_x), from a case on; false if
    // none is in the image.
    bool row_pointers(const Place* place, int window_y, int window_x, int first_case, const float** rows) const {
        bool any = false;
        for (int i = 0; i < height; i++, place++) {
            const int y = window_y + place->y, x = window_x + place->x;
            const bool inside = y >= 0 && y < s.img_size_y && x >= 0 && x < s.img_size_x && place->channel;
            rows[i] =
                (inside ? place->channel + (static_cast<std::int64_t>(y) * s.img_size_x + x) * s.cases : zeros.data()) +
                first_case;
            any = any || inside;
        }
        return any;
    }

    // Adds one module of the block to the totals of tiles [begin, end), in registers first: sums of bounded
    // length lose less to rounding than one long one.
    void add_module(TransposedBlock& block, const std::vector<Place>& all, int row_tiles, int module, int first_case,
                    std::int64_t begin, std::int64_t end, float* totals) const {
        const int window_y = window_start(s, (block.first_module + module) / s.modules_x);
        const int window_x = window_start(s, (block.first_module + module) % s.modules_x);
        const float* rows[2][height];
        const auto point = [&](std::int64_t i) {
            return row_pointers(&all[i % row_tiles * height], window_y, window_x, first_case, rows[i % 2]);
        };
        bool any = point(begin);
        for (std::int64_t i = begin; i < end; i++) {
            const bool any_next = i + 1 < end && point(i + 1);
            if (any)
                add_tile(rows[i % 2], rows[any_next ? (i + 1) % 2 : i % 2],
                         block.tile(i / row_tiles, module, s.cases) + static_cast<std::size_t>(first_case) * width,
                         std::min(case_block, s.cases - first_case), totals + i * height * width);
            any = any_next;
        }
    }

    void add_tile(const float* const* rows, const float* const* next, const float* transposed, int cases,
                  float* totals) const {
        Vec sums[height][vectors] = {};
        sum_cases<height, vectors>(rows, next, transposed, cases, sums);
        for (int i = 0; i < height; i++)
            for (int v = 0; v < vectors; v++) {
                float* total = totals + i * width + v * lanes;
                store(total, load(total) + sums[i][v]);
            }
    }

    void write_tile(const float* totals, int group, int tile, int first_row, float* targets, Scale scale) const {
        const int filters = std::min(width, s.group_filters() - tile * width);
        for (int i = 0; i < height && first_row + i < s.filter_rows(); i++) {
            const WeightRow row = weight_row(first_row + i);
            float* target = targets +
                            static_cast<std::int64_t>(row.channel * s.filter_pixels() + row.position) * s.filters +
                            group * s.group_filters() + tile * width;
            for (int f = 0; f < filters; f++) put(target[f], totals[i * width + f], scale);
        }
    }

    // Modules [first, first + chunk) go to the first target matrix, the next chunk to the second, ...
    void run(float* targets, int chunk, Scale scale, ThreadPool& pool) const {
        const int tiles = divide_up(s.group_filters(), width), row_tiles = divide_up(s.filter_rows(), height);
        const std::size_t module_floats = static_cast<std::size_t>(tiles) * width * s.cases;
        const int fitting = std::max<std::size_t>(1, block_floats / module_floats);
        // A block is either a part of one chunk or several whole chunks.
        const int block_modules = chunk <= fitting ? fitting / chunk * chunk : fitting;
        const int steps_per_chunk = divide_up(chunk, block_modules);
        const std::size_t tile_floats = static_cast<std::size_t>(height) * width;
        const std::size_t matrix = static_cast<std::size_t>(s.filter_rows()) * s.filters;

        std::vector<float> totals(tile_floats * tiles * row_tiles);
        TransposedBlock block{width, tiles, 0, 0, std::vector<float>(module_floats * block_modules)};
        for (int group = 0; group < s.groups; group++) {
            const std::vector<Place> all = places(group);
            for (int first = 0, step = 0; first < s.modules(); first += block.modules, step++) {
                const int chunk_end = chunk <= block_modules ? s.modules() : (first / chunk + 1) * chunk;
                block.first_module = first;
                block.modules = std::min(block_modules, chunk_end - first);
                pool.parallel_for(
                    static_cast<std::int64_t>(tiles) * block.modules, 1, [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t i = begin; i < end; i++)
                            transpose_tile(s, gradients, group, block, i / block.modules, i % block.modules);
                    });
                const int chunks = std::max(1, block.modules / chunk);
                const bool starts = chunk <= block_modules || step % steps_per_chunk == 0;
                const bool ends = chunk <= block_modules || first + block.modules == chunk_end;
                // Modules outside, tiles inside: a module's transposed gradients stay in the innermost cache.
                pool.parallel_for(
                    static_cast<std::int64_t>(tiles) * row_tiles, 1, [&](std::int64_t begin, std::int64_t end) {
                        for (int c = 0; c < chunks; c++) {
                            const int from = c * chunk, to = std::min(block.modules, from + chunk);
                            if (starts) std::fill(&totals[begin * tile_floats], &totals[0] + end * tile_floats, 0.0f);
                            for (int module = from; module < to; module++)
                                for (int first_case = 0; first_case < s.cases; first_case += case_block)
                                    add_module(block, all, row_tiles, module, first_case, begin, end, totals.data());
                            for (std::int64_t i = begin; ends && i < end; i++)
                                write_tile(&totals[i * tile_floats], group, i / row_tiles, i % row_tiles * height,
                                           targets + (first + from) / chunk * matrix, scale);
                        }
                    });
            }
        }
    }
};

void weight_gradient(const ConvShape& s, const float* images, const float* gradients, float* targets, int chunk,
                     Scale scale, ThreadPool& pool) {
    const int filters = s.group_filters();
    const int waste2 = divide_up(filters, 2 * lanes) * 2 * lanes, waste3 = divide_up(filters, 3 * lanes) * 3 * lanes;
    if (filters <= lanes)
        WeightGradient<tile_rows, 1>{s, images, gradients}.run(targets, chunk, scale, pool);
    else if (waste3 < waste2)
        WeightGradient<tall_rows, 3>{s, images, gradients}.run(targets, chunk, scale, pool);
    else
        WeightGradient<tile_rows, 2>{s, images, gradients}.run(targets, chunk, scale, pool);
}

// Runs a product of fewer cases than a vector holds on widened copies.
template <class Run>
void with_wide_cases(const ConvShape& s, const float* sources, std::int64_t source_rows, float* targets,
                     std::int64_t target_rows, Scale scale, Run run) {
    if (s.cases >= lanes) {
        run(s, sources, targets, scale);
        return;
    }
    ConvShape wide = s;
    wide.cases = lanes;
    const std::vector<float> wide_sources = widen(sources, source_rows, s.cases);
    std::vector<float> wide_targets(static_cast<std::size_t>(target_rows) * lanes);
    run(wide, wide_sources.data(), wide_targets.data(), Scale{});
    narrow(wide_targets, targets, target_rows, s.cases, scale);
}

std::int64_t image_rows(const ConvShape& s) { return static_cast<std::int64_t>(s.channels) * s.pixels(); }
std::int64_t output_rows(const ConvShape& s) { return static_cast<std::int64_t>(s.filters) * s.modules(); }

}  // namespace

void CpuDevice::conv_forward(const ConvShape& s, const float* images, const float* weights, float* targets,
                             Scale scale) {
    with_wide_cases(s, images, image_rows(s), targets, output_rows(s), scale,
                    [&](const ConvShape& w, const float* in, float* out, Scale sc) {
                        forward(w, in, weights, out, false, sc, pool_);
                    });
}

void CpuDevice::local_forward(const ConvShape& s, const float* images, const float* weights, float* targets,
                              Scale scale) {
    with_wide_cases(s, images, image_rows(s), targets, output_rows(s), scale,
                    [&](const ConvShape& w, const float* in, float* out, Scale sc) {
                        forward(w, in, weights, out, true, sc, pool_);
                    });
}

void CpuDevice::conv_image_gradient(const ConvShape& s, const float* gradients, const float* weights, float* targets,
                                    Scale scale) {
    with_wide_cases(s, gradients, output_rows(s), targets, image_rows(s) * s.over_sample(), scale,
                    [&](const ConvShape& w, const float* in, float* out, Scale sc) {
                        image_gradient(w, in, weights, out, false, sc, pool_);
                    });
}

void CpuDevice::local_image_gradient(const ConvShape& s, const float* gradients, const float* weights, float* targets,
                                     Scale scale) {
    with_wide_cases(s, gradients, output_rows(s), targets, image_rows(s) * s.over_sample(), scale,
                    [&](const ConvShape& w, const float* in, float* out, Scale sc) {
                        image_gradient(w, in, weights, out, true, sc, pool_);
                    });
}

void CpuDevice::conv_weight_gradient(const ConvShape& s, const float* images, const float* gradients, float* targets,
                                     int partial_sum, Scale scale) {
    weight_gradient(s, images, gradients, targets, partial_sum > 0 ? partial_sum : s.modules(), scale, pool_);
}

void CpuDevice::local_weight_gradient(const ConvShape& s, const float* images, const float* gradients, float* targets,
                                      Scale scale) {
    weight_gradient(s, images, gradients, targets, 1, scale, pool_);
}

void CpuDevice::add_bias(const float* biases, float* targets, int count, int modules, int cases) {
    const std::int64_t row_floats = static_cast<std::int64_t>(modules) * cases;
    pool_.parallel_for(count, 1 + 16384 / (row_floats + 1), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; i++) {
            float* row = targets + i * row_floats;
            for (std::int64_t j = 0; j < row_floats; j++) row[j] += biases[i];
        }
    });
}

void CpuDevice::bias_gradient(const float* gradients, float* targets, int count, int modules, int cases, Scale scale) {
    const std::int64_t row_floats = static_cast<std::int64_t>(modules) * cases;
    pool_.parallel_for(count, 1 + 16384 / (row_floats + 1), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; i++) {
            const float* row = gradients + i * row_floats;
            double partial[lanes] = {};  // independent sums, so that they run in vectors
            std::int64_t j = 0;
            for (; j + lanes <= row_floats; j += lanes)
                for (int lane = 0; lane < lanes; lane++) partial[lane] += row[j + lane];
            double sum = 0;
            for (; j < row_floats; j++) sum += row[j];
            for (double p : partial) sum += p;
            put(targets[i], static_cast<float>(sum), scale);
        }
    });
}

void CpuDevice::normalize_local_weights(float* weights, int modules, int rows, int filters, float norm) {
    pool_.parallel_for(modules, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<double> squares(filters);
        for (std::int64_t module = begin; module < end; module++) {
            float* first = weights + module * rows * filters;
            std::fill(squares.begin(), squares.end(), 0.0);
            for (int row = 0; row < rows; row++)
                for (int f = 0; f < filters; f++)
                    squares[f] += double(first[row * filters + f]) * first[row * filters + f];
            for (int f = 0; f < filters; f++) {
                if (squares[f] <= double(norm) * norm) continue;
                const float factor = static_cast<float>(norm / std::sqrt(squares[f]));
                for (int row = 0; row < rows; row++) first[row * filters + f] *= factor;
            }
        }
    });
}

}  // namespace convnet::cpu::CONVNET_ISA
