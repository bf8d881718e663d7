// Neurons (spec 2.6, 3.5): functors for NVMatrix's apply family, and the classes that choose them.
#ifndef NEURON_CUH
#define NEURON_CUH

#include <basics.cuh>

struct Rectify {
    virtual __device__ float operator()(float x) const {
        return x < 0 ? 0 : x;
    }
};

struct BoundedRectify : public Rectify {
    float most;
    BoundedRectify(float most) : most(most) {
    }
    virtual __device__ float operator()(float x) const {
        return x > most ? most : Rectify::operator()(x);
    }
};

struct FastLogistic {
    __device__ inline float operator()(float x) const {
        return __fdividef(1.0f, 1 + __expf(-x));
    }
};

// The platform's functors inside one of this tree's.
struct ScaledTanh {
    NVMatrixOps::MultByScalar widen;
    NVMatrixOps::WeightedAddScalar shift;
    FastLogistic squash;
    ScaledTanh(float a, float b) : widen(2 * b), shift(2 * a, -a) {
    }
    __device__ inline float operator()(float x) const {
        return shift(squash(widen(x)));
    }
};

// Gradients by the output y: of g, the gradient from above.
struct RectifyGrad {
    __device__ inline float operator()(float g, float y) const {
        return g * (y > 0);
    }
};

struct BoundedRectifyGrad {
    float most;
    BoundedRectifyGrad(float most) : most(most) {
    }
    __device__ inline float operator()(float g, float y) const {
        return g * (y > 0 && y < most);
    }
};

struct LogisticGrad {
    __device__ inline float operator()(float g, float y) const {
        return g * y * (1 - y);
    }
};

struct TanhGrad {
    float a, b;
    TanhGrad(float a, float b) : a(a), b(b) {
    }
    __device__ inline float operator()(float g, float y) const {
        return g * b * (a - __fdividef(y * y, a));
    }
};

struct FirstScaled {
    float factor;
    FirstScaled(float factor) : factor(factor) {
    }
    __device__ inline float operator()(float g, float y) const {
        return factor * g;
    }
};

template <class Grad>
struct AddTo {
    Grad grad;
    AddTo(Grad grad) : grad(grad) {
    }
    __device__ inline float operator()(float g, float y, float old) const {
        return grad(g, y) + old;
    }
};

class Neuron {
public:
    virtual ~Neuron() {
    }
    virtual void activate(NVMatrix& inputs, NVMatrix& target) = 0;
    virtual void grad(NVMatrix& grads, NVMatrix& acts, NVMatrix& target, bool add) = 0;
    static Neuron* make(PyObject* record);
};

template <class Op, class Grad>
class FunctorNeuron : public Neuron {
protected:
    Op _op;
    Grad _grad;

public:
    FunctorNeuron(Op op, Grad grad) : _op(op), _grad(grad) {
    }
    void activate(NVMatrix& inputs, NVMatrix& target) {
        inputs.apply(_op, target);
    }
    void grad(NVMatrix& grads, NVMatrix& acts, NVMatrix& target, bool add) {
        if (add) {
            grads.applyTernary(AddTo<Grad>(_grad), acts, target, target);
        } else {
            grads.applyBinary(_grad, acts, target);
        }
    }
};

class NoisyReluNeuron : public FunctorNeuron<Rectify, RectifyGrad> {
public:
    NoisyReluNeuron();
    void activate(NVMatrix& inputs, NVMatrix& target);
};

#endif
