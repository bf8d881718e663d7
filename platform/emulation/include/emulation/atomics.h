// CUDA's atomic functions and fences, on global and shared memory alike (spec 6.6). Each returns the old value.
#pragma once

#include <type_traits>

namespace convnet_emulation {

template <class T>
constexpr bool is_word = std::is_integral<T>::value && (sizeof(T) == 4 || sizeof(T) == 8);

// The second argument's type, from the first alone: atomicAdd(&count, 1) converts as CUDA's overloads do.
template <class T>
using word = std::enable_if_t<is_word<T>, T>;
template <class T>
using number = std::enable_if_t<is_word<T> || std::is_floating_point<T>::value, T>;

// Signed overflow wraps, as on a GPU.
template <class T>
inline T wrapping_sum(T a, T b) {
    if constexpr (std::is_integral<T>::value) {
        using Bits = std::make_unsigned_t<T>;
        return static_cast<T>(static_cast<Bits>(a) + static_cast<Bits>(b));
    } else {
        return a + b;
    }
}

// Replaces *address by update(*address), atomically.
template <class T, class Update>
inline T atomic_update(T* address, Update update) {
    T old, changed;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    do {
        changed = update(old);
    } while (!__atomic_compare_exchange(address, &old, &changed, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return old;
}

}  // namespace convnet_emulation

template <class T>
inline T atomicAdd(T* address, convnet_emulation::number<T> value) {
    return convnet_emulation::atomic_update(address,
                                            [value](T old) { return convnet_emulation::wrapping_sum<T>(old, value); });
}

template <class T>
inline T atomicSub(T* address, convnet_emulation::word<T> value) {
    return convnet_emulation::atomic_update(
        address, [value](T old) { return convnet_emulation::wrapping_sum<T>(old, T(0) - value); });
}

template <class T>
inline T atomicExch(T* address, convnet_emulation::number<T> value) {
    return convnet_emulation::atomic_update(address, [value](T) { return value; });
}

template <class T>
inline T atomicMin(T* address, convnet_emulation::word<T> value) {
    return convnet_emulation::atomic_update(address, [value](T old) { return value < old ? value : old; });
}

template <class T>
inline T atomicMax(T* address, convnet_emulation::word<T> value) {
    return convnet_emulation::atomic_update(address, [value](T old) { return value > old ? value : old; });
}

template <class T>
inline T atomicAnd(T* address, convnet_emulation::word<T> value) {
    return convnet_emulation::atomic_update(address, [value](T old) { return old & value; });
}

template <class T>
inline T atomicOr(T* address, convnet_emulation::word<T> value) {
    return convnet_emulation::atomic_update(address, [value](T old) { return old | value; });
}

template <class T>
inline T atomicXor(T* address, convnet_emulation::word<T> value) {
    return convnet_emulation::atomic_update(address, [value](T old) { return old ^ value; });
}

template <class T>
inline T atomicCAS(T* address, convnet_emulation::word<T> compare, convnet_emulation::word<T> value) {
    return convnet_emulation::atomic_update(address, [=](T old) { return old == compare ? value : old; });
}

// Counts up to limit, then starts again at 0.
inline unsigned int atomicInc(unsigned int* address, unsigned int limit) {
    return convnet_emulation::atomic_update(address, [limit](unsigned int old) { return old >= limit ? 0 : old + 1; });
}

// Counts down to 0, then starts again at limit.
inline unsigned int atomicDec(unsigned int* address, unsigned int limit) {
    return convnet_emulation::atomic_update(
        address, [limit](unsigned int old) { return old == 0 || old > limit ? limit : old - 1; });
}

inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __threadfence(); }
inline void __threadfence_system() { __threadfence(); }
