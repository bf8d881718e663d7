// Stands between the emulated CUDA device and the emulation's runtime calls (the linker's --wrap): counts them, and
// makes them fail on request.
//
//   CONVNET_WITNESS_FAIL=CALL:N:CODE   the N-th CALL and all later ones return an error, a CUDA error code. 700 and 719
//                                      are sticky, as on a GPU: every other call returns them from then on, too
//   CONVNET_WITNESS_MEMORY=BYTES       what each GPU has
//   CONVNET_WITNESS_PEERS=0            no GPU reaches another's memory
//   CONVNET_WITNESS_DRIVER=VERSION     what the driver knows, as CUDA tells it; 0: there is no driver
#include <cuda_runtime.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace {

// None of these is ever destroyed: a device may outlive this library's own variables.
std::mutex mutex;
auto& counts = *new std::map<std::string, long>;
auto& failing_call = *new std::string;
long fails_from = 0;
cudaError_t failure = cudaSuccess, sticky = cudaSuccess;

void fail(const char* call, long from, int code) {
    failing_call = call;
    fails_from = from;
    failure = static_cast<cudaError_t>(code);
}

long number(const char* variable, long otherwise) {
    const char* text = std::getenv(variable);
    return text ? std::atol(text) : otherwise;
}

void read_environment() {
    const char* text = std::getenv("CONVNET_WITNESS_FAIL");
    if (!text) return;
    const std::string wanted = text;
    const auto first = wanted.find(':'), second = wanted.find(':', first + 1);
    fail(wanted.substr(0, first).c_str(), std::stol(wanted.substr(first + 1)), std::stoi(wanted.substr(second + 1)));
}

// Counts a call, and says with what it fails.
cudaError_t seen(const char* call) {
    static std::once_flag once;
    std::call_once(once, read_environment);
    const std::lock_guard<std::mutex> lock(mutex);
    const long count = ++counts[call];
    if (sticky != cudaSuccess) return sticky;
    if (failing_call != call || count < fails_from) return cudaSuccess;
    if (failure == cudaErrorIllegalAddress || failure == cudaErrorLaunchFailure) sticky = failure;
    return failure;
}

auto& allocations = *new std::unordered_map<void*, std::pair<int, std::size_t>>;  // with the GPU
auto& used = *new std::map<int, std::size_t>;

int current_gpu() {
    int gpu = 0;
    cudaGetDevice(&gpu);
    return gpu;
}

}  // namespace

// For tests, in the process of the device.
extern "C" {
long convnet_witness_count(const char* call) {
    const std::lock_guard<std::mutex> lock(mutex);
    return counts[call];
}
}

