// Tensor cores for builds without CUDA: nvcuda::wmma with 16 x 16 x 8 fragments of TensorFloat-32, the only ones this
// project uses; of any other the compiler says that it is incomplete (spec 6.6).
//
// On a GPU a fragment's values lie over a warp in an order that is the hardware's affair. Here a lane sums half a row
// of the result and holds a copy of the factors for it, so that no lane needs another.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "cuda_runtime.h"

namespace nvcuda {
namespace wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
namespace precision {
struct tf32;
}
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int rows, int columns, int inner, class T, class Layout = void>
class fragment;

template <class Layout>
class fragment<matrix_a, 16, 16, 8, precision::tf32, Layout> {
public:
    float values[8];  // of this lane's row
};
template <class Layout>
class fragment<matrix_b, 16, 16, 8, precision::tf32, Layout> {
public:
    float values[8][8];  // of this lane's columns
};
template <>
class fragment<accumulator, 16, 16, 8, float> {
public:
    float values[8];  // of this lane's row, in its columns
};

// Half a step to the nearest of the values with 10 bits of fraction, ties away from zero.
inline float __float_to_tf32(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits = value != value ? 0x7fffffffu : (bits + 0x1000u) & ~0x1fffu;
    std::memcpy(&value, &bits, sizeof bits);
    return value;
}

}  // namespace wmma
}  // namespace nvcuda

namespace convnet_emulation {

inline unsigned int lane() {
    return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % unsigned(warpSize);
}
inline int fragment_row() { return int(lane() / 2); }
inline int fragment_column() { return int(lane() % 2 * 8); }

// What a tensor core reads of a value: the bits beyond 10 of the fraction are not there.
inline float truncated_to_tf32(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits &= ~0x1fffu;
    std::memcpy(&value, &bits, sizeof bits);
    return value;
}

// CUDA's rules for the matrices that fragments come from and go to.
inline void check_matrix(const float* matrix, unsigned int pitch, const char* file, int line) {
    if (reinterpret_cast<std::uintptr_t>(matrix) % 32 != 0)
        throw Error(std::string(file) + ":" + std::to_string(line) + ": a fragment's matrix must be aligned to 32 bytes");
    if (pitch % 4 != 0)
        throw Error(std::string(file) + ":" + std::to_string(line) + ": the rows of a fragment's matrix lie " +
                    std::to_string(pitch) + " values apart, which must be a multiple of 4");
}

template <class Layout>
constexpr bool is_row_major = std::is_same<Layout, nvcuda::wmma::row_major>::value;

}  // namespace convnet_emulation

namespace nvcuda {
namespace wmma {

template <class Use, int rows, int columns, int inner, class T, class Layout, class Value>
void fill_fragment(fragment<Use, rows, columns, inner, T, Layout>& target, Value value) {
    for (auto& element : target.values) element = value;
}

template <class Layout>
void load_matrix_sync(fragment<matrix_a, 16, 16, 8, precision::tf32, Layout>& target, const float* matrix,
                      unsigned int pitch, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    using namespace convnet_emulation;
    check_matrix(matrix, pitch, file, line);
    const int row = fragment_row();
    for (int k = 0; k < 8; k++)
        target.values[k] = truncated_to_tf32(is_row_major<Layout> ? matrix[row * pitch + k] : matrix[k * pitch + row]);
}

template <class Layout>
void load_matrix_sync(fragment<matrix_b, 16, 16, 8, precision::tf32, Layout>& target, const float* matrix,
                      unsigned int pitch, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    using namespace convnet_emulation;
    check_matrix(matrix, pitch, file, line);
    const int first = fragment_column();
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 8; i++) {
            const int column = first + i;
            target.values[k][i] =
                truncated_to_tf32(is_row_major<Layout> ? matrix[k * pitch + column] : matrix[column * pitch + k]);
        }
}

template <class A, class B>
void mma_sync(fragment<accumulator, 16, 16, 8, float>& target, const fragment<matrix_a, 16, 16, 8, precision::tf32, A>& a,
              const fragment<matrix_b, 16, 16, 8, precision::tf32, B>& b,
              const fragment<accumulator, 16, 16, 8, float>& sums) {
    for (int i = 0; i < 8; i++) {
        float sum = sums.values[i];
        for (int k = 0; k < 8; k++) sum += a.values[k] * b.values[k][i];
        target.values[i] = sum;
    }
}

inline void store_matrix_sync(float* matrix, const fragment<accumulator, 16, 16, 8, float>& source, unsigned int pitch,
                              layout_t layout, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    using namespace convnet_emulation;
    check_matrix(matrix, pitch, file, line);
    const int row = fragment_row(), first = fragment_column();
    for (int i = 0; i < 8; i++)
        matrix[layout == mem_row_major ? row * pitch + first + i : (first + i) * pitch + row] = source.values[i];
}

}  // namespace wmma
}  // namespace nvcuda
