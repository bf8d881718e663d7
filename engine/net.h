// The net: layers on logical devices, the passes over them, and batches that run in the background.
#pragma once

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/cost.h"
#include "engine/data.h"
#include "engine/weights.h"

namespace convnet {

struct NetOptions {
    int minibatch_size = 128;
    int weight_update_freq = 1;
    std::uint64_t seed = 0;
    bool host_transfers = false;
    bool exact_gradients = false;
    bool conserve_memory = false;
};

// Names and values, in definition order.
using Costs = std::vector<std::pair<std::string, std::vector<double>>>;

struct BatchResult {
    Costs costs;  // summed over the cases
    int cases = 0;
};

struct GradientCheck {
    int failed = 0, tests = 0;
    std::string report;
};

class Net {
public:
    // `devices[i]` is where logical device i computes; several may be the same one.
    Net(const std::vector<LayerConfig>& layers, std::vector<Device*> devices, const NetOptions& options);
    ~Net();

    // Starts a batch and returns; its data must stay until finish_batch. One batch at a time.
    void start_batch(const std::vector<HostData>& data, double progress, bool test);
    // The cases are `views` consecutive blocks of the same images. `probs` (null: not asked for; cases of one
    // view x classes) gets the class probabilities that the layer `logreg` averaged.
    void start_multiview_test(const std::vector<HostData>& data, int views, float* probs, const std::string& logreg);
    // A test pass that copies the outputs of some layers to (cases x outputs) host arrays.
    void start_feature_writer(const std::vector<HostData>& data,
                              const std::vector<std::pair<std::string, float*>>& features);
    // Waits for the batch in flight, and throws what it threw.
    BatchResult finish_batch();

    // Gradients against forward differences on the first minibatch of the data (spec 3.9).
    GradientCheck check_gradients(const std::vector<HostData>& data);
    // Activations, gradients and costs of one training pass over all cases, without an update.
    std::map<std::string, HostMatrix> trace(const std::vector<HostData>& data);

    // A layer's outputs in the last pass, on its device, until the next pass.
    const Matrix& activations(const std::string& layer) const;
    int outputs_of(const std::string& layer) const;
    // Rows of the probabilities that a cost judges.
    int classes_of(const std::string& cost) const;
    // Every cost's values in the last pass, in definition order.
    Costs costs() const;

    // Values and increments of a layer's matrix `index`, or of its biases (index -1), row-major.
    HostMatrix weights(const std::string& layer, int index, bool increments) const;

    // What beyond the weights a resumed run needs: the minibatch counter, and what Weights::pending names.
    std::uint64_t minibatches() const { return minibatches_; }
    std::map<std::string, HostMatrix> pending() const;
    void restore(std::uint64_t minibatches, const std::map<std::string, HostMatrix>& pending);

private:
    void check_idle() const;
    int check_data(const std::vector<HostData>& data) const;
    void load(const std::vector<HostData>& data, int first);
    void forward(const Pass& pass, std::size_t from_layer = 0);
    void backward(const Pass& pass, bool keep_memory);
    void update(const Pass& pass, double progress);
    template <class EachMinibatch>
    BatchResult run_test(const std::vector<HostData>& data, int cases, Pass pass, EachMinibatch after);
    BatchResult run_batch(const std::vector<HostData>& data, double progress, bool test);
    // What the costs of the last pass will be.
    std::vector<CostValues> cost_values() const;
    void add_costs(BatchResult& result, const std::vector<CostValues>& minibatch) const;
    double total_cost() const;
    Layer& find(const std::string& name) const;
    std::vector<std::pair<std::string, Weights*>> owned_weights() const;
    void check_matrix(GradientCheck& check, const std::string& title, Weights& weights, std::size_t layer, double step,
                      const Pass& pass, double base);

    const NetOptions options_;
    std::vector<std::unique_ptr<Layer>> layers_;  // in definition order
    std::map<std::string, Layer*> by_name_;
    std::vector<DataLayer*> data_layers_;
    std::vector<CostLayer*> costs_;
    std::vector<WeightLayer*> weight_layers_;
    std::uint64_t minibatches_ = 0;
    std::future<BatchResult> in_flight_;
};

}  // namespace convnet
