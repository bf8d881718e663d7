// Convolution with shared weights on a GPU (spec 3.1).
#include "device/cuda/conv_products.h"

namespace convnet::cuda {

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
