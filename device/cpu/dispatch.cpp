// Chooses the CPU device for the instruction sets that this machine has.
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include "device/device.h"

namespace convnet {
namespace cpu {
#define CONVNET_DECLARE(isa)                   \
    namespace isa {                            \
    std::unique_ptr<Device> make(int threads); \
    }
CONVNET_DECLARE(baseline)
#if defined(__x86_64__)
CONVNET_DECLARE(avx2)
CONVNET_DECLARE(avx512)
#endif
#undef CONVNET_DECLARE
}  // namespace cpu

std::unique_ptr<Device> make_cpu_device(int threads) {
    if (threads < 1) throw std::invalid_argument("threads must be at least 1");
    const char* asked = std::getenv("CONVNET_ISA");
    const std::string isa = asked ? asked : "";
    if (!isa.empty() && isa != "baseline" && isa != "avx2" && isa != "avx512")
        throw std::invalid_argument("CONVNET_ISA is '" + isa + "'; it takes baseline, avx2 or avx512");
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (isa == "avx512" ? avx512 : isa.empty() && avx512) return cpu::avx512::make(threads);
    if (isa == "avx2" ? avx2 : isa.empty() && avx2) return cpu::avx2::make(threads);
#endif
    if (!isa.empty() && isa != "baseline")
        throw std::invalid_argument("CONVNET_ISA is '" + isa + "', which this processor lacks");
    return cpu::baseline::make(threads);
}

}  // namespace convnet
