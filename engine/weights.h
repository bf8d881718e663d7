// Weights: a matrix with momentum, decay, schedule and constraints, and how users share it (spec 3.8).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/layer.h"

namespace convnet {

struct Schedule {
    std::string kind = "default";
    double tgt_factor = 1, noise_stdev = 0;
    int num_steps = 1;
};

// Where in the run an update happens.
struct UpdateTime {
    double progress = 0;
    std::uint64_t minibatch = 0;
    int cases = 0;  // n of spec 3.8
};

struct UpdateRule {
    double rate = 0;  // base rate; 0 or less: no update at all
    double momentum = 0;
    double decay = 0;  // wc
    double super_eps = 0;
    double column_norm = 0;  // wballNormed
    double zero_mean_min = 0, zero_mean_max = 0;
    int local_modules = 1;       // a column is a filter of one module
    bool sums_gradients = true;  // conv: users' gradients are summed; else each user has its own rate
    Schedule schedule;
};

// One matrix of weights or biases, used by its owner and by those that share it.
class Weights {
public:
    Weights(Device& device, const HostMatrix& values, const HostMatrix& increments, const UpdateRule& rule,
            RandomKey noise_key);

    // Registers a user other than the owner, with its own rate and schedule.
    int add_user(double rate, const Schedule& schedule);

    const Matrix& values() const { return values_; }
    Matrix& values() { return values_; }
    const Matrix& increments() const { return increments_; }
    bool learns() const { return rule_.rate > 0; }
    HostMatrix downloaded(const Matrix& matrix) const;

    // Where user `user` (0 is the owner) adds its gradient, and how.
    Layer::GradientTarget gradient_target(int user);
    void update(const UpdateTime& time);
    // treefc: constant rates, scaled by the leaves under each column's node; no schedules or constraints.
    void update_tree(const Tree& tree, const UpdateTime& time);

    // The summed gradients of all users since the last update, row-major; zeros where there are none.
    HostMatrix total_gradient() const;
    void set_value(std::size_t element, float value) { device_.copy_from_host(&value, values_.data() + element, 1); }

    // What an interrupted run needs besides values and increments: gradients of an update period that has
    // begun, and the running means of superEps. Empty matrices where there are none.
    std::vector<const Matrix*> pending() const;
    void restore_pending(const std::vector<const HostMatrix*>& saved);

private:
    struct User {
        double rate;
        Schedule schedule;
        Matrix gradient;
        bool empty;
    };
    double rate_now(const User& user, const UpdateTime& time, int use) const;
    double gather_gradients(const UpdateTime& time);
    Matrix& owner_gradient();  // zeros where nothing was added

    Device& device_;
    const UpdateRule rule_;
    const RandomKey noise_key_;
    Matrix values_, increments_, mean_, mean_square_;
    std::vector<User> users_;
};

// A layer's use of a matrix: as its owner or sharing another's.
struct WeightUse {
    std::shared_ptr<Weights> weights;
    int user = 0;

    bool owned() const { return user == 0; }
    const float* data() const { return weights->values().data(); }
    Layer::GradientTarget gradient_target() const { return weights->gradient_target(user); }
};

// A layer with weights and biases: one matrix per input, one for the biases.
class WeightLayer : public Layer {
public:
    WeightLayer(const LayerConfig& config, const LayerContext& context, bool sums_gradients, int local_modules);

    // Takes over the matrices of the layers that it shares with.
    void share_weights(const std::vector<WeightLayer*>& sources);
    virtual void update(const UpdateTime& time);

    const std::vector<WeightUse>& weights() const { return weights_; }
    Weights& biases() const { return *biases_; }

protected:
    // Adds the biases' gradient, where they learn. Each bias stands for `modules` consecutive rows.
    void bias_gradient(const Matrix& gradient, int modules);

    std::vector<WeightUse> weights_;
    std::shared_ptr<Weights> biases_;

private:
    UpdateRule weight_rule(int input, bool sums_gradients, int local_modules) const;
    Schedule schedule(const std::string& key) const;
};

}  // namespace convnet
