// Reports of what cannot go on (spec 6.1, 6.7).
#include "convnet_platform/failure.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace convnet_platform {
namespace {

std::atomic<FailureHook> installed{nullptr};

}  // namespace

FailureHook set_failure_hook(FailureHook hook) { return installed.exchange(hook); }

void fail(const char* format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (const FailureHook hook = installed)
        hook(line);
    else
        std::fprintf(stderr, "%s\n", line);
    std::exit(1);
}

}  // namespace convnet_platform
