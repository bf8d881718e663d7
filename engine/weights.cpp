// Weight updates (spec 3.8): which gradients, rates and constraints apply to which matrix, and when.
#include "engine/weights.h"

#include <cmath>

#include "device/philox.h"

namespace convnet {
namespace {

Matrix uploaded(Device& device, const HostMatrix& host) {
    Matrix matrix(device, host.rows, host.cols);
    device.copy_from_host(host.values.data(), matrix.data(), matrix.size());
    return matrix;
}

}  // namespace

Weights::Weights(Device& device, const HostMatrix& values, const HostMatrix& increments, const UpdateRule& rule,
                 RandomKey noise_key)
    : device_(device),
      rule_(rule),
      noise_key_(noise_key),
      values_(uploaded(device, values)),
      increments_(uploaded(device, increments)),
      mean_(device),
      mean_square_(device) {
    if (rule.super_eps > 0) {
        mean_.resize(values.rows, values.cols);
        mean_square_.resize(values.rows, values.cols);
        device.fill(mean_.data(), mean_.size(), 0);
        device.fill(mean_square_.data(), mean_square_.size(), 0);
    }
    users_.push_back({rule.rate, rule.schedule, Matrix(device), true});
}

HostMatrix Weights::downloaded(const Matrix& matrix) const {
    HostMatrix host{matrix.rows(), matrix.cols(), std::vector<float>(matrix.size())};
    device_.copy_to_host(matrix.data(), host.values.data(), matrix.size());
    return host;
}

int Weights::add_user(double rate, const Schedule& schedule) {
    users_.push_back({rate, schedule, Matrix(device_), true});
    return static_cast<int>(users_.size()) - 1;
}

Layer::GradientTarget Weights::gradient_target(int user) {
    User& target = users_[rule_.sums_gradients ? 0 : user];
    target.gradient.resize(values_.rows(), values_.cols());
    const Scale scale{target.empty ? 0.0f : 1.0f, 1.0f};
    target.empty = false;
    return {target.gradient, scale};
}

double Weights::rate_now(const User& user, const UpdateTime& time, int use) const {
    const Schedule& s = user.schedule;
    const double rate = schedule_rate(s.kind, user.rate, time.progress, s.tgt_factor, s.num_steps);
    if (s.noise_stdev <= 0) return rate;
    // Element 2 user + use of this update's draw: gradient and decay draw separately.
    const int element = 2 * static_cast<int>(&user - users_.data()) + use;
    return rate *
           (1 + std::fabs(philox_normal({noise_key_.seed, noise_key_.layer, time.minibatch}, element)) * s.noise_stdev);
}

// The sum of the users' gradients ends in the owner's matrix; returns what is left to scale it by.
double Weights::gather_gradients(const UpdateTime& time) {
    User& owner = users_[0];
    double owner_scale = rate_now(owner, time, 0) / time.cases;
    for (std::size_t i = 1; i < users_.size(); i++) {
        User& user = users_[i];
        if (user.empty || user.rate <= 0) continue;
        const float scale = static_cast<float>(rate_now(user, time, 0) / time.cases);
        owner.gradient.resize(values_.rows(), values_.cols());
        device_.add(user.gradient.data(), owner.gradient.data(), values_.size(),
                    Scale{owner.empty ? 0.0f : static_cast<float>(owner_scale), scale});
        owner.empty = false;
        owner_scale = 1;
    }
    return owner_scale;
}

Matrix& Weights::owner_gradient() {
    User& owner = users_[0];
    if (owner.empty) {
        owner.gradient.resize(values_.rows(), values_.cols());
        device_.fill(owner.gradient.data(), owner.gradient.size(), 0);
    }
    return owner.gradient;
}

void Weights::update(const UpdateTime& time) {
    if (!learns()) return;
    // With superEps the users' gradients are summed already (sums_gradients), and the means are those of the
    // gradient per case.
    const bool adaptive = rule_.super_eps > 0;
    const double gradient_scale = adaptive ? 1.0 / time.cases : gather_gradients(time);
    const Matrix& gradient = owner_gradient();
    const float momentum = static_cast<float>(rule_.momentum);
    const float decay = static_cast<float>(rule_.decay > 0 ? rule_.decay * rate_now(users_[0], time, 1) : 0);
    if (adaptive)
        device_.adaptive_update(values_.data(), increments_.data(), gradient.data(), mean_.data(), mean_square_.data(),
                                values_.size(), momentum, static_cast<float>(rate_now(users_[0], time, 0)),
                                static_cast<float>(gradient_scale), decay, static_cast<float>(rule_.super_eps));
    else
        device_.update_weights(values_.data(), increments_.data(), gradient.data(), values_.size(), momentum,
                               static_cast<float>(gradient_scale), decay);
    if (rule_.zero_mean_max > 0)
        device_.bound_zero_mean_norms(values_.data(), values_.rows(), values_.cols(),
                                      static_cast<float>(rule_.zero_mean_min), static_cast<float>(rule_.zero_mean_max));
    const float norm = static_cast<float>(rule_.column_norm);
    if (norm > 0 && rule_.local_modules > 1)
        device_.normalize_local_weights(values_.data(), rule_.local_modules, values_.rows() / rule_.local_modules,
                                        values_.cols(), norm);
    else if (norm > 0)
        device_.bound_column_norms(values_.data(), values_.rows(), values_.cols(), norm);
    for (User& user : users_) user.empty = true;
}

void Weights::update_tree(const Tree& tree, const UpdateTime& time) {
    if (!learns()) return;
    const Matrix& gradient = owner_gradient();
    device_.treefc_update(tree, values_.data(), increments_.data(), gradient.data(), values_.rows(),
                          static_cast<float>(rule_.momentum), static_cast<float>(rule_.rate),
                          static_cast<float>(rule_.decay), 1.0f / time.cases);
    users_[0].empty = true;
}

HostMatrix Weights::total_gradient() const {
    HostMatrix total{values_.rows(), values_.cols(), std::vector<float>(values_.size())};
    for (const User& user : users_) {
        if (user.empty) continue;
        const HostMatrix share = downloaded(user.gradient);
        for (std::size_t i = 0; i < total.values.size(); i++) total.values[i] += share.values[i];
    }
    return total;
}

std::vector<const Matrix*> Weights::pending() const {
    static const Matrix* const none = nullptr;
    std::vector<const Matrix*> all{rule_.super_eps > 0 ? &mean_ : none, rule_.super_eps > 0 ? &mean_square_ : none};
    for (const User& user : users_) all.push_back(user.empty ? none : &user.gradient);
    return all;
}

void Weights::restore_pending(const std::vector<const HostMatrix*>& saved) {
    if (saved.size() != users_.size() + 2)
        throw EngineError("the saved state is not of this net: other users of a weight matrix");
    std::vector<Matrix*> targets{&mean_, &mean_square_};
    for (User& user : users_) targets.push_back(&user.gradient);
    for (std::size_t i = 0; i < saved.size(); i++) {
        if (i >= 2) users_[i - 2].empty = saved[i] == nullptr;
        if (!saved[i]) continue;
        if (saved[i]->rows != values_.rows() || saved[i]->cols != values_.cols())
            throw EngineError("the saved state is not of this net: other shape of a weight matrix");
        *targets[i] = uploaded(device_, *saved[i]);
    }
}

WeightLayer::WeightLayer(const LayerConfig& config, const LayerContext& context, bool sums_gradients, int local_modules)
    : Layer(config, context) {
    // Draws of the schedules' noise are kept apart from the layer's masks by the upper bits.
    const std::uint32_t layer = static_cast<std::uint32_t>(context.index);
    const int count = static_cast<int>(config.text_list("inputs").size());
    for (int i = 0; i < count; i++) {
        // A shared matrix is taken over in share_weights.
        if (!config.text("weightSourceLayers", i).empty()) {
            weights_.push_back({});
            continue;
        }
        const RandomKey key{context.seed, layer | static_cast<std::uint32_t>(i + 1) << 20, 0};
        weights_.push_back(
            {std::make_shared<Weights>(context.device, config.array("weights", i), config.array("weightsInc", i),
                                       weight_rule(i, sums_gradients, local_modules), key)});
    }
    UpdateRule rule;
    rule.rate = config.number("epsB");
    rule.momentum = config.number("momB");
    rule.super_eps = config.number("superEps");
    rule.schedule = schedule("schedB");
    biases_ = std::make_shared<Weights>(context.device, config.array("biases"), config.array("biasesInc"), rule,
                                        RandomKey{context.seed, layer | 0xfff00000u, 0});
}

UpdateRule WeightLayer::weight_rule(int input, bool sums_gradients, int local_modules) const {
    UpdateRule rule;
    rule.rate = config_.number("epsW", input);
    rule.momentum = config_.number("momW", input);
    rule.decay = config_.number("wc", input);
    rule.super_eps = config_.number("superEps");
    rule.column_norm = config_.number("wballNormed", input);
    if (config_.has("wcNormMax")) {
        rule.zero_mean_min = config_.number("wcNormMin", input);
        rule.zero_mean_max = config_.number("wcNormMax", input);
    }
    rule.local_modules = local_modules;
    rule.sums_gradients = sums_gradients || rule.super_eps > 0;
    rule.schedule = schedule("schedW");
    return rule;
}

Schedule WeightLayer::schedule(const std::string& key) const {
    Schedule s;
    s.kind = config_.text(key + ".type");
    if (s.kind == "default") return s;
    s.tgt_factor = config_.number(key + ".params.tgtFactor");
    s.noise_stdev = config_.number(key + ".params.noiseStdev");
    if (config_.has(key + ".params.numSteps")) s.num_steps = config_.integer(key + ".params.numSteps");
    return s;
}

void WeightLayer::share_weights(const std::vector<WeightLayer*>& sources) {
    for (std::size_t i = 0; i < sources.size(); i++) {
        if (!sources[i]) continue;
        const WeightUse& source = sources[i]->weights_.at(config_.integer("weightSourceMatrixIndices", i));
        if (!source.weights) fail("it shares a matrix of '" + sources[i]->name() + "' that is not defined yet");
        if (&source.weights->values().device() != &device_)
            fail("it shares weights with '" + sources[i]->name() +
                 "', which is on another physical device: --gpu can put both on one");
        weights_[i] = {source.weights, source.weights->add_user(config_.number("epsW", i), schedule("schedW"))};
    }
}

void WeightLayer::bias_gradient(const Matrix& gradient, int modules) {
    if (!biases_->learns()) return;
    const auto [target, scale] = biases_->gradient_target(0);
    device_.bias_gradient(gradient.data(), target.data(), gradient.rows() / modules, modules, gradient.cols(), scale);
}

void WeightLayer::update(const UpdateTime& time) {
    for (WeightUse& use : weights_)
        if (use.owned()) use.weights->update(time);
    biases_->update(time);
}

}  // namespace convnet
