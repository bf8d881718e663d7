// C++ as it was written in 2012, which must compile as it is (spec 6.6): no warning is an error.
#include <cuda_runtime.h>
#include <iostream>
#include <string>
#include <vector>
#include <map>
#include <stdlib.h>
using namespace std;

#define DIVUP(x, y) (((x) + (y) - 1) / (y))
#define LOG(x) ((x) > 0 ? __logf(x) : -100)
#define EXP(x) __expf(x)
#define RESET 1

class Message { public: Message() : _type(0) {} int _type; virtual void run() = 0; };
class Layer : public Message {
    char* _name;
    vector<float*> _buffers;
    map<string, int> _next;
public:
    Layer(char* name, int n) : _name(name), Message() { _buffers.resize(n); }
    void run();
    char* getName() { return _name; }
};

template <typename T> struct Holder { T value; T get() { return value; } };
template <typename T> struct Derived : public Holder<T> { T twice() { return 2 * this->get(); } };

template <int B_X, bool add>
__global__ void kCost(float* probs, float* out, const int numCases, float scale) {
    const int tx = blockIdx.x * B_X + threadIdx.x;
    register float sum = 0;
    #pragma unroll 4
    for (int i = tx; i < numCases; i += B_X * gridDim.x) {
        sum += LOG(probs[i]);
    }
    __shared__ float shmem[B_X];
    shmem[threadIdx.x] = sum;
    __syncthreads();
    if (tx == 0) {
        float total = 0;
        for (int i = 0; i < B_X; i++) total += shmem[i];
        *out = add ? *out + scale * total : scale * total;
    }
}

void Layer::run() {
    float *probs, *cost;
    cudaMalloc((void**)&probs, 100 * sizeof(float));
    cudaMalloc(&cost, sizeof(float));
    for (int i = 0; i < 100; i++) probs[i] = EXP(-1.0f);
    dim3 threads(32), blocks = dim3(min(1, DIVUP(100, 32)));
    cudaFuncSetCacheConfig(kCost<32, false>, cudaFuncCachePreferL1);
    kCost<32, false><<<blocks, threads>>>(probs,
                                          cost,
                                          100,
                                          rand() % 1 - 1);
    int sizes[] = {1.0 * 3, sizeof(float)};
    cout << getName() << " " << *cost << " " << sizes[0] << endl;
    cudaFree(probs); cudaFree(cost);
}

int main() {
    Layer* layer = new Layer("fc8", 2);
    layer->run();
    Derived<int> d; d.value = RESET;
    if (d.twice() != 2) return 1;
    delete layer;
    return 0;
}
