// The instruction set that a kernel file is compiled for. Every kernel file of this folder is compiled
// once per set, with CONVNET_ISA naming the set, into a namespace of that name.
//
// The target applies to functions defined below it only. Standard headers must come before it, so that
// the library's inline functions, which the linker merges across files, stay baseline: a file includes
// its own first, then this, which brings those of the headers that follow.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "device/cpu/threads.h"
#include "device/device.h"

#define CONVNET_ISA_avx512 1
#define CONVNET_ISA_avx2 2
#define CONVNET_ISA_baseline 3
#define CONVNET_ISA_ID_(name) CONVNET_ISA_##name
#define CONVNET_ISA_ID(name) CONVNET_ISA_ID_(name)

#if CONVNET_ISA_ID(CONVNET_ISA) == CONVNET_ISA_avx512
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,prefer-vector-width=512")
#elif CONVNET_ISA_ID(CONVNET_ISA) == CONVNET_ISA_avx2
#pragma GCC target("avx2,fma")
#endif

namespace convnet::cpu::CONVNET_ISA {

#if CONVNET_ISA_ID(CONVNET_ISA) == CONVNET_ISA_avx512
constexpr int lanes = 16;      // floats in a vector register
constexpr int tile_rows = 12;  // rows of a register tile of two vectors: 24 accumulators of 32 registers
constexpr int tall_rows = 8;   // rows of a tile of three vectors
#elif CONVNET_ISA_ID(CONVNET_ISA) == CONVNET_ISA_avx2
constexpr int lanes = 8;
constexpr int tile_rows = 6;
constexpr int tall_rows = 4;
#elif defined(__aarch64__)
constexpr int lanes = 4;
constexpr int tile_rows = 12;
constexpr int tall_rows = 8;
#else
constexpr int lanes = 4;
constexpr int tile_rows = 6;
constexpr int tall_rows = 4;
#endif

// One vector register of floats; may stand at any float's address.
typedef float Vec __attribute__((vector_size(lanes * sizeof(float)), aligned(sizeof(float)), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }

}  // namespace convnet::cpu::CONVNET_ISA
