// What the convolution kernels share: tiles of a matrix product that a block of threads sums from shared memory.
//
// A block computes rows x columns results, step by step over `depth` products at a time. While it sums one step from
// shared memory it holds the next one in registers, so that the GPU's memory is read during the arithmetic.
#pragma once

#include <cuda_runtime.h>
#include <mma.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace convnet::cuda {

// A warp is 4 x 8 threads, and each of its threads sums thread_rows x thread_columns results.
template <int thread_rows_, int thread_columns_, int warp_rows_, int warp_columns_>
struct TileShape {
    static constexpr int thread_rows = thread_rows_, thread_columns = thread_columns_;
    static constexpr int warp_rows = warp_rows_, warp_columns = warp_columns_;
    static constexpr int rows = 4 * thread_rows * warp_rows, columns = 8 * thread_columns * warp_columns;
    static constexpr int threads = 32 * warp_rows * warp_columns;
};

struct alignas(16) Quad {
    float values[4];
    __device__ float& operator[](int i) { return values[i]; }
    __device__ float operator[](int i) const { return values[i]; }
};

__device__ inline Quad load_quad(const float* source) {
    const float4 q = *reinterpret_cast<const float4*>(source);
    return {{q.x, q.y, q.z, q.w}};
}
__device__ inline void store_quad(float* target, const Quad& q) {
    *reinterpret_cast<float4*>(target) = make_float4(q[0], q[1], q[2], q[3]);
}

// n / divisor for 0 <= n < 2^31 by a multiplication.
class Divider {
public:
    Divider() = default;
    explicit Divider(int divisor) : divisor_(divisor), shift_(0) {
        while ((std::int64_t{1} << shift_) < divisor) shift_++;
        // With e = multiplier * divisor - 2^(31 + shift) < 2^shift, n e < 2^(31 + shift): the quotient is exact.
        multiplier_ =
            static_cast<unsigned>(((std::uint64_t{1} << (31 + shift_)) + divisor - 1) / static_cast<unsigned>(divisor));
    }
    __device__ int quotient(int n) const {
        return static_cast<int>(__umulhi(2 * static_cast<unsigned>(n), multiplier_) >> shift_);
    }
    __device__ int divisor() const { return divisor_; }

private:
    int divisor_ = 1, shift_ = 0;
    unsigned multiplier_ = 1u << 31;
};

// Row `row` of a matrix whose rows have row_bytes bytes: one instruction where the offset is 64 bits wide.
__device__ inline const float* row_at(const float* first, int row, int row_bytes) {
    return reinterpret_cast<const float*>(reinterpret_cast<const char*>(first) +
                                          static_cast<std::int64_t>(row) * row_bytes);
}

// Where the operands of a step lie in shared memory. Along: element (k, row) at k * pitch + row, as the gathering
// kernel loads them; across: at row * pitch + k, for the weight gradient, which loads runs of k. The pitches keep the
// reads below free of bank conflicts.
enum class Order { along, across };

template <Order order, int length, int depth>
struct Operand {
    static constexpr int pitch = order == Order::along ? length + 8 : depth + 4;
    static constexpr int floats = order == Order::along ? depth * pitch : length * pitch;
    static __device__ int at(int k, int i) { return order == Order::along ? k * pitch + i : i * pitch + k; }
};

// The sums of one block in fp32, each thread's in its registers.
template <class Shape, Order order, int depth>
class RegisterTile {
    static constexpr int thread_rows = Shape::thread_rows, thread_columns = Shape::thread_columns;
    using A = Operand<order, Shape::rows, depth>;
    using B = Operand<order, Shape::columns, depth>;

public:
    static __device__ const Quad& operand(const Quad& q) { return q; }  // what shared memory is to hold of one

    __device__ RegisterTile() : row_(threadIdx.x % 32 / 8), column_(threadIdx.x % 8) {
        const int warp = threadIdx.x / 32;
        first_row_ = warp / Shape::warp_columns * 4 * thread_rows;
        first_column_ = warp % Shape::warp_columns * 8 * thread_columns;
#pragma unroll
        for (int i = 0; i < thread_rows; i++)
#pragma unroll
            for (int j = 0; j < thread_columns; j++) sums_[i][j] = 0;
    }

    __device__ void add_step(const float* a, const float* b) {
        if (order == Order::along)
            add_along(a, b);
        else
            add_across(a, b);
    }

    // body(row, column, sum) for each of this thread's sums.
    template <class Body>
    __device__ void for_each(float*, Body body) const {
#pragma unroll
        for (int i = 0; i < thread_rows; i++)
#pragma unroll
            for (int j = 0; j < thread_columns; j++) body(row(i), column(j), sums_[i][j]);
    }

