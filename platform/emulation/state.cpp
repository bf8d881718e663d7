// Settings, and the state of calling threads. See state.h.
#include "state.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <thread>

namespace convnet_emulation {

int positive_from_environment(const char* name, int otherwise) {
    const char* value = std::getenv(name);
    if (!value) return otherwise;
    char* end = nullptr;
    errno = 0;
    const long number = std::strtol(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || number < 1 || number > 4096)
        throw Error(std::string(name) + "=" + value + ": this must be a whole number from 1 to 4096");
    return static_cast<int>(number);
}

int choice_from_environment(const char* name, const std::vector<std::string>& choices) {
    const char* value = std::getenv(name);
    if (!value) return 0;
    const auto found = std::find(choices.begin(), choices.end(), value);
    if (found != choices.end()) return static_cast<int>(found - choices.begin());
    std::string known = choices[0];
    for (std::size_t i = 1; i < choices.size(); i++) known += (i + 1 < choices.size() ? ", " : " or ") + choices[i];
    throw Error(std::string(name) + "=" + value + ": this must be " + known);
}

int emulation_threads() {
    static const int threads = positive_from_environment(
        "CONVNET_EMULATION_THREADS", std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
    return threads;
}

bool emulation_poisons() {
    static const bool poisons = choice_from_environment("CONVNET_EMULATION_POISON", {"0", "1"}) == 1;
    return poisons;
}

CallerState& caller() {
    thread_local CallerState state;
    return state;
}

cudaError_t set_last_error(cudaError_t error) {
    if (error != cudaSuccess) caller().last_error = error;
    return error;
}

}  // namespace convnet_emulation
