// The weight gradient of convolutions on a GPU (spec 3.1), shared weights and local ones.
//
// Rows of the product are weight rows (channel, window position), its columns are filters, and it sums over (module,
// case): along this both operands are contiguous. There are few rows and columns and very many products, so these are
// cut into splits, each summed by blocks of its own; a second kernel adds the splits in their order. The cut depends on
// the shape alone, so that every run on every GPU gives the same bits.
#include <algorithm>

#include "device/cuda/conv_products.h"
#include "device/cuda/conv_tile.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {
namespace {

constexpr int depth = 16;  // products in a step

struct WeightSums {
    const float* images;
    const float* gradients;
    float* targets;  // matrices of (rows, filters): one for each chunk of modules, and in it for each split
    Scale scale;
    int cases, row_bytes;  // row_bytes: of all cases of a pixel
    int img_size_y, img_size_x, modules_x, modules;
    int rows, group_filters, filters, groups, filter_channels;
    int filter_size, stride, padding;
    Divider cases_divider, modules_x_divider;
    const int* connections;
    int chunk_modules, chunks;
    int splits, split_products;  // of a chunk
};

// What a block computes.
template <class Shape>
struct Part {
    int first_row, first_filter, group;
    int matrix;                      // of the targets
    int first_product, end_product;  // of all (module, case)

    __device__ Part(const WeightSums& g, int row_tiles, int filter_tiles) {
        // Blocks that read the same modules are neighbours: they meet in the cache.
        int block = blockIdx.x;
        first_row = block % row_tiles * Shape::rows;
        block /= row_tiles;
        first_filter = block % filter_tiles * Shape::columns;
        block /= filter_tiles;
        group = block % g.groups;
        matrix = block / g.groups;
        const int chunk_begin = matrix / g.splits * g.chunk_modules * g.cases;
        first_product = chunk_begin + matrix % g.splits * g.split_products;
        end_product = min(first_product + g.split_products, chunk_begin + g.chunk_modules * g.cases);
    }
};

// A weight row's place in the window, and the image row that it reads in a window at the image's corner.
struct alignas(16) WeightRow {
    int y, x, image_row;
};

__device__ WeightRow weight_row(const WeightSums& g, int group, int row) {
    if (row >= g.rows) return {-(1 << 30), 0, 0};  // outside every image
    const int taps = g.filter_size * g.filter_size, within = row % taps;
    const int y = within / g.filter_size, x = within % g.filter_size;
    int channel = group * g.filter_channels + row / taps;
    if (g.connections) channel = g.connections[channel];
    return {y, x, (channel * g.img_size_y + y) * g.img_size_x + x};
}

// Reads both operands. `vector` cases at a time: 4, where their number allows it, or 1.
template <class Shape, int vector>
class WeightLoader {
    // A thread keeps to its place in a step and takes every row_step-th row.
    static constexpr int product_threads = depth / vector, row_step = Shape::threads / product_threads;
    static constexpr int image_loads = (Shape::rows + row_step - 1) / row_step;
    static constexpr int gradient_loads = (Shape::columns + row_step - 1) / row_step;
    using A = Operand<Order::across, Shape::rows, depth>;
    using B = Operand<Order::across, Shape::columns, depth>;

public:
    __device__ WeightLoader(const WeightSums& g, const Part<Shape>& part, const WeightRow* rows)
        : g_(g), part_(part), rows_(rows), first_(part.first_product + place() * vector) {
        const std::int64_t filter = part.group * g.group_filters + part.first_filter;
        gradients_ = g.gradients + (filter + row()) * g.modules * g.cases + first_;
    }

    __device__ void load(int step) {
        const int product = first_ + step * depth;
        const bool present = product < part_.end_product;
        const int module = g_.cases_divider.quotient(product), n = product - module * g_.cases;
        const int module_y = g_.modules_x_divider.quotient(module);
        const int y = module_y * g_.stride - g_.padding;
        const int x = (module - module_y * g_.modules_x) * g_.stride - g_.padding;
        const int corner = y * g_.img_size_x + x;
#pragma unroll
        for (int i = 0; i < image_loads; i++) {
            const WeightRow own = rows_[loads(i, Shape::rows) ? row() + i * row_step : 0];
            const bool inside = (static_cast<unsigned>(y + own.y) < static_cast<unsigned>(g_.img_size_y)) &
                                (static_cast<unsigned>(x + own.x) < static_cast<unsigned>(g_.img_size_x));
            images_[i] = read(present & inside & loads(i, Shape::rows),
                              row_at(g_.images + n, own.image_row + corner, g_.row_bytes));
        }
        const std::int64_t step_floats = static_cast<std::int64_t>(row_step) * g_.modules * g_.cases;
#pragma unroll
        for (int i = 0; i < gradient_loads; i++) {
            const bool own = part_.first_filter + row() + i * row_step < g_.group_filters;
            read_gradients_[i] =
                read(present & own & loads(i, Shape::columns), gradients_ + i * step_floats + step * depth);
        }
    }

