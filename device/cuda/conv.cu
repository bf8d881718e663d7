// Convolution with shared weights on a GPU (spec 3.1).
#include <algorithm>

#include "device/cuda/conv_products.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {

namespace {

// Part of a table, small enough to be a launch's argument.
struct Piece {
    static constexpr int size = 512;
    int values[size];
};

// In the launches' arguments: a copy from the host would wait for the GPU.
void write_table(const int* host, int count, int* table) {
    for (int first = 0; first < count; first += Piece::size) {
        const int length = std::min(Piece::size, count - first);
        Piece piece{};
        std::copy_n(host + first, length, piece.values);
        int* target = table + first;
        for_each("table of connections", length, [=] __device__(std::int64_t i) { target[i] = piece.values[i]; });
    }
}

}  // namespace

Connections::Connections(Memory& memory, const ConvShape& s)
    : dense_(!s.connections), table_(memory, dense_ ? 0 : static_cast<std::size_t>(s.groups) * s.filter_channels) {
    if (!dense_) write_table(s.connections, s.groups * s.filter_channels, table_.data());
}

void CudaDevice::conv_forward(const ConvShape& s, const float* images, const float* weights, float* targets,
                              Scale scale) {
    select();
    convolve(memory_, s, images, weights, targets, false, tf32_, scale);
}

void CudaDevice::conv_image_gradient(const ConvShape& s, const float* gradients, const float* weights, float* targets,
                                     Scale scale) {
    select();
    convolve_back(memory_, s, gradients, weights, targets, false, tf32_, scale);
}

void CudaDevice::conv_weight_gradient(const ConvShape& s, const float* images, const float* gradients, float* targets,
                                      int partial_sum, Scale scale) {
    select();
    sum_weight_gradient(memory_, s, images, gradients, targets, partial_sum > 0 ? partial_sum : s.modules(), tf32_,
                        scale);
}

}  // namespace convnet::cuda
