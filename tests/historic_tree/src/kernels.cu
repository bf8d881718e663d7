// Kernels of this tree and the functions that launch them (spec 3.5 to 3.7, 6.6).
#include <stdio.h>
#include <basics.cuh>
#include <kernels.cuh>

// A block judges one case: log of the label's probability, and 1 / ties where that is the largest (else 0).
template <int THREADS>
__global__ void judgeCases(float* labels, float* probs, float* logProbs, float* correct, const int numCases,
                           const int numClasses) {
    __shared__ float largest[THREADS];
    __shared__ int ties[THREADS];
    __shared__ float labelProb;

    const int n = blockIdx.x;
    if (threadIdx.x == 0) {
        labelProb = probs[int(labels[n]) * numCases + n];
    }
    float best = -INF;
    #pragma unroll 4
    for (int j = threadIdx.x; j < numClasses; j += THREADS) {
        best = max(best, probs[j * numCases + n]);
    }
    largest[threadIdx.x] = best;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
            largest[threadIdx.x] = max(largest[threadIdx.x], largest[threadIdx.x + half]);
        }
        __syncthreads();
    }
    ties[threadIdx.x] = 0;
    for (int j = threadIdx.x; j < numClasses; j += THREADS) {
        ties[threadIdx.x] += probs[j * numCases + n] == largest[0];
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        int all = 0;
        #pragma unroll
        for (int t = 0; t < THREADS; t++) {
            all += ties[t];
        }
        if (labelProb > 1.01f) {
            printf("case %d of %d: a probability of %f\n", n, (int)gridDim.x, labelProb);
        }
        logProbs[n] = __logf(labelProb);
        correct[n] = labelProb == largest[0] ? __fdividef(1.0f, float(all)) : 0;
    }
}

// One thread for each class and case.
template <bool add>
__global__ void logregGrad(float* labels, float* probs, float* target, const int numCases, const int numClasses,
                           const float coeff) {
    const int n = blockIdx.x * GRAD_THREADS_X + threadIdx.x;
    const int j = blockIdx.y * GRAD_THREADS_Y + threadIdx.y;
    if (n < numCases && j < numClasses) {
        const int at = j * numCases + n;
        const float grad = int(labels[n]) == j ? __fdividef(coeff, probs[at]) : 0;
        target[at] = add ? target[at] + grad : grad;
    }
}

template <bool add>
__global__ void logregSoftmaxGrad(float* labels, float* probs, float* target, const int numCases,
                                  const int numClasses, const float coeff) {
    const int n = blockIdx.x * GRAD_THREADS_X + threadIdx.x;
    const int j = blockIdx.y * GRAD_THREADS_Y + threadIdx.y;
    if (n < numCases && j < numClasses) {
        const int at = j * numCases + n;
        const float grad = coeff * ((int(labels[n]) == j) - probs[at]);
        target[at] = add ? target[at] + grad : grad;
    }
}

template <int THREADS_X, int THREADS_Y, bool add>
__global__ void softmaxGrad(float* grads, float* probs, float* target, const int numCases, const int numClasses) {
    const int n = blockIdx.x * THREADS_X + threadIdx.x;
    const int j = blockIdx.y * THREADS_Y + threadIdx.y;
    if (n < numCases && j < numClasses) {
        float inner = 0;
        for (int i = 0; i < numClasses; i++) {
            inner += grads[i * numCases + n] * probs[i * numCases + n];
        }
        const int at = j * numCases + n;
        const float grad = probs[at] * (grads[at] - inner);
        target[at] = add ? target[at] + grad : grad;
    }
}

__device__ inline unsigned int scramble(unsigned int x) {
    x = (x ^ (x >> 16)) * 0x7feb352dU;
    x = (x ^ (x >> 15)) * 0x846ca68bU;
    return x ^ (x >> 16);
}

// relu with noise of the output's own size, by two uniform numbers hashed from seed and element.
__global__ void noisyRelu(float* inputs, float* target, const int elements, const float seed) {
    for (int i = blockIdx.x * GRAD_THREADS_X + threadIdx.x; i < elements; i += gridDim.x * GRAD_THREADS_X) {
        const unsigned int bits = scramble(i + (unsigned int)(seed * 4e9f));
        const float radius = sqrtf(-2 * __logf((bits + 1.0f) / 4294967808.0f));
        const float noise = radius * cosf(6.2831853f * (scramble(bits) / 4294967296.0f));
        const float out = max(inputs[i], 0.0f);
        target[i] = max(out + out * noise, 0.0f);
    }
}

// A block for each channel and point; its threads go over the cases.
__global__ void gatherPoints(float* images, float* target, ushort2* table, const int imgSize, const int points,
                             const int numCases) {
    const ushort2 point = table[blockIdx.y];
    const int from = (blockIdx.x * imgSize + point.y) * imgSize + point.x;
    const int to = blockIdx.x * points + blockIdx.y;
    for (int n = threadIdx.x; n < numCases; n += GRAD_THREADS_X) {
        target[to * numCases + n] = images[from * numCases + n];
    }
}

static void requireCasesFastest(NVMatrix& matrix) {
    assert(matrix.isTrans() && matrix.isContiguous());
}

