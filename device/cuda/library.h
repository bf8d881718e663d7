// The functions that device/cuda_library.cpp looks up in this shared library. They throw std::runtime_error.
#pragma once

#include <vector>

#include "device/device.h"

extern "C" {
CONVNET_PUBLIC convnet::Device* convnet_make_cuda_device(int gpu, bool tf32);
CONVNET_PUBLIC void convnet_list_gpus(std::vector<convnet::Gpu>& gpus);
}
