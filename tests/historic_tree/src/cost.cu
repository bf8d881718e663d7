// Costs (spec 3.7). The gradients are of minus the cost.
#include <cost.cuh>
#include <cudaconv2.cuh>
#include <hits.h>
#include <kernels.cuh>

Cost::Cost(PyObject* record, bool trans) : Layer(record, trans) {
    _coeff = floatField(record, "coeff");
}

void Cost::settle() {
    _givesGrad = _wantsGrad && _coeff != 0;
}

void Cost::fprop(int pass) {
    Layer::fprop(pass);
    _thread->report();
}

LogregCost::LogregCost(PyObject* record) : Cost(record, true), _numViews(1), _averages(NULL) {
    _topk = intField(record, "topk");
}

void LogregCost::expectViews(int numViews, Matrix* averages) {
    _numViews = numViews;
    _averages = averages;
}

// The probabilities to judge: on the last view the mean over all.
NVMatrix& LogregCost::average(NVMatrix& probs, int pass) {
    if (!IS_MULTIVIEW(pass)) {
        return probs;
    }
    if (HAS_FLAG(PASS_VIEW_FIRST, pass)) {
        probs.copy(_viewProbs);
    } else {
        _viewProbs.add(probs);
    }
    if (!IS_LAST_VIEW(pass)) {
        return probs;
    }
    _viewProbs.scale(1.0 / _numViews);
    if (_averages != NULL) {
        NVMatrix& rows = _viewProbs.flipTrans();
        assert(!rows.isTrans());
        rows.copyToHost(*_averages);
        delete &rows;
    }
    return _viewProbs;
}

void LogregCost::judge(NVMatrix& labels, NVMatrix& probs) {
    launchVerdicts(labels, probs, _logProbs, _correct);
    double cases = probs.getNumRows(), correct = _correct.sum(), hits = correct;
    if (_topk > 1) {
        Matrix hostLabels, hostProbs;
        labels.copyToHost(hostLabels, true);
        probs.copyToHost(hostProbs, true);
        hits = countHits(hostLabels, hostProbs, _topk);
    }
    _sums.clear();
    _sums.push_back(-_logProbs.sum());
    _sums.push_back(cases - correct);
    _sums.push_back(cases - hits);
}

void LogregCost::computeActs(int pass) {
    // Judges are told 1 x cases labels, whatever the layer's own order.
    NVMatrix& labels = _inputs[0]->getClone();
    labels.transpose(false);
    judge(labels, average(*_inputs[1], pass));
    delete &labels;
}

void LogregCost::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    assert(i == 1);
    NVMatrix& labels = *_inputs[0];
    SoftmaxLayer& softmax = (SoftmaxLayer&)_prev[i]->from;
    if (softmax.isFused()) {
        launchLogregSoftmaxGrad(labels, *_inputs[i], target, scaleTargets, _coeff);
    } else {
        launchLogregGrad(labels, *_inputs[i], target, scaleTargets, _coeff);
    }
}

TicaCost::TicaCost(PyObject* record) : Cost(record, false) {
    _channels = intField(record, "channels");
    _sizeX = intField(record, "sizeX");
}

void TicaCost::computeActs(int pass) {
    convTICA(*_inputs[0], _ticas, _channels, _sizeX, 0, 1);
    NVMatrix& perCase = _ticas.sum(0);
    Floats host(perCase.getNumElements());
    checkCudaErrors(cudaMemcpy(&host[0], perCase.getDevData(), host.size() * sizeof(float), cudaMemcpyDefault));
    _sums.assign(1, 0);
    for (int n = 0; n < host.size(); n++) {
        _sums[0] += host[n];
    }
    delete &perCase;
}

void TicaCost::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    convTICAGrad(*_inputs[i], _ticas, target, _channels, _sizeX, scaleTargets, _coeff);
}
