// Costs (spec 3.7): what they sum over the cases, and the averaging over views.
#ifndef COST_CUH
#define COST_CUH

#include <layer.cuh>

typedef vector<double> Sums;

class Cost : public Layer {
protected:
    float _coeff;
    Sums _sums;   // over the cases of the last minibatch

public:
    Cost(PyObject* record, bool trans);
    void settle();
    void fprop(int pass);
    float coeff() { return _coeff; }
    Sums& sums() { return _sums; }
};

class LogregCost : public Cost {
private:
    int _topk, _numViews;
    Matrix* _averages;   // cases x classes of the caller's, or NULL
    NVMatrix _viewProbs;
    NVMatrix _logProbs, _correct;

    NVMatrix& average(NVMatrix& probs, int pass);
    void judge(NVMatrix& labels, NVMatrix& probs);
    COMPUTES

public:
    LogregCost(PyObject* record);
    // By the manager, between minibatches.
    void expectViews(int numViews, Matrix* averages);
};

class TicaCost : public Cost {
private:
    int _channels, _sizeX;
    NVMatrix _ticas;
    COMPUTES

public:
    TicaCost(PyObject* record);
};

#endif
