// Costs on a GPU (spec 3.7). Values are summed in double, in an order that depends on the sizes only.
#include <limits>

#include "device/cuda/map.h"
#include "device/cuda/reduce.h"
#include "device/cuda/windows.h"

namespace convnet::cuda {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();

// Row of a label, or -1 where it names no class: such a case makes the cost NaN, which stops a run.
__device__ int label_row(float label, int classes) {
    const bool valid = label >= 0 && label < classes && label == floorf(label);
    return valid ? static_cast<int>(label) : -1;
}

// e^-50 stands for 0 in the guarded logarithms and divisions of spec 3.7; NaN goes through.
__device__ double guarded(double value) { return value == 0 ? 1.9287498479639178e-22 : value; }
__device__ double guarded_log(double value) { return value == 0 ? -50.0 : log(value); }

// Of each case: -log p[label], and its share of being wrong among one and among topk places.
struct LogregOfCase {
    const float *labels, *probs;
    int classes, cases, topk;
    Sums<3>* results;

    struct State {
        float own;  // the label's probability, NaN where there is no such label
        int larger, ties;
    };
    __device__ State none() const { return {0, 0, 0}; }
    __device__ float own(int n) const {
        const int row = label_row(labels[n], classes);
        return row < 0 ? nan : probs[element(row, cases, n)];
    }
    __device__ void add(State& state, int row, int n) const {
        if (row < threads_per_column) state.own = own(n);  // a thread's first row
        const float p = probs[element(row, cases, n)];
        state.larger += p > state.own;
        state.ties += p == state.own;
    }
    __device__ void merge(State& state, const State& other) const {
        state.larger += other.larger;
        state.ties += other.ties;
    }
    // Ties share what places are left to them. Without any, not even with itself, the probability is NaN.
    __device__ double wrong(const State& state, int places) const {
        const int left = places - state.larger;
        if (state.ties == 0 || left <= 0) return 1;
        return state.ties <= left ? 0 : 1 - double(left) / state.ties;
    }
    __device__ void finish(const State& state, int n) const {
        results[n] = {{-log(double(own(n))), wrong(state, 1), wrong(state, topk)}};
    }
};

// Of each case: sum -t log p, and its share of being wrong.
struct CrossentOfCase {
    const float *labels, *probs;
    int cases;
    Sums<2>* results;

    struct State {
        double cost;
        float best;
        int maxima;
        bool hit;  // a label on one of the maxima
    };
    __device__ State none() const { return {0, -infinity, 0, false}; }
    __device__ void add(State& state, int row, int n) const {
        const float t = labels[element(row, cases, n)], p = probs[element(row, cases, n)];
        merge(state, {-t * guarded_log(p), p, 1, t > 0});
    }
    __device__ void merge(State& state, const State& other) const {
        state.cost += other.cost;
        if (other.best > state.best) {
            state.best = other.best;
            state.maxima = 0;
            state.hit = false;
        }
        if (other.best != state.best) return;
        state.maxima += other.maxima;
        state.hit = state.hit || other.hit;
    }
    __device__ void finish(const State& state, int n) const {
        results[n] = {{state.cost, state.hit ? 1 - 1.0 / state.maxima : 1}};
    }
};

// The sum of each column, or of its squares, in double.
template <bool squared>
struct ColumnSum {
    const float* inputs;
    int columns;
    float factor;
    Scale scale;
    float* targets;

    using State = double;
    __device__ State none() const { return 0; }
    __device__ void add(State& state, int row, int column) const {
        const double x = inputs[element(row, columns, column)];
        state += squared ? x * x : x;
    }
    __device__ void merge(State& state, const State& other) const { state += other; }
    __device__ void finish(const State& state, int column) const {
        put(targets[column], static_cast<float>(factor * state), scale);
    }
};

}  // namespace

