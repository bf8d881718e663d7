// Learning rate schedules (spec 3.8).
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "device/device.h"

namespace convnet {
namespace {

// 2012 keeps rates, factors and progress in float and computes in double; that decides where the
// boundaries of the stepped schedules fall.
struct Exponential {
    double base, tgt_factor;

    double at(double progress) const {
        if (base == 0) return 0;
        const double q = std::log(base / tgt_factor) / std::log(base) - 1;
        return std::pow(base, 1 + progress * q);
    }
};

double step_value(const Exponential& curve, int step, int steps) {
    return step == steps - 1 ? curve.base / curve.tgt_factor : curve.at(double(step) / (steps - 1));
}

int step_at(double progress, int steps) {
    // A boundary belongs to the earlier interval.
    return std::clamp(static_cast<int>(std::ceil(progress * steps)) - 1, 0, steps - 1);
}

}  // namespace

double schedule_rate(const std::string& kind, double base_rate, double at_progress, double factor, int num_steps) {
    const double base = static_cast<float>(base_rate), progress = static_cast<float>(at_progress);
    const Exponential curve{base, static_cast<float>(factor)};
    if (kind == "default") return base;
    if (kind == "linear") return base * (1 - progress) + base / curve.tgt_factor * progress;
    if (kind == "exp") return curve.at(progress);
    if (kind != "dexp" && kind != "jdexp") throw std::invalid_argument("unknown schedule '" + kind + "'");
    if (num_steps < 1) throw std::invalid_argument("a schedule's numSteps must be at least 1");

    const int step = step_at(progress, num_steps);
    const double rate = step_value(curve, step, num_steps);
    const bool second_half = progress * num_steps - step > 0.5;
    if (kind == "jdexp" && step > 0 && second_half && progress > 0.2 && progress < 0.9)
        return std::sqrt(rate * step_value(curve, step - 1, num_steps));
    return rate;
}

}  // namespace convnet
