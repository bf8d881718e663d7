// cost.msm on the CPU (spec 3.7): a distribution over the subsets of k classes, whose energy is the sum of
// their members' energies. Sums over subsets run along a lattice, forward and backward, in log space and in
// double; 2012 kept them in float, with an approximate log of a sum.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "device/cpu/isa.h"
#include "device/cpu/map.h"

namespace convnet::cpu::CONVNET_ISA {
namespace {

constexpr double impossible = -std::numeric_limits<double>::infinity();

double log_add(double a, double b) {
    const double high = std::max(a, b), low = std::min(a, b);
    return low == impossible ? high : high + std::log1p(std::exp(low - high));
}

// Log sums over the subsets of the first or the last classes, by their number of members.
class Lattice {
public:
    // The classes whose energies are given, all but `left_out` (-1: all).
    Lattice(const std::vector<double>& energies, int set_size, int left_out)
        : size_(set_size), classes_(energies.size()), before_(width() * (classes_ + 1), impossible), after_(before_) {
        before_[0] = after_[width() * classes_] = 0;
        for (int i = 0; i < classes_; i++)
            extend(&before_[width() * i], &before_[width() * (i + 1)], i == left_out, energies[i]);
        for (int i = classes_ - 1; i >= 0; i--)
            extend(&after_[width() * (i + 1)], &after_[width() * i], i == left_out, energies[i]);
    }

    double log_total() const { return after_[size_]; }

    // The log sum over the subsets that hold class i, without its own energy.
    double log_others(int i) const {
        double sum = impossible;
        for (int members = 0; members < size_; members++)
            sum = log_add(sum, before_[width() * i + members] + after_[width() * (i + 1) + size_ - 1 - members]);
        return sum;
    }

private:
    std::size_t width() const { return size_ + 1; }

    void extend(const double* from, double* to, bool left_out, double energy) const {
        to[0] = from[0];
        for (int members = 1; members <= size_; members++)
            to[members] = left_out ? from[members] : log_add(from[members], from[members - 1] + energy);
    }

    const int size_, classes_;
    std::vector<double> before_, after_;
};

// The energies of case n, less their maximum.
std::vector<double> energies_of(const float* energies, int classes, int cases, int n) {
    std::vector<double> column(classes);
    double best = impossible;
    for (int j = 0; j < classes; j++) {
        column[j] = energies[static_cast<std::int64_t>(j) * cases + n];
        best = column[j] > best ? column[j] : best;
    }
    for (double& energy : column) energy -= best;
    return column;
}

// The probability that each class is in the set.
std::vector<double> marginals(const std::vector<double>& energies, int set_size, int left_out = -1) {
    const Lattice lattice(energies, set_size, left_out);
    std::vector<double> probs(energies.size());
    for (std::size_t i = 0; i < energies.size(); i++)
        probs[i] =
            static_cast<int>(i) == left_out ? 0 : std::exp(energies[i] + lattice.log_others(i) - lattice.log_total());
    return probs;
}

}  // namespace

void CpuDevice::msm_probs(const float* energies, float* probs, int classes, int cases, int set_size) {
    pool_.parallel_for(cases, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; n++) {
            const std::vector<double> in_set = marginals(energies_of(energies, classes, cases, n), set_size);
            for (int j = 0; j < classes; j++)
                probs[static_cast<std::int64_t>(j) * cases + n] = static_cast<float>(in_set[j]);
        }
    });
}

CostValues CpuDevice::msm_cost(const float* labels, const float* energies, int classes, int cases, int set_size) {
    // Which energies are largest is judged as logreg judges its probabilities.
    std::vector<double> cost = logreg_cost(labels, energies, classes, cases, set_size).get();
    std::vector<double> minus_log(cases, std::numeric_limits<double>::quiet_NaN());
    pool_.parallel_for(cases, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; n++) {
            if (!(labels[n] >= 0 && labels[n] < classes)) continue;
            const int label = static_cast<int>(labels[n]);
            const std::vector<double> column = energies_of(energies, classes, cases, n);
            const Lattice lattice(column, set_size, -1);
            minus_log[n] = lattice.log_total() - column[label] - lattice.log_others(label);
        }
    });
    cost[0] = 0;
    for (double value : minus_log) cost[0] += value;
    return ready(std::move(cost));
}

void CpuDevice::msm_gradient(const float* labels, const float* energies, float* targets, int classes, int cases,
                             int set_size, float coeff, Scale scale) {
    pool_.parallel_for(cases, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; n++) {
            const bool valid = labels[n] >= 0 && labels[n] < classes;
            const int label = valid ? static_cast<int>(labels[n]) : 0;
            const std::vector<double> column = energies_of(energies, classes, cases, n);
            const std::vector<double> in_set = marginals(column, set_size);
            // With the label in the set, its other members are a set of one less of the other classes.
            std::vector<double> with_label = marginals(column, set_size - 1, label);
            with_label[label] = 1;
            for (int j = 0; j < classes; j++) {
                const double gradient =
                    valid ? coeff * (with_label[j] - in_set[j]) : std::numeric_limits<double>::quiet_NaN();
                put(targets[static_cast<std::int64_t>(j) * cases + n], static_cast<float>(gradient), scale);
            }
        }
    });
}

}  // namespace convnet::cpu::CONVNET_ISA
