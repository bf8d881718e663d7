// Many blocks, with and without barriers, with printed lines, from several host threads; prints what came out.
#include <cuda_runtime.h>
#include <cstdio>
#include <thread>
#include <vector>

__global__ void mixed(unsigned int* out, int rounds) {
    __shared__ unsigned int s[64];
    const int i = threadIdx.x;
    s[i] = blockIdx.x * 64 + i;
    for (int k = 0; k < rounds && blockIdx.x % 3 != 1; k++) {
        __syncthreads();
        const unsigned int other = s[(i + k + 1) % 64];
        __syncthreads();
        s[i] = s[i] * 1664525u + other;
    }
    out[blockIdx.x * 64 + i] = s[i];
    if (i == 63 && blockIdx.x % 10 == 0) printf("block %d: %u\n", blockIdx.x, s[i]);
}

void run(std::vector<unsigned int>& out, int launches) {
    for (int i = 0; i < launches; i++) {
        mixed<<<out.size() / 64, 64>>>(&out[0], 5);
    }
}

int main() {
    std::vector<unsigned int> out(200 * 64);
    run(out, 1);
    unsigned int hash = 0;
    for (size_t i = 0; i < out.size(); i++) hash = hash * 31 + out[i];
    printf("%u\n", hash);
    std::vector<std::vector<unsigned int> > many(4, std::vector<unsigned int>(7 * 64));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) threads.emplace_back([&many, i] {
        for (int k = 0; k < 20; k++) mixed<<<7, 64>>>(&many[i][0], 6);
    });
    for (int i = 0; i < 4; i++) threads[i].join();
    return many[0] == many[1] && many[0] == many[2] && many[0] == many[3] ? 0 : 1;
}
