// Stands in for original/devices.cpp where the small tree is built without CUDA's emulation: prints what it gets.
#include <cstdint>
#include <cstdio>

extern "C" __attribute__((visibility("default"))) const char* convnet_original_set_devices(
    const int* physical, int count, std::uint64_t seed, int host_transfers, int threads) {
    std::printf("devices");
    for (int i = 0; i < count; i++) std::printf(" %d", physical[i]);
    std::printf(", seed %d, host transfers %d, threads %d\n", static_cast<int>(seed), host_transfers, threads);
    return physical[0] == 99 ? "there is no GPU 99" : nullptr;
}
