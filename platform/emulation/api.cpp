// The CUDA runtime calls (spec 6.6) on host memory; declared in include/emulation/api.h.
#include "include/emulation/api.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime.h"
#include "streams.h"

namespace convnet_emulation {
namespace {

std::atomic<int>& device_count() {
    static std::atomic<int> count(positive_from_environment("CONVNET_EMULATION_DEVICES", 1));
    return count;
}

bool is_device(int device) { return device >= 0 && device < device_count(); }

std::size_t memory_bytes(int pages) {
    return static_cast<std::size_t>(sysconf(pages)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

enum class Side { device, host };

struct Allocation {
    std::size_t bytes;
    Side side;
    int device;
};

// What cudaMalloc and its kin gave out, by address. Never destroyed: static destructors may still free memory.
class Allocations {
public:
    static Allocations& all() {
        static Allocations* allocations = new Allocations;
        return *allocations;
    }

    void* make(std::size_t bytes, Side side) {
        constexpr std::size_t alignment = 256;
        if (bytes > memory_bytes(_SC_PHYS_PAGES)) return nullptr;
        void* pointer = nullptr;
        if (posix_memalign(&pointer, alignment, bytes) != 0) return nullptr;
        if (emulation_poisons()) std::memset(pointer, poison, bytes);
        std::lock_guard<std::mutex> lock(mutex_);
        by_address_[static_cast<char*>(pointer)] = {bytes, side, caller().device};
        return pointer;
    }

    // False where no such allocation exists.
    bool free(void* pointer, Side side) {
        std::lock_guard<std::mutex> lock(mutex_);
        const auto found = by_address_.find(static_cast<char*>(pointer));
        if (found == by_address_.end() || found->second.side != side) return false;
        by_address_.erase(found);
        std::free(pointer);
        return true;
    }

    void free_all(int device) {
        std::lock_guard<std::mutex> lock(mutex_);
        for (auto it = by_address_.begin(); it != by_address_.end();) {
            if (it->second.device == device && it->second.side == Side::device) {
                std::free(it->first);
                it = by_address_.erase(it);
            } else {
                ++it;
            }
        }
    }

    bool knows(const void* pointer) {
        std::lock_guard<std::mutex> lock(mutex_);
        char* address = const_cast<char*>(static_cast<const char*>(pointer));
        auto behind = by_address_.upper_bound(address);
        if (behind == by_address_.begin()) return false;
        const auto& [start, allocation] = *--behind;
        return static_cast<std::size_t>(address - start) < allocation.bytes;
    }

    // False where a range starts within an allocation and ends behind it. Other memory is not known here.
    bool holds(const void* pointer, std::size_t bytes) {
        std::lock_guard<std::mutex> lock(mutex_);
        char* address = const_cast<char*>(static_cast<const char*>(pointer));
        auto behind = by_address_.upper_bound(address);
        if (behind == by_address_.begin()) return true;
        const auto& [start, allocation] = *--behind;
        const std::size_t offset = static_cast<std::size_t>(address - start);
        return offset >= allocation.bytes || bytes <= allocation.bytes - offset;
    }

private:
    std::mutex mutex_;
    std::map<char*, Allocation> by_address_;
};

cudaError_t allocate(void** pointer, std::size_t bytes, Side side) {
    if (pointer == nullptr) return set_last_error(cudaErrorInvalidValue);
    *pointer = nullptr;
    if (bytes == 0) return cudaSuccess;
    *pointer = Allocations::all().make(bytes, side);
    return set_last_error(*pointer == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}

cudaError_t release(void* pointer, Side side) {
    finish_all();
    const bool freed = pointer == nullptr || Allocations::all().free(pointer, side);
    return set_last_error(freed ? cudaSuccess : cudaErrorInvalidValue);
}

// What a range must satisfy to be read or written.
bool usable(const void* pointer, std::size_t bytes) {
    return bytes == 0 || (pointer != nullptr && Allocations::all().holds(pointer, bytes));
}

}  // namespace

void set_device_count(int count) {
    if (count < 1) throw Error("set_device_count: " + std::to_string(count) + " devices; there must be 1 or more");
    device_count() = count;
}

cudaError_t check_symbol(std::size_t size, std::size_t offset, std::size_t bytes) {
    const bool fits = offset <= size && bytes <= size - offset;
    return set_last_error(fits ? cudaSuccess : cudaErrorInvalidValue);
}

}  // namespace convnet_emulation

using namespace convnet_emulation;

cudaError_t cudaGetLastError() { return std::exchange(caller().last_error, cudaSuccess); }

cudaError_t cudaPeekAtLastError() { return caller().last_error; }

namespace {

struct ErrorText {
    cudaError_t error;
    const char* name;
    const char* text;
};

constexpr ErrorText error_texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidSymbol, "cudaErrorInvalidSymbol", "invalid device symbol"},
    {cudaErrorInvalidDevicePointer, "cudaErrorInvalidDevicePointer", "invalid device pointer"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources", "too many resources requested for launch"},
    {cudaErrorLaunchTimeout, "cudaErrorLaunchTimeout", "the launch timed out and was terminated"},
    {cudaErrorPeerAccessAlreadyEnabled, "cudaErrorPeerAccessAlreadyEnabled", "peer access is already enabled"},
    {cudaErrorPeerAccessNotEnabled, "cudaErrorPeerAccessNotEnabled", "peer access has not been enabled"},
    {cudaErrorHardwareStackError, "cudaErrorHardwareStackError", "hardware stack error"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const ErrorText* text_of(cudaError_t error) {
    for (const ErrorText& known : error_texts)
        if (known.error == error) return &known;
    return nullptr;
}

}  // namespace

const char* cudaGetErrorString(cudaError_t error) {
    const ErrorText* known = text_of(error);
    return known ? known->text : "unrecognized error code";
}

const char* cudaGetErrorName(cudaError_t error) {
    const ErrorText* known = text_of(error);
    return known ? known->name : "unrecognized error code";
}

cudaError_t cudaGetDeviceCount(int* count) {
    *count = device_count();
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    if (!is_device(device)) return set_last_error(cudaErrorInvalidDevice);
    caller().device = device;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
    *device = caller().device;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    if (!is_device(device)) return set_last_error(cudaErrorInvalidDevice);
    cudaDeviceProp p{};
    std::snprintf(p.name, sizeof p.name, "CUDA emulation on the CPU, virtual device %d", device);
    p.totalGlobalMem = memory_bytes(_SC_PHYS_PAGES);
    p.sharedMemPerBlock = 48 * 1024;
    p.sharedMemPerBlockOptin = p.sharedMemPerMultiprocessor = max_dynamic_shared;
    p.regsPerBlock = 65536;
    p.warpSize = warpSize;
    p.memPitch = 0x7fffffff;
    p.maxThreadsPerBlock = p.maxThreadsPerMultiProcessor = max_threads_per_block;
    p.maxThreadsDim[0] = max_block.x, p.maxThreadsDim[1] = max_block.y, p.maxThreadsDim[2] = max_block.z;
    p.maxGridSize[0] = max_grid.x, p.maxGridSize[1] = max_grid.y, p.maxGridSize[2] = max_grid.z;
    p.totalConstMem = 64 * 1024;
    p.major = 7, p.minor = 5;
    p.textureAlignment = 512;
    p.multiProcessorCount = emulation_threads();
    p.integrated = p.canMapHostMemory = p.concurrentKernels = p.unifiedAddressing = 1;
    p.pciDeviceID = device;
    *properties = p;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    cudaDeviceProp p;
    if (cudaError_t error = cudaGetDeviceProperties(&p, device)) return error;
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock:
            *value = p.maxThreadsPerBlock;
            return cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerBlock:
            *value = static_cast<int>(p.sharedMemPerBlock);
            return cudaSuccess;
        case cudaDevAttrWarpSize:
            *value = p.warpSize;
            return cudaSuccess;
        case cudaDevAttrMultiProcessorCount:
            *value = p.multiProcessorCount;
            return cudaSuccess;
        case cudaDevAttrComputeCapabilityMajor:
            *value = p.major;
            return cudaSuccess;
        case cudaDevAttrComputeCapabilityMinor:
            *value = p.minor;
            return cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            *value = static_cast<int>(p.sharedMemPerBlockOptin);
            return cudaSuccess;
    }
    return set_last_error(cudaErrorInvalidValue);
}

cudaError_t cudaDeviceSynchronize() {
    finish_all();
    return cudaSuccess;
}
cudaError_t cudaThreadSynchronize() { return cudaDeviceSynchronize(); }
cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache) { return cudaSuccess; }

cudaError_t cudaDeviceReset() {
    finish_all();
    Allocations::all().free_all(caller().device);
    return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int* can_access, int device, int peer) {
    if (!is_device(device) || !is_device(peer)) return set_last_error(cudaErrorInvalidDevice);
    *can_access = device != peer;
    return cudaSuccess;
}

namespace {

// Which peers each device has access to; calls only change the answers of these two functions.
std::mutex peers_mutex;
std::map<std::pair<int, int>, bool> peers;

cudaError_t set_peer_access(int peer, bool enabled, cudaError_t already) {
    if (!is_device(peer) || peer == caller().device) return set_last_error(cudaErrorInvalidDevice);
    std::lock_guard<std::mutex> lock(peers_mutex);
    bool& access = peers[{caller().device, peer}];
    if (access == enabled) return set_last_error(already);
    access = enabled;
    return cudaSuccess;
}

}  // namespace

cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned int flags) {
    if (flags != 0) return set_last_error(cudaErrorInvalidValue);
    return set_peer_access(peer, true, cudaErrorPeerAccessAlreadyEnabled);
}

cudaError_t cudaDeviceDisablePeerAccess(int peer) {
    return set_peer_access(peer, false, cudaErrorPeerAccessNotEnabled);
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) { return allocate(pointer, bytes, Side::device); }

cudaError_t cudaMallocManaged(void** pointer, std::size_t bytes, unsigned int) {
    return allocate(pointer, bytes, Side::device);
}

cudaError_t cudaMallocPitch(void** pointer, std::size_t* pitch, std::size_t width, std::size_t height) {
    *pitch = (width + 511) / 512 * 512;
    if (height != 0 && *pitch > SIZE_MAX / height) return set_last_error(cudaErrorMemoryAllocation);
    return allocate(pointer, *pitch * height, Side::device);
}

cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) { return allocate(pointer, bytes, Side::host); }

cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned int) {
    return allocate(pointer, bytes, Side::host);
}

cudaError_t cudaHostGetDevicePointer(void** device_pointer, void* host_pointer, unsigned int) {
    *device_pointer = host_pointer;
    return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) { return release(pointer, Side::device); }
cudaError_t cudaFreeHost(void* pointer) { return release(pointer, Side::host); }

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
    *free_bytes = memory_bytes(_SC_AVPHYS_PAGES);
    *total_bytes = memory_bytes(_SC_PHYS_PAGES);
    return cudaSuccess;
}

namespace {

cudaError_t check_copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return set_last_error(cudaErrorInvalidMemcpyDirection);
    return set_last_error(usable(to, bytes) && usable(from, bytes) ? cudaSuccess : cudaErrorInvalidValue);
}

}  // namespace

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    if (const cudaError_t error = check_copy(to, from, bytes, kind)) return error;
    finish_default();
    if (bytes > 0) std::memmove(to, from, bytes);
    return cudaSuccess;
}

// As in CUDA, what comes from pageable memory has been read when the call returns, and what goes there has arrived.
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    if (const cudaError_t error = check_copy(to, from, bytes, kind)) return error;
    if (bytes == 0) return cudaSuccess;
    if (streams_put_off() && !Allocations::all().knows(from)) {
        const char* bytes_of = static_cast<const char*>(from);
        enqueue(stream, [=, kept = std::vector<char>(bytes_of, bytes_of + bytes)] { std::memcpy(to, kept.data(), bytes); });
    } else {
        enqueue(stream, [=] { std::memmove(to, from, bytes); });
    }
    if (!Allocations::all().knows(to)) finish(stream);
    return cudaSuccess;
}

cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                         std::size_t height, cudaMemcpyKind kind) {
    if (width > to_pitch || width > from_pitch) return set_last_error(cudaErrorInvalidValue);
    for (std::size_t row = 0; row < height; row++) {
        const cudaError_t error = cudaMemcpy(static_cast<char*>(to) + row * to_pitch,
                                             static_cast<const char*>(from) + row * from_pitch, width, kind);
        if (error != cudaSuccess) return error;
    }
    return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
    finish(stream);
    return cudaMemcpy2D(to, to_pitch, from, from_pitch, width, height, kind);
}

cudaError_t cudaMemcpyPeer(void* to, int to_device, const void* from, int from_device, std::size_t bytes) {
    if (!is_device(to_device) || !is_device(from_device)) return set_last_error(cudaErrorInvalidDevice);
    finish_all();
    return cudaMemcpy(to, from, bytes, cudaMemcpyDefault);
}

cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device, std::size_t bytes,
                                cudaStream_t stream) {
    if (!is_device(to_device) || !is_device(from_device)) return set_last_error(cudaErrorInvalidDevice);
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream);
}

cudaError_t cudaMemsetAsync(void* pointer, int value, std::size_t bytes, cudaStream_t stream) {
    if (!usable(pointer, bytes)) return set_last_error(cudaErrorInvalidValue);
    if (bytes > 0) enqueue(stream, [=] { std::memset(pointer, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaMemset(void* pointer, int value, std::size_t bytes) {
    return cudaMemsetAsync(pointer, value, bytes, nullptr);
}
