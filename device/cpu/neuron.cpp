// Neurons on the CPU (spec 2.6 for the functions, 3.5 for the gradients).
#include <cmath>
#include <cstdint>

#include "device/philox.h"
#include "device/cpu/isa.h"
#include "device/cpu/map.h"
#include "device/cpu/vmath.h"

namespace convnet::cpu::CONVNET_ISA {
namespace {

float relu(float x) { return x < 0 ? 0 : x; }  // NaN passes through

}  // namespace

void CpuDevice::neuron_forward(const Neuron& neuron, const float* x, float* targets, std::size_t count, RandomKey key) {
    const float a = neuron.a, b = neuron.b;
    ThreadPool& t = pool_;
    using I = std::int64_t;
    switch (neuron.kind) {
        case NeuronKind::ident:
            return map(t, count, targets, [=](I i) { return x[i]; });
        case NeuronKind::logistic:
            return map(t, count, targets, [=](I i) { return static_cast<float>(logistic_of(x[i])); });
        case NeuronKind::abs:
            return map(t, count, targets, [=](I i) { return std::fabs(x[i]); });
        case NeuronKind::relu:
            return map(t, count, targets, [=](I i) { return relu(x[i]); });
        case NeuronKind::nrelu:
            return map(t, count, targets,
                       [=](I i) { return relu(relu(x[i]) + static_cast<float>(philox_normal(key, i)) * relu(x[i])); });
        case NeuronKind::softrelu:
            return map(t, count, targets,
                       [=](I i) { return x[i] > 4 ? x[i] : static_cast<float>(log_of(1 + exp_of(x[i]))); });
        case NeuronKind::square:
            return map(t, count, targets, [=](I i) { return x[i] * x[i]; });
        case NeuronKind::sqrt:
            return map(t, count, targets, [=](I i) { return std::sqrt(x[i]); });
        case NeuronKind::tanh:
            return map(t, count, targets, [=](I i) { return static_cast<float>(a * tanh_of(double(b) * x[i])); });
        case NeuronKind::abstanh:
            return map(t, count, targets,
                       [=](I i) { return static_cast<float>(a * std::fabs(tanh_of(double(b) * x[i]))); });
        case NeuronKind::brelu:
            return map(t, count, targets, [=](I i) {
                const float y = relu(x[i]);
                return y > a ? a : y;
            });
        case NeuronKind::linear:
            return map(t, count, targets, [=](I i) { return a * x[i] + b; });
        case NeuronKind::drelu:
            return map(t, count, targets,
                       [=](I i) { return static_cast<float>(x[i] - a * tanh_of(x[i] / double(a))); });
    }
}

void CpuDevice::neuron_gradient(const Neuron& neuron, const float* g, const float* x, const float* y, float* targets,
                                std::size_t count, Scale scale) {
    const float a = neuron.a, b = neuron.b;
    ThreadPool& t = pool_;
    using I = std::int64_t;
    switch (neuron.kind) {
        case NeuronKind::ident:
            return map(t, count, targets, scale, [=](I i) { return g[i]; });
        case NeuronKind::logistic:
            return map(t, count, targets, scale, [=](I i) { return g[i] * y[i] * (1 - y[i]); });
        case NeuronKind::abs:
            return map(t, count, targets, scale, [=](I i) { return x[i] > 0 ? g[i] : -g[i]; });
        case NeuronKind::relu:
        case NeuronKind::nrelu:
            return map(t, count, targets, scale, [=](I i) { return y[i] > 0 ? g[i] : 0.0f; });
        case NeuronKind::softrelu:
            // e^x / (1 + e^x) is the logistic function, which does not overflow.
            return map(t, count, targets, scale,
                       [=](I i) { return x[i] > 4 ? g[i] : static_cast<float>(g[i] * logistic_of(x[i])); });
        case NeuronKind::square:
            return map(t, count, targets, scale, [=](I i) { return 2 * g[i] * x[i]; });
        case NeuronKind::sqrt:
            return map(t, count, targets, scale, [=](I i) { return g[i] / (2 * y[i]); });
        case NeuronKind::tanh:
            return map(t, count, targets, scale, [=](I i) { return g[i] * b * (a - y[i] * y[i] / a); });
        case NeuronKind::abstanh:
            return map(t, count, targets, scale, [=](I i) {
                const float slope = g[i] * b * (a - y[i] * y[i] / a);
                return x[i] > 0 ? slope : -slope;
            });
        case NeuronKind::brelu:
            return map(t, count, targets, scale, [=](I i) { return y[i] > 0 && y[i] < a ? g[i] : 0.0f; });
        case NeuronKind::linear:
            return map(t, count, targets, scale, [=](I i) { return a * g[i]; });
        case NeuronKind::drelu:
            return map(t, count, targets, scale, [=](I i) {
                const double slope = tanh_of(x[i] / double(a));
                return static_cast<float>(g[i] * slope * slope);
            });
    }
}

}  // namespace convnet::cpu::CONVNET_ISA
