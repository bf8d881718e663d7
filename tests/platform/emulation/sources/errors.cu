// Kernels that are wrong, each started by its name; ERROR(name) marks the line that its message must name, LAUNCHED
// the launch's. The tests read both from this file (spec 6.6).
#include <cuda_runtime.h>
#include <cstdio>
#include <cstring>
#include <string>

struct Noisy {
    ~Noisy() { std::fprintf(stderr, "unwound\n"); }
};

__global__ void static_index(int i) {
    __shared__ float s[64];
    s[threadIdx.x] = 0;
    __syncthreads();
    if (blockIdx.x > 0) s[threadIdx.x + i] = 1;  // ERROR(static_index)
}

__global__ void second_index(int i) {
    __shared__ float s[4][5];
    s[3]
        [i] = 1;  // ERROR(second_index)
}

template <class T>
__global__ void extern_index(int i) {
    extern __shared__ T s[];
    s[i] = 1;  // ERROR(extern_index)
}

template <class T>
__global__ void extern_pointer(int i) {
    extern __shared__ __align__(sizeof(T)) unsigned char bytes[];
    T* s = reinterpret_cast<T*>(bytes);
    s[i - 1] = 1;
    s[i] = 1;  // ERROR(extern_pointer)
}

__global__ void negative_index(int i) {
    __shared__ int s[8];
    /* a comment
       of two lines */ s[ i ]++;  // ERROR(negative_index)
}

__global__ void address(int i) {
    __shared__ int s[8];
    int* end = &s[i - 1];
    end = &s[i];  // ERROR(address)
    *end = 0;
}

__device__ void wait_twice() {
    __syncthreads();
    __syncthreads();  // ERROR(ended)
}
__global__ void ended() {
    if (threadIdx.x >= 20) {
        __syncthreads();
        return;
    }
    Noisy noisy;
    wait_twice();
}

__global__ void early_return(int n) {
    if (threadIdx.x + 4 * threadIdx.y > n) return;
    __syncthreads();  // ERROR(early_return)
}

__global__ void two_barriers() {
    if (threadIdx.x % 2)
        __syncthreads();  // OTHER(two_barriers)
    else
        __syncthreads();  // ERROR(two_barriers)
}

__global__ void warp_and_block() {
    if (threadIdx.x % 2)
        __syncwarp();  // OTHER(warp_and_block)
    else
        __syncthreads();  // ERROR(warp_and_block)
}

__global__ void nothing() {}
__device__ void launch_nothing();
__global__ void nested() { launch_nothing(); }
__device__ void launch_nothing() {
    nothing<<<1, 1>>>();  // ERROR(nested)
}

__global__ void unconfigured() {}  // ERROR(unconfigured)

void start(const std::string& name) {
    if (name == "static_index") static_index<<<3, 8>>>(57);  // LAUNCHED(static_index)
    if (name == "second_index") second_index<<<1, 1>>>(5);  // LAUNCHED(second_index)
    if (name == "extern_index")
        extern_index<double><<<1, 1, 16 * sizeof(double)>>>(16);  // LAUNCHED(extern_index)
    if (name == "extern_pointer") extern_pointer<float><<<1, 1, 64>>>(16);
    if (name == "negative_index") negative_index<<<1, 2>>>(-1);  // LAUNCHED(negative_index)
    if (name == "address") address<<<1, 1>>>(9);  // LAUNCHED(address)
    if (name == "ended") ended<<<2, 32>>>();  // LAUNCHED(ended)
    if (name == "early_return") early_return<<<dim3(2, 2), dim3(4, 8)>>>(15);  // LAUNCHED(early_return)
    if (name == "two_barriers") two_barriers<<<1, 64>>>();  // LAUNCHED(two_barriers)
    if (name == "warp_and_block")
        warp_and_block  // LAUNCHED(warp_and_block)
            <<<1, 2>>>();
    if (name == "nested") nested<<<1, 1>>>();  // LAUNCHED(nested)
    if (name == "unconfigured") unconfigured();
    if (name == "outside") __syncthreads();  // ERROR(outside)
}

// Once more after each error: the runtime is as good as new.
int main(int argc, char** argv) {
    if (argc > 2) start(argv[1]);
    try {
        start(argv[1]);
    } catch (const convnet_emulation::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
    }
    early_return<<<4, 16>>>(15);
    return 0;
}