CostValues CudaDevice::logreg_cost(const float* labels, const float* probs, int classes, int cases, int topk) {
    select();
    Scratch<Sums<3>> results(memory_, cases);
    const Sums<3>* each = results.data();
    fold_columns("logreg cost", classes, cases, LogregOfCase{labels, probs, classes, cases, topk, results.data()});
    return sum<3>("logreg cost", memory_, reports_, cases, [=] __device__(std::int64_t n) { return each[n]; });
}

void CudaDevice::logreg_gradient(const float* labels, const float* probs, float* targets, int classes, int cases,
                                 float coeff, Scale scale) {
    select();
    for_each_case("gradient of the logreg cost", classes, cases, [=] __device__(int row, int n) {
        const int label = label_row(labels[n], classes);
        const float gradient = label == row ? coeff / probs[element(row, cases, n)] : 0.0f;
        put(targets[element(row, cases, n)], label < 0 ? nan : gradient, scale);
    });
}

void CudaDevice::logreg_softmax_gradient(const float* labels, const float* probs, float* targets, int classes,
                                         int cases, float coeff, Scale scale) {
    select();
    for_each_case("gradient of the logreg cost and softmax", classes, cases, [=] __device__(int row, int n) {
        const int label = label_row(labels[n], classes);
        const float gradient = coeff * ((label == row ? 1.0f : 0.0f) - probs[element(row, cases, n)]);
        put(targets[element(row, cases, n)], label < 0 ? nan : gradient, scale);
    });
}

CostValues CudaDevice::crossent_cost(const float* labels, const float* probs, int classes, int cases) {
    select();
    Scratch<Sums<2>> results(memory_, cases);
    const Sums<2>* each = results.data();
    fold_columns("crossent cost", classes, cases, CrossentOfCase{labels, probs, cases, results.data()});
    return sum<2>("crossent cost", memory_, reports_, cases, [=] __device__(std::int64_t n) { return each[n]; });
}

void CudaDevice::crossent_gradient(const float* labels, const float* probs, float* targets, std::size_t count,
                                   float coeff, Scale scale) {
    select();
    map("gradient of the crossent cost", count, targets, scale,
        [=] __device__(std::int64_t i) { return static_cast<float>(coeff * labels[i] / guarded(probs[i])); });
}

void CudaDevice::crossent_softmax_gradient(const float* labels, const float* probs, float* targets, int classes,
                                           int cases, float coeff, Scale scale) {
    select();
    Scratch<float> sums(memory_, cases);
    const float* label_sums = sums.data();
    fold_columns("sums of labels", classes, cases, ColumnSum<false>{labels, cases, 1, Scale{}, sums.data()});
    for_each_case("gradient of the crossent cost and softmax", classes, cases, [=] __device__(int row, int n) {
        const std::int64_t i = element(row, cases, n);
        put(targets[i], coeff * (labels[i] - probs[i] * label_sums[n]), scale);
    });
}

CostValues CudaDevice::crossent2_cost(const float* labels, const float* outputs, std::size_t count) {
    select();
    return sum<1>("crossent2 cost", memory_, reports_, count, [=] __device__(std::int64_t i) {
        const double t = labels[i], y = outputs[i];
        return Sums<1>{{-(t * guarded_log(y) + (1 - t) * guarded_log(1 - y))}};
    });
}

void CudaDevice::crossent2_gradient(const float* labels, const float* outputs, float* targets, std::size_t count,
                                    float coeff, Scale scale) {
    select();
    map("gradient of the crossent2 cost", count, targets, scale, [=] __device__(std::int64_t i) {
        const double t = labels[i], y = outputs[i];
        return static_cast<float>(coeff * (t / guarded(y) - (1 - t) / guarded(1 - y)));
    });
}

void CudaDevice::crossent2_logistic_gradient(const float* labels, const float* outputs, float* targets,
                                             std::size_t count, float coeff, Scale scale) {
    select();
    map("gradient of the crossent2 cost and logistic", count, targets, scale,
        [=] __device__(std::int64_t i) { return coeff * (labels[i] - outputs[i]); });
}

