// The CUDA device as a library of its own: what it is built for, and which GPUs there are.
#include "device/cuda/library.h"

#include "device/cuda/cuda_device.h"
#include "device/cuda/launch.h"

namespace convnet::cuda {
namespace {

__global__ void probe_kernel() {}

int count_gpus() {
    int driver = 0, count = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
        throw std::runtime_error("there is no NVIDIA driver: install one for this GPU, or use --device cpu");
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaErrorInsufficientDriver) {
        int runtime = 0;
        cudaRuntimeGetVersion(&runtime);
        throw std::runtime_error("the NVIDIA driver knows CUDA up to " + std::to_string(driver / 1000) + "." +
                                 std::to_string(driver % 1000 / 10) + ", this build needs " +
                                 std::to_string(runtime / 1000) + ": install a newer driver, or use --device cpu");
    }
    if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0))
        throw std::runtime_error("there is no NVIDIA GPU: use --device cpu");
    check(status, "enquiry");
    return count;
}

void check_architecture(int gpu) {
    probe_kernel<<<1, 1>>>();
    const cudaError_t status = cudaGetLastError();
    if (status != cudaErrorNoKernelImageForDevice) return check(status, "first launch");
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, gpu), "enquiry");
    throw std::runtime_error("GPU " + std::to_string(gpu) + " (" + properties.name + ") has compute capability " +
                             std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                             ", this build is for " CONVNET_CUDA_ARCHITECTURES
                             ": build with -DCMAKE_CUDA_ARCHITECTURES for it, or use --device cpu");
}

}  // namespace
}  // namespace convnet::cuda

using namespace convnet::cuda;

convnet::Device* convnet_make_cuda_device(int gpu, bool tf32) {
    const int count = count_gpus();
    if (gpu < 0 || gpu >= count)
        throw std::runtime_error("there is no GPU " + std::to_string(gpu) + ": this machine has 0 to " +
                                 std::to_string(count - 1));
    check(cudaSetDevice(gpu), "choice of the GPU");
    check_architecture(gpu);
    return new CudaDevice(gpu, tf32);
}

void convnet_list_gpus(std::vector<convnet::Gpu>& gpus) {
    const int count = count_gpus();
    int driver = 0, runtime = 0;
    check(cudaDriverGetVersion(&driver), "enquiry");
    check(cudaRuntimeGetVersion(&runtime), "enquiry");
    for (int gpu = 0; gpu < count; gpu++) {
        cudaDeviceProp properties;
        check(cudaGetDeviceProperties(&properties, gpu), "enquiry");
        check(cudaSetDevice(gpu), "choice of the GPU");
        convnet::Gpu found;
        check(cudaMemGetInfo(&found.free_bytes, &found.total_bytes), "enquiry");
        found.name = properties.name;
        found.capability = {properties.major, properties.minor};
        found.driver = driver;
        found.runtime = runtime;
        gpus.push_back(found);
    }
}
