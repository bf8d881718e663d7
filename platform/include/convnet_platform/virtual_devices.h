// Device ids as the historic sources see them: cudaSetDevice and its kin over virtual ids (spec 6.3.10).
// Several virtual ids may stand for one physical device (convnet_platform/devices.h).
#pragma once

#include <cuda_runtime.h>

namespace convnet_platform {

// The calling thread's current virtual device; 0 until it sets one.
int current_device_id();
cudaError_t set_device(int id);
cudaError_t get_device(int* id);
// Makes the current device's GPU that of the calling thread, which it is not in a thread that never set a device.
void select_device();
// Does nothing, successfully, between virtual ids of one physical device and where access is on already.
cudaError_t enable_peer_access(int id, unsigned flags);

}  // namespace convnet_platform

// After the real declarations: what is parsed from here on speaks of virtual ids.
#define cudaSetDevice(id) convnet_platform::set_device(id)
#define cudaGetDevice(id) convnet_platform::get_device(id)
#define cudaDeviceEnablePeerAccess(id, flags) convnet_platform::enable_peer_access(id, flags)