// `mangled`: the call as the linker knows it. What follows WRAP is its body after it has been counted and let through.
#define WRAP(call, mangled, parameters, ...)               \
    extern "C" cudaError_t __real_##mangled parameters;    \
    static cudaError_t real_##call parameters;             \
    extern "C" cudaError_t __wrap_##mangled parameters {   \
        if (cudaError_t error = seen(#call)) return error; \
        return real_##call(__VA_ARGS__);                   \
    }                                                      \
    static cudaError_t real_##call parameters

// clang-format off
WRAP(cudaGetLastError, _Z16cudaGetLastErrorv, ()) { return __real__Z16cudaGetLastErrorv(); }
WRAP(cudaSetDevice, _Z13cudaSetDevicei, (int gpu), gpu) { return __real__Z13cudaSetDevicei(gpu); }
WRAP(cudaGetDeviceCount, _Z18cudaGetDeviceCountPi, (int* count), count) { return __real__Z18cudaGetDeviceCountPi(count); }
WRAP(cudaHostAlloc, _Z13cudaHostAllocPPvmj, (void** p, std::size_t n, unsigned f), p, n, f) {
    return __real__Z13cudaHostAllocPPvmj(p, n, f);
}
WRAP(cudaFreeHost, _Z12cudaFreeHostPv, (void* p), p) { return __real__Z12cudaFreeHostPv(p); }
WRAP(cudaEventDestroy, _Z16cudaEventDestroyP23convnet_emulation_event, (cudaEvent_t e), e) {
    return __real__Z16cudaEventDestroyP23convnet_emulation_event(e);
}
WRAP(cudaEventSynchronize, _Z20cudaEventSynchronizeP23convnet_emulation_event, (cudaEvent_t e), e) {
    return __real__Z20cudaEventSynchronizeP23convnet_emulation_event(e);
}
WRAP(cudaDeviceSynchronize, _Z21cudaDeviceSynchronizev, ()) {
    return __real__Z21cudaDeviceSynchronizev();
}
WRAP(cudaStreamSynchronize, _Z21cudaStreamSynchronizeP24convnet_emulation_stream, (cudaStream_t s), s) {
    return __real__Z21cudaStreamSynchronizeP24convnet_emulation_stream(s);
}
// clang-format on

WRAP(cudaMemcpy, _Z10cudaMemcpyPvPKvm14cudaMemcpyKind, (void* to, const void* from, std::size_t n, cudaMemcpyKind k),
     to, from, n, k) {
    return __real__Z10cudaMemcpyPvPKvm14cudaMemcpyKind(to, from, n, k);
}

WRAP(cudaMemcpyAsync, _Z15cudaMemcpyAsyncPvPKvm14cudaMemcpyKindP24convnet_emulation_stream,
     (void* to, const void* from, std::size_t n, cudaMemcpyKind k, cudaStream_t s), to, from, n, k, s) {
    return __real__Z15cudaMemcpyAsyncPvPKvm14cudaMemcpyKindP24convnet_emulation_stream(to, from, n, k, s);
}

WRAP(cudaMemcpyPeer, _Z14cudaMemcpyPeerPviPKvim, (void* to, int t, const void* from, int f, std::size_t n), to, t, from,
     f, n) {
    return __real__Z14cudaMemcpyPeerPviPKvim(to, t, from, f, n);
}

WRAP(cudaMalloc, _Z10cudaMallocPPvm, (void** memory, std::size_t bytes), memory, bytes) {
    const int gpu = current_gpu();
    const std::size_t all = number("CONVNET_WITNESS_MEMORY", 0);
    const std::lock_guard<std::mutex> lock(mutex);
    if (all > 0 && used[gpu] + bytes > all) return convnet_emulation::set_last_error(cudaErrorMemoryAllocation);
    const cudaError_t status = __real__Z10cudaMallocPPvm(memory, bytes);
    if (status != cudaSuccess) return status;
    allocations[*memory] = {gpu, bytes};
    used[gpu] += bytes;
    return status;
}

WRAP(cudaFree, _Z8cudaFreePv, (void* memory), memory) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (const auto found = allocations.find(memory); found != allocations.end()) {
        used[found->second.first] -= found->second.second;
        allocations.erase(found);
    }
    return __real__Z8cudaFreePv(memory);
}

WRAP(cudaMemGetInfo, _Z14cudaMemGetInfoPmS_, (std::size_t* free, std::size_t* total), free, total) {
    const cudaError_t status = __real__Z14cudaMemGetInfoPmS_(free, total);
    const std::size_t all = number("CONVNET_WITNESS_MEMORY", 0);
    if (all == 0) return status;
    const int gpu = current_gpu();
    const std::lock_guard<std::mutex> lock(mutex);
    *total = all;
    *free = all - used[gpu];
    return status;
}

WRAP(cudaDriverGetVersion, _Z20cudaDriverGetVersionPi, (int* version), version) {
    const cudaError_t status = __real__Z20cudaDriverGetVersionPi(version);
    *version = static_cast<int>(number("CONVNET_WITNESS_DRIVER", *version));
    return status;
}

WRAP(cudaDeviceCanAccessPeer, _Z23cudaDeviceCanAccessPeerPiii, (int* can, int gpu, int other), can, gpu, other) {
    const cudaError_t status = __real__Z23cudaDeviceCanAccessPeerPiii(can, gpu, other);
    *can = *can && number("CONVNET_WITNESS_PEERS", 1);
    return status;
}

WRAP(cudaDeviceEnablePeerAccess, _Z26cudaDeviceEnablePeerAccessij, (int other, unsigned flags), other, flags) {
    return __real__Z26cudaDeviceEnablePeerAccessij(other, flags);
}
