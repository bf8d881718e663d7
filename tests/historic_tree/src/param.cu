// Weights: a matrix that learns, with its increment and gradient (spec 3.8).
#include <param.cuh>
#include <cudaconv2.cuh>

Weights::Weights(Matrix* hostW, Matrix* hostInc, Rate* rate, float momentum, float decay, float ball, int modules)
    : _hostW(hostW), _hostInc(hostInc), _rate(rate), _momentum(momentum), _decay(decay), _ball(ball),
      _modules(modules), _owner(NULL), _joins(false), _contributions(0) {
    assert(hostW->isSameDims(*hostInc));
}

Weights::Weights(Weights* owner, Rate* rate, bool joins)
    : _hostW(NULL), _hostInc(NULL), _rate(rate), _momentum(0), _decay(0), _ball(0), _modules(1),
      _owner(owner), _joins(joins), _contributions(0) {
    assert(owner->isOwner());
}

bool Weights::learns() {
    return (isOwner() ? _rate : _owner->_rate)->base() > 0;
}

int Weights::gradScale() {
    return (_joins ? _owner->_contributions : _contributions) > 0;
}

void Weights::countGrad() {
    (_joins ? _owner->_contributions : _contributions)++;
}

void Weights::upload() {
    if (isOwner()) {
        _W.copyFromHost(*_hostW, true);
        _inc.copyFromHost(*_hostInc, true);
    }
}

// In the order of the arrays that the host matrices borrow.
void Weights::download() {
    if (isOwner()) {
        _W.copyToHost(*_hostW);
        _inc.copyToHost(*_hostInc);
    }
}

void Weights::step(float progress, float gradFactor) {
    if (!learns()) {
        return;
    }
    NVMatrix& inc = isOwner() ? _inc : _owner->_inc;
    if (isOwner()) {
        inc.scale(_momentum);
        if (_decay > 0) {
            inc.add(_W, 1, -_decay * _rate->now(progress));
        }
    }
    if (_contributions > 0 && _rate->base() > 0) {
        inc.add(_grad, _rate->now(progress) * gradFactor);
    }
    _contributions = 0;
}

void Weights::apply() {
    if (isOwner() && learns()) {
        _W.add(_inc);
        if (_ball > 0) {
            normalizeLocalWeights(_W, _modules, _ball);
        }
    }
}

void Weights::forgetGrad() {
    _contributions = 0;
    _grad.truncate();
}
