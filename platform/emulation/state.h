// How the emulation is set by its environment, and what CUDA keeps for each thread that calls it (spec 6.6).
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "include/emulation/api.h"

namespace convnet_emulation {

// A kernel or launch that is wrong in itself: `FILE:LINE: message`, places being those of the original source. It
// leaves the launch as an exception, on the thread that launched. Or a variable of the environment: `NAME=VALUE: ...`.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// OS threads that run blocks: the environment's CONVNET_EMULATION_THREADS, or as many as there are cores.
int emulation_threads();

// Whether memory starts as bytes of `poison`, NaN and -1, where nothing has been written: CONVNET_EMULATION_POISON.
bool emulation_poisons();
constexpr int poison = 0xff;

// Which of `choices` the environment names; the first where the variable is not set. Throws Error for anything else.
int choice_from_environment(const char* name, const std::vector<std::string>& choices);

// A positive integer from the environment; `otherwise` where it is not set. Throws Error for anything else.
int positive_from_environment(const char* name, int otherwise);

// Of the calling thread. set_last_error(), in api.h, keeps its errors.
struct CallerState {
    int device = 0;
    cudaError_t last_error = cudaSuccess;
};
CallerState& caller();

}  // namespace convnet_emulation
