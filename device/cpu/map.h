// Elementwise loops over threads. Include after isa.h.
#pragma once

#include "device/cpu/cpu_device.h"

namespace convnet::cpu::CONVNET_ISA {

// Elements that one thread takes at least: fewer cost more to hand out than to compute.
constexpr std::int64_t grain = 16384;

// targets[i] = result(i), for all i below count.
template <class Result>
void map(ThreadPool& pool, std::size_t count, float* targets, Result result) {
    pool.parallel_for(count, grain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; i++) targets[i] = result(i);
    });
}

// targets[i] = scale.targets * targets[i] + scale.output * result(i).
template <class Result>
void map(ThreadPool& pool, std::size_t count, float* targets, Scale scale, Result result) {
    if (scale.targets == 0)
        map(pool, count, targets, [=](std::int64_t i) { return scale.output * result(i); });
    else
        map(pool, count, targets,
            [=](std::int64_t i) { return scale.targets * targets[i] + scale.output * result(i); });
}

}  // namespace convnet::cpu::CONVNET_ISA