    // body(row, first column, sums) for runs of four sums.
    template <class Body>
    __device__ void for_each_quad(float*, Body body) const {
        static_assert(order == Order::along && thread_columns % 4 == 0, "columns in runs of four");
#pragma unroll
        for (int i = 0; i < thread_rows; i++)
#pragma unroll
            for (int j = 0; j < thread_columns; j += 4)
                body(row(i), column(j), Quad{{sums_[i][j], sums_[i][j + 1], sums_[i][j + 2], sums_[i][j + 3]}});
    }

private:
    // Along: runs of four, so that a warp reads whole quads of neighbouring threads; across: every 4th, every 8th.
    __device__ int row(int i) const {
        return first_row_ + (order == Order::along ? i / 4 * 16 + row_ * 4 + i % 4 : i * 4 + row_);
    }
    __device__ int column(int j) const {
        return first_column_ + (order == Order::along ? j / 4 * 32 + column_ * 4 + j % 4 : j * 8 + column_);
    }

    __device__ void add_along(const float* a, const float* b) {
#pragma unroll
        for (int k = 0; k < depth; k++) {
            Quad as[(thread_rows + 3) / 4], bs[(thread_columns + 3) / 4];
#pragma unroll
            for (int i = 0; i < thread_rows; i += 4) as[i / 4] = load_quad(a + A::at(k, row(i)));
#pragma unroll
            for (int j = 0; j < thread_columns; j += 4) bs[j / 4] = load_quad(b + B::at(k, column(j)));
#pragma unroll
            for (int i = 0; i < thread_rows; i++)
#pragma unroll
                for (int j = 0; j < thread_columns; j++) sums_[i][j] += as[i / 4][i % 4] * bs[j / 4][j % 4];
        }
    }

    __device__ void add_across(const float* a, const float* b) {
#pragma unroll 1  // unrolled, it would read so far ahead that sums lose their registers
        for (int k = 0; k < depth; k += 4) {
            Quad as[thread_rows];
#pragma unroll
            for (int i = 0; i < thread_rows; i++) as[i] = load_quad(a + A::at(k, row(i)));
#pragma unroll
            for (int j = 0; j < thread_columns; j++) {
                const Quad bs = load_quad(b + B::at(k, column(j)));
#pragma unroll
                for (int i = 0; i < thread_rows; i++)
#pragma unroll
                    for (int l = 0; l < 4; l++) sums_[i][j] += as[i][l] * bs[l];
            }
        }
    }

    int row_, column_, first_row_, first_column_;
    float sums_[thread_rows][thread_columns];
};

// Its twin on tensor cores, for factors rounded to TensorFloat-32. GPUs before Ampere have none.
template <class Shape, Order order, int depth, bool tf32>
struct TileOf {
    using type = RegisterTile<Shape, order, depth>;
};

#if (defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800) || defined(CONVNET_EMULATION)
template <class Shape, Order order, int depth>
class TensorTile {
    using A = Operand<order, Shape::rows, depth>;
    using B = Operand<order, Shape::columns, depth>;
    static constexpr int side = 16, inner = 8;  // of a fragment
    static constexpr int row_fragments = 4 * Shape::thread_rows / side;
    static constexpr int column_fragments = 8 * Shape::thread_columns / side;
    static_assert(4 * Shape::thread_rows % side == 0 && 8 * Shape::thread_columns % side == 0 && depth % inner == 0,
                  "a warp's part is made of fragments");
    using RowMajor = nvcuda::wmma::row_major;
    using ColumnMajor = nvcuda::wmma::col_major;
    template <class Use, class Layout>
    using Factor = nvcuda::wmma::fragment<Use, side, side, inner, nvcuda::wmma::precision::tf32, Layout>;

public:
    // What shared memory is to hold of an operand: each value is rounded once, and read by several warps.
    static __device__ Quad operand(const Quad& q) {
        using nvcuda::wmma::__float_to_tf32;
        return {{__float_to_tf32(q[0]), __float_to_tf32(q[1]), __float_to_tf32(q[2]), __float_to_tf32(q[3])}};
    }

    __device__ TensorTile() {
        const int warp = threadIdx.x / 32;
        first_row_ = warp / Shape::warp_columns * 4 * Shape::thread_rows;
        first_column_ = warp % Shape::warp_columns * 8 * Shape::thread_columns;
#pragma unroll
        for (auto& row : sums_)
#pragma unroll
            for (auto& sum : row) nvcuda::wmma::fill_fragment(sum, 0.0f);
    }

