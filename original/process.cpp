// What the historic sources call of C's library and must not get as it is: the end of the process and, under a seed,
// the clock (spec 6.7). Linked into the extension with --wrap.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <optional>
#include <string>
#include <thread>

#include <unistd.h>

namespace {

std::optional<std::uint64_t> fixed_seed;

// The sources throw texts that nobody catches; the library's own handler does not say which.
[[noreturn]] void say_what_was_thrown() {
    const char* format = "thrown and not caught: %s\n";
    try {
        if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
        std::printf("terminated\n");
    } catch (const std::exception& error) {
        std::printf(format, error.what());
    } catch (const std::string& text) {
        std::printf(format, text.c_str());
    } catch (const char* text) {
        std::printf(format, text);
    } catch (...) {
        std::printf(format, "an object");
    }
    std::fflush(nullptr);
    std::abort();
}

}  // namespace

extern "C" {

void __real_srand(unsigned seed);
std::time_t __real_time(std::time_t* result);

// From here on rand() is seeded with `seed` whatever the sources ask for, and time() gives it.
__attribute__((visibility("default"))) void convnet_original_fix_seed(std::uint64_t seed) { fixed_seed = seed; }

// Ends the process when the other end of the pipe `lifeline` is closed, as it is when the driver dies. A thread of its
// own: Python's may wait for a lock that the sources hold. From here on what is thrown and not caught is printed.
__attribute__((visibility("default"))) void convnet_original_follow(int lifeline) {
    std::set_terminate(say_what_was_thrown);
    std::thread([lifeline] {
        char byte;
        while (read(lifeline, &byte, 1) > 0) {
        }
        _exit(0);
    }).detach();
}

// Ends the process at once: the sources call it on threads of their own, while others run, and destructors of static
// objects would run under them.
[[noreturn]] void __wrap_exit(int status) {
    std::fflush(nullptr);
    _exit(status);
}

void __wrap_srand(unsigned seed) { __real_srand(fixed_seed ? static_cast<unsigned>(*fixed_seed) : seed); }

std::time_t __wrap_time(std::time_t* result) {
    if (!fixed_seed) return __real_time(result);
    const std::time_t seconds = static_cast<std::time_t>(*fixed_seed);
    if (result) *result = seconds;
    return seconds;
}

}  // extern "C"
