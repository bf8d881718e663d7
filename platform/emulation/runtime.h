// What a translated kernel calls: built-in variables, barriers, launches, checked shared indices, device printf
// (spec 6.6). translate.py writes the calls of this file that no source contains by itself.
//
// The blocks of a launch are shared out to a few OS threads. All threads of a block run on one of them, one after the
// other (CONVNET_EMULATION_ORDER: in which order): as a plain loop up to the first thread that waits at a barrier, and
// from there each on its own fiber. So shared memory is thread-local storage, and a kernel without barriers costs a
// function call per thread.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <string>
#include <type_traits>

#include "include/emulation/api.h"
#include "include/emulation/vector_types.h"
#include "state.h"

// __thread, unlike thread_local, needs no call to reach a variable of another file. All threads of a block see theirs
// change at every barrier, so they cannot be const; a kernel must not write them.
extern __thread uint3 threadIdx;
extern __thread uint3 blockIdx;
extern __thread dim3 blockDim;
extern __thread dim3 gridDim;
constexpr int warpSize = 32;

namespace convnet_emulation {

struct Place {
    const char* file;
    int line;
};

constexpr int max_threads_per_block = 1024;
constexpr dim3 max_block{1024, 1024, 64};
constexpr dim3 max_grid{2147483647, 65535, 65535};

// Takes the <<<...>>> of a launch; the kernel that is called next on this thread runs with it.
void configure(dim3 grid, dim3 block, std::size_t shared = 0, cudaStream_t stream = nullptr,
               const char* file = __builtin_FILE(), int line = __builtin_LINE());

// What can be done with the body of a kernel.
struct BodyCalls {
    void (*run)(const void* body);
    const void* (*copy)(const void* body);
    void (*destroy)(const void* body);
};

// Runs a body for every thread of the grid configured last, in the turn of its stream. A grid or block beyond the limits
// above, or too much shared memory, sets the error for cudaGetLastError and runs nothing, as in CUDA.
void run_grid(const char* kernel, const void* body, const BodyCalls& calls, Place kernel_place);

template <class Body>
void run_copy(const void* body) {
    Body (*static_cast<const Body*>(body))();
}
template <class Body>
const void* copy_body(const void* body) {
    return new Body(*static_cast<const Body*>(body));
}
template <class Body>
void destroy_body(const void* body) {
    delete static_cast<const Body*>(body);
}

// The body of a kernel, as a function object whose copies are each thread's own parameters.
template <class Body>
void run(const char* kernel, const Body& body, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    run_grid(kernel, &body, {run_copy<Body>, copy_body<Body>, destroy_body<Body>}, Place{file, line});
}

enum class Vote { count, all, any };

// Waits for all threads of the block at the same line; returns the vote on their predicates.
int block_barrier(int predicate, Vote vote, Place place);
// Waits for those lanes of the warp whose bits are set in `mask` and that have not ended.
void warp_barrier(unsigned int mask, Place place);

// The dynamic shared memory of the running block: becomes a reference to what it is taken for.
struct DynamicShared {
    template <class T>
    operator T&() const {
        return *reinterpret_cast<T*>(memory());
    }
    static void* memory();
};
// Bytes that the launch asked for.
std::size_t dynamic_shared_bytes();

// Stands behind the declaration of each shared variable, which is poisoned when the first thread of a block gets there.
// One at namespace scope is not: there this runs as the library is loaded.
void start_shared(void* variable, std::size_t bytes);
struct SharedStart {
    template <class Variable>
    explicit SharedStart(Variable& variable) {
        start_shared(const_cast<void*>(static_cast<const volatile void*>(&variable)), sizeof variable);
    }
};

[[noreturn]] void index_error(const char* array, int dimension, long long index, long long extent, Place place);

// An index into dimension `dimension` of an array in shared memory, or `&array[i]`'s with `address`, which may be one
// more. What is no array (a variable that hides one) has its index passed on.
template <class Declared, int dimension, bool address = false, class Index>
constexpr Index checked(Index index, const char* array, const char* file = __builtin_FILE(),
                        int line = __builtin_LINE()) {
    using Array = std::remove_reference_t<Declared>;
    if constexpr ((std::rank<Array>::value > dimension) &&
                  (std::is_integral<Index>::value || std::is_enum<Index>::value)) {
        long long extent = std::extent<Array, dimension>::value;
        if constexpr (dimension == 0 && std::extent<Array, 0>::value == 0)
            extent = static_cast<long long>(dynamic_shared_bytes() / sizeof(std::remove_extent_t<Array>));
        const long long i = static_cast<long long>(index);
        if (i < 0 || i >= extent + (address ? 1 : 0)) index_error(array, dimension, i, extent, Place{file, line});
    }
    return index;
}

}  // namespace convnet_emulation

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    convnet_emulation::block_barrier(0, convnet_emulation::Vote::any, {file, line});
}
inline int __syncthreads_count(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return convnet_emulation::block_barrier(predicate, convnet_emulation::Vote::count, {file, line});
}
inline int __syncthreads_and(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return convnet_emulation::block_barrier(predicate, convnet_emulation::Vote::all, {file, line});
}
inline int __syncthreads_or(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return convnet_emulation::block_barrier(predicate, convnet_emulation::Vote::any, {file, line});
}
inline void __syncwarp(unsigned int mask = 0xffffffffu, const char* file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
    convnet_emulation::warp_barrier(mask, {file, line});
}

// What printf becomes: in a kernel the text appears when the launch ends, ordered by block; else at once.
int convnet_emulation_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));
