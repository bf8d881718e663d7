// Operations that are still to come.
#include <stdexcept>

#include "device/cuda/cuda_device.h"

namespace convnet::cuda {

void CudaDevice::blur(const float* images, const float* filter, int radius, float* targets, int maps, int size,
                      int cases, Scale) {
    throw std::logic_error("CUDA device: blur is not written yet");
}
void CudaDevice::bed_of_nails(const float* images, float* targets, int maps, int size, int start, int stride, int cases,
                              Scale) {
    throw std::logic_error("CUDA device: bed_of_nails is not written yet");
}
void CudaDevice::bed_of_nails_gradient(const float* gradients, float* targets, int maps, int size, int start,
                                       int stride, int cases, Scale) {
    throw std::logic_error("CUDA device: bed_of_nails_gradient is not written yet");
}
void CudaDevice::reflect_horizontal(const float* images, float* targets, int maps, int size, int cases, Scale) {
    throw std::logic_error("CUDA device: reflect_horizontal is not written yet");
}
void CudaDevice::resize_bilinear(const float* images, float* targets, int maps, int size, int target_size, float scale,
                                 int cases) {
    throw std::logic_error("CUDA device: resize_bilinear is not written yet");
}
void CudaDevice::crop(const float* images, float* targets, int maps, int size, int target_size, int start_y,
                      int start_x, int cases) {
    throw std::logic_error("CUDA device: crop is not written yet");
}
void CudaDevice::rgb_to_yuv(const float* images, float* targets, int pixels, int cases) {
    throw std::logic_error("CUDA device: rgb_to_yuv is not written yet");
}
void CudaDevice::rgb_to_lab(const float* images, float* targets, int pixels, int cases, bool center) {
    throw std::logic_error("CUDA device: rgb_to_lab is not written yet");
}
CostValues CudaDevice::logreg_cost(const float* labels, const float* probs, int classes, int cases, int topk) {
    throw std::logic_error("CUDA device: logreg_cost is not written yet");
}
void CudaDevice::logreg_gradient(const float* labels, const float* probs, float* targets, int classes, int cases,
                                 float coeff, Scale) {
    throw std::logic_error("CUDA device: logreg_gradient is not written yet");
}
void CudaDevice::logreg_softmax_gradient(const float* labels, const float* probs, float* targets, int classes,
                                         int cases, float coeff, Scale) {
    throw std::logic_error("CUDA device: logreg_softmax_gradient is not written yet");
}
CostValues CudaDevice::crossent_cost(const float* labels, const float* probs, int classes, int cases) {
    throw std::logic_error("CUDA device: crossent_cost is not written yet");
}
void CudaDevice::crossent_gradient(const float* labels, const float* probs, float* targets, std::size_t count,
                                   float coeff, Scale) {
    throw std::logic_error("CUDA device: crossent_gradient is not written yet");
}
void CudaDevice::crossent_softmax_gradient(const float* labels, const float* probs, float* targets, int classes,
                                           int cases, float coeff, Scale) {
    throw std::logic_error("CUDA device: crossent_softmax_gradient is not written yet");
}
CostValues CudaDevice::crossent2_cost(const float* labels, const float* outputs, std::size_t count) {
    throw std::logic_error("CUDA device: crossent2_cost is not written yet");
}
void CudaDevice::crossent2_gradient(const float* labels, const float* outputs, float* targets, std::size_t count,
                                    float coeff, Scale) {
    throw std::logic_error("CUDA device: crossent2_gradient is not written yet");
}
void CudaDevice::crossent2_logistic_gradient(const float* labels, const float* outputs, float* targets,
                                             std::size_t count, float coeff, Scale) {
    throw std::logic_error("CUDA device: crossent2_logistic_gradient is not written yet");
}
CostValues CudaDevice::rflickr_cost(const float* labels, const float* outputs, std::size_t count) {
    throw std::logic_error("CUDA device: rflickr_cost is not written yet");
}
void CudaDevice::rflickr_gradient(const float* labels, const float* outputs, float* targets, std::size_t count,
                                  float coeff, Scale) {
    throw std::logic_error("CUDA device: rflickr_gradient is not written yet");
}
CostValues CudaDevice::sum2_cost(const float* inputs, std::size_t count) {
    throw std::logic_error("CUDA device: sum2_cost is not written yet");
}
void CudaDevice::sum2_gradient(const float* inputs, float* targets, std::size_t count, float coeff, Scale) {
    throw std::logic_error("CUDA device: sum2_gradient is not written yet");
}
CostValues CudaDevice::gsum2_cost(const float* gates, const float* inputs, int rows, int cases) {
    throw std::logic_error("CUDA device: gsum2_cost is not written yet");
}
void CudaDevice::gsum2_gradient(const float* gates, const float* inputs, float* targets, int rows, int cases,
                                float coeff, Scale) {
    throw std::logic_error("CUDA device: gsum2_gradient is not written yet");
}
void CudaDevice::gsum2_gate_gradient(const float* inputs, float* targets, int rows, int cases, float coeff, Scale) {
    throw std::logic_error("CUDA device: gsum2_gate_gradient is not written yet");
}
void CudaDevice::msm_probs(const float* energies, float* probs, int classes, int cases, int set_size) {
    throw std::logic_error("CUDA device: msm_probs is not written yet");
}
CostValues CudaDevice::msm_cost(const float* labels, const float* energies, int classes, int cases, int set_size) {
    throw std::logic_error("CUDA device: msm_cost is not written yet");
}
void CudaDevice::msm_gradient(const float* labels, const float* energies, float* targets, int classes, int cases,
                              int set_size, float coeff, Scale) {
    throw std::logic_error("CUDA device: msm_gradient is not written yet");
}
void CudaDevice::tica_forward(const NormShape&, const float* images, float* targets) {
    throw std::logic_error("CUDA device: tica_forward is not written yet");
}
CostValues CudaDevice::tica_cost(const NormShape&, const float* images) {
    throw std::logic_error("CUDA device: tica_cost is not written yet");
}
void CudaDevice::tica_gradient(const NormShape&, const float* images, const float* ticas, float* targets, float coeff,
                               Scale) {
    throw std::logic_error("CUDA device: tica_gradient is not written yet");
}
void CudaDevice::update_weights(float* weights, float* increments, const float* gradients, std::size_t count,
                                float momentum, float gradient_scale, float decay) {
    throw std::logic_error("CUDA device: update_weights is not written yet");
}
void CudaDevice::adaptive_update(float* weights, float* increments, const float* gradients, float* mean,
                                 float* mean_square, std::size_t count, float momentum, float rate,
                                 float gradient_scale, float decay, float super_eps) {
    throw std::logic_error("CUDA device: adaptive_update is not written yet");
}
void CudaDevice::treefc_class_weights(const Tree&, const float* weights, float* targets, int rows) {
    throw std::logic_error("CUDA device: treefc_class_weights is not written yet");
}
void CudaDevice::treefc_node_gradients(const Tree&, const float* gradients, float* targets, int rows, Scale) {
    throw std::logic_error("CUDA device: treefc_node_gradients is not written yet");
}
void CudaDevice::treefc_update(const Tree&, float* weights, float* increments, const float* gradients, int rows,
                               float momentum, float rate, float decay, float gradient_scale) {
    throw std::logic_error("CUDA device: treefc_update is not written yet");
}

}  // namespace convnet::cuda
