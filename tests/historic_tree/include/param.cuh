// Weights: a matrix that learns, with its increment and gradient (spec 3.8). Sharers point to the owner.
#ifndef PARAM_CUH
#define PARAM_CUH

#include <rate.cuh>

class Weights {
private:
    Matrix *_hostW, *_hostInc;
    NVMatrix _W, _inc, _grad;
    Rate* _rate;
    float _momentum, _decay, _ball;
    int _modules;          // of local weights; else 1
    Weights* _owner;       // NULL: this is one
    bool _joins;           // a sharer's gradient goes into the owner's
    int _contributions;    // to the gradient since the last update

    Weights(const Weights&);

public:
    Weights(Matrix* hostW, Matrix* hostInc, Rate* rate, float momentum, float decay, float ball, int modules);
    Weights(Weights* owner, Rate* rate, bool joins);

    bool isOwner() { return _owner == NULL; }
    bool learns();
    // Whether this shares that matrix and keeps a gradient of its own.
    bool addsTo(Weights& owner) { return _owner == &owner && !_joins; }
    NVMatrix& W() { return isOwner() ? _W : _owner->_W; }
    // To be accumulated into: gradScale() is 0 for the first contribution since an update. countGrad() after each.
    NVMatrix& grad() { return _joins ? _owner->_grad : _grad; }
    int gradScale();
    void countGrad();

    void upload();
    void download();
    // Two steps, each over all of a device's weights: first the increments of owners and sharers, then the weights.
    void step(float progress, float gradFactor);
    void apply();
    void forgetGrad();
};

#endif
