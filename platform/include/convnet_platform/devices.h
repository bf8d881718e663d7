// The devices behind the virtual ids, for the platform's sources and for who embeds a historic engine
// (spec 6.3.9, 6.3.10). Not included by any historic header name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "convnet_platform/virtual_devices.h"
#include "device/device.h"

namespace convnet_platform {

struct Settings {
    // Makes the device of a physical id. Null: the CPU device; a build by nvcc has no other default.
    std::unique_ptr<convnet::Device> (*make_device)(int physical) = nullptr;
    // The physical id of each virtual one; ids beyond its end stand for themselves.
    std::vector<int> physical;
    // What canAccessDevice answers for two different devices; unset: what they can do (spec 3.11).
    std::optional<bool> peer_access;
    // What initRandom() without a seed draws from, plus the device's id; unset: another seed each time (spec 6.7).
    std::optional<std::uint64_t> seed;
};

// Call it before any matrix is allocated: devices that were made already stay.
void configure(const Settings& settings);

int physical_device(int id);
bool can_access(int from, int to);

// The device of a virtual id, made on first use. It lives until the process ends. Its operations may choose its GPU for
// the calling thread: only the current one's are called outside of this file's functions, which leave that as it was.
convnet::Device& device_of(int id);
convnet::Device& current_device();
void release_on(int id, float* memory);

// Random numbers of the current device. next_draw fails where seed_random has not been called on it.
void seed_random(std::optional<std::uint64_t> seed);
bool random_is_seeded();
void forget_random();
convnet::RandomKey next_draw();

}  // namespace convnet_platform
