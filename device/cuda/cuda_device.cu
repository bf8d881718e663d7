// Memory and the device's own affairs on a GPU.
#include "device/cuda/cuda_device.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <thread>

#include "device/cuda/launch.h"

namespace convnet::cuda {

namespace {

std::string text_of(std::size_t bytes) {
    return bytes < 1 << 20 ? std::to_string((bytes + 1023) >> 10) + " KiB" : std::to_string(bytes >> 20) + " MiB";
}

}  // namespace

Memory::~Memory() {
    cudaSetDevice(gpu_);
    give_back();
}

void Memory::give_back() {
    for (Free* kept : {&free_matrices_, &free_scratch_}) {
        for (const auto& [bytes, memory] : *kept) {
            blocks_.erase(memory);
            cudaFree(memory);
        }
        kept->clear();
    }
}

void* Memory::allocate(std::size_t bytes, Use use) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (bytes == 0) bytes = sizeof(float);  // a pointer of its own, as for any size
    Free& kept = free(use);
    const auto found = use == Use::matrix ? kept.find(bytes) : kept.lower_bound(bytes);
    if (found != kept.end()) {
        void* memory = found->second;
        kept.erase(found);
        return memory;
    }
    void* memory = nullptr;
    cudaError_t status = cudaMalloc(&memory, bytes);
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();  // which would give the same error again
        give_back();
        status = cudaMalloc(&memory, bytes);
    }
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        std::size_t free = 0, total = 0;
        cudaMemGetInfo(&free, &total);
        throw std::runtime_error("CUDA: GPU " + std::to_string(gpu_) + " is out of memory: asked for " +
                                 text_of(bytes) + ", " + text_of(free) + " of " + text_of(total) + " are free");
    }
    check(status, "allocation");
    blocks_[memory] = {bytes, use};
    return memory;
}

void Memory::release(void* memory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Block& block = blocks_.at(memory);
    free(block.use).emplace(block.bytes, memory);
}

Staging::Staging(Memory& memory) : memory_(memory) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "staging");
    for (Buffer& buffer : buffers_)
        for (cudaEvent_t* event : {&buffer.sent, &buffer.taken})
            check(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "staging");
}

Staging::~Staging() {
    cudaStreamSynchronize(stream_);
    for (Buffer& buffer : buffers_) {
        release(buffer);
        cudaEventDestroy(buffer.sent);
        cudaEventDestroy(buffer.taken);
    }
    cudaStreamDestroy(stream_);
}

void Staging::release(Buffer& buffer) {
    if (buffer.host) cudaFreeHost(buffer.host);
    if (buffer.device) memory_.release(buffer.device);
    buffer.host = buffer.device = nullptr;
    buffer.capacity = 0;
}

Staging::Buffer& Staging::next(std::size_t count) {
    turn_ = 1 - turn_;
    Buffer& buffer = buffers_[turn_];
    check(cudaEventSynchronize(buffer.sent), "staging");
    if (buffer.capacity >= count) return buffer;
    release(buffer);
    const std::size_t bytes = count * sizeof(float);
    check(cudaHostAlloc(&buffer.host, bytes, cudaHostAllocDefault), "page-locked host memory");
    buffer.device = static_cast<float*>(memory_.allocate(bytes, Memory::Use::matrix));
    // A kernel that had this memory before may still run.
    check(cudaEventRecord(buffer.taken), "staging");
    buffer.capacity = count;
    return buffer;
}

namespace {

// Columns [first, first + cases) of a matrix, packed. One thread would need as long for a minibatch as a GPU does.
void pack_cases(const float* host, std::int64_t rows, std::int64_t total_cases, std::int64_t first, std::int64_t cases,
                float* packed) {
    constexpr std::int64_t values_per_thread = 1 << 20, most_threads = 4;
    const std::int64_t cores = std::max(1u, std::thread::hardware_concurrency());
    const std::int64_t threads = std::min({most_threads, cores, 1 + rows * cases / values_per_thread});
    const auto pack = [=](std::int64_t part) {
        for (std::int64_t row = rows * part / threads; row < rows * (part + 1) / threads; row++)
            std::memcpy(packed + row * cases, host + row * total_cases + first, cases * sizeof(float));
    };
    std::vector<std::future<void>> others;
    for (std::int64_t part = 1; part < threads; part++) others.push_back(std::async(std::launch::async, pack, part));
    pack(0);
    for (std::future<void>& other : others) other.get();
}

}  // namespace