    template <class Tile>
    __device__ void keep(float* a, float* b) const {
#pragma unroll
        for (int i = 0; i < image_loads; i++)
            if (loads(i, Shape::rows)) write<Tile>(a, row() + i * row_step, images_[i]);
#pragma unroll
        for (int i = 0; i < gradient_loads; i++)
            if (loads(i, Shape::columns)) write<Tile>(b, row() + i * row_step, read_gradients_[i]);
    }

private:
    static __device__ int row() { return threadIdx.x / product_threads; }
    static __device__ int place() { return threadIdx.x % product_threads; }
    // Whether this thread has an i-th row among `count`: all have it but where they are too many for the last ones.
    static __device__ bool loads(int i, int count) {
        return (i + 1) * row_step <= count || row() + i * row_step < count;
    }
    static __device__ Quad read(bool present, const float* from) {
        Quad values = {};
        if (present && vector == 4) values = load_quad(from);
        if (present && vector == 1) values[0] = *from;
        return values;
    }
    template <class Tile>
    __device__ void write(float* operand, int own, const Quad& values) const {
        float* target = operand + A::at(place() * vector, own);
        if (vector == 4)
            store_quad(target, Tile::operand(values));
        else
            *target = Tile::operand(values)[0];
    }

    const WeightSums& g_;
    const Part<Shape>& part_;
    const WeightRow* const rows_;
    const int first_;  // product of this thread
    const float* gradients_;
    Quad images_[image_loads], read_gradients_[gradient_loads];
};

template <class Shape, int vector, bool tf32>
__global__ void __launch_bounds__(Shape::threads, (resident_blocks<Shape, depth>()))
    weight_gradient_kernel(const WeightSums g, int row_tiles, int filter_tiles) {
    constexpr int a_floats = Operand<Order::across, Shape::rows, depth>::floats;
    constexpr int b_floats = Operand<Order::across, Shape::columns, depth>::floats;
    __shared__ __align__(32) float operands[2 * (a_floats + b_floats)];
    __shared__ WeightRow rows[Shape::rows];
    const Part<Shape> part(g, row_tiles, filter_tiles);
    for (int i = threadIdx.x; i < Shape::rows; i += Shape::threads)
        rows[i] = weight_row(g, part.group, part.first_row + i);
    __syncthreads();

    const int steps = (part.end_product - part.first_product + depth - 1) / depth;
    WeightLoader<Shape, vector> loader(g, part, &rows[0]);
    typename TileOf<Shape, Order::across, depth, tf32>::type tile;
    sum_steps<decltype(tile), a_floats, b_floats>(tile, &operands[0], steps, loader);

    const std::int64_t matrix_floats = static_cast<std::int64_t>(g.rows) * g.filters;
    float* targets = g.targets + part.matrix * matrix_floats + part.group * g.group_filters;
    tile.for_each(&operands[0], [&](int row, int column, float sum) {
        const int own = part.first_row + row, filter = part.first_filter + column;
        if (own < g.rows && filter < g.group_filters)
            put(targets[static_cast<std::int64_t>(own) * g.filters + filter], sum, g.scale);
    });
}

// (chunks, splits, matrix) -> (chunks, matrix)
void add_splits(const float* partial, int splits, std::int64_t matrix, int chunks, float* targets, Scale scale) {
    for_each("sums of splits", matrix * chunks, [=] __device__(std::int64_t i) {
        const std::int64_t chunk = i / matrix;
        const float* from = partial + chunk * splits * matrix + (i - chunk * matrix);
        float sum = 0;
        for (int split = 0; split < splits; split++) sum += from[split * matrix];
        put(targets[i], sum, scale);
    });
}

template <int vector, bool tf32>
class Launcher {
public:
    Launcher(Memory& memory, const WeightSums& g) : memory_(memory), g_(g) {}

