// Building the net from layer dictionaries, and running batches through it.
#include "engine/net.h"

#include <algorithm>

namespace convnet {

Net::Net(const std::vector<LayerConfig>& configs, std::vector<Device*> devices, const NetOptions& options)
    : options_(options) {
    if (options.minibatch_size < 1) throw EngineError("the minibatch size must be at least 1");
    if (options.weight_update_freq < 1)
        throw EngineError("the number of minibatches per weight update must be at least 1");
    for (const LayerConfig& config : configs) {
        // A data layer (device -1) is computed where logical device 0 is.
        const int gpu = std::max(0, config.integer("gpu"));
        if (gpu >= static_cast<int>(devices.size()))
            throw EngineError("Layer '" + config.name + "': logical device " + std::to_string(gpu) + " of " +
                              std::to_string(devices.size()));
        auto layer = make_layer(config, {*devices[gpu], static_cast<int>(layers_.size()), options.seed,
                                         options.host_transfers, options.exact_gradients});
        std::vector<Layer*> inputs;
        if (config.has("inputs"))
            for (const std::string& input : config.text_list("inputs")) inputs.push_back(&find(input));
        layer->connect(inputs);
        if (auto* data = dynamic_cast<DataLayer*>(layer.get())) data_layers_.push_back(data);
        if (auto* cost = dynamic_cast<CostLayer*>(layer.get())) costs_.push_back(cost);
        if (auto* weighted = dynamic_cast<WeightLayer*>(layer.get())) {
            // A layer may share with itself, so it must be found by now.
            std::vector<WeightLayer*> sources;
            for (const std::string& source : config.text_list("weightSourceLayers")) {
                sources.push_back(source.empty()          ? nullptr
                                  : source == config.name ? weighted
                                                          : dynamic_cast<WeightLayer*>(&find(source)));
                if (!source.empty() && !sources.back())
                    throw EngineError("Layer '" + config.name + "': weight source '" + source + "' has no weights");
            }
            weighted->share_weights(sources);
            weight_layers_.push_back(weighted);
        }
        by_name_[config.name] = layer.get();
        layers_.push_back(std::move(layer));
    }
    for (auto& layer : layers_) layer->link();
}

Net::~Net() {
    if (in_flight_.valid()) in_flight_.wait();
}

Layer& Net::find(const std::string& name) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) throw EngineError("there is no layer '" + name + "'");
    return *found->second;
}

const Matrix& Net::activations(const std::string& layer) const {
    check_idle();
    const Matrix& outputs = find(layer).outputs();
    if (outputs.size() == 0)
        throw EngineError("Layer '" + layer + "' has no outputs: no pass has been, or it gave them back");
    return outputs;
}

int Net::outputs_of(const std::string& layer) const { return find(layer).config().integer("outputs"); }

int Net::classes_of(const std::string& cost) const { return find(cost).inputs().back()->config().integer("outputs"); }

Costs Net::costs() const {
    Costs all;
    for (const CostLayer* cost : costs_) all.emplace_back(cost->name(), cost->values().get());
    return all;
}

void Net::check_idle() const {
    if (in_flight_.valid()) throw EngineError("a batch is in flight: finish it before another call");
}

int Net::check_data(const std::vector<HostData>& data) const {
    for (const DataLayer* layer : data_layers_) {
        const int index = layer->data_index();
        if (index >= static_cast<int>(data.size()))
            throw std::invalid_argument("data: layer '" + layer->name() + "' reads matrix " + std::to_string(index) +
                                        ", got " + std::to_string(data.size()) + " matrices");
        if (data[index].rows != layer->rows())
            throw std::invalid_argument("data[" + std::to_string(index) + "]: expected " +
                                        std::to_string(layer->rows()) + " rows, got " +
                                        std::to_string(data[index].rows));
        if (data[index].cases != data[0].cases)
            throw std::invalid_argument("data[" + std::to_string(index) + "]: expected " +
                                        std::to_string(data[0].cases) + " cases, got " +
                                        std::to_string(data[index].cases));
    }
    if (data.empty() || data[0].cases < 1) throw std::invalid_argument("data: expected at least one case, got none");
    return data[0].cases;
}

void Net::load(const std::vector<HostData>& data, int first) {
    for (DataLayer* layer : data_layers_) layer->set_cases(data[layer->data_index()], first);
}

