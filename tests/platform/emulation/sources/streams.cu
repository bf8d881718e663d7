// Work on several streams that waits where it must, and twins that lack a wait; prints what each gives.
#include <cuda_runtime.h>
#include "check.h"
#include <cstdio>
#include <cstring>

constexpr int count = 64, rounds = 20;

__global__ void add_to(unsigned int* sums, const unsigned int* values) {
    sums[threadIdx.x] = sums[threadIdx.x] * 3 + values[threadIdx.x];
}

void ok(cudaError_t error) { CHECK(error == cudaSuccess); }

struct Memory {
    unsigned int *pinned, *arrived, *sums;
    Memory() {
        ok(cudaHostAlloc((void**)&pinned, count * sizeof(int), cudaHostAllocDefault));
        ok(cudaMalloc((void**)&arrived, count * sizeof(int)));
        ok(cudaMalloc((void**)&sums, count * sizeof(int)));
        ok(cudaMemset(arrived, 0, count * sizeof(int)));
        ok(cudaMemset(sums, 0, count * sizeof(int)));
        ok(cudaDeviceSynchronize());
    }
    void show(const char* name) {
        unsigned int host[count];
        ok(cudaMemcpy(host, sums, sizeof host, cudaMemcpyDeviceToHost));
        unsigned int hash = 0;
        for (unsigned int value : host) hash = hash * 31 + value;
        std::printf("%s %u\n", name, hash);
        ok(cudaFreeHost(pinned));
        ok(cudaFree(arrived));
        ok(cudaFree(sums));
    }
};

// Values go to the device on a stream of their own, and are added up on the default stream.
void feed(const char* name, bool host_waits, bool copy_waits, bool sum_waits) {
    Memory m;
    cudaStream_t stream;
    cudaEvent_t sent, taken;
    ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    ok(cudaEventCreate(&sent));
    ok(cudaEventCreate(&taken));
    for (int round = 0; round < rounds; round++) {
        if (host_waits) ok(cudaEventSynchronize(sent));
        for (int i = 0; i < count; i++) m.pinned[i] = round * 7 + i;
        if (copy_waits) ok(cudaStreamWaitEvent(stream, taken, 0));
        ok(cudaMemcpyAsync(m.arrived, m.pinned, count * sizeof(int), cudaMemcpyHostToDevice, stream));
        ok(cudaEventRecord(sent, stream));
        if (sum_waits) ok(cudaStreamWaitEvent(nullptr, sent, 0));
        add_to<<<1, count>>>(m.sums, m.arrived);
        ok(cudaEventRecord(taken));
    }
    m.show(name);
    ok(cudaEventDestroy(sent));
    ok(cudaEventDestroy(taken));
    ok(cudaStreamDestroy(stream));
}

// A stream that was made to wait for the default stream, and for which that one waits, needs no events.
void neighbours() {
    Memory m;
    cudaStream_t stream;
    ok(cudaStreamCreate(&stream));
    for (int round = 0; round < rounds; round++) {
        ok(cudaMemsetAsync(m.arrived, round, count * sizeof(int), stream));
        add_to<<<1, count>>>(m.sums, m.arrived);
    }
    m.show("right_neighbours");
    ok(cudaStreamDestroy(stream));
}

// What comes from pageable memory has been read when the call returns, and what goes there has arrived.
void pageable() {
    Memory m;
    unsigned int values[count];
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) values[i] = round + i;
        ok(cudaMemcpyAsync(m.arrived, values, sizeof values, cudaMemcpyHostToDevice));
        add_to<<<1, count>>>(m.sums, m.arrived);
    }
    ok(cudaMemcpyAsync(values, m.sums, sizeof values, cudaMemcpyDeviceToHost));
    unsigned int expected = 0;
    for (int round = 0; round < rounds; round++) expected = expected * 3 + round;
    CHECK(values[0] == expected);
    m.show("right_pageable");
}

void to_one(void* value) { *static_cast<int*>(value) = 1; }

int main(int argc, char**) {
    const bool putting_off = argc > 1;
    feed("right", true, true, true);
    neighbours();
    pageable();
    feed("host_overwrites", false, true, true);
    feed("copy_overwrites", true, false, true);
    feed("sums_early", true, true, false);

    int value = 0;
    cudaEvent_t before, after;
    ok(cudaEventCreate(&before));
    ok(cudaEventCreate(&after));
    ok(cudaEventRecord(before));
    ok(cudaLaunchHostFunc(nullptr, to_one, &value));
    ok(cudaEventRecord(after));
    float milliseconds = -1;
    if (putting_off) {
        CHECK(value == 0 && cudaEventQuery(after) == cudaErrorNotReady && cudaStreamQuery(nullptr) == cudaErrorNotReady);
        CHECK(cudaEventElapsedTime(&milliseconds, before, after) == cudaErrorNotReady);
        cudaGetLastError();
    }
    ok(cudaEventSynchronize(after));
    CHECK(value == 1 && cudaEventQuery(after) == cudaSuccess && cudaStreamQuery(nullptr) == cudaSuccess);
    ok(cudaEventElapsedTime(&milliseconds, before, after));
    CHECK(milliseconds >= 0);
    ok(cudaEventDestroy(before));
    ok(cudaEventDestroy(after));
    return 0;
}
