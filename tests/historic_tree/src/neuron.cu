// Choosing a neuron (spec 2.6).
#include <neuron.cuh>
#include <kernels.cuh>

NoisyReluNeuron::NoisyReluNeuron() : FunctorNeuron<Rectify, RectifyGrad>(Rectify(), RectifyGrad()) {
}

void NoisyReluNeuron::activate(NVMatrix& inputs, NVMatrix& target) {
    launchNoisyRelu(inputs, target);
}

template <class Op, class Grad>
static Neuron* both(Op op, Grad grad) {
    return new FunctorNeuron<Op, Grad>(op, grad);
}

Neuron* Neuron::make(PyObject* record) {
    string type = stringField(record, "type");
    if (type == "relu") {
        return both(Rectify(), RectifyGrad());
    }
    if (type == "nrelu") {
        return new NoisyReluNeuron();
    }
    if (type == "logistic") {
        return both(FastLogistic(), LogisticGrad());
    }
    if (type == "ident") {
        return both(NVMatrixOps::Identity(), FirstScaled(1));
    }
    PyObject* params = PyDict_GetItemString(record, "params");
    if (type == "brelu") {
        float most = floatField(params, "a");
        return both(BoundedRectify(most), BoundedRectifyGrad(most));
    }
    if (type == "tanh") {
        float a = floatField(params, "a"), b = floatField(params, "b");
        return both(ScaledTanh(a, b), TanhGrad(a, b));
    }
    if (type == "linear") {
        float a = floatField(params, "a"), b = floatField(params, "b");
        return both(NVMatrixOps::WeightedAddScalar(a, b), FirstScaled(a));
    }
    throw string("No such neuron: ") + type;
}
