// The three products of the convolution family, with shared or with local weights (spec 3.1).
#pragma once

#include "device/cuda/upload.h"

namespace convnet::cuda {

// Arguments as those of Device::conv_forward and so on. tf32: factors may be rounded to TensorFloat-32.
void convolve(Memory&, const ConvShape&, const float* images, const float* weights, float* targets, bool local,
              bool tf32, Scale);
void convolve_back(Memory&, const ConvShape&, const float* gradients, const float* weights, float* targets, bool local,
                   bool tf32, Scale);
// chunk_modules consecutive modules go to each target matrix.
void sum_weight_gradient(Memory&, const ConvShape&, const float* images, const float* gradients, float* targets,
                         int chunk_modules, bool tf32, Scale);

// ConvShape::connections in the GPU's memory; null where the shape has none.
class Connections {
public:
    Connections(Memory& memory, const ConvShape& s)
        : dense_(!s.connections),
          table_(memory, s.connections, dense_ ? 0 : static_cast<std::size_t>(s.groups) * s.filter_channels) {}
    const int* data() { return dense_ ? nullptr : table_.data(); }

private:
    const bool dense_;
    Uploaded<int> table_;
};

}  // namespace convnet::cuda
