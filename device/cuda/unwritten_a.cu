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
void CudaDevice::add_bias(const float* biases, float* targets, int count, int modules, int cases) {
    throw std::logic_error("CUDA device: add_bias is not written yet");
}
void CudaDevice::bias_gradient(const float* gradients, float* targets, int count, int modules, int cases, Scale) {
    throw std::logic_error("CUDA device: bias_gradient is not written yet");
}
void CudaDevice::normalize_local_weights(float* weights, int modules, int rows, int filters, float norm) {
    throw std::logic_error("CUDA device: normalize_local_weights is not written yet");
}
void CudaDevice::multiply(const float* a, bool transpose_a, const float* b, bool transpose_b, float* targets, int rows,
                          int columns, int inner, Scale) {
    throw std::logic_error("CUDA device: multiply is not written yet");
}
void CudaDevice::softmax(const float* inputs, float* targets, int classes, int cases) {
    throw std::logic_error("CUDA device: softmax is not written yet");
}
void CudaDevice::softmax_gradient(const float* gradients, const float* outputs, float* targets, int classes, int cases,
                                  Scale) {
    throw std::logic_error("CUDA device: softmax_gradient is not written yet");
}
void CudaDevice::bound_column_norms(float* weights, int rows, int columns, float norm) {
    throw std::logic_error("CUDA device: bound_column_norms is not written yet");
}
void CudaDevice::bound_zero_mean_norms(float* weights, int rows, int columns, float min, float max) {
    throw std::logic_error("CUDA device: bound_zero_mean_norms is not written yet");
}

}  // namespace convnet::cuda