void Staging::copy_cases(const float* host, std::int64_t rows, std::int64_t total_cases, std::int64_t first,
                         std::int64_t cases, float* target) {
    const std::size_t bytes = rows * cases * sizeof(float);
    Buffer& buffer = next(rows * cases);
    pack_cases(host, rows, total_cases, first, cases, buffer.host);
    check(cudaStreamWaitEvent(stream_, buffer.taken, 0), "staging");
    check(cudaMemcpyAsync(buffer.device, buffer.host, bytes, cudaMemcpyHostToDevice, stream_), "copy from the host");
    check(cudaEventRecord(buffer.sent, stream_), "staging");
    check(cudaStreamWaitEvent(nullptr, buffer.sent, 0), "staging");
    check(cudaMemcpyAsync(target, buffer.device, bytes, cudaMemcpyDeviceToDevice), "copy from the host");
    check(cudaEventRecord(buffer.taken), "staging");
}

struct Reports::Report {
    static constexpr int most_values = 3;

    double* values = nullptr;
    cudaEvent_t sent = nullptr;

    Report() {
        check(cudaEventCreateWithFlags(&sent, cudaEventDisableTiming), "report of a cost");
        check(cudaHostAlloc(&values, most_values * sizeof(double), cudaHostAllocDefault), "page-locked host memory");
    }
    ~Report() {
        cudaEventDestroy(sent);
        cudaFreeHost(values);
    }
};

CostValues Reports::send(const char* operation, const double* values, int count) {
    const auto found =
        std::find_if(reports_.begin(), reports_.end(), [](const auto& kept) { return kept.use_count() == 1; });
    std::shared_ptr<Report> report = found == reports_.end() ? std::make_shared<Report>() : *found;
    if (found == reports_.end())  // and another one, for the minibatch after this
        reports_.insert(reports_.end(), {report, std::make_shared<Report>()});
    check(cudaMemcpyAsync(report->values, values, count * sizeof(double), cudaMemcpyDeviceToHost), operation);
    check(cudaEventRecord(report->sent), operation);
    return std::async(std::launch::deferred, [=] {
        check(cudaEventSynchronize(report->sent), operation);
        return std::vector<double>(report->values, report->values + count);
    });
}

namespace {

int selected(int gpu) {
    check(cudaSetDevice(gpu), "choice of the GPU");
    return gpu;
}

}  // namespace

CudaDevice::CudaDevice(int gpu, bool tf32)
    : gpu_(selected(gpu)), tf32_(tf32), memory_(gpu), blas_(tf32), staging_(memory_) {}

CudaDevice::~CudaDevice() { cudaSetDevice(gpu_); }

void CudaDevice::select() const { selected(gpu_); }

std::string CudaDevice::name() const {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, gpu_), "enquiry");
    return properties.name;
}

float* CudaDevice::allocate(std::size_t count) {
    select();
    return static_cast<float*>(memory_.allocate(count * sizeof(float), Memory::Use::matrix));
}

void CudaDevice::release(float* memory) { memory_.release(memory); }

void CudaDevice::copy_from_host(const float* host, float* target, std::size_t count) {
    select();
    check(cudaMemcpy(target, host, count * sizeof(float), cudaMemcpyHostToDevice), "copy from the host");
}

void CudaDevice::copy_to_host(const float* source, float* host, std::size_t count) {
    select();
    check(cudaMemcpy(host, source, count * sizeof(float), cudaMemcpyDeviceToHost), "copy to the host");
}

void CudaDevice::copy_cases_from_host(const float* host, std::int64_t rows, std::int64_t total_cases,
                                      std::int64_t first, std::int64_t cases, float* target) {
    if (rows == 0 || cases == 0) return;
    select();
    staging_.copy_cases(host, rows, total_cases, first, cases, target);
}

void CudaDevice::reach(int other) {
    if (other == gpu_ || !asked_.insert(other).second) return;
    int can = 0;
    check(cudaDeviceCanAccessPeer(&can, gpu_, other), "enquiry");
    if (!can) return;
    const cudaError_t status = cudaDeviceEnablePeerAccess(other, 0);
    if (status != cudaErrorPeerAccessAlreadyEnabled) return check(status, "access to another GPU");
    cudaGetLastError();  // which would give the same error again
}

void CudaDevice::copy_from_device(Device& source_device, const float* source, float* target, std::size_t count) {
    const auto* other = dynamic_cast<CudaDevice*>(&source_device);
    if (!other) return Device::copy_from_device(source_device, source, target, count);
    select();
    reach(other->gpu_);
    // In order with the default streams of both GPUs; goes through the host where they do not reach each other.
    check(cudaMemcpyPeer(target, gpu_, source, other->gpu_, count * sizeof(float)), "copy between GPUs");
}

void CudaDevice::fill(float* target, std::size_t count, float value) {
    select();
    for_each("fill", count, [=] __device__(std::int64_t i) { target[i] = value; });
}

void CudaDevice::synchronize() {
    select();
    check(cudaDeviceSynchronize(), "synchronization");
}

}  // namespace convnet::cuda