void Net::forward(const Pass& pass, std::size_t from_layer) {
    for (std::size_t i = from_layer; i < layers_.size(); i++) layers_[i]->forward(pass);
}

void Net::backward(const Pass& pass, bool keep_memory) {
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
        (*layer)->backward(pass);
        if (options_.conserve_memory && !keep_memory) (*layer)->release_memory();
    }
}

void Net::update(const Pass& pass, double progress) {
    minibatches_++;
    if (minibatches_ % options_.weight_update_freq) return;
    const int cases =
        options_.weight_update_freq == 1 ? pass.cases : options_.weight_update_freq * options_.minibatch_size;
    for (WeightLayer* layer : weight_layers_) layer->update({progress, minibatches_, cases});
}

std::vector<CostValues> Net::cost_values() const {
    std::vector<CostValues> all;
    for (const CostLayer* cost : costs_) all.push_back(cost->values());
    return all;
}

void Net::add_costs(BatchResult& result, const std::vector<CostValues>& minibatch) const {
    result.costs.resize(minibatch.size());
    for (std::size_t i = 0; i < minibatch.size(); i++) {
        const std::vector<double>& values = minibatch[i].get();
        result.costs[i].first = costs_[i]->name();
        result.costs[i].second.resize(values.size());
        for (std::size_t j = 0; j < values.size(); j++) result.costs[i].second[j] += values[j];
    }
}

BatchResult Net::run_batch(const std::vector<HostData>& data, double progress, bool test) {
    BatchResult result;
    result.cases = data[0].cases;
    // Read a minibatch late: a GPU computes one while the next is prepared and launched.
    std::vector<CostValues> before;
    for (int first = 0; first < result.cases; first += options_.minibatch_size) {
        const Pass pass{test ? Pass::Kind::test : Pass::Kind::train,
                        std::min(options_.minibatch_size, result.cases - first), minibatches_};
        load(data, first);
        forward(pass);
        std::vector<CostValues> costs = cost_values();
        if (!test) {
            backward(pass, false);
            update(pass, progress);
        }
        add_costs(result, before);
        before = std::move(costs);
    }
    add_costs(result, before);
    return result;
}

// Test passes over minibatches of `cases` cases, every view of a minibatch in turn; after(first, pass) is
// called when a minibatch's last view is done.
template <class EachMinibatch>
BatchResult Net::run_test(const std::vector<HostData>& data, int cases, Pass pass, EachMinibatch after) {
    BatchResult result;
    result.cases = cases;
    for (int first = 0; first < cases; first += options_.minibatch_size) {
        pass.cases = std::min(options_.minibatch_size, cases - first);
        pass.minibatch = minibatches_;
        for (pass.view = 0; pass.view < pass.views; pass.view++) {
            load(data, pass.view * cases + first);
            forward(pass);
        }
        pass.view = pass.views - 1;
        add_costs(result, cost_values());
        after(first, pass);
    }
    return result;
}

namespace {

// A (rows, cases) matrix as rows [first, first + cases) of a host array of (all cases, rows).
void copy_transposed(const Layer& layer, const Matrix& matrix, int first, float* target) {
    std::vector<float> host(matrix.size());
    layer.copy_to_host(matrix, host.data());
    for (int row = 0; row < matrix.rows(); row++)
        for (int n = 0; n < matrix.cols(); n++)
            target[static_cast<std::size_t>(first + n) * matrix.rows() + row] =
                host[static_cast<std::size_t>(row) * matrix.cols() + n];
}

}  // namespace

void Net::start_batch(const std::vector<HostData>& data, double progress, bool test) {
    check_idle();
    check_data(data);
    in_flight_ = std::async(std::launch::async, [=, this] { return run_batch(data, progress, test); });
}

void Net::start_multiview_test(const std::vector<HostData>& data, int views, float* probs, const std::string& logreg) {
    check_idle();
    const int all = check_data(data);
    if (views < 1 || all % views)
        throw std::invalid_argument("num_views: expected a divisor of the " + std::to_string(all) + " cases, got " +
                                    std::to_string(views));
    const Layer* layer = probs ? &find(logreg) : nullptr;
    const auto* averaging = dynamic_cast<const ViewAveragingCost*>(layer);
    if (probs && !averaging)
        throw EngineError("layer '" + logreg + "' is no cost.logreg: it averages no probabilities");
    in_flight_ = std::async(std::launch::async, [=, this] {
        return run_test(data, all / views, Pass{Pass::Kind::test, 0, 0, 0, views}, [&](int first, const Pass&) {
            if (probs) copy_transposed(*layer, averaging->averaged_probs(), first, probs);
        });
    });
}

