// Layers that see plain values: neuron, softmax, eltsum, concat, hs (spec 3.5, 3.6).
#include <layer.cuh>
#include <kernels.cuh>

/* ---- neuron ---- */

NeuronLayer::NeuronLayer(PyObject* record) : Layer(record, true) {
    _neuron = Neuron::make(PyDict_GetItemString(record, "neuron"));
}

void NeuronLayer::computeActs(int pass) {
    _neuron->activate(*_inputs[0], _acts);
}

void NeuronLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    _neuron->grad(_actsGrad, _acts, target, scaleTargets);
}

/* ---- softmax ---- */

SoftmaxLayer::SoftmaxLayer(PyObject* record) : Layer(record, true), _fused(false) {
}

void SoftmaxLayer::settle() {
    Layer::settle();
    _fused = _next.size() == 1 && _next[0]->to.type() == "cost.logreg" && !isFarFrom(_next[0]->to);
}

void SoftmaxLayer::computeActs(int pass) {
    NVMatrix& inputs = *_inputs[0];
    NVMatrix& largest = inputs.max(1);
    inputs.addVector(largest, -1, _acts);
    _acts.apply(NVMatrixOps::Exp());
    NVMatrix& sums = _acts.sum(1);
    _acts.eltwiseDivideByVector(sums);
    delete &largest;
    delete &sums;
}

void SoftmaxLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    if (_fused) {
        target.add(_actsGrad, scaleTargets, 1);
    } else {
        launchSoftmaxGrad(_actsGrad, _acts, target, scaleTargets);
    }
}

/* ---- eltsum ---- */

EltSumLayer::EltSumLayer(PyObject* record) : Layer(record, true) {
    _coeffs = floatsField(record, "coeffs");
}

// The first sum ignores what is there, whatever its size.
void EltSumLayer::computeActs(int pass) {
    for (int i = 0; i < _inputs.size(); i++) {
        _acts.add(*_inputs[i], i > 0, _coeffs->at(i));
    }
}

void EltSumLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    target.add(_actsGrad, scaleTargets, _coeffs->at(i));
}

/* ---- eltmax ---- */

// Where the input is the largest it gets the gradient. With one of the platform's functors inside.
struct MaxGrad {
    NVMatrixBinaryOps::Equals equals;
    __device__ inline float operator()(float g, float x, float y) const {
        return g * equals(x, y);
    }
};

EltMaxLayer::EltMaxLayer(PyObject* record) : Layer(record, true) {
}

void EltMaxLayer::computeActs(int pass) {
    _inputs[0]->copy(_acts);
    for (int i = 1; i < _inputs.size(); i++) {
        _acts.applyBinary(NVMatrixAggs::Max(), *_inputs[i]);
    }
}

void EltMaxLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    NVMatrix share;
    _actsGrad.applyTernary(MaxGrad(), *_inputs[i], _acts, share);
    target.add(share, scaleTargets, 1);
}

/* ---- concat ---- */

ConcatLayer::ConcatLayer(PyObject* record) : Layer(record, false) {
    _offsets = intsField(record, "copyOffsets");
}

void ConcatLayer::computeActs(int pass) {
    _acts.resize(_outputs, _inputs[0]->getNumCols());
    for (int i = 0; i < _inputs.size(); i++) {
        _inputs[i]->copy(_acts, 0, -1, 0, -1, _offsets->at(i), 0);
    }
}

void ConcatLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    NVMatrix& share = _actsGrad.sliceRows(_offsets->at(i), _offsets->at(i) + _inputs[i]->getNumRows());
    target.add(share, scaleTargets, 1);
    delete &share;
}

/* ---- hs ---- */

DropoutLayer::DropoutLayer(PyObject* record) : Layer(record, true) {
    _enable = intField(record, "enable");
    _keep = floatField(record, "keep");
}

void DropoutLayer::computeActs(int pass) {
    if (_enable && pass == PASS_TRAIN) {
        _mask.resize(*_inputs[0]);
        _mask.randomizeUniform();
        _mask.smallerThanScalar(_keep);
        _inputs[0]->eltwiseMult(_mask, _acts);
    } else {
        _inputs[0]->scale(_keep, _acts);
    }
}

void DropoutLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    if (_enable && pass == PASS_TRAIN) {
        if (scaleTargets) {
            _actsGrad.eltwiseMult(_mask);
            target.add(_actsGrad);
        } else {
            _actsGrad.eltwiseMult(_mask, target);
        }
    } else {
        target.add(_actsGrad, scaleTargets, _keep);
    }
}
