// Tensor cores: fragments of TensorFloat-32 in every layout, from shared memory, against plain loops (spec 6.6).
#include <cuda_runtime.h>
#include <mma.h>

#include <cmath>
#include <string>
#include <type_traits>

#include "check.h"

using namespace nvcuda;

// Two warps, each a 16 x 16 product of 8 and another 8 products: (row, k) and (k, column).
template <class ALayout, class BLayout, bool rows_first>
__global__ void multiply(const float* a, const float* b, float* c, int skew) {
    __shared__ __align__(32) float matrices[2][2 * 16 * 24 + 8];
    float* own = &matrices[threadIdx.y][0];
    const bool a_rows = std::is_same<ALayout, wmma::row_major>::value;
    const bool b_rows = std::is_same<BLayout, wmma::row_major>::value;
    for (int i = threadIdx.x; i < 256; i += 32) {
        const int row = i / 16, k = i % 16, column = row;
        own[a_rows ? row * 24 + k : k * 24 + row] = wmma::__float_to_tf32(a[threadIdx.y * 256 + row * 16 + k]);
        own[384 + (b_rows ? k * 24 + column : column * 24 + k)] =
            wmma::__float_to_tf32(b[threadIdx.y * 256 + k * 16 + column]);
    }
    __syncwarp();
    wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, ALayout> as;
    wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, BLayout> bs;
    wmma::fragment<wmma::accumulator, 16, 16, 8, float> sums;
    wmma::fill_fragment(sums, 0.5f);
    for (int k = 0; k < 16; k += 8) {
        wmma::load_matrix_sync(as, own + (a_rows ? k : k * 24) + skew, 24);
        wmma::load_matrix_sync(bs, own + 384 + (b_rows ? k * 24 : k), 24);
        wmma::mma_sync(sums, as, bs, sums);
    }
    wmma::store_matrix_sync(c + threadIdx.y * 256, sums, 16, rows_first ? wmma::mem_row_major : wmma::mem_col_major);
}

// To the nearest of the values with 10 bits of fraction, ties away from zero.
float rounded(float x) {
    int exponent;
    const float fraction = std::frexp(x, &exponent);
    return std::ldexp(std::round(std::ldexp(fraction, 11)), exponent - 11);
}

template <class ALayout, class BLayout, bool rows_first>
void check_products() {
    float *a, *b, *c;
    cudaMalloc((void**)&a, 512 * sizeof(float));
    cudaMalloc((void**)&b, 512 * sizeof(float));
    cudaMalloc((void**)&c, 512 * sizeof(float));
    for (int i = 0; i < 512; i++) a[i] = std::sin(i * 1.7f), b[i] = std::cos(i * 0.3f);
    multiply<ALayout, BLayout, rows_first><<<1, dim3(32, 2)>>>(a, b, c, 0);
    for (int warp = 0; warp < 2; warp++)
        for (int row = 0; row < 16; row++)
            for (int column = 0; column < 16; column++) {
                double sum = 0.5;
                for (int k = 0; k < 16; k++)
                    sum += double(rounded(a[warp * 256 + row * 16 + k])) * rounded(b[warp * 256 + k * 16 + column]);
                const int at = rows_first ? row * 16 + column : column * 16 + row;
                CHECK(std::fabs(c[warp * 256 + at] - sum) < 1e-5);
            }
    cudaFree(a), cudaFree(b), cudaFree(c);
}

int main() {
    check_products<wmma::row_major, wmma::row_major, true>();
    check_products<wmma::row_major, wmma::col_major, false>();
    check_products<wmma::col_major, wmma::row_major, true>();
    check_products<wmma::col_major, wmma::col_major, false>();

    CHECK(wmma::__float_to_tf32(1.0f + 0x1p-11f) == 1.0f + 0x1p-10f);
    CHECK(wmma::__float_to_tf32(-1.0f - 0x1p-11f) == -1.0f - 0x1p-10f);
    CHECK(wmma::__float_to_tf32(1.0f + 0x1.ffcp-12f) == 1.0f);
    CHECK(std::isinf(wmma::__float_to_tf32(INFINITY)) && std::isnan(wmma::__float_to_tf32(NAN)));

    float values[512] = {};
    std::string message;
    try {
        multiply<wmma::row_major, wmma::row_major, true><<<1, dim3(32, 2)>>>(values, values, values, 4);
    } catch (const convnet_emulation::Error& error) {
        message = error.what();
    }
    CHECK(message.find("tensor.cu:") != message.npos);
    CHECK(message.find(": a fragment's matrix must be aligned to 32 bytes; kernel 'multiply'") != message.npos);
}