void launchVerdicts(NVMatrix& labels, NVMatrix& probs, NVMatrix& logProbs, NVMatrix& correct) {
    requireCasesFastest(probs);
    const int numCases = probs.getNumRows(), numClasses = probs.getNumCols();
    assert(labels.getNumElements() == numCases);
    logProbs.resize(1, numCases);
    correct.resize(1, numCases);
    judgeCases<LOGREG_THREADS><<<numCases, LOGREG_THREADS>>>(labels.getDevData(), probs.getDevData(),
                                                             logProbs.getDevData(), correct.getDevData(),
                                                             numCases, numClasses);
    getLastCudaError("judgeCases: kernel execution failed");
}

static dim3 gradBlocks(NVMatrix& probs) {
    return dim3(DIVUP(probs.getNumRows(), GRAD_THREADS_X), DIVUP(probs.getNumCols(), GRAD_THREADS_Y));
}

// A fresh target gets the shape and the storage order of the probabilities.
static void shapeTarget(NVMatrix& probs, NVMatrix& target, bool add) {
    requireCasesFastest(probs);
    if (!add) {
        target.resize(probs);
    }
    requireCasesFastest(target);
    assert(target.isSameDims(probs));
}

void launchLogregGrad(NVMatrix& labels, NVMatrix& probs, NVMatrix& target, bool add, float coeff) {
    shapeTarget(probs, target, add);
    dim3 blocks = gradBlocks(probs), threads(GRAD_THREADS_X, GRAD_THREADS_Y);
    if (add) {
        logregGrad<true><<<blocks, threads>>>(labels.getDevData(), probs.getDevData(), target.getDevData(),
                                              probs.getNumRows(), probs.getNumCols(), coeff);
    } else {
        logregGrad<false><<<blocks, threads>>>(labels.getDevData(), probs.getDevData(), target.getDevData(),
                                               probs.getNumRows(), probs.getNumCols(), coeff);
    }
    getLastCudaError("logregGrad: kernel execution failed");
}

void launchLogregSoftmaxGrad(NVMatrix& labels, NVMatrix& probs, NVMatrix& target, bool add, float coeff) {
    shapeTarget(probs, target, add);
    dim3 blocks = gradBlocks(probs), threads(GRAD_THREADS_X, GRAD_THREADS_Y);
    if (add) {
        logregSoftmaxGrad<true>
            <<<blocks, threads>>>
            (labels.getDevData(), probs.getDevData(), target.getDevData(),
             probs.getNumRows(), probs.getNumCols(), coeff);
    } else {
        logregSoftmaxGrad<false>
            <<<blocks, threads>>>
            (labels.getDevData(), probs.getDevData(), target.getDevData(),
             probs.getNumRows(), probs.getNumCols(), coeff);
    }
    getLastCudaError("logregSoftmaxGrad: kernel execution failed");
}

void launchSoftmaxGrad(NVMatrix& grads, NVMatrix& probs, NVMatrix& target, bool add) {
    requireCasesFastest(grads);
    shapeTarget(probs, target, add);
    dim3 blocks = gradBlocks(probs), threads(GRAD_THREADS_X, GRAD_THREADS_Y);
    if (add) {
        softmaxGrad<GRAD_THREADS_X, GRAD_THREADS_Y, true>
            <<<blocks, threads>>>(grads.getDevData(), probs.getDevData(), target.getDevData(),
                                  probs.getNumRows(), probs.getNumCols());
    } else {
        softmaxGrad<GRAD_THREADS_X, GRAD_THREADS_Y, false>
            <<<blocks, threads>>>(grads.getDevData(), probs.getDevData(), target.getDevData(),
                                  probs.getNumRows(), probs.getNumCols());
    }
    getLastCudaError("softmaxGrad: kernel execution failed");
}

// The seed is drawn among the launch's arguments: it must be drawn once, not once for each thread.
void launchNoisyRelu(NVMatrix& inputs, NVMatrix& target) {
    target.resize(inputs);
    noisyRelu<<<min(64, DIVUP(inputs.getNumElements(), GRAD_THREADS_X)), GRAD_THREADS_X>>>(
        inputs.getDevData(), target.getDevData(), inputs.getNumElements(), randf);
    getLastCudaError("noisyRelu: kernel execution failed");
}

void launchGather(NVMatrix& images, NVMatrix& target, ushort2* table, int channels, int imgSize, int points) {
    assert(!images.isTrans() && images.isContiguous() && !target.isTrans());
    target.resize(channels * points, images.getNumCols());
    gatherPoints<<<dim3(channels, points), GRAD_THREADS_X, 0>>>(images.getDevData(), target.getDevData(), table,
                                                                imgSize, points, images.getNumCols());
    getLastCudaError("gatherPoints: kernel execution failed");
}

void preferCaches() {
    checkCudaErrors(cudaDeviceSetCacheConfig(cudaFuncCachePreferShared));
    cudaFuncSetCacheConfig(judgeCases<LOGREG_THREADS>, cudaFuncCachePreferShared);
    cudaFuncSetCacheConfig(logregGrad<true>, cudaFuncCachePreferL1);
    cudaFuncSetCacheConfig(softmaxGrad<GRAD_THREADS_X, GRAD_THREADS_Y, false>, cudaFuncCachePreferL1);
}
