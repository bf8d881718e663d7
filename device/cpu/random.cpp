// Random draws on the CPU: dropout masks, uniforms (design: Philox, keyed by seed, layer, update, element).
#include <cstdint>

#include "device/philox.h"
#include "device/cpu/isa.h"
#include "device/cpu/cpu_device.h"

namespace convnet::cpu::CONVNET_ISA {
namespace {

template <class Value>
void draw(ThreadPool& pool, std::size_t count, float* targets, RandomKey key, Value value) {
    const std::int64_t blocks = (count + 3) / 4;
    pool.parallel_for(blocks, 4096, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t block = begin; block < end; block++) {
            const auto words = philox(key, static_cast<std::uint32_t>(block));
            for (std::size_t i = 0; i < 4 && block * 4 + i < count; i++)
                targets[block * 4 + i] = value(uniform(words[i]));
        }
    });
}

}  // namespace

void CpuDevice::philox_uniform(float* targets, std::size_t count, RandomKey key) {
    draw(pool_, count, targets, key, [](float u) { return u; });
}

void CpuDevice::dropout_mask(float* targets, std::size_t count, float keep, RandomKey key) {
    draw(pool_, count, targets, key, [=](float u) { return u < keep ? 1.0f : 0.0f; });
}

}  // namespace convnet::cpu::CONVNET_ISA
