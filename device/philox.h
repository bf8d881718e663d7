// Philox-4x32-10 (Salmon, Moraes, Dror and Shaw, SC 2011), from its published definition.
#pragma once

#include <cmath>
#include <cstdint>

#include "device/device.h"

#ifdef __CUDACC__
#define CONVNET_HOST_DEVICE __host__ __device__
#else
#define CONVNET_HOST_DEVICE
#endif

namespace convnet {

struct PhiloxBlock {
    std::uint32_t words[4];

    CONVNET_HOST_DEVICE std::uint32_t operator[](int i) const { return words[i]; }
};

// Block `index` of the draw that `key` names: four words of 32 bits.
CONVNET_HOST_DEVICE inline PhiloxBlock philox(const RandomKey& key, std::uint32_t index) {
    std::uint32_t c0 = index, c1 = static_cast<std::uint32_t>(key.update),
                  c2 = static_cast<std::uint32_t>(key.update >> 32), c3 = key.layer;
    std::uint32_t k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
    for (int round = 0; round < 10; round++) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0, p1 = std::uint64_t{0xCD9E8D57u} * c2;
        c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
        c1 = static_cast<std::uint32_t>(p1);
        c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
        c3 = static_cast<std::uint32_t>(p0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// Standard normal number `element` of the draw (Box and Muller 1958): elements 2j and 2j + 1 are the pair
// made from words 2j and 2j + 1.
CONVNET_HOST_DEVICE inline double philox_normal(const RandomKey& key, std::uint32_t element) {
    const auto words = philox(key, element / 4);
    const int first = element % 4 / 2 * 2;
    const double u = (words[first] + 1.0) * 0x1p-32;  // in (0, 1]
    const double angle = 6.283185307179586 * (words[first + 1] * 0x1p-32);
    return std::sqrt(-2 * std::log(u)) * (element % 2 ? std::sin(angle) : std::cos(angle));
}

// A word as a float in [0, 1): its upper 24 bits, which a float holds exactly.
CONVNET_HOST_DEVICE inline float uniform(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

}  // namespace convnet
