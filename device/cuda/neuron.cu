// Neurons on a GPU (spec 2.6 for the functions, 3.5 for the gradients).
#include "device/cuda/map.h"
#include "device/philox.h"

namespace convnet::cuda {
namespace {

__device__ float relu(float x) { return x < 0 ? 0 : x; }  // NaN passes through
__device__ float logistic(float x) { return 1 / (1 + expf(-x)); }

}  // namespace

void CudaDevice::neuron_forward(const Neuron& neuron, const float* x, float* targets, std::size_t count,
                                RandomKey key) {
    select();
    const char* const name = "neuron";
    const float a = neuron.a, b = neuron.b;
    using I = std::int64_t;
    switch (neuron.kind) {
        case NeuronKind::ident:
            return map(name, count, targets, [=] __device__(I i) { return x[i]; });
        case NeuronKind::logistic:
            return map(name, count, targets, [=] __device__(I i) { return logistic(x[i]); });
        case NeuronKind::abs:
            return map(name, count, targets, [=] __device__(I i) { return fabsf(x[i]); });
        case NeuronKind::relu:
            return map(name, count, targets, [=] __device__(I i) { return relu(x[i]); });
        case NeuronKind::nrelu:
            return map(name, count, targets, [=] __device__(I i) {
                const float noise = static_cast<float>(philox_normal(key, static_cast<std::uint32_t>(i)));
                return relu(relu(x[i]) + noise * relu(x[i]));
            });
        case NeuronKind::softrelu:
            return map(name, count, targets, [=] __device__(I i) { return x[i] > 4 ? x[i] : log1pf(expf(x[i])); });
        case NeuronKind::square:
            return map(name, count, targets, [=] __device__(I i) { return x[i] * x[i]; });
        case NeuronKind::sqrt:
            return map(name, count, targets, [=] __device__(I i) { return sqrtf(x[i]); });
        case NeuronKind::tanh:
            return map(name, count, targets, [=] __device__(I i) { return a * tanhf(b * x[i]); });
        case NeuronKind::abstanh:
            return map(name, count, targets, [=] __device__(I i) { return a * fabsf(tanhf(b * x[i])); });
        case NeuronKind::brelu:
            return map(name, count, targets, [=] __device__(I i) {
                const float y = relu(x[i]);
                return y > a ? a : y;
            });
        case NeuronKind::linear:
            return map(name, count, targets, [=] __device__(I i) { return a * x[i] + b; });
        case NeuronKind::drelu:
            return map(name, count, targets, [=] __device__(I i) { return x[i] - a * tanhf(x[i] / a); });
    }
}

void CudaDevice::neuron_gradient(const Neuron& neuron, const float* g, const float* x, const float* y, float* targets,
                                 std::size_t count, Scale scale) {
    select();
    const char* const name = "gradient of a neuron";
    const float a = neuron.a, b = neuron.b;
    using I = std::int64_t;
    switch (neuron.kind) {
        case NeuronKind::ident:
            return map(name, count, targets, scale, [=] __device__(I i) { return g[i]; });
        case NeuronKind::logistic:
            return map(name, count, targets, scale, [=] __device__(I i) { return g[i] * y[i] * (1 - y[i]); });
        case NeuronKind::abs:
            return map(name, count, targets, scale, [=] __device__(I i) { return x[i] > 0 ? g[i] : -g[i]; });
        case NeuronKind::relu:
        case NeuronKind::nrelu:
            return map(name, count, targets, scale, [=] __device__(I i) { return y[i] > 0 ? g[i] : 0.0f; });
        case NeuronKind::softrelu:
            // e^x / (1 + e^x) is the logistic function, which does not overflow.
            return map(name, count, targets, scale,
                       [=] __device__(I i) { return x[i] > 4 ? g[i] : g[i] * logistic(x[i]); });
        case NeuronKind::square:
            return map(name, count, targets, scale, [=] __device__(I i) { return 2 * g[i] * x[i]; });
        case NeuronKind::sqrt:
            return map(name, count, targets, scale, [=] __device__(I i) { return g[i] / (2 * y[i]); });
        case NeuronKind::tanh:
            return map(name, count, targets, scale, [=] __device__(I i) { return g[i] * b * (a - y[i] * y[i] / a); });
        case NeuronKind::abstanh:
            return map(name, count, targets, scale, [=] __device__(I i) {
                const float slope = g[i] * b * (a - y[i] * y[i] / a);
                return x[i] > 0 ? slope : -slope;
            });
        case NeuronKind::brelu:
            return map(name, count, targets, scale, [=] __device__(I i) { return y[i] > 0 && y[i] < a ? g[i] : 0.0f; });
        case NeuronKind::linear:
            return map(name, count, targets, scale, [=] __device__(I i) { return a * g[i]; });
        case NeuronKind::drelu:
            return map(name, count, targets, scale, [=] __device__(I i) {
                const float slope = tanhf(x[i] / a);
                return g[i] * slope * slope;
            });
    }
}

}  // namespace convnet::cuda
