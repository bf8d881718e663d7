// Operations that are still to come.
#include <stdexcept>

#include "device/cuda/cuda_device.h"

namespace convnet::cuda {

void CudaDevice::conv_forward(const ConvShape&, const float* images, const float* weights, float* targets, Scale) {
    throw std::logic_error("CUDA device: conv_forward is not written yet");
}
void CudaDevice::conv_image_gradient(const ConvShape&, const float* gradients, const float* weights, float* targets,
                                     Scale) {
    throw std::logic_error("CUDA device: conv_image_gradient is not written yet");
}
void CudaDevice::conv_weight_gradient(const ConvShape&, const float* images, const float* gradients, float* targets,
                                      int partial_sum, Scale) {
    throw std::logic_error("CUDA device: conv_weight_gradient is not written yet");
}
void CudaDevice::local_forward(const ConvShape&, const float* images, const float* weights, float* targets, Scale) {
    throw std::logic_error("CUDA device: local_forward is not written yet");
}
void CudaDevice::local_image_gradient(const ConvShape&, const float* gradients, const float* weights, float* targets,
                                      Scale) {
    throw std::logic_error("CUDA device: local_image_gradient is not written yet");
}
void CudaDevice::local_weight_gradient(const ConvShape&, const float* images, const float* gradients, float* targets,
                                       Scale) {
    throw std::logic_error("CUDA device: local_weight_gradient is not written yet");
}

}  // namespace convnet::cuda
