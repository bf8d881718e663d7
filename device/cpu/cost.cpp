// Costs on the CPU (spec 3.7). Values are summed in double, in case order.
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "device/cpu/isa.h"
#include "device/cpu/map.h"

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

LogregCost CpuDevice::logreg_cost(const float* labels, const float* probs, int classes, int cases, int topk) {
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
    LogregCost cost;
    for (int n = 0; n < cases; n++) {
        cost.minus_log_prob -= std::log(double(own[n]));
        if (ties[n] == 0) continue;  // NaN
        cost.correct += share_of_ties(larger[n], ties[n], 1);
        cost.correct_topk += share_of_ties(larger[n], ties[n], topk);
    }
    return cost;
}

void CpuDevice::logreg_gradient(const float* labels, const float* probs, float* targets, int classes, int cases, float coeff, Scale scale) {
    pool_.parallel_for(classes, 1 + grain / (cases + 1), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end; j++)
            for (int n = 0; n < cases; n++) {
                const int label = label_row(labels[n], classes);
                const float gradient = label == j ? coeff / probs[j * cases + n] : 0.0f;
                put(targets[j * cases + n], label < 0 ? std::numeric_limits<float>::quiet_NaN() : gradient, scale);
            }
    });
}

void CpuDevice::logreg_softmax_gradient(const float* labels, const float* probs, float* targets, int classes, int cases, float coeff, Scale scale) {
    pool_.parallel_for(classes, 1 + grain / (cases + 1), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end; j++)
            for (int n = 0; n < cases; n++) {
                const int label = label_row(labels[n], classes);
                const float gradient = coeff * ((label == j ? 1.0f : 0.0f) - probs[j * cases + n]);
                put(targets[j * cases + n], label < 0 ? std::numeric_limits<float>::quiet_NaN() : gradient, scale);
            }
    });
}

}  // namespace convnet::cpu::CONVNET_ISA
