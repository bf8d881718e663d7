// Virtual devices, the devices behind them and their random numbers (spec 6.3.9, 6.3.10).
#include "convnet_platform/devices.h"

#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "convnet_platform/failure.h"

namespace convnet_platform {
namespace {

struct Random {
    std::uint64_t seed;
    std::uint64_t draws;
};

struct State {
    std::mutex mutex;
    Settings settings;
    std::map<int, std::unique_ptr<convnet::Device>> devices;
    std::map<int, Random> random;
};

// Never destroyed: matrices of the program's last moments still give their memory back.
State& state() {
    static State& only = *new State;
    return only;
}

thread_local int current = 0;

std::unique_ptr<convnet::Device> make_default_device() {
#ifdef __CUDACC__
    fail("no CUDA device library is set up for the historic engine");
#else
    const unsigned cores = std::thread::hardware_concurrency();
    return convnet::make_cpu_device(cores > 0 ? static_cast<int>(cores) : 1);
#endif
}

int physical_of(const Settings& settings, int id) {
    return id < static_cast<int>(settings.physical.size()) ? settings.physical[id] : id;
}

}  // namespace

void configure(const Settings& settings) {
    const std::lock_guard<std::mutex> lock(state().mutex);
    state().settings = settings;
}

int physical_device(int id) {
    const std::lock_guard<std::mutex> lock(state().mutex);
    return physical_of(state().settings, id);
}

int current_device_id() { return current; }

cudaError_t set_device(int id) {
    if (id < 0) return cudaErrorInvalidDevice;
    // In parentheses, the name is the runtime's own.
    const cudaError_t error = (cudaSetDevice)(physical_device(id));
    if (error == cudaSuccess) current = id;
    return error;
}

void select_device() { (cudaSetDevice)(physical_device(current)); }

cudaError_t get_device(int* id) {
    *id = current;
    return cudaSuccess;
}

cudaError_t enable_peer_access(int id, unsigned flags) {
    if (id < 0) return cudaErrorInvalidDevice;
    const int physical = physical_device(id);
    if (physical == physical_device(current)) return cudaSuccess;
    const cudaError_t error = (cudaDeviceEnablePeerAccess)(physical, flags);
    if (error != cudaErrorPeerAccessAlreadyEnabled) return error;
    cudaGetLastError();  // which would give the same error again
    return cudaSuccess;
}

bool can_access(int from, int to) {
    if (from == to) return true;
    {
        const std::lock_guard<std::mutex> lock(state().mutex);
        if (state().settings.peer_access) return *state().settings.peer_access;
    }
    if (physical_device(from) == physical_device(to)) return true;
    int can = 0;
    return cudaDeviceCanAccessPeer(&can, physical_device(from), physical_device(to)) == cudaSuccess && can;
}

convnet::Device& device_of(int id) {
    const std::lock_guard<std::mutex> lock(state().mutex);
    std::unique_ptr<convnet::Device>& device = state().devices[id];
    if (!device) {
        const Settings& settings = state().settings;
        device = settings.make_device ? settings.make_device(physical_of(settings, id)) : make_default_device();
        (cudaSetDevice)(physical_of(settings, current));
    }
    return *device;
}

convnet::Device& current_device() { return device_of(current); }

void release_on(int id, float* memory) {
    device_of(id).release(memory);
    if (id != current) select_device();
}

void seed_random(std::optional<std::uint64_t> seed) {
    const std::lock_guard<std::mutex> lock(state().mutex);
    const std::optional<std::uint64_t>& common = state().settings.seed;
    if (!seed) seed = common ? *common + current : std::uint64_t{std::random_device()()} << 32 | std::random_device()();
    state().random[current] = {*seed, 0};
}

bool random_is_seeded() {
    const std::lock_guard<std::mutex> lock(state().mutex);
    return state().random.count(current) > 0;
}

void forget_random() {
    const std::lock_guard<std::mutex> lock(state().mutex);
    state().random.erase(current);
}

convnet::RandomKey next_draw() {
    const std::lock_guard<std::mutex> lock(state().mutex);
    const auto random = state().random.find(current);
    CONVNET_PLATFORM_REQUIRE(random != state().random.end(), "device %d: random numbers before initRandom()", current);
    return {random->second.seed, 0, random->second.draws++};
}

}  // namespace convnet_platform
