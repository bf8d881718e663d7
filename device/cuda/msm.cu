// cost.msm on a GPU (spec 3.7): a distribution over the subsets of k classes, whose energy is the sum of their members'
// energies. Sums over subsets run along a lattice, forward and backward, in log space and in double.
#include <limits>

#include "device/cuda/map.h"
#include "device/cuda/reduce.h"

namespace convnet::cuda {
namespace {

constexpr double impossible = -std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

__device__ double log_add(double a, double b) {
    const double high = a < b ? b : a, low = a < b ? a : b;
    return low == impossible ? high : high + log1p(exp(low - high));
}

// Log sums over the subsets of the first or the last classes of each case, by their number of members. Energies count
// less their maximum. left_out: a class of each case that takes no part (null: all take part).
struct Lattice {
    const float* energies;
    const float* left_out;
    int classes, cases, set_size;
    double *best, *before, *after;  // (cases), (classes + 1, set_size + 1, cases) twice

    static std::size_t sums(int classes, int cases, int set_size) {
        return static_cast<std::size_t>(classes + 1) * (set_size + 1) * cases;
    }
    static std::size_t values(int classes, int cases, int set_size) {
        return cases + 2 * sums(classes, cases, set_size);
    }
    static Lattice in(double* memory, const float* energies, const float* left_out, int classes, int cases,
                      int set_size) {
        double* const before = memory + cases;
        return {energies, left_out, classes, cases, set_size, memory, before, before + sums(classes, cases, set_size)};
    }

    __device__ double& at(double* sums, int row, int members, int n) const {
        return sums[(static_cast<std::int64_t>(row) * (set_size + 1) + members) * cases + n];
    }
    __device__ double energy(int i, int n) const {
        return energies[static_cast<std::int64_t>(i) * cases + n] - best[n];
    }
    __device__ bool leaves_out(int i, int n) const { return left_out && static_cast<int>(left_out[n]) == i; }

    __device__ void find_best(int n) const {
        double largest = impossible;
        for (int i = 0; i < classes; i++) {
            const double value = energies[static_cast<std::int64_t>(i) * cases + n];
            largest = value > largest ? value : largest;
        }
        best[n] = largest;
    }
    __device__ void start(double* sums, int row, int n) const {
        for (int members = 0; members <= set_size; members++) at(sums, row, members, n) = members ? impossible : 0;
    }
    // Row `to` from row `from`, with class i or without it.
    __device__ void extend(double* sums, int from, int to, int i, int n) const {
        const bool out = leaves_out(i, n);
        const double own = energy(i, n);
        double one_less = at(sums, from, 0, n);
        at(sums, to, 0, n) = one_less;
        for (int members = 1; members <= set_size; members++) {
            const double same = at(sums, from, members, n);
            at(sums, to, members, n) = out ? same : log_add(same, one_less + own);
            one_less = same;
        }
    }
    __device__ void build(bool forward, int n) const {
        start(forward ? before : after, forward ? 0 : classes, n);
        if (forward)
            for (int i = 0; i < classes; i++) extend(before, i, i + 1, i, n);
        else
            for (int i = classes - 1; i >= 0; i--) extend(after, i + 1, i, i, n);
    }

    // The log of the probability that class i is in the set.
    __device__ double log_marginal(int i, int n) const {
        if (leaves_out(i, n)) return impossible;
        double others = impossible;  // sum over the subsets that hold class i, without its own energy
        for (int members = 0; members < set_size; members++)
            others = log_add(others, at(before, i, members, n) + at(after, i + 1, set_size - 1 - members, n));
        return energy(i, n) + others - at(after, 0, set_size, n);
    }
};

// A thread builds the sums of one case in one direction, class after class.
void build(const Lattice& lattice) {
    const int cases = lattice.cases;
    for_each_case("largest energies", 1, cases, [=] __device__(int, int n) { lattice.find_best(n); });
    for_each_case("sums over sets of classes", 2, cases,
                  [=] __device__(int direction, int n) { lattice.build(direction == 0, n); });
}

__device__ bool is_class(float label, int classes) { return label >= 0 && label < classes; }

}  // namespace

void CudaDevice::msm_probs(const float* energies, float* probs, int classes, int cases, int set_size) {
    select();
    Scratch<double> memory(memory_, Lattice::values(classes, cases, set_size));
    const Lattice lattice = Lattice::in(memory.data(), energies, nullptr, classes, cases, set_size);
    build(lattice);
    for_each_case("msm probabilities", classes, cases, [=] __device__(int i, int n) {
        probs[static_cast<std::int64_t>(i) * cases + n] = static_cast<float>(exp(lattice.log_marginal(i, n)));
    });
}

CostValues CudaDevice::msm_cost(const float* labels, const float* energies, int classes, int cases, int set_size) {
    // Which energies are largest is judged as logreg judges its probabilities.
    const CostValues judged = logreg_cost(labels, energies, classes, cases, set_size);
    Scratch<double> memory(memory_, Lattice::values(classes, cases, set_size));
    const Lattice lattice = Lattice::in(memory.data(), energies, nullptr, classes, cases, set_size);
    build(lattice);
    const CostValues cost = sum<1>("msm cost", memory_, reports_, cases, [=] __device__(std::int64_t i) {
        const int n = static_cast<int>(i);
        return Sums<1>{{is_class(labels[n], classes) ? -lattice.log_marginal(static_cast<int>(labels[n]), n) : nan}};
    });
    return std::async(std::launch::deferred, [=] {
        std::vector<double> values = judged.get();
        values[0] = cost.get()[0];
        return values;
    });
}

void CudaDevice::msm_gradient(const float* labels, const float* energies, float* targets, int classes, int cases,
                              int set_size, float coeff, Scale scale) {
    select();
    Scratch<double> memory(memory_, Lattice::values(classes, cases, set_size)),
        smaller_memory(memory_, Lattice::values(classes, cases, set_size - 1));
    const Lattice all = Lattice::in(memory.data(), energies, nullptr, classes, cases, set_size);
    // With the label in the set, its other members are a set of one less of the other classes.
    const Lattice others = Lattice::in(smaller_memory.data(), energies, labels, classes, cases, set_size - 1);
    build(all);
    build(others);
    for_each_case("gradient of the msm cost", classes, cases, [=] __device__(int i, int n) {
        double gradient = nan;
        if (is_class(labels[n], classes)) {
            const double with_label = static_cast<int>(labels[n]) == i ? 1 : exp(others.log_marginal(i, n));
            gradient = coeff * (with_label - exp(all.log_marginal(i, n)));
        }
        put(targets[static_cast<std::int64_t>(i) * cases + n], static_cast<float>(gradient), scale);
    });
}

}  // namespace convnet::cuda
