// The CPU device of one instruction set; its methods are spread over this folder, one file per family.
// Include after isa.h.
#pragma once

#include "device/cpu/isa.h"

namespace convnet::cpu::CONVNET_ISA {

class CpuDevice final : public Device {
public:
    explicit CpuDevice(int threads);

#include "device/overrides.h"

private:
    ThreadPool pool_;
};

// target = scale.targets * target + scale.output * result, never reading a target that is to be dropped.
inline void put(float& target, float result, Scale scale) {
    target = scale.targets == 0 ? scale.output * result : scale.targets * target + scale.output * result;
}

// A cost's values, there already.
inline CostValues ready(std::vector<double> values) {
    std::promise<std::vector<double>> computed;
    computed.set_value(std::move(values));
    return computed.get_future();
}

}  // namespace convnet::cpu::CONVNET_ISA
