// CUDA's qualifiers and attributes for g++ (spec 6.6). __global__, __shared__ and __noinline__ are no macros:
// the translator replaces them, so that a source that has not been through it does not compile.
#pragma once

#define CONVNET_EMULATION 1
#define CUDART_VERSION 13000

#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __forceinline__ __inline__ __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __builtin_align__(bytes) __align__(bytes)
#define CUDARTAPI
#define CUDART_CB
