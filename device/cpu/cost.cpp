// Costs on the CPU (spec 3.7). Values are summed in double, in case order.
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "device/cpu/isa.h"
#include "device/cpu/map.h"
#include "device/cpu/window.h"

namespace convnet::cpu::CONVNET_ISA {
namespace {

// Row of a label, or -1 where it names no class: such a case makes the cost NaN, which stops a run.
int label_row(float label, int classes) {
    const bool valid = label >= 0 && label < classes && label == std::floor(label);
    return valid ? static_cast<int>(label) : -1;
}

// The share of a case that counts as correct among `slots` places: ties share what is left to them.
double share_of_ties(int larger, int ties, int slots) {
    const int left = slots - larger;
    if (left <= 0) return 0;
    return ties <= left ? 1.0 : double(left) / ties;
}

}  // namespace

CostValues CpuDevice::logreg_cost(const float* labels, const float* probs, int classes, int cases, int topk) {
    // Strictly larger and equal probabilities of each case, counted row by row as they lie in memory.
    std::vector<float> own(cases, std::numeric_limits<float>::quiet_NaN());
    for (int n = 0; n < cases; n++) {
        const int row = label_row(labels[n], classes);
        if (row >= 0) own[n] = probs[static_cast<std::int64_t>(row) * cases + n];
    }
    std::vector<int> larger(cases), ties(cases);
    for (int j = 0; j < classes; j++) {
        const float* row = probs + static_cast<std::int64_t>(j) * cases;
        for (int n = 0; n < cases; n++) {
            larger[n] += row[n] > own[n];
            ties[n] += row[n] == own[n];
        }
    }
    std::vector<double> cost{0, double(cases), double(cases)};
    for (int n = 0; n < cases; n++) {
        cost[0] -= std::log(double(own[n]));
        if (ties[n] == 0) continue;  // NaN
        cost[1] -= share_of_ties(larger[n], ties[n], 1);
        cost[2] -= share_of_ties(larger[n], ties[n], topk);
    }
    return ready(std::move(cost));
}

void CpuDevice::logreg_gradient(const float* labels, const float* probs, float* targets, int classes, int cases,
                                float coeff, Scale scale) {
    pool_.parallel_for(classes, 1 + grain / (cases + 1), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end; j++)
            for (int n = 0; n < cases; n++) {
                const int label = label_row(labels[n], classes);
                const float gradient = label == j ? coeff / probs[j * cases + n] : 0.0f;
                put(targets[j * cases + n], label < 0 ? std::numeric_limits<float>::quiet_NaN() : gradient, scale);
            }
    });
}

void CpuDevice::logreg_softmax_gradient(const float* labels, const float* probs, float* targets, int classes, int cases,
                                        float coeff, Scale scale) {
    pool_.parallel_for(classes, 1 + grain / (cases + 1), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end; j++)
            for (int n = 0; n < cases; n++) {
                const int label = label_row(labels[n], classes);
                const float gradient = coeff * ((label == j ? 1.0f : 0.0f) - probs[j * cases + n]);
                put(targets[j * cases + n], label < 0 ? std::numeric_limits<float>::quiet_NaN() : gradient, scale);
            }
    });
}

namespace {

// e^-50 stands for 0 in the guarded logarithms and divisions of spec 3.7; NaN goes through.
double guarded(double value) { return value == 0 ? std::exp(-50.0) : value; }
double guarded_log(double value) { return value == 0 ? -50.0 : std::log(value); }

// The sum of term(i) over all i below count. Blocks of a fixed size are summed apart and then in order, so
// that the result does not depend on the number of threads.
template <class Term>
double sum(ThreadPool& pool, std::int64_t count, Term term) {
    const std::int64_t blocks = (count + grain - 1) / grain;
    std::vector<double> sums(blocks);
    pool.parallel_for(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t block = begin; block < end; block++) {
            double total = 0;
            for (std::int64_t i = block * grain; i < std::min(count, (block + 1) * grain); i++) total += term(i);
            sums[block] = total;
        }
    });
    double total = 0;
    for (double block : sums) total += block;
    return total;
}

}  // namespace

CostValues CpuDevice::crossent_cost(const float* labels, const float* probs, int classes, int cases) {
    double correct = 0;
    for (int n = 0; n < cases; n++) {
        float best = -std::numeric_limits<float>::infinity();
        int maxima = 0;
        bool hit = false;
        for (int j = 0; j < classes; j++) {
            const std::int64_t i = static_cast<std::int64_t>(j) * cases + n;
            if (probs[i] > best) {
                best = probs[i];
                maxima = 0;
                hit = false;
            }
            if (probs[i] != best) continue;
            maxima++;
            hit = hit || labels[i] > 0;
        }
        if (hit) correct += 1.0 / maxima;
    }
    const double cost = sum(pool_, static_cast<std::int64_t>(classes) * cases,
                            [=](std::int64_t i) { return -labels[i] * guarded_log(probs[i]); });
    return ready({cost, cases - correct});
}

void CpuDevice::crossent_gradient(const float* labels, const float* probs, float* targets, std::size_t count,
                                  float coeff, Scale scale) {
    map(pool_, count, targets, scale,
        [=](std::int64_t i) { return static_cast<float>(coeff * labels[i] / guarded(probs[i])); });
}

