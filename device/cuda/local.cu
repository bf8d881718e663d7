// Local (unshared) convolution on a GPU (spec 3.1): each module's product has weights of its own.
#include "device/cuda/conv_products.h"

namespace convnet::cuda {

void CudaDevice::local_forward(const ConvShape& s, const float* images, const float* weights, float* targets,
                               Scale scale) {
    select();
    convolve(memory_, s, images, weights, targets, true, tf32_, scale);
}

void CudaDevice::local_image_gradient(const ConvShape& s, const float* gradients, const float* weights, float* targets,
                                      Scale scale) {
    select();
    convolve_back(memory_, s, gradients, weights, targets, true, tf32_, scale);
}

void CudaDevice::local_weight_gradient(const ConvShape& s, const float* images, const float* gradients, float* targets,
                                       Scale scale) {
    select();
    sum_weight_gradient(memory_, s, images, gradients, targets, 1, tf32_, scale);
}

}  // namespace convnet::cuda
