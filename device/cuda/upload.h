// Small arrays of the host, as kernels need them.
#pragma once

#include <algorithm>

#include "device/cuda/cuda_device.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {

template <class T>
struct Piece {
    static constexpr std::size_t size = 2048 / sizeof(T);
    T values[size];
};

// In the launches' arguments: a copy from the host would wait for the GPU.
template <class T>
void upload(const T* host, T* target, std::size_t count) {
    for (std::size_t first = 0; first < count; first += Piece<T>::size) {
        const std::size_t length = std::min(Piece<T>::size, count - first);
        Piece<T> piece{};
        std::copy_n(host + first, length, piece.values);
        T* to = target + first;
        for_each("copy of a small array", length, [=] __device__(std::int64_t i) { to[i] = piece.values[i]; });
    }
}

// A copy on the GPU until the end of a method; the host's array may go at once.
template <class T>
class Uploaded {
public:
    Uploaded(Memory& memory, const T* host, std::size_t count) : scratch_(memory, count) {
        upload(host, scratch_.data(), count);
    }
    T* data() { return scratch_.data(); }

private:
    Scratch<T> scratch_;
};

}  // namespace convnet::cuda
