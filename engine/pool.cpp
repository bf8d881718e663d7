// Pooling layers (spec 2.3, 3.2).
#include <map>

#include "engine/families.h"

namespace convnet {
namespace {

class PoolLayer final : public Layer {
public:
    PoolLayer(const LayerConfig& config, const LayerContext& context) : Layer(config, context) {
        static const std::map<std::string, Pool> kinds = {
            {"max", Pool::max}, {"maxabs", Pool::max_abs}, {"avg", Pool::avg}};
        // rand with doMax is max, in every pass (spec 3.2).
        draws_ = config.text("pool") == "rand" && !config.integer("doMax");
        const auto kind = kinds.find(config.text("pool") == "rand" ? "max" : config.text("pool"));
        if (kind == kinds.end()) fail("the rebuilt engine has no pooling '" + config.text("pool") + "'");
        kind_ = kind->second;
        shape_.channels = config.integer("channels");
        shape_.img_size = config.integer("imgSize");
        shape_.size = config.integer("sizeX");
        shape_.start = config.integer("start");
        shape_.stride = config.integer("stride");
        shape_.outputs = config.integer("outputsX");
    }

private:
    void compute(const Pass& pass) override {
        shape_.cases = pass.cases;
        if (draws_)
            device_.pool_rand_forward(shape_, input(0).data(), outputs_.data(), random_key(pass));
        else
            device_.pool_forward(kind_, shape_, input(0).data(), outputs_.data());
    }

    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass&) override {
        if (kind_ == Pool::avg)
            device_.pool_avg_gradient(shape_, gradient.data(), target.data(), scale);
        else
            device_.pool_max_gradient(shape_, input(0).data(), gradient.data(), outputs_.data(), target.data(), scale);
    }

    bool draws_;
    Pool kind_;
    PoolShape shape_;
};

}  // namespace

CONVNET_DEFINE_MAKER(pool, PoolLayer)

}  // namespace convnet