void Net::start_feature_writer(const std::vector<HostData>& data,
                               const std::vector<std::pair<std::string, float*>>& features) {
    check_idle();
    const int cases = check_data(data);
    for (const auto& [name, target] : features) find(name);
    in_flight_ = std::async(std::launch::async, [=, this] {
        return run_test(data, cases, Pass{Pass::Kind::features}, [&](int first, const Pass&) {
            for (const auto& [name, target] : features)
                copy_transposed(find(name), find(name).outputs(), first, target);
        });
    });
}

std::map<std::string, HostMatrix> Net::trace(const std::vector<HostData>& data) {
    const int cases = check_data(data);
    const std::map<std::string, HostMatrix> before = pending();
    const Pass pass{Pass::Kind::train, cases, minibatches_};
    restore(minibatches_, {});  // gradients of a period that has begun stay out of the trace
    load(data, 0);
    forward(pass);
    backward(pass, true);
    std::map<std::string, HostMatrix> all;
    const auto record = [&](const std::string& name, const Layer& layer, const Matrix& matrix) {
        HostMatrix host{matrix.rows(), matrix.cols(), std::vector<float>(matrix.size())};
        layer.copy_to_host(matrix, host.values.data());
        all[name] = std::move(host);
    };
    for (const auto& layer : layers_) {
        if (dynamic_cast<const CostLayer*>(layer.get())) continue;
        record("activations/" + layer->name(), *layer, layer->outputs());
        if (layer->gradient()) record("gradients/" + layer->name(), *layer, *layer->gradient());
    }
    for (const WeightLayer* layer : weight_layers_) {
        for (std::size_t i = 0; i < layer->weights().size(); i++)
            if (layer->weights()[i].owned() && layer->weights()[i].weights->learns())
                all["weight_gradients/" + layer->name() + "/" + std::to_string(i)] =
                    layer->weights()[i].weights->total_gradient();
        if (layer->biases().learns()) all["bias_gradients/" + layer->name()] = layer->biases().total_gradient();
    }
    restore(minibatches_, before);
    return all;
}

BatchResult Net::finish_batch() {
    if (!in_flight_.valid()) throw EngineError("no batch is in flight");
    return in_flight_.get();
}

HostMatrix Net::weights(const std::string& layer, int index, bool increments) const {
    check_idle();
    const auto* weighted = dynamic_cast<const WeightLayer*>(&find(layer));
    if (!weighted) throw EngineError("Layer '" + layer + "' has no weights");
    const Weights& weights = index < 0 ? weighted->biases() : *weighted->weights().at(index).weights;
    return weights.downloaded(increments ? weights.increments() : weights.values());
}

std::vector<std::pair<std::string, Weights*>> Net::owned_weights() const {
    std::vector<std::pair<std::string, Weights*>> all;
    for (const WeightLayer* layer : weight_layers_) {
        for (std::size_t i = 0; i < layer->weights().size(); i++)
            if (layer->weights()[i].owned())
                all.emplace_back(layer->name() + "/weights" + std::to_string(i), layer->weights()[i].weights.get());
        all.emplace_back(layer->name() + "/biases", &layer->biases());
    }
    return all;
}

std::map<std::string, HostMatrix> Net::pending() const {
    check_idle();
    std::map<std::string, HostMatrix> all;
    for (const auto& [name, weights] : owned_weights()) {
        const std::vector<const Matrix*> matrices = weights->pending();
        for (std::size_t i = 0; i < matrices.size(); i++)
            if (matrices[i]) all[name + "/" + std::to_string(i)] = weights->downloaded(*matrices[i]);
    }
    return all;
}

void Net::restore(std::uint64_t minibatches, const std::map<std::string, HostMatrix>& pending) {
    check_idle();
    minibatches_ = minibatches;
    for (const auto& [name, weights] : owned_weights()) {
        std::vector<const HostMatrix*> saved(weights->pending().size(), nullptr);
        for (std::size_t i = 0; i < saved.size(); i++) {
            const auto found = pending.find(name + "/" + std::to_string(i));
            if (found != pending.end()) saved[i] = &found->second;
        }
        weights->restore_pending(saved);
    }
}

}  // namespace convnet
