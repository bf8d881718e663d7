// The CPU device of one instruction set; its methods are spread over this folder, one file per family.
// Include after isa.h.
#pragma once

#include "device/cpu/isa.h"

namespace convnet::cpu::CONVNET_ISA {

class CpuDevice final : public Device {
public:
    explicit CpuDevice(int threads);

    std::string name() const override;
    float* allocate(std::size_t count) override;
    void release(float* memory) override;
    void copy_from_host(const float* host, float* target, std::size_t count) override;
    void copy_to_host(const float* source, float* host, std::size_t count) override;
    void copy_cases_from_host(const float* host, std::int64_t rows, std::int64_t total_cases, std::int64_t first,
                              std::int64_t cases, float* target) override;
    void fill(float* target, std::size_t count, float value) override;
    void synchronize() override {}

    void conv_forward(const ConvShape&, const float* images, const float* weights, float* targets, Scale) override;
    void conv_image_gradient(const ConvShape&, const float* gradients, const float* weights, float* targets,
                             Scale) override;
    void conv_weight_gradient(const ConvShape&, const float* images, const float* gradients, float* targets,
                              int partial_sum, Scale) override;
    void local_forward(const ConvShape&, const float* images, const float* weights, float* targets, Scale) override;
    void local_image_gradient(const ConvShape&, const float* gradients, const float* weights, float* targets,
                              Scale) override;
    void local_weight_gradient(const ConvShape&, const float* images, const float* gradients, float* targets,
                               Scale) override;
    void add_bias(const float* biases, float* targets, int count, int modules, int cases) override;
    void bias_gradient(const float* gradients, float* targets, int count, int modules, int cases, Scale) override;
    void normalize_local_weights(float* weights, int modules, int rows, int filters, float norm) override;

    void pool_forward(Pool, const PoolShape&, const float* images, float* targets) override;
    void pool_max_gradient(const PoolShape&, const float* images, const float* gradients, const float* outputs,
                           float* targets, Scale) override;
    void pool_avg_gradient(const PoolShape&, const float* gradients, float* targets, Scale) override;

    void cross_map_norm(const NormShape&, const float* images, float* denoms, float* targets) override;
    void cross_map_norm_gradient(const NormShape&, const float* gradients, const float* denoms, const float* images,
                                 const float* outputs, float* targets, Scale) override;

    void neuron_forward(const Neuron&, const float* inputs, float* targets, std::size_t count, RandomKey) override;
    void neuron_gradient(const Neuron&, const float* gradients, const float* inputs, const float* outputs,
                         float* targets, std::size_t count, Scale) override;

    void multiply(const float* a, bool transpose_a, const float* b, bool transpose_b, float* targets, int rows,
                  int columns, int inner, Scale) override;
    void add(const float* inputs, float* targets, std::size_t count, Scale) override;
    void multiply_elementwise(const float* a, const float* b, float* targets, std::size_t count, Scale) override;
    void softmax(const float* inputs, float* targets, int classes, int cases) override;
    void softmax_gradient(const float* gradients, const float* outputs, float* targets, int classes, int cases,
                          Scale) override;
    void elementwise_max(const float* inputs, float* targets, std::size_t count) override;
    void elementwise_max_gradient(const float* gradients, const float* inputs, const float* outputs, float* targets,
                                  std::size_t count, Scale) override;
    void dropout_mask(float* targets, std::size_t count, float keep, RandomKey) override;
    void philox_uniform(float* targets, std::size_t count, RandomKey) override;

    LogregCost logreg_cost(const float* labels, const float* probs, int classes, int cases, int topk) override;
    void logreg_gradient(const float* labels, const float* probs, float* targets, int classes, int cases, float coeff,
                         Scale) override;
    void logreg_softmax_gradient(const float* labels, const float* probs, float* targets, int classes, int cases,
                                 float coeff, Scale) override;

    void update_weights(float* weights, float* increments, const float* gradients, std::size_t count, float momentum,
                        float gradient_scale, float decay) override;
    void adaptive_update(float* weights, float* increments, const float* gradients, float* mean, float* mean_square,
                         std::size_t count, float momentum, float gradient_scale, float decay,
                         float super_eps) override;
    void bound_column_norms(float* weights, int rows, int columns, float norm) override;
    void bound_zero_mean_norms(float* weights, int rows, int columns, float min, float max) override;
    double mean_abs(const float* values, std::size_t count) override;

private:
    ThreadPool pool_;
};

// target = scale.targets * target + scale.output * result, never reading a target that is to be dropped.
inline void put(float& target, float result, Scale scale) {
    target = scale.targets == 0 ? scale.output * result : scale.targets * target + scale.output * result;
}

}  // namespace convnet::cpu::CONVNET_ISA
