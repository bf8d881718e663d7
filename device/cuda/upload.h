// Small arrays of the host, as kernels need them.
#pragma once

#include "device/cuda/cuda_device.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {

// A copy on the GPU until the end of a method; the host's array may go at once.
template <class T>
class Uploaded {
public:
    Uploaded(Memory& memory, const T* host, std::size_t count) : scratch_(memory, count) {
        check(cudaMemcpy(scratch_.data(), host, count * sizeof(T), cudaMemcpyHostToDevice), "copy of a small array");
    }
    const T* data() { return scratch_.data(); }

private:
    Scratch<T> scratch_;
};

}  // namespace convnet::cuda
