// Building the net from layer dictionaries, and running batches through it.
#include "engine/net.h"

#include <algorithm>

namespace convnet {

Net::Net(const std::vector<LayerConfig>& configs, std::vector<Device*> devices, const NetOptions& options) : options_(options) {
    if (options.minibatch_size < 1) throw EngineError("the minibatch size must be at least 1");
    if (options.weight_update_freq < 1) throw EngineError("the number of minibatches per weight update must be at least 1");
    for (const LayerConfig& config : configs) {
        // A data layer (device -1) is computed where logical device 0 is.
        const int gpu = std::max(0, config.integer("gpu"));
        if (gpu >= static_cast<int>(devices.size()))
            throw EngineError("Layer '" + config.name + "': logical device " + std::to_string(gpu) + " of " + std::to_string(devices.size()));
        auto layer = make_layer(config, {*devices[gpu], static_cast<int>(layers_.size()), options.seed});
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
                sources.push_back(source.empty() ? nullptr : source == config.name ? weighted : dynamic_cast<WeightLayer*>(&find(source)));
                if (!source.empty() && !sources.back()) throw EngineError("Layer '" + config.name + "': weight source '" + source + "' has no weights");
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

int Net::outputs_of(const std::string& layer) const { return find(layer).config().integer("outputs"); }

void Net::check_idle() const {
    if (in_flight_.valid()) throw EngineError("a batch is in flight: finish it before another call");
}

int Net::check_data(const std::vector<HostData>& data) const {
    for (const DataLayer* layer : data_layers_) {
        const int index = layer->data_index();
        if (index >= static_cast<int>(data.size()))
            throw std::invalid_argument("data: layer '" + layer->name() + "' reads matrix " + std::to_string(index) + ", got " + std::to_string(data.size()) + " matrices");
        if (data[index].rows != layer->rows())
            throw std::invalid_argument("data[" + std::to_string(index) + "]: expected " + std::to_string(layer->rows()) + " rows, got " + std::to_string(data[index].rows));
        if (data[index].cases != data[0].cases)
            throw std::invalid_argument("data[" + std::to_string(index) + "]: expected " + std::to_string(data[0].cases) + " cases, got " + std::to_string(data[index].cases));
    }
    if (data.empty() || data[0].cases < 1) throw std::invalid_argument("data: expected at least one case, got none");
    return data[0].cases;
}

void Net::forward(const std::vector<HostData>& data, int first, const Pass& pass) {
    for (DataLayer* layer : data_layers_) layer->set_cases(data[layer->data_index()], first);
    for (auto& layer : layers_) layer->forward(pass);
}

void Net::train_minibatch(const Pass& pass, double progress) {
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) (*layer)->backward(pass);
    minibatches_++;
    if (minibatches_ % options_.weight_update_freq) return;
    const int cases = options_.weight_update_freq == 1 ? pass.cases : options_.weight_update_freq * options_.minibatch_size;
    for (WeightLayer* layer : weight_layers_) layer->update({progress, minibatches_, cases});
}

void Net::add_costs(BatchResult& result) const {
    if (result.costs.empty())
        for (const CostLayer* cost : costs_) result.costs.emplace_back(cost->name(), std::vector<double>(cost->values().size()));
    for (std::size_t i = 0; i < costs_.size(); i++)
        for (std::size_t j = 0; j < costs_[i]->values().size(); j++) result.costs[i].second[j] += costs_[i]->values()[j];
}

BatchResult Net::run_batch(const std::vector<HostData>& data, double progress, bool test) {
    BatchResult result;
    result.cases = data[0].cases;
    for (int first = 0; first < result.cases; first += options_.minibatch_size) {
        const Pass pass{!test, std::min(options_.minibatch_size, result.cases - first), minibatches_};
        forward(data, first, pass);
        add_costs(result);
        if (!test) train_minibatch(pass, progress);
    }
    return result;
}

void Net::start_batch(const std::vector<HostData>& data, double progress, bool test) {
    check_idle();
    check_data(data);
    in_flight_ = std::async(std::launch::async, [=, this] { return run_batch(data, progress, test); });
}

void Net::start_feature_writer(const std::vector<HostData>& data, const std::vector<std::pair<std::string, float*>>& features) {
    check_idle();
    const int cases = check_data(data);
    for (const auto& [name, target] : features) outputs_of(name);
    in_flight_ = std::async(std::launch::async, [=, this] {
        BatchResult result;
        result.cases = cases;
        std::vector<float> host;
        for (int first = 0; first < cases; first += options_.minibatch_size) {
            const Pass pass{false, std::min(options_.minibatch_size, cases - first), minibatches_};
            forward(data, first, pass);
            add_costs(result);
            for (const auto& [name, target] : features) {
                const Layer& layer = find(name);
                const Matrix& outputs = layer.outputs();
                host.resize(outputs.size());
                layer.copy_outputs(host.data());
                for (int row = 0; row < outputs.rows(); row++)
                    for (int n = 0; n < pass.cases; n++) target[static_cast<std::size_t>(first + n) * outputs.rows() + row] = host[static_cast<std::size_t>(row) * pass.cases + n];
            }
        }
        return result;
    });
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
            if (layer->weights()[i].owned()) all.emplace_back(layer->name() + "/weights" + std::to_string(i), layer->weights()[i].weights.get());
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
