// CUDA's vector types, with their alignments, their make_* functions, and dim3 (spec 6.6).
#pragma once

#define CONVNET_EMULATION_VECTORS(name, element)                                                   \
    struct name##1 { element x; };                                                                 \
    struct __attribute__((aligned(2 * sizeof(element)))) name##2 { element x, y; };                \
    struct name##3 { element x, y, z; };                                                           \
    struct __attribute__((aligned(4 * sizeof(element) < 16 ? 4 * sizeof(element) : 16))) name##4 { \
        element x, y, z, w;                                                                        \
    };                                                                                             \
    inline name##1 make_##name##1(element x) { return name##1 {x}; }                               \
    inline name##2 make_##name##2(element x, element y) { return name##2 {x, y}; }                 \
    inline name##3 make_##name##3(element x, element y, element z) { return name##3 {x, y, z}; }   \
    inline name##4 make_##name##4(element x, element y, element z, element w) { return name##4 {x, y, z, w}; }

CONVNET_EMULATION_VECTORS(char, signed char)
CONVNET_EMULATION_VECTORS(uchar, unsigned char)
CONVNET_EMULATION_VECTORS(short, short)
CONVNET_EMULATION_VECTORS(ushort, unsigned short)
CONVNET_EMULATION_VECTORS(int, int)
CONVNET_EMULATION_VECTORS(uint, unsigned int)
CONVNET_EMULATION_VECTORS(long, long)
CONVNET_EMULATION_VECTORS(ulong, unsigned long)
CONVNET_EMULATION_VECTORS(longlong, long long)
CONVNET_EMULATION_VECTORS(ulonglong, unsigned long long)
CONVNET_EMULATION_VECTORS(float, float)
CONVNET_EMULATION_VECTORS(double, double)

#undef CONVNET_EMULATION_VECTORS

// Sizes of a grid or block; what is not given is 1.
struct dim3 {
    unsigned int x, y, z;

    constexpr dim3(unsigned int x = 1, unsigned int y = 1, unsigned int z = 1) : x(x), y(y), z(z) {}
    constexpr dim3(uint3 size) : x(size.x), y(size.y), z(size.z) {}
    constexpr operator uint3() const { return uint3{x, y, z}; }
};