CostValues CudaDevice::rflickr_cost(const float* labels, const float* outputs, std::size_t count) {
    select();
    return sum<1>("rflickr cost", memory_, reports_, count, [=] __device__(std::int64_t i) {
        const double d = double(outputs[i]) - labels[i];
        return Sums<1>{{log1p(d * d)}};
    });
}

void CudaDevice::rflickr_gradient(const float* labels, const float* outputs, float* targets, std::size_t count,
                                  float coeff, Scale scale) {
    select();
    map("gradient of the rflickr cost", count, targets, scale, [=] __device__(std::int64_t i) {
        const double d = double(outputs[i]) - labels[i];
        return static_cast<float>(-coeff * 2 * d / (1 + d * d));
    });
}

CostValues CudaDevice::sum2_cost(const float* inputs, std::size_t count) {
    select();
    return sum<1>("sum2 cost", memory_, reports_, count,
                  [=] __device__(std::int64_t i) { return Sums<1>{{double(inputs[i]) * inputs[i]}}; });
}

void CudaDevice::sum2_gradient(const float* inputs, float* targets, std::size_t count, float coeff, Scale scale) {
    select();
    map("gradient of the sum2 cost", count, targets, scale,
        [=] __device__(std::int64_t i) { return -2 * coeff * inputs[i]; });
}

CostValues CudaDevice::gsum2_cost(const float* gates, const float* inputs, int rows, int cases) {
    select();
    return sum<1>(
        "gsum2 cost", memory_, reports_, static_cast<std::int64_t>(rows) * cases,
        [=] __device__(std::int64_t i) { return Sums<1>{{gates[i % cases] * double(inputs[i]) * inputs[i]}}; });
}

void CudaDevice::gsum2_gradient(const float* gates, const float* inputs, float* targets, int rows, int cases,
                                float coeff, Scale scale) {
    select();
    for_each_case("gradient of the gsum2 cost", rows, cases, [=] __device__(int row, int n) {
        const std::int64_t i = element(row, cases, n);
        put(targets[i], -2 * coeff * gates[n] * inputs[i], scale);
    });
}

void CudaDevice::gsum2_gate_gradient(const float* inputs, float* targets, int rows, int cases, float coeff,
                                     Scale scale) {
    select();
    fold_columns("gradient of the gates of gsum2", rows, cases, ColumnSum<true>{inputs, cases, -coeff, scale, targets});
}

void CudaDevice::tica_forward(const NormShape& s, const float* images, float* targets) {
    select();
    sum_windows(
        "tica", memory_, s, Window::forward(s.size),
        [=] __device__(Pixel, std::int64_t i) { return images[i] * images[i]; },
        [=] __device__(Pixel, std::int64_t i, float sum) { targets[i] = 1 / (0.001f + sqrtf(sum)); });
}

CostValues CudaDevice::tica_cost(const NormShape& s, const float* images) {
    select();
    const std::size_t count = static_cast<std::size_t>(s.channels) * s.pixels * s.cases;
    Scratch<float> scratch(memory_, count);
    const float* ticas = scratch.data();
    tica_forward(s, images, scratch.data());
    return sum<1>("tica cost", memory_, reports_, count,
                  [=] __device__(std::int64_t i) { return Sums<1>{{ticas[i]}}; });
}

void CudaDevice::tica_gradient(const NormShape& s, const float* images, const float* ticas, float* targets, float coeff,
                               Scale scale) {
    select();
    // The forward window in both directions is the historic choice (spec 3.7).
    sum_windows(
        "gradient of the tica cost", memory_, s, Window::forward(s.size),
        [=] __device__(Pixel, std::int64_t i) { return ticas[i]; },
        [=] __device__(Pixel, std::int64_t i, float sum) { put(targets[i], -coeff * images[i] * sum, scale); });
}

}  // namespace convnet::cuda