    __device__ void add_step(const float* a, const float* b) {
        constexpr bool along = order == Order::along;
        using AFragment = Factor<nvcuda::wmma::matrix_a, std::conditional_t<along, ColumnMajor, RowMajor>>;
        using BFragment = Factor<nvcuda::wmma::matrix_b, std::conditional_t<along, RowMajor, ColumnMajor>>;
#pragma unroll
        for (int k = 0; k < depth; k += inner) {
            AFragment as[row_fragments];
#pragma unroll
            for (int i = 0; i < row_fragments; i++) load<A>(as[i], a, k, first_row_ + i * side);
#pragma unroll
            for (int j = 0; j < column_fragments; j++) {
                BFragment bs;
                load<B>(bs, b, k, first_column_ + j * side);
#pragma unroll
                for (int i = 0; i < row_fragments; i++) nvcuda::wmma::mma_sync(sums_[i][j], as[i], bs, sums_[i][j]);
            }
        }
    }

    template <class Body>
    __device__ void for_each(float* shared, Body body) const {
        for_each_quad(shared, [&](int row, int column, const Quad& sums) {
#pragma unroll
            for (int i = 0; i < 4; i++) body(row, column + i, sums[i]);
        });
    }

    // How a fragment's values lie over the warp's threads is the hardware's affair: they go through shared memory,
    // whose operands nobody needs any more.
    template <class Body>
    __device__ void for_each_quad(float* shared, Body body) const {
        static_assert(side * side * Shape::threads / 32 <= 2 * (A::floats + B::floats), "room for a fragment per warp");
        float* own = shared + threadIdx.x / 32 * side * side;
        const int lane = threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < row_fragments; i++)
#pragma unroll
            for (int j = 0; j < column_fragments; j++) {
                nvcuda::wmma::store_matrix_sync(own, sums_[i][j], side, nvcuda::wmma::mem_row_major);
                __syncwarp();
                for (int at = lane * 4; at < side * side; at += 128)
                    body(first_row_ + i * side + at / side, first_column_ + j * side + at % side, load_quad(own + at));
                __syncwarp();
            }
    }

private:
    template <class Operand, class Fragment>
    __device__ static void load(Fragment& fragment, const float* operand, int k, int i) {
        nvcuda::wmma::load_matrix_sync(fragment, operand + Operand::at(k, i), Operand::pitch);
    }

    int first_row_, first_column_;
    nvcuda::wmma::fragment<nvcuda::wmma::accumulator, side, side, inner, float> sums_[row_fragments][column_fragments];
};

template <class Shape, Order order, int depth>
struct TileOf<Shape, order, depth, true> {
    using type = TensorTile<Shape, order, depth>;
};
#endif

// Sums over `steps` steps. load(step) takes operands into the thread's registers, zeros for a step behind the last one;
// keep(a, b) puts them into shared memory, which holds two steps: one is read while the next one is written. Without
// conditions, so that the compiler can mix the loads into the arithmetic.
template <class Tile, int a_floats, int b_floats, class Loader>
__device__ void sum_steps(Tile& tile, float* shared, int steps, Loader& loader) {
    float *a = shared, *b = shared + 2 * a_floats;
    loader.load(0);
    loader.template keep<Tile>(a, b);
    __syncthreads();
    for (int step = 0; step < steps; step++) {
        const int now = step % 2, next = 1 - now;
        loader.load(step + 1);
        tile.add_step(a + now * a_floats, b + now * b_floats);
        loader.template keep<Tile>(a + next * a_floats, b + next * b_floats);
        __syncthreads();
    }
}

// Blocks that share a multiprocessor: 128 registers a thread where its sums and loads fit, else 168 or 255.
template <class Shape, int depth>
constexpr int resident_blocks() {
    constexpr int values =
        Shape::thread_rows * Shape::thread_columns + depth * (Shape::rows + Shape::columns) / Shape::threads;
    return (values <= 80 ? 512 : values <= 120 ? 384 : 256) / Shape::threads;
}

inline int tiles_of(std::int64_t count, int tile) { return static_cast<int>((count + tile - 1) / tile); }

inline bool aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % alignof(Quad) == 0; }

// A shape of tiles, and how well a multiprocessor that is full of them does, in percent of the best: mostly the share
// of multiplications among the instructions of a step, as compiled for compute capability 9.0.
template <class Shape_, int percent>
struct Candidate {
    using Shape = Shape_;
    static constexpr double efficiency = percent / 100.0;
};

// Launches with the shape of the least cost, as launcher.cost<Shape>() counts it: arithmetic, with what sticks out over
// the edges. The GPU at hand has no say in it: a run gives the same bits on any.
template <class... Candidates, class Launcher>
void launch_cheapest(const Launcher& launcher) {
    const auto cost = [&](auto candidate) {
        return launcher.template cost<typename decltype(candidate)::Shape>() / candidate.efficiency;
    };
    const double least = std::min({cost(Candidates{})...});
    bool launched = false;
    const auto consider = [&](auto candidate) {
        if (launched || cost(candidate) > least) return;
        launcher.template launch<typename decltype(candidate)::Shape>();
        launched = true;
    };
    (consider(Candidates{}), ...);
}

}  // namespace convnet::cuda
