// Makes the CPU device of one instruction set, for dispatch.cpp.
#include <memory>
#include <string>

#include "device/cpu/isa.h"
#include "device/cpu/cpu_device.h"

namespace convnet::cpu::CONVNET_ISA {

std::unique_ptr<Device> make(int threads);
std::unique_ptr<Device> make(int threads) { return std::make_unique<CpuDevice>(threads); }

}  // namespace convnet::cpu::CONVNET_ISA
