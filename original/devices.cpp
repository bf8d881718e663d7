// The devices of the historic sources: which physical one each of the distinct ids that they are handed stands for,
// what seeds their random numbers, whether they reach each other's memory (spec 6.3.9, 6.3.10, 3.11).
#include <exception>
#include <string>

#include "convnet_platform/devices.h"

namespace {

#ifdef CONVNET_ORIGINAL_CUDA

std::unique_ptr<convnet::Device> make_device(int physical) { return convnet::make_cuda_device(physical, false); }

void set_threads(int) {}

#else

int cpu_threads = 1;

std::unique_ptr<convnet::Device> make_device(int) { return convnet::make_cpu_device(cpu_threads); }

void set_threads(int threads) { cpu_threads = threads; }

#endif

}  // namespace

// Before the first entry point. physical: one id for each of `count` virtual ones; host_transfers: they do not reach
// each other; threads: of the CPU device of each. Makes the devices; null, or why one of them cannot be had.
extern "C" __attribute__((visibility("default"))) const char* convnet_original_set_devices(
    const int* physical, int count, std::uint64_t seed, int host_transfers, int threads) {
    static std::string failure;
    set_threads(threads);
    convnet_platform::Settings settings;
    settings.make_device = make_device;
    settings.physical.assign(physical, physical + count);
    settings.seed = seed;
    if (host_transfers) settings.peer_access = false;
    convnet_platform::configure(settings);
    try {
        for (int id = 0; id < count; id++) convnet_platform::device_of(id);
    } catch (const std::exception& error) {
        failure = error.what();
        return failure.c_str();
    }
    return nullptr;
}
