// Finds the CUDA device, a shared library that not every machine has, when it is asked for.
#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "device/cuda/library.h"

namespace convnet {
namespace {

std::string library_path() {
    if (const char* named = std::getenv("CONVNET_CUDA_LIBRARY")) return named;
    Dl_info here;
    if (!dladdr(reinterpret_cast<const void*>(&library_path), &here)) return "libconvnet_cuda.so";
    const std::string path = here.dli_fname;
    return path.substr(0, path.rfind('/') + 1) + "libconvnet_cuda.so";
}

void* load() {
    const std::string path = library_path();
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    const std::string reason = dlerror();
    if (reason.find(path + ": cannot open shared object file") != std::string::npos)
        throw std::runtime_error("the CUDA device is not built: there is no " + path +
                                 " (README, \"On a GPU\"); or use --device cpu");
    throw std::runtime_error("the CUDA device cannot be loaded: " + reason);
}

// Of the library, loaded when first asked for and kept.
template <class Function>
Function* symbol(const char* name) {
    static void* const library = load();
    void* found = dlsym(library, name);
    if (!found) throw std::runtime_error(library_path() + " is of another version: it has no " + name);
    return reinterpret_cast<Function*>(found);
}

}  // namespace

std::unique_ptr<Device> make_cuda_device(int gpu, bool tf32) {
    return std::unique_ptr<Device>(symbol<decltype(convnet_make_cuda_device)>("convnet_make_cuda_device")(gpu, tf32));
}

std::vector<Gpu> list_gpus() {
    std::vector<Gpu> gpus;
    symbol<decltype(convnet_list_gpus)>("convnet_list_gpus")(gpus);
    return gpus;
}

}  // namespace convnet
