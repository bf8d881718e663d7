// The devices of the historic sources: which physical one each of the distinct ids that they are handed stands for,
// what seeds their random numbers, whether they reach each other's memory (spec 6.3.9, 6.3.10, 3.11).
#include "convnet_platform/devices.h"

namespace {

int cpu_threads = 1;

std::unique_ptr<convnet::Device> make_cpu(int) { return convnet::make_cpu_device(cpu_threads); }

}  // namespace

// Before the first entry point. physical: one id for each of `count` virtual ones; host_transfers: they do not reach
// each other; threads: of the CPU device of each.
extern "C" __attribute__((visibility("default"))) void convnet_original_set_devices(const int* physical, int count,
                                                                                    std::uint64_t seed,
                                                                                    int host_transfers, int threads) {
    cpu_threads = threads;
    convnet_platform::Settings settings;
    settings.make_device = make_cpu;
    settings.physical.assign(physical, physical + count);
    settings.seed = seed;
    if (host_transfers) settings.peer_access = false;
    convnet_platform::configure(settings);
}
