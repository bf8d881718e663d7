// Gradients against forward differences (spec 3.9).
#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "engine/net.h"

namespace convnet {
namespace {

constexpr double tolerance = 0.02;
constexpr int corner = 4;  // rows and columns of each matrix that are printed

struct Steps {
    double weights, biases;
};

Steps steps_of(const Layer& layer) {
    if (layer.type() == "fc") return {0.01, 0.01};
    if (layer.type() == "treefc") return {0.001, 0.01};
    return {0.02, 0.05};  // conv, local
}

std::string text(const char* format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    return line;
}

std::string printed_corner(const char* name, const std::vector<double>& values, int rows, int cols) {
    std::string out = text("  %s, its upper left:\n", name);
    for (int row = 0; row < std::min(rows, corner); row++) {
        out += "   ";
        for (int col = 0; col < std::min(cols, corner); col++)
            out += text(" %15.8e", values[static_cast<std::size_t>(row) * cols + col]);
        out += "\n";
    }
    return out;
}

double norm(const std::vector<double>& values) {
    double sum = 0;
    for (double value : values) sum += value * value;
    return std::sqrt(sum);
}

}  // namespace

double Net::total_cost() const {
    double total = 0;
    for (const CostLayer* cost : costs_) total += cost->coeff() * cost->values().get().at(0);
    return total;
}

void Net::check_matrix(GradientCheck& check, const std::string& title, Weights& weights, std::size_t layer, double step,
                       const Pass& pass, double base) {
    if (!weights.learns()) {
        check.report += title + ": skipped, its rate is 0\n";
        return;
    }
    const HostMatrix values = weights.downloaded(weights.values()), gradient = weights.total_gradient();
    std::vector<double> analytic(values.values.size()), numeric(analytic.size()), difference(analytic.size());
    for (std::size_t i = 0; i < analytic.size(); i++) {
        weights.set_value(i, static_cast<float>(values.values[i] + step));
        forward(pass, layer);
        weights.set_value(i, values.values[i]);
        numeric[i] = (total_cost() - base) / (pass.cases * step);
        analytic[i] = -double(gradient.values[i]) / pass.cases;
        difference[i] = analytic[i] - numeric[i];
    }
    forward(pass, layer);  // later matrices start from the right activations
    const double relative = norm(difference) / norm(analytic);
    const bool pass_ = relative < tolerance;  // NaN fails, also where both are 0
    check.tests++;
    check.failed += !pass_;
    check.report += text("%s: %s\n", title.c_str(), pass_ ? "PASS" : "FAIL");
    check.report += printed_corner("analytic gradient", analytic, values.rows, values.cols);
    check.report += printed_corner("numeric gradient", numeric, values.rows, values.cols);
    check.report +=
        text("  norm of the analytic gradient: %e, of the numeric one: %e\n", norm(analytic), norm(numeric));
    check.report += text("  relative error: %e\n", relative);
}

GradientCheck Net::check_gradients(const std::vector<HostData>& data) {
    check_idle();
    check_data(data);
    const std::map<std::string, HostMatrix> before = pending();
    restore(minibatches_, {});
    const Pass pass{Pass::Kind::gradient_check, std::min(options_.minibatch_size, data[0].cases), 0};
    load(data, 0);
    forward(pass);
    backward(pass, true);
    const double base = total_cost();

    std::vector<std::pair<std::string, std::size_t>> alphabetical;
    for (std::size_t i = 0; i < layers_.size(); i++) alphabetical.emplace_back(layers_[i]->name(), i);
    std::sort(alphabetical.begin(), alphabetical.end());
    GradientCheck check;
    for (const auto& [name, index] : alphabetical) {
        auto* layer = dynamic_cast<WeightLayer*>(layers_[index].get());
        if (!layer) continue;
        const Steps steps = steps_of(*layer);
        for (std::size_t i = 0; i < layer->weights().size(); i++)
            if (layer->weights()[i].owned())
                check_matrix(check, name + " weights[" + std::to_string(i) + "]", *layer->weights()[i].weights, index,
                             steps.weights, pass, base);
        check_matrix(check, name + " biases", layer->biases(), index, steps.biases, pass, base);
    }
    check.report += check.failed ? text("%d/%d TESTS FAILED\n", check.failed, check.tests)
                                 : text("ALL %d TESTS PASSED\n", check.tests);
    restore(minibatches_, before);
    return check;
}

}  // namespace convnet
