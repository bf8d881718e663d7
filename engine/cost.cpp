// Costs (spec 3.7). Labels, or gates, are the first of two inputs.
#include "engine/cost.h"

#include "engine/families.h"

namespace convnet {

FusedCost* fused_cost_of(const Layer& layer) {
    // Every user counts, costs of coeff 0 too.
    if (layer.users().size() != 1 || layer.users()[0]->logical_device() != layer.logical_device()) return nullptr;
    auto* cost = dynamic_cast<FusedCost*>(layer.users()[0]);
    return cost && cost->fuses_with(layer) ? cost : nullptr;
}

void CostLayer::backward(const Pass&) {
    if (coeff_ == 0) return;
    for (int i = 0; i < input_count(); i++) {
        Layer& input = *inputs()[i];
        if (!has_gradient(i) || !input.wants_gradient() || fused_cost_of(input)) continue;
        const GradientTarget target = input.gradient_target(*this);
        cost_gradient(i, target.matrix, target.scale);
    }
}

namespace {

class LabelledCostLayer : public CostLayer, public FusedCost {
public:
    using CostLayer::CostLayer;

    bool contributes_nothing() const override { return coeff_ == 0; }

protected:
    const float* labels() const { return input(0).data(); }
    const float* scores() const { return input(1).data(); }
    int classes() const { return input(1).rows(); }
    int cases() const { return input(1).cols(); }
    std::size_t count() const { return input(1).size(); }
};

class LogregCostLayer final : public LabelledCostLayer, public ViewAveragingCost {
public:
    LogregCostLayer(const LayerConfig& config, const LayerContext& context)
        : LabelledCostLayer(config, context), topk_(config.integer("topk")), view_sums_(context.device) {}

    bool fuses_with(const Layer& layer) const override { return layer.type() == "softmax"; }
    void fused_gradient(const Matrix& probs, Matrix& target, Scale scale) override {
        device_.logreg_softmax_gradient(labels(), probs.data(), target.data(), classes(), cases(), coeff_, scale);
    }
    const Matrix& averaged_probs() const override { return view_sums_; }

private:
    void compute(const Pass& pass) override {
        if (pass.views == 1) {
            values_ = device_.logreg_cost(labels(), scores(), classes(), pass.cases, topk_);
            return;
        }
        view_sums_.resize(classes(), pass.cases);
        device_.add(scores(), view_sums_.data(), count(), Scale{pass.first_view() ? 0.0f : 1.0f, 1.0f});
        if (!pass.last_view()) return;
        device_.add(view_sums_.data(), view_sums_.data(), count(), Scale{0, 1.0f / pass.views});
        values_ = device_.logreg_cost(labels(), view_sums_.data(), classes(), pass.cases, topk_);
    }

    void cost_gradient(int, Matrix& target, Scale scale) override {
        device_.logreg_gradient(labels(), scores(), target.data(), classes(), cases(), coeff_, scale);
    }

    const int topk_;
    Matrix view_sums_;
};

class CrossentCostLayer final : public LabelledCostLayer {
public:
    using LabelledCostLayer::LabelledCostLayer;

    bool fuses_with(const Layer& layer) const override { return layer.type() == "softmax"; }
    void fused_gradient(const Matrix& probs, Matrix& target, Scale scale) override {
        device_.crossent_softmax_gradient(labels(), probs.data(), target.data(), classes(), cases(), coeff_, scale);
    }

private:
    void compute(const Pass& pass) override {
        values_ = device_.crossent_cost(labels(), scores(), classes(), pass.cases);
    }
    void cost_gradient(int, Matrix& target, Scale scale) override {
        device_.crossent_gradient(labels(), scores(), target.data(), count(), coeff_, scale);
    }
};

class Crossent2CostLayer final : public LabelledCostLayer {
public:
    using LabelledCostLayer::LabelledCostLayer;