void CpuDevice::crossent_softmax_gradient(const float* labels, const float* probs, float* targets, int classes,
                                          int cases, float coeff, Scale scale) {
    std::vector<float> sums(cases);
    for (int j = 0; j < classes; j++)
        for (int n = 0; n < cases; n++) sums[n] += labels[static_cast<std::int64_t>(j) * cases + n];
    map(pool_, static_cast<std::size_t>(classes) * cases, targets, scale,
        [=, sum = sums.data()](std::int64_t i) { return coeff * (labels[i] - probs[i] * sum[i % cases]); });
}

CostValues CpuDevice::crossent2_cost(const float* labels, const float* outputs, std::size_t count) {
    return ready({sum(pool_, count, [=](std::int64_t i) {
        const double t = labels[i], y = outputs[i];
        return -(t * guarded_log(y) + (1 - t) * guarded_log(1 - y));
    })});
}

void CpuDevice::crossent2_gradient(const float* labels, const float* outputs, float* targets, std::size_t count,
                                   float coeff, Scale scale) {
    map(pool_, count, targets, scale, [=](std::int64_t i) {
        const double t = labels[i], y = outputs[i];
        return static_cast<float>(coeff * (t / guarded(y) - (1 - t) / guarded(1 - y)));
    });
}

void CpuDevice::crossent2_logistic_gradient(const float* labels, const float* outputs, float* targets,
                                            std::size_t count, float coeff, Scale scale) {
    map(pool_, count, targets, scale, [=](std::int64_t i) { return coeff * (labels[i] - outputs[i]); });
}

CostValues CpuDevice::rflickr_cost(const float* labels, const float* outputs, std::size_t count) {
    return ready({sum(pool_, count, [=](std::int64_t i) {
        const double d = double(outputs[i]) - labels[i];
        return std::log1p(d * d);
    })});
}

void CpuDevice::rflickr_gradient(const float* labels, const float* outputs, float* targets, std::size_t count,
                                 float coeff, Scale scale) {
    map(pool_, count, targets, scale, [=](std::int64_t i) {
        const double d = double(outputs[i]) - labels[i];
        return static_cast<float>(-coeff * 2 * d / (1 + d * d));
    });
}

CostValues CpuDevice::sum2_cost(const float* inputs, std::size_t count) {
    return ready({sum(pool_, count, [=](std::int64_t i) { return double(inputs[i]) * inputs[i]; })});
}

void CpuDevice::sum2_gradient(const float* inputs, float* targets, std::size_t count, float coeff, Scale scale) {
    map(pool_, count, targets, scale, [=](std::int64_t i) { return -2 * coeff * inputs[i]; });
}

CostValues CpuDevice::gsum2_cost(const float* gates, const float* inputs, int rows, int cases) {
    return ready({sum(pool_, static_cast<std::int64_t>(rows) * cases,
                      [=](std::int64_t i) { return gates[i % cases] * double(inputs[i]) * inputs[i]; })});
}

void CpuDevice::gsum2_gradient(const float* gates, const float* inputs, float* targets, int rows, int cases,
                               float coeff, Scale scale) {
    map(pool_, static_cast<std::size_t>(rows) * cases, targets, scale,
        [=](std::int64_t i) { return -2 * coeff * gates[i % cases] * inputs[i]; });
}

void CpuDevice::gsum2_gate_gradient(const float* inputs, float* targets, int rows, int cases, float coeff,
                                    Scale scale) {
    std::vector<double> sums(cases);
    for (int row = 0; row < rows; row++)
        for (int n = 0; n < cases; n++) {
            const double x = inputs[static_cast<std::int64_t>(row) * cases + n];
            sums[n] += x * x;
        }
    for (int n = 0; n < cases; n++) put(targets[n], static_cast<float>(-coeff * sums[n]), scale);
}

void CpuDevice::tica_forward(const NormShape& s, const float* images, float* targets) {
    const std::int64_t count = static_cast<std::int64_t>(s.pixels) * s.cases;
    pool_.parallel_for(s.channels, 1, [&](std::int64_t begin, std::int64_t end) {
        WindowSums sums(s.img_size, s.cases);
        for (std::int64_t map = begin; map < end; map++) {
            const float* x = images + map * count;
            float* y = targets + map * count;
            for (std::int64_t i = 0; i < count; i++) y[i] = x[i] * x[i];
            sums.add_up(y, y, Window::forward(s.size));
            for (std::int64_t i = 0; i < count; i++) y[i] = 1 / (0.001f + std::sqrt(y[i]));
        }
    });
}

CostValues CpuDevice::tica_cost(const NormShape& s, const float* images) {
    const std::size_t count = static_cast<std::size_t>(s.channels) * s.pixels * s.cases;
    std::vector<float> ticas(count);
    tica_forward(s, images, ticas.data());
    return ready({sum(pool_, count, [&](std::int64_t i) { return ticas[i]; })});
}

void CpuDevice::tica_gradient(const NormShape& s, const float* images, const float* ticas, float* targets, float coeff,
                              Scale scale) {
    const std::int64_t count = static_cast<std::int64_t>(s.pixels) * s.cases;
    pool_.parallel_for(s.channels, 1, [&](std::int64_t begin, std::int64_t end) {
        WindowSums sums(s.img_size, s.cases);
        std::vector<float> sum(count);
        for (std::int64_t map = begin; map < end; map++) {
            // The forward window in both directions is the historic choice (spec 3.7).
            sums.add_up(ticas + map * count, sum.data(), Window::forward(s.size));
            for (std::int64_t i = 0; i < count; i++)
                put(targets[map * count + i], -coeff * images[map * count + i] * sum[i], scale);
        }
    });
}

}  // namespace convnet::cpu::CONVNET_ISA
