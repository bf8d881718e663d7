// Random draws on a GPU: dropout masks, uniforms (design: Philox, keyed by seed, layer, update, element).
#include "device/cuda/map.h"
#include "device/philox.h"

namespace convnet::cuda {
namespace {

// A thread draws one Philox block, four elements. value: a __device__ lambda of a uniform number.
template <class Value>
void draw(const char* operation, std::size_t count, float* targets, RandomKey key, Value value) {
    const bool wide = in_wide_packs(wide_pack, {targets});
    const std::int64_t elements = static_cast<std::int64_t>(count);
    for_each(operation, (elements + 3) / 4, [=] __device__(std::int64_t block) {
        const PhiloxBlock words = philox(key, static_cast<std::uint32_t>(block));
        Pack<4> drawn;
#pragma unroll
        for (int i = 0; i < 4; i++) drawn.values[i] = value(uniform(words[i]));
        if (wide && block * 4 + 4 <= elements) return drawn.store(targets + block * 4);
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (block * 4 + i < elements) targets[block * 4 + i] = drawn.values[i];
    });
}

}  // namespace

void CudaDevice::philox_uniform(float* targets, std::size_t count, RandomKey key) {
    select();
    draw("uniform draw", count, targets, key, [=] __device__(float u) { return u; });
}

void CudaDevice::dropout_mask(float* targets, std::size_t count, float keep, RandomKey key) {
    select();
    draw("dropout mask", count, targets, key, [=] __device__(float u) { return u < keep ? 1.0f : 0.0f; });
}

}  // namespace convnet::cuda