    bool fuses_with(const Layer& layer) const override {
        return layer.type() == "neuron" && layer.config().text("neuron.type") == "logistic";
    }
    void fused_gradient(const Matrix& outputs, Matrix& target, Scale scale) override {
        device_.crossent2_logistic_gradient(labels(), outputs.data(), target.data(), count(), coeff_, scale);
    }

private:
    void compute(const Pass&) override { values_ = device_.crossent2_cost(labels(), scores(), count()); }
    void cost_gradient(int, Matrix& target, Scale scale) override {
        device_.crossent2_gradient(labels(), scores(), target.data(), count(), coeff_, scale);
    }
};

class RflickrCostLayer final : public CostLayer {
public:
    using CostLayer::CostLayer;

private:
    void compute(const Pass&) override {
        values_ = device_.rflickr_cost(input(0).data(), input(1).data(), input(1).size());
    }
    void cost_gradient(int, Matrix& target, Scale scale) override {
        device_.rflickr_gradient(input(0).data(), input(1).data(), target.data(), input(1).size(), coeff_, scale);
    }
};

class MsmCostLayer final : public CostLayer {
public:
    MsmCostLayer(const LayerConfig& config, const LayerContext& context)
        : CostLayer(config, context), set_size_(config.integer("setSize")) {}

private:
    void compute(const Pass& pass) override {
        values_ = device_.msm_cost(input(0).data(), input(1).data(), input(1).rows(), pass.cases, set_size_);
    }
    void cost_gradient(int, Matrix& target, Scale scale) override {
        device_.msm_gradient(input(0).data(), input(1).data(), target.data(), input(1).rows(), input(1).cols(),
                             set_size_, coeff_, scale);
    }

    const int set_size_;
};

class Sum2CostLayer final : public CostLayer {
public:
    using CostLayer::CostLayer;

private:
    void compute(const Pass&) override { values_ = device_.sum2_cost(input(0).data(), input(0).size()); }
    void cost_gradient(int, Matrix& target, Scale scale) override {
        device_.sum2_gradient(input(0).data(), target.data(), target.size(), coeff_, scale);
    }
};

class Gsum2CostLayer final : public CostLayer {
public:
    using CostLayer::CostLayer;

private:
    bool has_gradient(int) const override { return true; }
    void compute(const Pass& pass) override {
        values_ = device_.gsum2_cost(input(0).data(), input(1).data(), input(1).rows(), pass.cases);
    }
    void cost_gradient(int i, Matrix& target, Scale scale) override {
        const Matrix& x = input(1);
        if (i == 0)
            device_.gsum2_gate_gradient(x.data(), target.data(), x.rows(), x.cols(), coeff_, scale);
        else
            device_.gsum2_gradient(input(0).data(), x.data(), target.data(), x.rows(), x.cols(), coeff_, scale);
    }
};

class TicaCostLayer final : public CostLayer {
public:
    TicaCostLayer(const LayerConfig& config, const LayerContext& context)
        : CostLayer(config, context), ticas_(context.device) {
        shape_.channels = config.integer("channels");
        shape_.size = config.integer("sizeX");
    }

private:
    void compute(const Pass& pass) override {
        shape_.cases = pass.cases;
        shape_.pixels = input(0).rows() / shape_.channels;
        while (shape_.img_size * shape_.img_size < shape_.pixels) shape_.img_size++;
        values_ = device_.tica_cost(shape_, input(0).data());
    }
    void cost_gradient(int, Matrix& target, Scale scale) override {
        ticas_.resize(target.rows(), target.cols());
        device_.tica_forward(shape_, input(0).data(), ticas_.data());
        device_.tica_gradient(shape_, input(0).data(), ticas_.data(), target.data(), coeff_, scale);
    }

    NormShape shape_;
    Matrix ticas_;
};

}  // namespace

CONVNET_DEFINE_MAKER(logreg, LogregCostLayer)
CONVNET_DEFINE_MAKER(crossent, CrossentCostLayer)
CONVNET_DEFINE_MAKER(crossent2, Crossent2CostLayer)
CONVNET_DEFINE_MAKER(rflickr, RflickrCostLayer)
CONVNET_DEFINE_MAKER(msm, MsmCostLayer)
CONVNET_DEFINE_MAKER(sum2, Sum2CostLayer)
CONVNET_DEFINE_MAKER(gsum2, Gsum2CostLayer)
CONVNET_DEFINE_MAKER(tica, TicaCostLayer)

}  // namespace convnet
