// How the platform reports what cannot go on: one line, through a hook or to stderr (spec 6.1, 6.7).
#pragma once

namespace convnet_platform {

// Gets the line of a failure. It ends the process, or throws; where it returns, the process exits with status 1.
using FailureHook = void (*)(const char* line);

// Replaces the hook, and returns the one before; null: the line goes to stderr.
FailureHook set_failure_hook(FailureHook hook);

// Reports a line made as by printf.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Fails unless `ok`.
#define CONVNET_PLATFORM_REQUIRE(ok, ...)               \
    do {                                                \
        if (!(ok)) convnet_platform::fail(__VA_ARGS__); \
    } while (0)

}  // namespace convnet_platform