    // The splits fill the GPU whatever the shape, so only what sticks out over the matrix counts.
    template <class Shape>
    double cost() const {
        return tiles<Shape>() * Shape::rows * Shape::columns;
    }

    template <class Shape>
    void launch() const {
        WeightSums g = g_;
        // Enough blocks to keep the largest GPUs busy to the end, but steps enough in each to be worth its sums' way
        // through memory.
        constexpr int wanted_blocks = 1024, least_products = 32 * depth;
        const int products = g.chunk_modules * g.cases;
        const int wanted = tiles_of(
            wanted_blocks, static_cast<int>(std::min<double>(tiles<Shape>() * g.groups * g.chunks, wanted_blocks)));
        const int splits = std::max(1, std::min(wanted, products / least_products));
        g.split_products = tiles_of(tiles_of(products, splits), depth) * depth;
        g.splits = tiles_of(products, g.split_products);
        const std::int64_t matrix = static_cast<std::int64_t>(g.rows) * g.filters;
        Scratch<float> partial(memory_, g.splits > 1 ? matrix * g.splits * g.chunks : 0);
        if (g.splits > 1) {
            g.targets = partial.data();
            g.scale = Scale{};
        }
        const auto blocks = static_cast<unsigned>(tiles<Shape>() * g.groups * g.splits * g.chunks);
        weight_gradient_kernel<Shape, vector, tf32>
            <<<blocks, Shape::threads>>>(g, tiles_of(g.rows, Shape::rows), tiles_of(g.group_filters, Shape::columns));
        check_launch("weight gradient of convolution");
        if (g.splits > 1) add_splits(partial.data(), g.splits, matrix, g_.chunks, g_.targets, g_.scale);
    }

private:
    template <class Shape>
    double tiles() const {
        return static_cast<double>(tiles_of(g_.rows, Shape::rows)) * tiles_of(g_.group_filters, Shape::columns);
    }

    Memory& memory_;
    const WeightSums& g_;
};

// Columns for 128, 96, 64, 48, 32 and 16 filters; rows are cut small only where there are few.
template <int vector, bool tf32>
void launch(Memory& memory, const WeightSums& g) {
    launch_cheapest<Candidate<TileShape<8, 8, 4, 2>, 100>, Candidate<TileShape<8, 6, 4, 2>, 95>,
                    Candidate<TileShape<8, 8, 4, 1>, 95>, Candidate<TileShape<8, 6, 4, 1>, 91>,
                    Candidate<TileShape<8, 4, 4, 1>, 82>, Candidate<TileShape<8, 2, 4, 1>, 64>,
                    Candidate<TileShape<8, 4, 2, 2>, 84>, Candidate<TileShape<4, 4, 2, 1>, 62>>(
        Launcher<vector, tf32>(memory, g));
}

}  // namespace

void sum_weight_gradient(Memory& memory, const ConvShape& s, const float* images, const float* gradients,
                         float* targets, int chunk_modules, bool tf32, Scale scale) {
    Connections connections(memory, s);
    WeightSums g{};
    g.images = images;
    g.gradients = gradients;
    g.targets = targets;
    g.scale = scale;
    g.cases = s.cases;
    g.row_bytes = s.cases * static_cast<int>(sizeof(float));
    g.img_size_y = s.img_size_y;
    g.img_size_x = s.img_size_x;
    g.modules_x = s.modules_x;
    g.modules = s.modules();
    g.rows = s.filter_rows();
    g.group_filters = s.group_filters();
    g.filters = s.filters;
    g.groups = s.groups;
    g.filter_channels = s.filter_channels;
    g.filter_size = s.filter_size;
    g.stride = s.stride;
    g.padding = s.padding;
    g.cases_divider = Divider(s.cases);
    g.modules_x_divider = Divider(s.modules_x);
    g.connections = connections.data();
    g.chunk_modules = chunk_modules;
    g.chunks = s.modules() / chunk_modules;
    if (s.cases % 4 != 0 || !aligned(images) || !aligned(gradients))
        launch<1, false>(memory, g);
    else
        tf32 ? launch<4, true>(memory, g) : launch<4, false>(memory, g);
}

}  // namespace convnet::cuda
