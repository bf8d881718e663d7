// Data layers: where the net reads a batch (spec 2.3).
#pragma once

#include "engine/layer.h"

namespace convnet {

// A data matrix on the host: rows x cases, C order.
struct HostData {
    const float* values;
    int rows, cases;
};

class DataLayer final : public Layer {
public:
    DataLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context), index_(config.integer("dataIdx")) {}

    int data_index() const { return index_; }
    int rows() const { return output_rows_; }
    // Cases [first, first + pass.cases) of the batch are what the next pass reads.
    void set_cases(const HostData& data, int first) {
        data_ = data;
        first_ = first;
    }

private:
    void compute(const Pass& pass) override {
        device_.copy_cases_from_host(data_.values, data_.rows, data_.cases, first_, pass.cases, outputs_.data());
    }

    const int index_;
    HostData data_{};
    int first_ = 0;
};

}  // namespace convnet
