// The CUDA device: one GPU. Its methods are spread over this folder, one file per family; all work is on the legacy
// default stream, so that operations of several threads and of code around this library keep their order (spec 6.3.9).
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "device/cuda/blas.h"
#include "device/device.h"

namespace convnet::cuda {

// Memory of one GPU. What is released is kept for the next request: cudaMalloc and cudaFree wait for the GPU. Work on
// the default stream runs in order, so memory may go to its next user while its last kernel still runs.
class Memory {
public:
    // Matrices stay, and get memory of their very size. Scratch memory is given back when a method ends, and may be
    // larger than asked for: a shorter minibatch needs none of its own. The two are kept apart, so that a training
    // step finds all that the one before it had.
    enum class Use { matrix, scratch };

    explicit Memory(int gpu) : gpu_(gpu) {}
    ~Memory();

    void* allocate(std::size_t bytes, Use use);
    void release(void* memory);

private:
    struct Block {
        std::size_t bytes;
        Use use;
    };
    using Free = std::multimap<std::size_t, void*>;  // by bytes
    Free& free(Use use) { return use == Use::matrix ? free_matrices_ : free_scratch_; }
    void give_back();

    const int gpu_;
    std::mutex mutex_;
    std::unordered_map<void*, Block> blocks_;
    Free free_matrices_, free_scratch_;
};

// A block of a GPU's memory until the end of a method. Values are of type T.
template <class T>
class Scratch {
public:
    Scratch(Memory& memory, std::size_t count)
        : memory_(memory), data_(static_cast<T*>(memory.allocate(count * sizeof(T), Memory::Use::scratch))) {}
    ~Scratch() { memory_.release(data_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    T* data() { return data_; }

private:
    Memory& memory_;
    T* const data_;
};

// The way of cases to a GPU: from the host's matrix into page-locked memory, from there to the GPU on a stream of their
// own, beside the kernels of the minibatch before, and into the target in order with the kernels. Two buffers take
// turns, so that one can be filled while the other is under way.
class Staging {
public:
    explicit Staging(Memory& memory);
    ~Staging();
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    // As Device::copy_cases_from_host; the host's matrix has been read when it returns.
    void copy_cases(const float* host, std::int64_t rows, std::int64_t total_cases, std::int64_t first,
                    std::int64_t cases, float* target);

private:
    struct Buffer {
        float *host = nullptr, *device = nullptr;
        std::size_t capacity = 0;
        cudaEvent_t sent = nullptr, taken = nullptr;  // the host's memory has been read; the GPU's
    };
    // The buffer whose turn it is, with room for so many values, once its host memory may be written.
    Buffer& next(std::size_t count);
    void release(Buffer& buffer);

    Memory& memory_;
    cudaStream_t stream_ = nullptr;
    Buffer buffers_[2];
    int turn_ = 0;
};

// Costs on their way to the host, each in page-locked memory of its own until nobody asks for it any more.
class Reports {
public:
    // Copies values from the GPU's memory, in order with the kernels; what it returns waits for that copy alone.
    CostValues send(const char* operation, const double* values, int count);

private:
    struct Report;
    std::vector<std::shared_ptr<Report>> reports_;
};

class CudaDevice final : public Device {
public:
    CudaDevice(int gpu, bool tf32);
    ~CudaDevice() override;

    int gpu() const { return gpu_; }
    void copy_from_device(Device& source_device, const float* source, float* target, std::size_t count) override;
#include "device/overrides.h"

private:
    // Makes this GPU the current one of the calling thread: first in every method that launches or allocates.
    void select() const;
    // Lets this GPU reach the memory of another one directly, where the machine can do that; asked once.
    void reach(int other);

    const int gpu_;
    const bool tf32_;
    Memory memory_;
    Blas blas_;
    Staging staging_;
    Reports reports_;
    std::set<int> asked_;  // the other GPUs of reach()
};

// As in the CPU device: target = scale.targets * target + scale.output * result, never reading a target that is to be
// dropped.
__device__ inline void put(float& target, float result, Scale scale) {
    target = scale.targets == 0 ? scale.output * result : scale.targets * target + scale.output * result;
}

}  // namespace convnet::cuda
