// What a historic tree asks of the headers before and around them (spec 6.1, 6.3): `using namespace std`, macros and
// names of its own, functors with virtual device operators. Only compiled, by g++ and, where there is one, nvcc.
#include <string>
using namespace std;

#define EXP(x) expf(x)
#define LOG logf
#define INF 1e35f
#ifndef DIVUP
#define DIVUP(x, y) (((x) + (y)-1) / (y))
#endif
#define PASS_TYPE int
#define PASS_TRAIN 1
#define randf (rand() / 2.0f)
#define HAS_FLAG(f, x) (((x) & (f)) == (f))
#define IS_TEST 0
#define GC_SUPPRESS 1
#define QUOTEME(x) #x
#define LOGREG_GRAD 1
enum { SYNC, RESET, COPY };

#include <helper_cuda.h>
#include <helper_timer.h>
#include <queue.h>
#include <thread.h>
#include <sync.h>
#include <matrix.h>
#include <nvmatrix.cuh>
#include <nvmatrix_operators.cuh>
#include <conv_util.cuh>
#include <cudaconv2.cuh>
#include <cublas.h>
#include <cutil_inline.h>
#include <cblas.h>
#include <matrix_funcs.h>
#include <nvmatrix_kernels.cuh>
#include <cuda.h>

class Data {};
class Message {};
class Worker : public Thread {
public:
    Worker(std::vector<int>& cpus) : Thread(true, cpus) {}
    void* run() { return NULL; }
};
class Layer {};
class Cost {};
class Weights {};

class Neuron {
public:
    class Op {
    public:
        float scale;
        Op(float s) : scale(s) {}
        virtual ~Op() {}
        virtual __device__ inline float operator()(float x) const { return NVMatrixOps::Square()(x) * scale; }
    };
    class LessOp : public Op {
    public:
        LessOp() : Op(2) {}
        virtual __device__ inline float operator()(float x) const { return Op::operator()(x) - 1; }
    };
};

struct Gradient {
    __device__ inline float operator()(float a, float b) const { return a * b; }
};
struct Triple {
    __device__ inline float operator()(float a, float b, float c) const { return a * b + c; }
};
struct OwnPooler : public MaxPooler {};

// Arguments arrive as bool, int, double and float.
void callEverything(NVMatrix& a, NVMatrix& b, NVMatrix& target, bool flag, int n, double d) {
    a.apply(Neuron::LessOp(), target);
    a.apply(Neuron::Op(0.5));
    a.applyBinary(Gradient(), b, target);
    a.applyTernary(Triple(), b, b, target);
    a.applyBinaryV(NVMatrixAggs::Max(), b, target);
    a.add(b, !flag, 1);
    a.add(b, d, flag);
    a.add(b, 1);
    a.add(b, flag, 1, target);
    a.addProduct(a, b, flag, 1);
    a.addSum(b, 0, flag, 1);
    a.scale(d);
    a.addVector(b, -1, target);
    convLocalPool(a, target, n, 3, 0, 2, n, OwnPooler());
    convLocalPool(a, target, n, 3, 0, 2, n, MaxPooler());
    convFilterActs(a, b, target, n, n, n, 0, 1, 3, 1, flag, 1);
    convResponseNormCrossMap(a, b, target, n, 5, 0.1, 0.75, 1, flag);
    convResponseNormCrossMap(a, b, target, n, 5, 0.1, 0.75, flag);
    size_t size = 3;
    n = DIVUP(size, 2) + static_cast<int>(Matrix().getNumRows());
    dim3 blocks(DIVUP(n, 32), 1);
    ushort2 pair = {1, 2};
    assert(blocks.x > 0 && pair.x == 1);
    checkCudaErrors(cudaSetDevice(n));
    Queue<Message*> messages;
    PyObject* none = NULL;
    NVMatrix& sums = a.sum(1);
    delete &sums;
    HostNVMatrix host;
    a.copy(host);
    assert(none == NULL);
}
