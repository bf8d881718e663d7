// Memory and the device's own affairs on the CPU.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include <cblas.h>

#include "device/cpu/isa.h"
#include "device/cpu/cpu_device.h"
#include "device/cpu/map.h"

namespace convnet::cpu::CONVNET_ISA {

#define CONVNET_TEXT_(x) #x
#define CONVNET_TEXT(x) CONVNET_TEXT_(x)

CpuDevice::CpuDevice(int threads) : pool_(threads) {
    // BLAS runs in our threads, on pieces that do not depend on their number (dense.cpp).
    scipy_openblas_set_num_threads(1);
}

std::string CpuDevice::name() const { return CONVNET_TEXT(CONVNET_ISA); }

float* CpuDevice::allocate(std::size_t count) {
    constexpr std::size_t line = 64;
    const std::size_t bytes = (count * sizeof(float) + line - 1) / line * line;
    void* memory = std::aligned_alloc(line, bytes > 0 ? bytes : line);
    if (!memory) throw std::bad_alloc();
    return static_cast<float*>(memory);
}

void CpuDevice::release(float* memory) { std::free(memory); }

void CpuDevice::copy_from_host(const float* host, float* target, std::size_t count) {
    std::memcpy(target, host, count * sizeof(float));
}

void CpuDevice::copy_to_host(const float* source, float* host, std::size_t count) {
    std::memcpy(host, source, count * sizeof(float));
}

void CpuDevice::copy_cases_from_host(const float* host, std::int64_t rows, std::int64_t total_cases, std::int64_t first,
                                     std::int64_t cases, float* target) {
    pool_.parallel_for(rows, 1 + grain / (cases + 1), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; row++)
            std::memcpy(target + row * cases, host + row * total_cases + first, cases * sizeof(float));
    });
}

// Every method has finished when it returns.
void CpuDevice::synchronize() {}

void CpuDevice::fill(float* target, std::size_t count, float value) {
    map(pool_, count, target, [=](std::int64_t) { return value; });
}

}  // namespace convnet::cpu::CONVNET_ISA
