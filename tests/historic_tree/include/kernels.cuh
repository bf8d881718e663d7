// Kernels of this tree, in plain CUDA of 2012, and the functions that launch them (spec 6.6).
#ifndef KERNELS_CUH
#define KERNELS_CUH

#include <nvmatrix.cuh>

#define LOGREG_THREADS 32
#define GRAD_THREADS_X 32
#define GRAD_THREADS_Y 4

// All take (cases x classes) matrices with the cases fastest, that is transposed ones; labels are 1 x cases.
void launchVerdicts(NVMatrix& labels, NVMatrix& probs, NVMatrix& logProbs, NVMatrix& correct);
void launchLogregGrad(NVMatrix& labels, NVMatrix& probs, NVMatrix& target, bool add, float coeff);
void launchLogregSoftmaxGrad(NVMatrix& labels, NVMatrix& probs, NVMatrix& target, bool add, float coeff);
void launchSoftmaxGrad(NVMatrix& grads, NVMatrix& probs, NVMatrix& target, bool add);

void launchNoisyRelu(NVMatrix& inputs, NVMatrix& target);
void launchGather(NVMatrix& images, NVMatrix& target, ushort2* table, int channels, int imgSize, int points);
void preferCaches();

// Never finished and never called. It counts on the threads of a warp going in step.
template <int SIZE>
__global__ void chain(float* energies, float* sums, const int steps) {
    extern __shared__ float lattice[];
    lattice[threadIdx.x] = energies[blockIdx.x * SIZE + threadIdx.x];
    for (int step = 1; step < steps; step++) {
        if (threadIdx.x >= step) {
            lattice[threadIdx.x] += lattice[threadIdx.x - step];
        }
    }
    sums[blockIdx.x * SIZE + threadIdx.x] = lattice[threadIdx.x];
}

#endif
